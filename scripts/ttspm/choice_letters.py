"""The letter that a piece of text gives as its answer to a multiple-choice question."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence

# Letters of a choice problem whose choices are not known.
DEFAULT_LETTERS = "ABCD"

_WRAPPED_TEXT = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|sf)|mbox)\s*\{([^{}]*)\}")
_DECORATION = re.compile(r"\\(?:left|right)(?![A-Za-z])|\\[()\[\],;! ]|[$*`]")


class ChoiceReader:
    """Reads the letter of a choice from a piece of text.

    Parameters
    ----------
    choices : sequence of str or None
        Texts of the choices; where not given, the letters are `DEFAULT_LETTERS`.
    """

    def __init__(self, choices: Sequence[str] | None) -> None:
        known = list(choices) if choices is not None else []
        self.letters = string.ascii_uppercase[: len(known)] or DEFAULT_LETTERS
        self.texts = [_plain(text) for text in known]
        letter = f"[{self.letters}]"
        # A capital ends, or goes on with punctuation or words: "B = 5 T" is a formula, "A and C"
        # are two letters, and a small "a" before words is an article.
        self._leading = re.compile(
            rf"(?i:option|choice|answer)?\s*:?\s*\(?(?:({letter})"
            rf"(?!\)?\s*(?:,|and|or|&)\s*\(?{letter}\b)(?=$|[).:,;]|\s+(?![-=+*/^<>|\s]))"
            rf"|([{self.letters.lower()}])(?=$|\)))"
        )
        self._correct = re.compile(
            rf"(?<![\w']){letter}\b\)?(?:[).:][^\n.]*?)? is (?:the )?(?:correct|right|best)\b"
        )
        self._bold = re.compile(rf"\*\*\s*\(?({letter})(?:[).:][^*\n]*)?\s*\*\*")
        self._bracketed = re.compile(rf"(?<![\w^_])\(?({letter})\)")
        self._at_end = re.compile(rf"(?<![\w'])({letter})[\s.)]*$")

    def letter(self, fragment: str) -> str | None:
        """Letter that `fragment` starts with, or whose choice's text it is."""
        fragment = _plain(fragment)
        named = [at for at, text in zip(self.letters, self.texts, strict=True) if text == fragment]
        if len(named) == 1:
            return named[0]
        leading = self._leading.match(fragment)
        return (leading.group(1) or leading.group(2)).upper() if leading else None

    def after_phrase(self, text: str) -> str | None:
        """Letter after the last "answer is", "correct option:" and the like."""
        for phrase in reversed(list(_CHOICE_PHRASE.finditer(text))):
            found = self.letter(text[phrase.end() :].split("\n", 1)[0])
            if found is not None:
                return found
        return None

    def called_correct(self, text: str) -> str | None:
        """Letter in the last "B is correct" or "(B) ... is the right ..."."""
        found = self._correct.findall(_DECORATION.sub("", text))
        return found[-1][0] if found else None

    def on_last_line(self, text: str) -> str | None:
        """Letter or choice that the last line is, or its last bracketed or final letter."""
        line = text.rstrip().rsplit("\n", 1)[-1]
        plain = _plain(line)
        if plain in self.letters or plain in self.texts or re.match(r"\(?\w[).:]", plain):
            found = self.letter(line)
            if found is not None:
                return found
        for pattern in (self._bracketed, self._at_end):
            matches = pattern.findall(plain)
            if matches:
                return matches[-1]
        return None

    def in_bold(self, text: str) -> str | None:
        """Last letter in bold."""
        found = self._bold.findall(text)
        return found[-1] if found else None


_CHOICE_PHRASE = re.compile(
    r"\b(?:answer|option|choice)\b(?:(?!\b(?:answer|option|choice)\b)[^.\n:=]){0,40}?"
    r"(?:\bis\b|:|=)[\s*_:]*",
    re.IGNORECASE,
)

CHOICE_FALLBACKS: dict[str, Callable[[ChoiceReader, str], str | None]] = {
    "answer_phrase": ChoiceReader.after_phrase,
    "called_correct": ChoiceReader.called_correct,
    "last_line": ChoiceReader.on_last_line,
    "bold_letter": ChoiceReader.in_bold,
}


def _plain(text: str) -> str:
    """Text without LaTeX wrapping, emphasis, final full stop and repeated spaces."""
    text = _DECORATION.sub("", _WRAPPED_TEXT.sub(r"\1", text)).replace(r"\dfrac", r"\frac")
    return " ".join(text.split()).rstrip(". ")

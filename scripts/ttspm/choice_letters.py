"""The letter that a piece of text gives as its answer to a multiple-choice question."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence

# Letters of a choice problem whose choices are not known.
DEFAULT_LETTERS = "ABCD"
# Characters after "the answer is" in which a choice's text is looked for.
LONGEST_CHOICE = 400

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
            rf"(?<![\w']){letter}\b\)?(?:[).:][^\n.]{{0,80}}?)? is (?:the )?"
            r"(?:correct|right|best)\b"
        )
        self._bold = re.compile(rf"\*\*\s*\(?({letter})(?:[).:][^*\n]{{0,400}})?\s*\*\*")
        self._bracketed = re.compile(rf"(?<![\w^_])\(?({letter})\)")
        self._at_end = re.compile(rf"(?<![\w'])({letter})[\s.)]*$")

    def letter(self, fragment: str) -> str | None:
        """Letter that `fragment` starts with, or whose choice's text it is."""
        fragment = _plain(fragment)
        # There are no texts to go with the letters where the choices are not known.
        texts = zip(self.letters, self.texts, strict=False)
        named = [letter for letter, text in texts if text == fragment]
        if len(named) == 1:
            return named[0]
        leading = self._leading.match(fragment)
        return (leading.group(1) or leading.group(2)).upper() if leading else None

    def after_phrase(self, text: str) -> str | None:
        """Letter after the last "answer is", "correct option:" and the like."""
        for phrase in reversed(list(_CHOICE_PHRASE.finditer(text))):
            fragment = text[phrase.end() : phrase.end() + LONGEST_CHOICE]
            found = self.letter(fragment.split("\n", 1)[0])
            if found is not None:
                return found
        return None

    def called_correct(self, text: str) -> str | None:
        """Letter in the last "B is correct" or "(B) ... is the right ..."."""
        found = self._correct.findall(_DECORATION.sub("", text))
        return found[-1][0] if found else None

    def on_last_line(self, text: str) -> str | None:
        """Letter or choice that the last line is, or its last bracketed or final letter."""
        line = _plain(text.rstrip().rsplit("\n", 1)[-1])
        if line in self.letters or line in self.texts:
            return self.letter(line)
        bracketed = self._bracketed.findall(line)
        if bracketed:
            return bracketed[-1]
        if re.match(r"[A-Z][.:]", line):
            return self.letter(line)
        at_end = self._at_end.search(line)
        return at_end.group(1) if at_end else None

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

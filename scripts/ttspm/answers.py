r"""The final answer of a generation: the last balanced box after the thinking, then fallbacks.

The rules, their order and an example of each are in ``docs/grading.md``; the order in code is that
of `MATH_FALLBACKS` and, in ``choice_letters.py``, of `CHOICE_FALLBACKS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from ttspm.choice_letters import CHOICE_FALLBACKS, ChoiceReader

EXTRACTIONS = ("last_boxed", "first_boxed")

# Characters in which a fallback looks for the answer after its phrase. It bounds the work on texts
# that repeat a phrase thousands of times.
LONGEST_ANSWER = 400


class Extraction(NamedTuple):
    """A final answer and the rule that found it.

    Attributes
    ----------
    answer : str or None
        The answer as written (for choices: the letter), None where there is none.
    rule : str
        ``boxed``, a key of `MATH_FALLBACKS` or `CHOICE_FALLBACKS`, ``unfinished_thinking`` or
        ``none``.
    """

    answer: str | None
    rule: str


def final_answer(
    text: str,
    kind: str,
    *,
    thinking: bool = False,
    choices: Sequence[str] | None = None,
    extraction: str = "last_boxed",
) -> str | None:
    r"""Final answer of a generation, or None where it gives none.

    Parameters
    ----------
    text : str
        The generation, without its prompt.
    kind : {"math", "choice"}
        Kind of the problem.
    thinking : bool
        Whether the chat template opened ``<think>`` already, so that the text starts inside it.
    choices : sequence of str, optional
        Texts of the choices, in the order of their letters; four letters where not given.
    extraction : {"last_boxed", "first_boxed"}
        ``last_boxed`` is the rule of the package. ``first_boxed`` takes the first ``\boxed``
        anywhere, thinking included, and has no fallbacks: what a regular-expression search
        through the whole completion does, kept to measure how much that changes.

    Returns
    -------
    str or None
        The answer as written; for choices its upper-case letter.

    Raises
    ------
    ValueError
        If `kind` or `extraction` is not one of those named above.
    """
    return extract(text, kind, thinking=thinking, choices=choices, extraction=extraction).answer


def extract(
    text: str,
    kind: str,
    *,
    thinking: bool = False,
    choices: Sequence[str] | None = None,
    extraction: str = "last_boxed",
) -> Extraction:
    """Final answer of a generation with the rule that found it; see `final_answer`."""
    if kind not in ("math", "choice"):
        raise ValueError(f"kind is 'math' or 'choice', not {kind!r}")
    if extraction not in EXTRACTIONS:
        raise ValueError(f"extraction is one of {EXTRACTIONS}, not {extraction!r}")

    reader = ChoiceReader(choices) if kind == "choice" else None
    read = reader.letter if reader else _box_content
    if extraction == "first_boxed":
        answer = read(next(iter(boxed(text)), ""))
        return Extraction(answer, "none" if answer is None else "boxed")

    said = after_thinking(text, thinking=thinking)
    if said is None:
        return Extraction(None, "unfinished_thinking")
    for content in reversed(boxed(said)):
        answer = read(content)
        if answer is not None:
            return Extraction(answer, "boxed")

    # Boxes without an answer (the prompt's "\boxed{}" is often echoed) must not stand between a
    # phrase and its answer.
    said = _without_boxes(said)
    fallbacks: dict[str, Callable[[str], str | None]] = (
        {rule: partial(find, reader) for rule, find in CHOICE_FALLBACKS.items()}
        if reader
        else MATH_FALLBACKS
    )
    for rule, find in fallbacks.items():
        answer = find(said)
        if answer is not None:
            return Extraction(answer, rule)
    return Extraction(None, "none")


def after_thinking(text: str, *, thinking: bool) -> str | None:
    """What follows the thinking; None where the thinking was opened and never closed.

    Parameters
    ----------
    text : str
        The generation.
    thinking : bool
        Whether the chat template opened ``<think>`` already.
    """
    _, closed, rest = text.rpartition("</think>")
    if (thinking and not closed) or "<think>" in rest:
        return None
    return rest


# ---- boxes ------------------------------------------------------------------------------------

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"[-+]?\d[\d.,/%]*|[A-Z]\b")  # "\boxed 5": a number or one letter only
_PLACEHOLDERS = {"", r"\dots", r"\ldots", r"\cdots", r"\text{}", r"\text{answer}", "answer"}


def boxed(text: str) -> list[str]:
    r"""Contents of every balanced ``\boxed{...}`` or ``\fbox{...}``, in the order they open.

    A box without braces (``\boxed 5``) counts where a number or one capital follows; a box whose
    brace is never closed does not count.
    """
    return [content for _, _, content in _boxes(text) if content is not None]


def _boxes(text: str) -> Iterator[tuple[int, int, str | None]]:
    """Start, end and content of every box; content None where it is missing or never closed."""
    closing_of = _closing_braces(text) if _BOX.search(text) else {}
    for command in _BOX.finditer(text):
        opening = command.end()
        if text.startswith("{", opening):
            closing = closing_of.get(opening)
            if closing is None:
                yield command.start(), len(text), None
            else:
                yield command.start(), closing + 1, text[opening + 1 : closing].strip()
        elif bare := _BARE_BOX.match(text, opening):
            yield command.start(), bare.end(), bare.group().rstrip(".,")
        else:
            yield command.start(), opening, None


def _without_boxes(text: str) -> str:
    kept, at = [], 0
    for start, end, _ in _boxes(text):
        kept.append(text[at:start])
        at = max(at, end)  # a box inside a box ends before it
    return "".join([*kept, text[at:]])


def _closing_braces(text: str) -> dict[int, int]:
    r"""Where each brace that is closed is closed; ``\{`` and ``\}`` do not count.

    One pass: a model caught in a loop opens the same box thousands of times.
    """
    closing_of = {}
    opened = []
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif brace.group() == "}" and opened:
            closing_of[opened.pop()] = brace.start()
    return closing_of


def _box_content(content: str) -> str | None:
    """Content of a box, None where it holds a placeholder or a box (which comes by itself)."""
    empty = content.strip(" \t\n.?_$~…") in _PLACEHOLDERS
    return None if empty or _BOX.search(content) else content


# ---- fallbacks for math -------------------------------------------------------------------------

_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))(?:\.\d+)?"
    r"(?:/\d+(?![\d/]))?(?:\s?\\?%)?"
)
# A mathematical expression written into a sentence: numbers, operators, brackets, LaTeX commands
# with their braces, names of functions, and single letters; never a word.
_EXPRESSION = re.compile(
    r"""(?: \\(?:text|mathrm|mbox)\{[^{}]*\} | \\[A-Za-z]+ | \\[%$!,;{}]
          | \b(?:pi|sqrt|sin|cos|tan|log|ln|exp)\b | (?<![A-Za-z])[A-Za-z](?![A-Za-z'])
          | \d | [-+*/^_=<>|%°×÷·−≤≥√π∞{}()\[\]] | \.(?=\d) | ,(?=\s?[-+\d\\.(]) | [ ] )+""",
    re.VERBOSE,
)
_DELIMITED = re.compile(r"\$\$?([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_WORD_BETWEEN_SPACES = re.compile(r"(?<!\{)\s[A-Za-z]{2,}\s")
_ANSWER_PHRASE = re.compile(
    r"\banswer\b(?:(?!\banswer\b)[^.\n:=]){0,40}?(?:\bis\b|\bare\b|:|=)[\s*_:]*", re.IGNORECASE
)
_HASH_MARKS = re.compile(r"####[ \t]*")
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)|\bequals\b")
_ARITHMETIC = re.compile(r"[-+]?[\d.,]+(?:\s*[-+*×·]\s*[\d.,]+)+")
_LIST_MARKER = re.compile(r"^\s*\d+[.)](?:\s+|$)")


def _leading_expression(fragment: str) -> str | None:
    """Expression that `fragment` starts with; None where it starts with words.

    Of an equation between numbers (``48 + 6 = 54``) the last side is taken. Sums and products of
    plain numbers that were not worked out (``6 * 9``) repeat the question: they are no answer.
    """
    fragment = fragment.lstrip(" \t*_:")
    expression = ""
    delimited = _DELIMITED.match(fragment)
    if delimited:
        inner = next(group for group in delimited.groups() if group is not None)
        # "$18 and not $20" is money, not mathematics.
        expression = "" if _WORD_BETWEEN_SPACES.search(inner) else inner.strip()
    if not expression:
        run = _EXPRESSION.match(fragment.lstrip("$ "))
        expression = _tidy(run.group()) if run else ""
    if not re.search(r"[A-Za-z\\,]", expression):
        expression = expression.rsplit("=", 1)[-1].strip()
    if _ARITHMETIC.fullmatch(expression):
        return None
    return expression if re.search(r"\d|\\[A-Za-z]|\bpi\b|[π∞]", expression) else None


def _tidy(run: str) -> str:
    """Expression without what the sentence around it left at its ends."""
    expression = re.sub(r"\s+[aAI]$", "", run.strip())  # an article or pronoun, not a variable
    if r"\begin" not in expression:
        expression = expression.split(r"\end", 1)[0]
    expression = expression.rstrip(" +-*/^_<>([{,").lstrip("=*/ ")
    while expression and expression[-1] in ")]}":
        # A bracket that the sentence opened; "(1, 2]" closes what it opened.
        pair = "{}" if expression[-1] == "}" else "()[]"
        balance = sum(1 if mark in pair[::2] else -1 for mark in expression if mark in pair)
        if balance >= 0:
            break
        expression = expression[:-1].rstrip()
    return expression


def _last_expression_after(pattern: re.Pattern[str], text: str) -> str | None:
    """Expression after the last match of `pattern` that is followed by one on its line."""
    for match in reversed(list(pattern.finditer(text))):
        fragment = text[match.end() : match.end() + LONGEST_ANSWER]
        expression = _leading_expression(fragment.split("\n", 1)[0])
        if expression is not None:
            return expression
    return None


def _answer_phrase(text: str) -> str | None:
    return _last_expression_after(_ANSWER_PHRASE, text)


def _hash_marks(text: str) -> str | None:
    return _last_expression_after(_HASH_MARKS, text)


def _last_equals(text: str) -> str | None:
    return _last_expression_after(_EQUALS, text)


def _last_number(text: str) -> str | None:
    """Last number of the last line that has one, the numbers of list items aside."""
    lines = text.strip().split("\n")
    for line in reversed(lines):
        numbers = _NUMBER.findall(line if len(lines) == 1 else _LIST_MARKER.sub("", line))
        if numbers:
            return numbers[-1]
    return None


MATH_FALLBACKS: dict[str, Callable[[str], str | None]] = {
    "answer_phrase": _answer_phrase,
    "hash_marks": _hash_marks,
    "last_equals": _last_equals,
    "last_number": _last_number,
}

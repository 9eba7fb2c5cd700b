"""A graded sample as an importer finds it, and the checks that all importers share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttspm.errors import UserError

# Longest text that may pass for an answer where nothing tells answers from whole responses.
LONGEST_ANSWER = 100

INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One graded unit, before it is brought together with the others of its problem.

    Attributes
    ----------
    file, place : str
        Where it was found, for messages: ``runs.jsonl`` and ``line 12``.
    unit : int
        From 1.
    correct : bool or None
        None where the tool could not grade it; such a sample is left out, never counted as wrong.
    model, benchmark : str or None
        None where the file does not say.
    truncated : bool
        Whether the generation ended at its limit of tokens; False where the file does not say.
    counted : bool
        The sample stands for one of a count: neither its order nor its answer is known.
    """

    file: str
    place: str
    problem_id: str
    unit: int
    correct: bool | None
    model: str | None = None
    benchmark: str | None = None
    strategy: str = "parallel"
    answer: str | None = None
    gold: str | None = None
    tokens: int | None = None
    truncated: bool = False
    counted: bool = False

    @property
    def where(self) -> str:
        """File and row, as messages name them."""
        return f"{self.file}, {self.place}"


@dataclass(frozen=True)
class Choice:
    """Which of several recorded grades to take; None where there is only one.

    Attributes
    ----------
    metric : str or None
        Name of the score that says whether a sample is correct.
    filter : str or None
        Name of the answer filter (lm-evaluation-harness).
    """

    metric: str | None = None
    filter: str | None = None


def needed(row: Mapping[str, Any], key: str, where: str, what: str) -> Any:
    """Value of a key that every row has in the format `what`.

    Raises
    ------
    UserError
        If it is missing.
    """
    if key not in row:
        raise UserError(f"{where}: '{key}' is missing; {what}")
    return row[key]


def as_grade(value: Any, key: str, where: str) -> bool:
    """A grade: true or false, or the numbers 1 and 0.

    Raises
    ------
    UserError
        If it is anything else, a share such as 0.5 or a text included.
    """
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    raise UserError(f"{where}: '{key}' is {_shown(value)}; it must be true or false (or 1 or 0)")


def as_text(value: Any, key: str, where: str) -> str | None:
    """A text or a number as text; None where there is none.

    Raises
    ------
    UserError
        If it is neither.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise UserError(f"{where}: '{key}' is {_shown(value)}; it must be a text or a number")


def as_name(value: Any, key: str, where: str) -> str:
    """A name that must be there: text or a whole number.

    Raises
    ------
    UserError
        If it is empty or not a name.
    """
    if isinstance(value, float) or (name := as_text(value, key, where)) is None:
        raise UserError(f"{where}: '{key}' is {_shown(value)}; it must be a text or a whole number")
    return name


def as_whole(value: Any, key: str, where: str, least: int = 0) -> int:
    """A whole number from `least` on; numbers written as text count (a CSV has nothing else).

    Raises
    ------
    UserError
        If it is not one.
    """
    try:
        # Through float: 5712.0 is how a column of whole numbers with gaps is often written.
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number.is_integer() and least <= number <= INT32_MAX):
        raise UserError(
            f"{where}: '{key}' is {_shown(value)}; it must be a whole number >= {least}"
        )
    return int(number)


def as_tokens(value: Any, key: str, where: str) -> int | None:
    """A count of tokens; None where none was recorded.

    Raises
    ------
    UserError
        If it is there and not a whole number.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    return as_whole(value, key, where)


def chosen(names: Sequence[str], wanted: str | None, key: str, where: str) -> str:
    """The one name there is, or the one that was asked for.

    Raises
    ------
    UserError
        If there is none, if it is not there, or if there are several and none was asked for.
    """
    listed = ", ".join(names)
    if not names:
        raise UserError(f"{where}: no {key} is recorded, so nothing says what is correct")
    if wanted is not None and wanted not in names:
        raise UserError(f"{where}: there is no {key} '{wanted}'; recorded are: {listed}")
    if wanted is None and len(names) > 1:
        raise UserError(f"{where}: several are recorded, {listed}; say which by '{key}: <name>'")
    return wanted or names[0]


def extracted(answers: Sequence[str | None], responses: Sequence[str | None]) -> bool:
    """Whether the answers were taken out of the responses, rather than being all of their text.

    Whole responses as answers would each be a class of their own, and a vote over them nonsense.
    Short ones (a letter, a number) can be answers as they stand.
    """
    if len(answers) != len(responses):
        return True
    pairs = [(answer, text) for answer, text in zip(answers, responses, strict=True) if answer]
    return any(answer != text for answer, text in pairs) or all(
        len(answer) <= LONGEST_ANSWER for answer, _ in pairs
    )


def refuse_twice(seen: dict[str, str], key: str, where: str) -> None:
    """Note a problem of a file that holds each once.

    Raises
    ------
    UserError
        If it was there before.
    """
    if key in seen:
        raise UserError(f"{where}: problem '{key}' is there twice, first in {seen[key]}")
    seen[key] = where


def _shown(value: Any) -> str:
    text = "empty" if value is None or value == "" else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The package's own format: one row a graded unit, or one row a problem with counts.

Columns: ``problem_id``, ``unit`` (from 1) or ``sample_index`` (from 0), ``correct``; used where
present: ``answer``, ``gold``, ``tokens``, ``truncated``, ``model``, ``benchmark``, ``strategy``.
Counts: ``problem_id``, ``n_samples``, ``n_correct``. Other columns are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ttspm.errors import UserError
from ttspm.records.files import is_csv, rows
from ttspm.records.samples import (
    Choice,
    Sample,
    as_grade,
    as_name,
    as_text,
    as_tokens,
    as_whole,
    needed,
)

ABOUT = ("model", "benchmark", "strategy")
UNIT_COLUMNS = (
    *("problem_id", "unit", "sample_index", "correct"),
    *("answer", "gold", "tokens", "truncated"),
)
COUNT_COLUMNS = ("n_samples", "n_correct")

FORM = (
    "a row needs problem_id, unit (or sample_index from 0) and correct, or problem_id, n_samples"
    " and n_correct"
)

STRATEGIES = ("parallel", "sequential")
TEXT_GRADES = {"true": True, "false": False, "1": True, "0": False}


def read_native(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of files in the package's own format; see the module's text for its columns.

    Raises
    ------
    UserError
        One line with file and row, where a column is missing or a value is not what it must be.
    """
    if choice != Choice():
        raise UserError("metric and filter are for other tools' files; this format has 'correct'")
    for path in paths:
        for place, row in rows(path, [*UNIT_COLUMNS, *COUNT_COLUMNS, *ABOUT]):
            where = f"{path}, {place}"
            problem_id = as_name(needed(row, "problem_id", where, FORM), "problem_id", where)
            about = _about(row, where) | {"file": str(path), "place": place}
            if "correct" not in row and "n_correct" in row:
                yield from _counted(row, problem_id, about, where)
            else:
                yield _graded(row, problem_id, about, where, is_csv(path))


def _graded(
    row: Mapping[str, Any], problem_id: str, about: dict[str, Any], where: str, texts: bool
) -> Sample:
    if "unit" in row:
        unit = _from_one(row["unit"], where)
    else:
        unit = as_whole(needed(row, "sample_index", where, FORM), "sample_index", where) + 1
    return Sample(
        **about,
        problem_id=problem_id,
        unit=unit,
        correct=_grade(needed(row, "correct", where, FORM), "correct", where, texts),
        answer=as_text(row.get("answer"), "answer", where),
        gold=as_text(row.get("gold"), "gold", where),
        tokens=as_tokens(row.get("tokens"), "tokens", where),
        # A file that has the column may leave it empty; that says nothing, like no column.
        truncated=row.get("truncated") not in (None, "")
        and _grade(row["truncated"], "truncated", where, texts),
    )


def _counted(
    row: Mapping[str, Any], problem_id: str, about: dict[str, Any], where: str
) -> Iterator[Sample]:
    samples = as_whole(needed(row, "n_samples", where, FORM), "n_samples", where, least=1)
    correct = as_whole(row["n_correct"], "n_correct", where)
    if correct > samples:
        raise UserError(f"{where}: n_correct {correct} is above n_samples {samples}")
    for unit in range(1, samples + 1):
        # Which of the samples were the correct ones is not known; no analysis of counts asks.
        yield Sample(
            **about, problem_id=problem_id, unit=unit, correct=unit <= correct, counted=True
        )


def _about(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    about = {key: as_text(row.get(key), key, where) for key in ABOUT}
    about["strategy"] = about["strategy"] or "parallel"
    if about["strategy"] not in STRATEGIES:
        raise UserError(
            f"{where}: strategy '{about['strategy']}' is unknown; it is one of"
            f" {', '.join(STRATEGIES)}"
        )
    return about


def _from_one(value: Any, where: str) -> int:
    unit = as_whole(value, "unit", where)
    if unit == 0:
        raise UserError(
            f"{where}: 'unit' is 0, but units count from 1; name the column sample_index if it"
            " counts from 0"
        )
    return unit


def _grade(value: Any, key: str, where: str, texts: bool) -> bool:
    """A grade; in a CSV, where everything is text, also true and false as texts."""
    if texts and isinstance(value, str):
        return as_grade(TEXT_GRADES.get(value.strip().lower(), value), key, where)
    return as_grade(value, key, where)

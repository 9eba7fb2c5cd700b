"""evalscope: ``reviews/{model}/{benchmark}_{subset}.jsonl``.

One line a sample: ``index``, ``target`` and ``sample_score`` with ``group_id`` (the problem; the
repeats of one follow each other in ``index``) and ``score``: ``value`` by name, ``status``,
``extracted_prediction``, ``prediction``. Tokens are not there. Each subset is a benchmark of its
own here; `benchmark` in the configuration puts them together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttspm.errors import UserError
from ttspm.records.files import rows
from ttspm.records.samples import (
    Choice,
    Sample,
    as_grade,
    as_name,
    as_text,
    as_whole,
    chosen,
    extracted,
    needed,
    refuse_twice,
)

FORM = "a line of evalscope reviews has index and sample_score"
USABLE = ("success", "fallback")  # any other status: could not be graded


def read_evalscope(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of evalscope reviews; several files of one benchmark are several runs.

    Raises
    ------
    UserError
        As every importer does, with file and row.
    """
    runs: Counter[tuple[str, str, str]] = Counter()
    for path in paths:
        model, benchmark = path.absolute().parent.name, path.name.partition(".jsonl")[0]
        lines = [_Line.read(row, str(path), place) for place, row in rows(path)]
        lines.sort(key=lambda line: line.index)  # several threads write them as they finish
        answered = extracted([line.answer for line in lines], [line.text for line in lines])
        seen: dict[str, str] = {}
        for line in lines:
            where = f"{path}, {line.place}"
            refuse_twice(seen, str(line.index), where)
            runs[model, benchmark, line.problem_id] += 1
            yield Sample(
                file=str(path),
                place=line.place,
                problem_id=line.problem_id,
                unit=runs[model, benchmark, line.problem_id],
                correct=_grade(line.score, choice.metric, where),
                model=model,
                benchmark=benchmark,
                answer=line.answer if answered else None,
                gold=line.gold,
            )


@dataclass(frozen=True)
class _Line:
    """What is used of a line."""

    place: str
    index: int
    problem_id: str
    score: Mapping[str, Any]
    answer: str | None
    text: str | None
    gold: str | None

    @staticmethod
    def read(row: Mapping[str, Any], file: str, place: str) -> _Line:
        where = f"{file}, {place}"
        index = as_whole(needed(row, "index", where, FORM), "index", where)
        sample_score = needed(row, "sample_score", where, FORM)
        score = sample_score.get("score") if isinstance(sample_score, dict) else None
        if not isinstance(score, dict):
            raise UserError(f"{where}: 'sample_score' has no 'score'; {FORM}")
        group = sample_score.get("group_id")
        return _Line(
            place=place,
            index=index,
            problem_id=as_name(index if group is None else group, "group_id", where),
            score=score,
            answer=as_text(score.get("extracted_prediction"), "extracted_prediction", where),
            text=as_text(score.get("prediction"), "prediction", where),
            gold=as_text(row.get("target"), "target", where),
        )


def _grade(score: Mapping[str, Any], metric: str | None, where: str) -> bool | None:
    if score.get("status", "success") not in USABLE:
        return None
    value = score.get("value")
    if not isinstance(value, dict):
        raise UserError(f"{where}: 'value' of the score must be an object of names and numbers")
    # Without a choice the tool's own rule: the main score, else the first.
    wanted = metric or score.get("main_score_name") or next(iter(value), None)
    name = chosen(list(value), wanted, "metric", where)
    return as_grade(value[name], name, where)

"""NeMo-Skills: ``{benchmark}/output-rs{seed}.jsonl``, one file a seed, after its evaluation.

One line a problem: ``predicted_answer``, ``expected_answer``, ``symbolic_correct`` and, where a
judge ran, ``judgement``; ``num_generated_tokens``, ``finish_reason``. The lines of all seeds are in
the same order, which is what tells the problem where a line has no ``id``. The files do not name
the model. Metrics: ``symbolic_correct`` and ``judge_correct``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    as_tokens,
    chosen,
    refuse_twice,
)

NAME = re.compile(r"output-rs(?P<seed>\d+)\.jsonl(\.gz)?")
JUDGEMENT = re.compile(r".*Judgement:\s*(yes|no)", re.IGNORECASE | re.DOTALL)


def read_nemo_skills(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of NeMo-Skills; unit k is the k-th smallest seed of a benchmark.

    Raises
    ------
    UserError
        Also where both a symbolic grade and a judgement are there and `choice` does not say which.
    """
    units: dict[Path, int] = {}
    for path in sorted(paths, key=_seed):
        units[path.parent] = units.get(path.parent, 0) + 1
        seen: dict[str, str] = {}
        for place, row in rows(path):
            where = f"{path}, {place}"
            problem_id = as_name(row["id"], "id", where) if "id" in row else place
            refuse_twice(seen, problem_id, where)
            yield Sample(
                file=str(path),
                place=place,
                problem_id=problem_id,
                unit=units[path.parent],
                correct=_grade(row, choice.metric, where),
                benchmark=path.absolute().parent.name,
                answer=as_text(row.get("predicted_answer"), "predicted_answer", where),
                gold=as_text(row.get("expected_answer"), "expected_answer", where),
                tokens=as_tokens(row.get("num_generated_tokens"), "num_generated_tokens", where),
                truncated=row.get("finish_reason") == "length",
            )


def _seed(path: Path) -> int:
    named = NAME.fullmatch(path.name)
    if not named:
        raise UserError(f"{path}: a file of NeMo-Skills samples is named output-rs<seed>.jsonl")
    return int(named["seed"])


def _grade(row: Mapping[str, Any], metric: str | None, where: str) -> bool | None:
    names = [name for name in ("symbolic_correct",) if name in row]
    names += ["judge_correct"] if "judgement" in row else []
    name = chosen(names, metric, "metric", where)
    if name == "symbolic_correct":
        return as_grade(row[name], name, where)
    verdict = JUDGEMENT.match(str(row["judgement"]))
    # A judgement in another form is no verdict; the tool itself counts it as wrong.
    return verdict[1].lower() == "yes" if verdict else None

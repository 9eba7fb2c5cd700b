"""lighteval details: ``details/{model}/{date}/details_{task}_{date}.parquet``.

One row a problem: ``doc`` (``id``, ``task_name``, ``choices``, ``gold_index``, ``specific``),
``model_response`` (``text`` and ``output_tokens``, one entry a sample) and ``metric`` (values by
name).

A problem sampled n times has only the mean of its grades, under a name such as ``avg@n:n=16`` or
``pass@k:k=1&n=16``: that is a count of the correct ones, so hit@N and p_x can be had, and no vote.
A problem sampled once is a graded sample; several files of one task are then several runs.
"""

from __future__ import annotations

import re
from collections import Counter
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
    chosen,
    needed,
    refuse_twice,
)

FORM = "lighteval details have the columns doc, model_response and metric"
COLUMNS = ("doc", "model_response", "metric")
DATE = re.compile(r"\d{4}-\d\d-\d\dT.*")
# A mean of n grades is off a multiple of 1/n by rounding only.
TOLERANCE = 1e-6


def read_lighteval(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of lighteval details; see the module's text.

    Raises
    ------
    UserError
        Also where there are several metrics and `choice` does not say which, or where the metric
        of a problem sampled several times is not a mean over its samples.
    """
    runs: Counter[tuple[str | None, str | None, str]] = Counter()
    for path in paths:
        model = _model(path)
        seen: dict[str, str] = {}
        for place, row in rows(path, COLUMNS):
            where = f"{path}, {place}"
            doc, response, metrics = (_struct(row, name, where) for name in COLUMNS)
            problem_id = as_name(needed(doc, "id", where, FORM), "id", where)
            benchmark = as_text(doc.get("task_name"), "task_name", where)
            refuse_twice(seen, problem_id, where)
            recorded = [name for name, value in metrics.items() if value is not None]
            name = chosen(recorded, choice.metric, "metric", where)
            about: dict[str, Any] = {
                "file": str(path),
                "place": place,
                "problem_id": problem_id,
                "model": model,
                "benchmark": benchmark,
            }
            if len(response.get("text") or []) > 1:
                yield from _counted(about, name, metrics[name], len(response["text"]), where)
                continue
            runs[model, benchmark, problem_id] += 1
            yield Sample(
                **about,
                unit=runs[model, benchmark, problem_id],
                correct=as_grade(metrics[name], name, where),
                answer=_answer(doc, where),
                gold=_gold(doc),
                tokens=_tokens(response),
            )


def _counted(
    about: dict[str, Any], name: str, value: Any, texts: int, where: str
) -> Iterator[Sample]:
    samples = _averaged(name, texts)
    if samples is None or not isinstance(value, (int, float)):
        raise UserError(
            f"{where}: {texts} samples and one value of '{name}', which is not a mean over them;"
            " choose a metric such as avg@n or pass@k:k=1"
        )
    correct = value * samples
    if abs(correct - round(correct)) > TOLERANCE or not 0 <= round(correct) <= samples:
        raise UserError(f"{where}: '{name}' is {value}, not a mean of {samples} grades of 0 or 1")
    for unit in range(1, samples + 1):
        yield Sample(**about, unit=unit, correct=unit <= round(correct), counted=True)


def _averaged(name: str, texts: int) -> int | None:
    """Number of samples over which a metric is the mean grade; None where it is something else."""
    kind, _, settings = name.partition(":")
    values = dict(re.findall(r"(\w+)=(\d+)", settings))
    older = re.fullmatch(r"(\d+)_samples", settings)  # math_pass@1:4_samples
    if kind.endswith("pass@1") and older:
        return int(older[1])
    if kind.endswith("avg@n") or (kind.endswith("pass@k") and values.get("k") == "1"):
        return int(values.get("n", texts))
    return None


def _struct(row: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    value = needed(row, name, where, FORM)
    if not isinstance(value, dict):
        raise UserError(f"{where}: '{name}' is not a group of values; {FORM}")
    return value


def _answer(doc: Mapping[str, Any], where: str) -> str | None:
    """What the metric took for the answer; it keeps the expression and then its text."""
    found = (doc.get("specific") or {}).get("extracted_predictions")
    return as_text(found[-1], "extracted_predictions", where) if found else None


def _gold(doc: Mapping[str, Any]) -> str | None:
    index, choices = doc.get("gold_index"), doc.get("choices") or []
    index = index[0] if isinstance(index, list) and len(index) == 1 else index
    if not isinstance(index, int) or not 0 <= index < len(choices):
        return None
    return str(choices[index]).strip() or None


def _tokens(response: Mapping[str, Any]) -> int | None:
    generated = response.get("output_tokens") or []
    return len(generated[0]) if len(generated) == 1 and generated[0] else None


def _model(path: Path) -> str | None:
    """Name of the model: the folders between ``details`` and that of the date."""
    folders = path.absolute().parts[:-1]
    if "details" not in folders:
        return None
    start = len(folders) - folders[::-1].index("details")
    named = [folder for folder in folders[start:] if not DATE.fullmatch(folder)]
    return "/".join(named) or None

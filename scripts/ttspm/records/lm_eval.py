"""lm-evaluation-harness: ``samples_{task}_{date}.jsonl``, written with ``--log_samples``.

One line a problem and answer filter: ``doc_id``, ``target``, ``resps`` and ``filtered_resps`` (one
entry a request, and in it one text a repeat), ``filter``, ``metrics`` (names) and each metric's
value. The model's name is in ``results_{date}.json`` beside it, else in the name of the folder.

A problem that was repeated is graded once for all its repeats, so the grades of single samples are
in the file only where the task's metric is a list of them. Several files of one task are several
runs: each gives one sample more, in the order of the files.
"""

from __future__ import annotations

import json
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
    extracted,
    needed,
    refuse_twice,
)

NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[^_]+)\.jsonl(\.gz)?")
FORM = "a line of lm-evaluation-harness samples has doc_id, resps and filtered_resps"
# Columns that are not a metric, for files from before `metrics` named those that are.
FIXED = {
    *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
    *("doc_hash", "prompt_hash", "target_hash"),
}
NO_MATCH = "[invalid]"  # what the harness writes where its filter finds no answer


def read_lm_eval(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of lm-evaluation-harness; see the module's text.

    Raises
    ------
    UserError
        Also where the file has several filters or metrics and `choice` does not say which.
    """
    runs: Counter[tuple[str | None, str, str]] = Counter()
    for path in paths:
        named = NAME.fullmatch(path.name)
        task = named["task"] if named else path.name.partition(".jsonl")[0]
        model = _model(path, named["date"] if named else None)
        lines = [(f"{path}, {place}", place, row) for place, row in rows(path)]
        for where, _, row in lines:
            for key in ("doc_id", "resps", "filtered_resps"):
                needed(row, key, where, FORM)
        filters = list(dict.fromkeys(str(row.get("filter", "none")) for *_, row in lines))
        kept = chosen(filters, choice.filter, "filter", str(path))
        lines = [line for line in lines if str(line[2].get("filter", "none")) == kept]
        answered = extracted(
            [text for *_, row in lines for text in _texts(row["filtered_resps"])],
            [text for *_, row in lines for text in _texts(row["resps"])],
        )
        seen: dict[str, str] = {}
        for where, place, row in lines:
            problem_id = as_name(row["doc_id"], "doc_id", where)
            refuse_twice(seen, problem_id, where)
            for answer, correct in _graded(row, choice.metric, where):
                runs[model, task, problem_id] += 1
                yield Sample(
                    file=str(path),
                    place=place,
                    problem_id=problem_id,
                    unit=runs[model, task, problem_id],
                    correct=correct,
                    model=model,
                    benchmark=task,
                    answer=None if answer in (NO_MATCH, "") or not answered else answer,
                    gold=as_text(row.get("target"), "target", where),
                )


def _graded(
    row: Mapping[str, Any], metric: str | None, where: str
) -> Iterator[tuple[str | None, bool]]:
    """Answer and grade of each sample of a line."""
    name = chosen(_metrics(row), metric, "metric", where)
    grades = needed(row, name, where, f"'metrics' names it; {FORM}")
    filtered = row["filtered_resps"]
    first = filtered[0] if isinstance(filtered, list) and filtered else None
    if isinstance(grades, list):
        answers = first if isinstance(first, list) else filtered
        if len(answers) != len(grades):
            raise UserError(f"{where}: {len(grades)} grades in '{name}' for {len(answers)} answers")
        for answer, grade in zip(answers, grades, strict=True):
            yield as_text(answer, "filtered_resps", where), as_grade(grade, name, where)
        return
    repeats = row["resps"][0] if isinstance(row["resps"], list) and row["resps"] else []
    if isinstance(repeats, list) and len(repeats) > 1 and len(row["resps"]) == 1:
        raise UserError(
            f"{where}: {len(repeats)} repeats and one grade in '{name}', so which of them were"
            " correct is not in the file; give one file a run, or a metric that is a list"
        )
    texts = _texts(filtered)
    yield texts[0] if len(texts) == 1 else None, as_grade(grades, name, where)


def _metrics(row: Mapping[str, Any]) -> list[str]:
    if isinstance(row.get("metrics"), list):
        return [str(name) for name in row["metrics"]]
    return [name for name, value in row.items() if name not in FIXED and _is_grade(value)]


def _is_grade(value: Any) -> bool:
    return isinstance(value, (bool, int, float, list))


def _texts(responses: Any) -> list[str]:
    """The texts of a line's responses, however deep their lists are."""
    if isinstance(responses, list):
        return [text for response in responses for text in _texts(response)]
    return [str(responses).strip()]


def _model(path: Path, date: str | None) -> str | None:
    results = path.with_name(f"results_{date}.json")
    if date and results.is_file():
        try:
            name = json.loads(results.read_text(encoding="utf-8")).get("model_name")
        except (ValueError, AttributeError):
            raise UserError(f"{results}: not the results of lm-evaluation-harness") from None
        if name:
            return str(name)
    # The harness names the folder after the model, with "__" for "/"; other folders have no "__".
    folder = path.parent.name
    return folder.replace("__", "/") if "__" in folder else None

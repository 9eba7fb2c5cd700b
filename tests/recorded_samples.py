"""Recorded samples for tests: small files, and short ways to read them."""

from __future__ import annotations

import json
from pathlib import Path

from ttspm.records.groups import Group, load_groups

DATA = Path(__file__).parent / "data" / "records"


def row(problem="p", unit=1, correct=True, **more):
    """A row of the package's own format."""
    named = {"model": "m", "benchmark": "b"}
    return {"problem_id": problem, "unit": unit, "correct": correct} | named | more


def written(folder: Path, rows, name="runs.jsonl") -> Path:
    """A file of JSON lines."""
    path = folder / name
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def changed(path: Path, folder: Path, change, name: str | None = None) -> Path:
    """A copy of a file of JSON lines, its rows passed through `change`."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    copy = folder / (name or path.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    return written(copy.parent, map(change, rows), copy.name)


def only(*paths, **options) -> Group:
    """The one group of some files."""
    (group,) = load_groups(paths, **options)
    return group


def of(group: Group, problem: str, column: str) -> list:
    """A column of one problem's records, in the order of units; None where it is empty."""
    values = group.records[group.records["problem_id"] == problem][column]
    return values.astype(object).where(values.notna(), None).tolist()

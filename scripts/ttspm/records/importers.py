"""The formats that can be read, and how a file's own is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ttspm.errors import UserError
from ttspm.records import nemo_skills
from ttspm.records.evalscope import read_evalscope
from ttspm.records.files import parquet_columns, rows
from ttspm.records.inspect_logs import read_inspect
from ttspm.records.lighteval import COLUMNS, read_lighteval
from ttspm.records.lm_eval import read_lm_eval
from ttspm.records.native import read_native
from ttspm.records.nemo_skills import read_nemo_skills
from ttspm.records.samples import Choice, Sample

Importer = Callable[[Sequence[Path], Choice], Iterator[Sample]]

# Format -> what reads its files. To add one: a module with such a function, a line here, its name
# in the configuration's schema and, where its files can be told from all others, in `format_of`.
IMPORTERS: dict[str, Importer] = {
    "native": read_native,
    "lm-eval": read_lm_eval,
    "lighteval": read_lighteval,
    "inspect": read_inspect,
    "nemo-skills": read_nemo_skills,
    "evalscope": read_evalscope,
}


def format_of(path: Path) -> str:
    """Format of a file, from the ending of its name and the keys of its first row.

    Returns
    -------
    str
        A key of `IMPORTERS`; ``native`` where nothing speaks for another.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    if path.suffix in (".eval", ".json"):
        return "inspect"
    if path.suffix == ".parquet":
        return "lighteval" if set(COLUMNS) <= set(parquet_columns(path)) else "native"
    _, first = next(iter(rows(path)))
    if {"doc_id", "filtered_resps"} <= first.keys():
        return "lm-eval"
    if {"index", "sample_score"} <= first.keys():
        return "evalscope"
    if nemo_skills.NAME.fullmatch(path.name) and not _is_native(first):
        return "nemo-skills"
    return "native"


def importer_of(paths: Sequence[Path], wanted: str) -> Importer:
    """What reads these files.

    Parameters
    ----------
    paths : sequence of Path
        At least one.
    wanted : str
        A key of `IMPORTERS`, or ``auto``.

    Raises
    ------
    UserError
        If the format is unknown, or the files are of several.
    """
    if wanted != "auto":
        if wanted not in IMPORTERS:
            raise UserError(f"format '{wanted}' is unknown; it is auto or one of {list(IMPORTERS)}")
        return IMPORTERS[wanted]
    formats = {format_of(path): path for path in paths}
    if len(formats) > 1:
        told = ", ".join(f"{path} ({name})" for name, path in formats.items())
        raise UserError(f"files of several formats together: {told}; give each an entry of its own")
    return IMPORTERS[next(iter(formats))]


def _is_native(row: dict[str, Any]) -> bool:
    return "problem_id" in row

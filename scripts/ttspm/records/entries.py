"""What a configuration's `records` hold: files, groups, and the cells that they become."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ttspm.cell import Cell
from ttspm.code import code_digest
from ttspm.config import cells
from ttspm.errors import UserError
from ttspm.records.groups import GroupName, counts_only, read_groups
from ttspm.records.samples import Choice, Sample
from ttspm.store import json_digest

JSON = dict[str, Any]
Found = list[tuple[GroupName, bool]]  # groups of an entry, and whether each is counts only


class RecordsCell(NamedTuple):
    """A cell whose records were made elsewhere.

    Attributes
    ----------
    model, benchmark, strategy : str
        Names that can stand in a path; `group` has them as the files do.
    entry : str
        Its key under `records` in the configuration.
    group : GroupName
        Which of the entry's groups it is.
    counts_only : bool
        Of `ttspm.metrics.cell_values`.
    """

    model: str
    benchmark: str
    strategy: str
    entry: str
    group: GroupName
    counts_only: bool


def records_cells(config: JSON, cache: Path | None = None) -> list[RecordsCell]:
    """Every cell that the configuration's `records` add, in a fixed order.

    Parameters
    ----------
    config : dict
        Checked and filled.
    cache : Path, optional
        File in which the names of groups are kept, so that files are read again only after a
        change (of path, size or time). Without it they are read each time.

    Raises
    ------
    UserError
        One line: a file that cannot be read, two groups that would have one name, a cell that is
        there twice.
    """
    known = _Cache(cache)
    found = [
        RecordsCell(
            path_name(group.model), path_name(group.benchmark), group.strategy, name, group, counts
        )
        for name, entry in config["records"].items()
        for group, counts in known.groups(name, entry)
    ]
    known.save()
    _refuse_clashes(found, config)
    return found


def read_entry(
    name: str, entry: Mapping[str, Any], files: Sequence[Path]
) -> dict[GroupName, list[Sample]]:
    """Samples of an entry's files, by group.

    Raises
    ------
    UserError
        As `ttspm.records.groups.read_groups` does, with the entry's name before it.
    """
    try:
        return read_groups(
            files,
            entry["format"],
            choice=Choice(entry["metric"], entry["filter"]),
            model=entry["model"],
            benchmark=entry["benchmark"],
        )
    except UserError as error:
        raise UserError(f"records.{name}: {error}") from None


def files_of(name: str, entry: Mapping[str, Any]) -> list[Path]:
    """Files that an entry's path stands for, each once, numbers in names in their order.

    Raises
    ------
    UserError
        If a path or pattern matches no file.
    """
    paths = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
    files: list[Path] = []
    for pattern in paths:
        # A name may have brackets in it: what exists is a file, not a pattern. Path.glob takes no
        # absolute pattern.
        matches = (
            [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)  # noqa: PTH207
        )
        found = sorted((Path(match) for match in matches if Path(match).is_file()), key=_by_numbers)
        if not found:
            raise UserError(f"records.{name}.path: there is no file {pattern}")
        files += [file for file in found if file not in files]
    return files


def path_name(name: str) -> str:
    """Name that can stand in a path: what is not a letter, digit, ``_``, ``.`` or ``-`` is ``-``.

    Raises
    ------
    UserError
        If nothing is left of it.
    """
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    if not short:
        raise UserError(
            f"records: the name '{name}' has no letter or digit; give another by 'model' or"
            " 'benchmark'"
        )
    return short


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    """Sorts ``rs2`` before ``rs10``."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))
    ]


def _refuse_clashes(found: Iterable[RecordsCell], config: JSON) -> None:
    grid = config["grid"]
    names = {key: {name: name for name in grid[f"{key}s"]} for key in ("model", "benchmark")}
    taken: dict[Cell, str] = {cell: "the grid" for cell in cells(config)}
    for cell in found:
        where = f"records.{cell.entry}"
        for key, known in names.items():
            short, full = getattr(cell, key), getattr(cell.group, key)
            other = known.setdefault(short, full)
            if other != full:
                raise UserError(
                    f"{where}: the {key}s '{other}' and '{full}' would both be called '{short}';"
                    f" give one another name by '{key}'"
                )
        plain = Cell(cell.model, cell.benchmark, cell.strategy)
        if plain in taken:
            raise UserError(
                f"{where}: {cell.strategy} samples of '{cell.group.model}' on"
                f" '{cell.group.benchmark}' are in {taken[plain]} as well; leave one out, or rename"
                " it by 'model' or 'benchmark'"
            )
        taken[plain] = where


class _Cache:
    """Names of the groups in files that have not changed since they were last read."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.kept: dict[str, Any] = {}
        self.used: dict[str, Any] = {}
        # Whatever code reads the files decides which groups are found.
        self.code = code_digest(__file__)
        if path is not None:
            try:
                self.kept = json.loads(path.read_text())
            except (OSError, ValueError):
                self.kept = {}

    def groups(self, name: str, entry: Mapping[str, Any]) -> Found:
        """Groups of an entry, sorted by name."""
        files = files_of(name, entry)
        states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        key = json_digest([self.code, dict(entry), states])
        if key not in self.kept:
            groups = read_entry(name, entry, files)
            self.kept[key] = sorted([*group, counts_only(groups[group])] for group in groups)
        self.used[key] = self.kept[key]
        return [(GroupName(*group), counts) for *group, counts in self.kept[key]]

    def save(self) -> None:
        """Keep what was used; a folder that cannot be written to only costs time."""
        if self.path is None or not self.used:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            fresh.write_text(json.dumps(self.used))
            fresh.replace(self.path)
        except OSError:
            return

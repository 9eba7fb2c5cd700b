"""Samples sorted into groups: one model on one benchmark with one strategy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ttspm.errors import UserError
from ttspm.records.build import build_records
from ttspm.records.importers import importer_of
from ttspm.records.samples import Choice, Sample


class GroupName(NamedTuple):
    """What the samples of a group have in common, as the files name it."""

    model: str
    benchmark: str
    strategy: str


class Group(NamedTuple):
    """Records of one group.

    Attributes
    ----------
    records : pandas.DataFrame
        Columns of `ttspm.tables.RECORDS`, sorted by problem and unit.
    counts_only : bool
        Made from counts: hit@N and p_x can be worked out, no vote and nothing by order. To be
        passed on to `ttspm.metrics.cell_values`.
    warnings : tuple of str
        One line each, to be shown to the user.
    """

    name: GroupName
    records: pd.DataFrame
    counts_only: bool
    warnings: tuple[str, ...]


def read_groups(
    paths: Sequence[Path],
    format: str = "auto",
    *,
    choice: Choice | None = None,
    model: str | None = None,
    benchmark: str | None = None,
) -> dict[GroupName, list[Sample]]:
    """Read files and sort their samples into groups, without looking into any group yet.

    Parameters
    ----------
    paths : sequence of Path
        Files of one format; their order is that of the runs, where each file is one.
    format : str
        A key of `ttspm.records.importers.IMPORTERS`, or ``auto``.
    choice : Choice, optional
        Which metric and filter to take, where the files have several.
    model : str, optional
        Name of the model, where the files do not say or another name is wanted.
    benchmark : str, optional
        Name of the benchmark, likewise. Where the files name several (subsets), they become this
        one, and a problem's id gets the name of its own before it.

    Returns
    -------
    dict
        Groups by name, in the order of their first samples.

    Raises
    ------
    UserError
        One line with file and row. If a name is missing, or one `model` is given for several.
    """
    samples = list(importer_of(paths, format)(paths, choice or Choice()))
    if not samples:
        raise UserError(f"{paths[0]}: there is no sample; at least one is needed")
    models = list(dict.fromkeys(sample.model for sample in samples))
    if model and len(models) > 1:
        raise UserError(
            f"{samples[0].file}: 'model: {model}' is given for several models: {models[0]},"
            f" {models[1]}; give each an entry of its own, or leave 'model' out"
        )
    several = len({sample.benchmark for sample in samples}) > 1
    groups: dict[GroupName, list[Sample]] = {}
    for sample in samples:
        name = GroupName(
            model or _named(sample.model, "model", sample),
            benchmark or _named(sample.benchmark, "benchmark", sample),
            sample.strategy,
        )
        if benchmark and several:
            sample = replace(sample, problem_id=f"{sample.benchmark}/{sample.problem_id}")
        groups.setdefault(name, []).append(sample)
    for group in groups.values():
        _refuse_mixed(group)
    return groups


def load_groups(
    paths: Iterable[str | Path], format: str = "auto", *, equality: str = "recorded", **names: Any
) -> list[Group]:
    """Records of every group in files: `read_groups`, then `ttspm.records.build.build_records`.

    Raises
    ------
    UserError
        As these two do.
    """
    groups = read_groups([Path(path) for path in paths], format, **names)
    loaded = []
    for name, samples in groups.items():
        records, warnings = build_records(samples, name.strategy, equality=equality)
        loaded.append(Group(name, records.to_pandas(), counts_only(samples), tuple(warnings)))
    return loaded


def counts_only(samples: Sequence[Sample]) -> bool:
    """Whether a group was made from counts."""
    return samples[0].counted


def _named(name: str | None, key: str, sample: Sample) -> str:
    if name is None:
        raise UserError(f"{sample.where}: which {key} this is, is not said; set '{key}: <name>'")
    return name


def _refuse_mixed(group: Sequence[Sample]) -> None:
    other = next((sample for sample in group if sample.counted != group[0].counted), None)
    if other is not None:
        raise UserError(
            f"{other.where}: {'a count' if other.counted else 'a graded sample'} among"
            f" {'counts' if group[0].counted else 'graded samples'} ({group[0].where}); a model on"
            " a benchmark has either"
        )

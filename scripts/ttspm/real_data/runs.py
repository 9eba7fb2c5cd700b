"""Runs that others recorded: what they hold, and what grading them anew changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ttspm.cell import Cell
from ttspm.records.entries import path_name

SHOWN_METRICS = ("acc", "hit", "tokens")


def read_samples(path: str | Path) -> pd.DataFrame:
    """Samples as they were recorded, with the names that the package gives models and benchmarks.

    Parameters
    ----------
    path : path-like
        JSON lines of the package's own format; see docs/records.md.
    """
    # problem_id and answer are text, also where all of them look like numbers
    samples = pd.read_json(path, lines=True, dtype=False)
    for column in ("model", "benchmark"):
        samples[column] = samples[column].map(path_name)
    return samples.astype({"problem_id": str})


def describe_runs(samples: pd.DataFrame, records: Mapping[Cell, pd.DataFrame]) -> pd.DataFrame:
    """One row for each run: its size, its gaps, and its grades before and after.

    Parameters
    ----------
    samples : pandas.DataFrame
        From `read_samples`.
    records : mapping of Cell to pandas.DataFrame
        What the package made of them, columns of `ttspm.tables.RECORDS`.

    Returns
    -------
    pandas.DataFrame
        ``n_problems``, ``units`` per problem; ``no_answer``: share of the units; ``contradicted``:
        problems with one answer that was recorded both right and wrong; ``regraded``: units whose
        grade is not the recorded one; ``recorded_accuracy``, ``accuracy``: mean over units with
        the recorded and the package's grades; ``tokens`` per unit, where recorded.
    """
    rows = []
    for cell, graded in records.items():
        mine = (samples["model"] == cell.model) & (samples["benchmark"] == cell.benchmark)
        recorded = samples[mine].assign(unit=samples["sample_index"] + 1)
        both_grades = recorded.merge(
            graded, on=["problem_id", "unit"], suffixes=("_recorded", ""), validate="one_to_one"
        )
        verdicts = recorded.dropna(subset=["answer"]).groupby(["problem_id", "answer"])["correct"]
        contradicted = verdicts.nunique().loc[lambda n: n > 1]
        rows.append(
            {
                "model": cell.model,
                "benchmark": cell.benchmark,
                "n_problems": graded["problem_id"].nunique(),
                "units": int(graded.groupby("problem_id").size().min()),
                "no_answer": (graded["answer_class"] < 0).mean(),
                "contradicted": contradicted.index.get_level_values("problem_id").nunique(),
                "regraded": int((both_grades["correct_recorded"] != both_grades["correct"]).sum()),
                "recorded_accuracy": recorded["correct"].mean(),
                "accuracy": graded["correct"].mean(),
                "tokens": recorded["tokens"].astype(float).mean(),
            }
        )
    return pd.DataFrame(rows)


def shown_metrics(metrics: pd.DataFrame) -> pd.DataFrame:
    """The exact estimates of accuracy, hit@N and tokens."""
    chosen = (metrics["estimator"] == "exact") & metrics["metric"].isin(SHOWN_METRICS)
    return metrics[chosen].reset_index(drop=True)

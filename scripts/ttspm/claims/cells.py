"""The 14 x 8 values of Table 1."""

from __future__ import annotations

from functools import partial

import pandas as pd

from ttspm.claims.claim import Claim
from ttspm.claims.decision import NOT_RUN, Decision, same_number
from ttspm.claims.evidence import PROBLEMS, Evidence, Point, on_grid, paper_points
from ttspm.claims.measured import wilson
from ttspm.table1 import METRICS


def table_cells(paper: pd.DataFrame) -> list[Claim]:
    """One claim for each value of Table 1, column by column.

    Parameters
    ----------
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``.
    """
    return [
        Claim(
            f"{point}, {METRICS[metric]} (%)",
            "Table 1",
            partial(same_share, point=point, metric=metric, paper=value),
            value,
        )
        for point, metric, value in paper_points(paper)
    ]


def same_share(evidence: Evidence, point: Point, metric: str, paper: float) -> Decision:
    """Whether our share and the paper's, one run on its problems, are as far apart as by chance."""
    n_problems = PROBLEMS[point.benchmark]
    share = evidence.share(point, metric)
    decision = same_number(share.measured if share else None, wilson(paper, n_problems))
    if share and share.n_problems != n_problems:
        decision = decision.with_note(f"ours: {share.n_problems} of {n_problems} problems")
    if share and share.estimator == "exact":
        decision = decision.with_note("ours: exact estimator, the order of the units is unknown")
    if on_grid(paper, n_problems) is None and decision.verdict != NOT_RUN:
        decision = decision.with_note(f"the paper's value is no k/{n_problems}")
    return decision

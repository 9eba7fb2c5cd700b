"""Fig. 2: hit@N against the number of generations per problem."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ttspm.figures.curves import draw_curves


def draw(
    metrics: pd.DataFrame, paper: pd.DataFrame, budgets: Sequence[int] | None = None
) -> Figure:
    """Draw hit@N, the share of problems with at least one correct unit among N.

    Parallel scaling by the exact estimator, sequential by the prefix, with 95 % bands; vanilla is
    parallel scaling at N = 1. Parameters and errors as in `ttspm.figures.curves.draw_curves`.
    """
    return draw_curves(metrics, paper, "hit", budgets)

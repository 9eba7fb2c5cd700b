"""Fig. 5: acc@N against the number of generations per problem."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ttspm.figures.curves import draw_curves


def draw(
    metrics: pd.DataFrame, paper: pd.DataFrame, budgets: Sequence[int] | None = None
) -> Figure:
    """Draw acc@N, the share of problems whose answer after N units is correct.

    The answer is that of the majority vote (parallel, exact estimator) or of the last round
    (sequential, prefix). With 95 % bands; vanilla is parallel scaling at N = 1. Parameters and
    errors as in `ttspm.figures.curves.draw_curves`.
    """
    return draw_curves(metrics, paper, "acc", budgets)

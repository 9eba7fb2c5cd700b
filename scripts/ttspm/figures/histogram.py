"""Fig. 3: over how many problems a saturation point was observed at N = 1, 2, ..., 10 and later."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ttspm.errors import UserError
from ttspm.figures.saturation_points import published_rows
from ttspm.figures.style import (
    COLUMN_WIDTH,
    FULL_WIDTH,
    legend_columns,
    name_outer_axes,
    names,
    order_strategies,
    panel_grid,
    series_style,
    style,
)
from ttspm.paper_table import benchmark_title, model_title

LAST_BIN = 10  # the paper's axis
P_UNSOLVED = 1e-5  # the paper's p_x of a problem that no unit solved (App. A)
PANEL_HEIGHT = 1.9  # inches
GROUP_WIDTH = 0.84  # of the distance between two bins


@style()
def draw(saturation: pd.DataFrame) -> Figure:
    """Draw the histogram of observed saturation points, a panel a benchmark.

    The observed saturation point of a problem is its first hit, and 1 where no unit was correct.
    Those problems are drawn apart, as the open part of the bar at 1: the definition puts "solved
    at once" and "never solved" into one bin.

    Parameters
    ----------
    saturation : pandas.DataFrame
        ``saturation.csv``, any number of models, benchmarks and strategies.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`.

    Raises
    ------
    UserError
        If `saturation` has no rows.

    References
    ----------
    "Scaling over Scaling" (arXiv 2505.20522), Fig. 3.
    """
    rows = published_rows(saturation)
    if rows.empty:
        raise UserError("saturation.csv: no rows by the paper's estimators; nothing to draw")
    models, benchmarks = names(rows, "model"), names(rows, "benchmark")
    strategies = order_strategies(rows["strategy"])
    series = [(model, strategy) for model in models for strategy in strategies]
    n_bins = LAST_BIN + int((rows["first_hit"] > LAST_BIN).any())

    handles: list[Artist] = [
        Patch(
            facecolor=series_style(strategy, models.index(model))["color"],
            label=f"{model_title(model)}, {strategy}",
        )
        for model, strategy in series
    ]
    if (rows["p_hat"] <= P_UNSOLVED).any():
        handles.append(
            Patch(
                facecolor="white",
                edgecolor="#555555",
                hatch="/////",
                linewidth=0.5,
                label="never solved (counted at 1)",
            )
        )
    labels = [str(handle.get_label()) for handle in handles]
    width = COLUMN_WIDTH if len(benchmarks) == 1 else FULL_WIDTH
    n_columns = legend_columns(labels, width, len(models) + 1)

    figure, panels = panel_grid(len(benchmarks), PANEL_HEIGHT, -(-len(labels) // n_columns))
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        here = rows[rows["benchmark"] == benchmark]
        _draw_panel(panel, here, series, models, n_bins)
        n_problems = here["problem_id"].nunique()
        panel.set_title(f"{benchmark_title(benchmark)} ({n_problems} problems)")
    name_outer_axes(panels, "Observed $N^*$ (first hit)", "Problems")
    figure.legend(handles=handles, labels=labels, ncols=n_columns, loc="outside lower center")
    return figure


def _draw_panel(
    panel: Axes,
    rows: pd.DataFrame,
    series: list[tuple[str, str]],
    models: list[str],
    n_bins: int,
) -> None:
    """Grouped bars of one benchmark; bins are 1..LAST_BIN and, where needed, all later points."""
    bins = np.arange(1, n_bins + 1)
    # The open-ended bin stands half a step apart: it is not one more integer.
    centres = np.where(bins <= LAST_BIN, bins, bins + 0.5)
    bar_width = GROUP_WIDTH / len(series)
    for position, (model, strategy) in enumerate(series):
        mine = rows[(rows["model"] == model) & (rows["strategy"] == strategy)]
        solved = (mine["p_hat"] > P_UNSOLVED).to_numpy()
        point = np.minimum(mine["first_hit"].to_numpy(), n_bins)
        counts = np.array([np.count_nonzero(solved & (point == b)) for b in bins])
        never = np.array([np.count_nonzero(~solved & (point == b)) for b in bins])
        middle = centres + (position - (len(series) - 1) / 2) * bar_width
        colour = series_style(strategy, models.index(model))["color"]
        panel.bar(middle, counts, 0.9 * bar_width, color=colour, linewidth=0)
        shown = never > 0
        panel.bar(
            middle[shown],
            never[shown],
            0.9 * bar_width,
            bottom=counts[shown],
            facecolor="white",
            edgecolor=colour,
            hatch="/////",
            linewidth=0.5,
        )
    tick_labels = [str(b) if b <= LAST_BIN else f">{LAST_BIN}" for b in bins]
    panel.set_xticks(centres, tick_labels)
    panel.set_xlim(0.4, centres[-1] + 0.6)
    panel.grid(visible=False, axis="x")
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=True))

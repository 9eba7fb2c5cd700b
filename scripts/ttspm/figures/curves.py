"""A metric against the budget N, a panel a benchmark: what Fig. 2 and Fig. 5 have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MultipleLocator
from matplotlib.transforms import ScaledTranslation

from ttspm.errors import UserError
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
    vanilla_colour,
)
from ttspm.paper_table import benchmark_title, model_title, paper_cells

PANEL_HEIGHT = 2.15  # inches
BAND_ALPHA = 0.13
PAPER_SHIFT = 5.0  # points
PAPER_MARK: dict[str, Any] = {
    "linestyle": "none",
    "markerfacecolor": "white",
    "markersize": 4.2,
    "zorder": 4,
}


@style()
def draw_curves(
    metrics: pd.DataFrame,
    paper: pd.DataFrame,
    metric: str,
    budgets: Sequence[int] | None = None,
) -> Figure:
    """Draw one metric against N with 95 % bands, vanilla lines and the paper's own values.

    A strategy is drawn by the exact estimator (mean over all size-N subsets) where `metrics` has
    it, which is for parallel scaling, and by the prefix (the first N rounds) otherwise. Vanilla is
    parallel scaling at N = 1 under that same estimator, so a curve starts on its vanilla line.

    Parameters
    ----------
    metrics : pandas.DataFrame
        ``metrics.csv``: values and intervals as fractions, any number of models and benchmarks.
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``; its cells become open marks where they exist.
    metric : {'acc', 'hit'}
        What to draw.
    budgets : sequence of int, optional
        Values of N that get a tick and a mark; by default those measured by the prefix.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`.

    Raises
    ------
    UserError
        If `metrics` has no row of this metric.

    References
    ----------
    "Scaling over Scaling" (arXiv 2505.20522), Fig. 2 and Fig. 5.
    """
    rows = metrics[metrics["metric"] == metric]
    if rows.empty:
        raise UserError(f"metrics.csv: no row has metric '{metric}'; nothing to draw")
    estimators = {
        str(strategy): "exact" if "exact" in set(group["estimator"]) else "prefix"
        for strategy, group in rows.groupby("strategy")
    }
    if budgets is None:
        prefix = rows[rows["estimator"] == "prefix"]
        budgets = sorted((rows if prefix.empty else prefix)["n"].unique())
    rows = rows[rows["estimator"] == rows["strategy"].map(estimators)]

    models, benchmarks = names(rows, "model"), names(rows, "benchmark")
    marked = any(
        paper_cells(paper, model, benchmark, metric)["n"].isin(budgets).any()
        for model in models
        for benchmark in benchmarks
    )
    handles = _legend_handles(rows, models, estimators, marked)
    labels = [str(handle.get_label()) for handle in handles]
    narrow = len(benchmarks) == 1
    n_columns = legend_columns(labels, COLUMN_WIDTH if narrow else FULL_WIDTH, len(models) + 1)
    note = _estimator_note(estimators, "\n" if narrow else " ")
    legend_lines = -(-len(handles) // n_columns) + 1 + note.count("\n")

    figure, panels = panel_grid(len(benchmarks), PANEL_HEIGHT, legend_lines)
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        here = rows[rows["benchmark"] == benchmark]
        _draw_panel(panel, here, models, budgets)
        for index, model in enumerate(models):
            cells = paper_cells(paper, model, benchmark, metric)
            _draw_paper(panel, cells[cells["n"].isin(budgets)], index)
        n_problems = here["n_problems"].max()
        panel.set_title(f"{benchmark_title(benchmark)} ({n_problems} problems)")
        _finish_axes(panel, budgets)
    name_outer_axes(panels, "Generations per problem, N", f"{metric}@N (%)")
    figure.legend(
        handles=handles,
        labels=labels,
        title=note,
        ncols=n_columns,
        loc="outside lower center",
    )
    return figure


def _draw_panel(panel: Axes, rows: pd.DataFrame, models: list[str], budgets: Sequence[int]) -> None:
    """Bands, curves and vanilla lines of one benchmark."""
    for index, model in enumerate(models):
        for strategy in order_strategies(rows["strategy"]):
            chosen = (rows["model"] == model) & (rows["strategy"] == strategy)
            curve = rows[chosen].sort_values("n")
            if curve.empty:
                continue
            look = series_style(strategy, index)
            n, percent = curve["n"].to_numpy(), 100 * curve["value"].to_numpy()
            low, high = 100 * curve["ci_low"].to_numpy(), 100 * curve["ci_high"].to_numpy()
            panel.fill_between(n, low, high, color=look["color"], alpha=BAND_ALPHA, linewidth=0)
            for edge in (low, high):  # overlapping bands mix their colours; edges keep them apart
                panel.plot(n, edge, color=look["color"], alpha=0.5, linewidth=0.5)
            at_budgets = [i for i, units in enumerate(n) if units in set(budgets)]
            panel.plot(n, percent, markevery=at_budgets, zorder=3, **look)
            if strategy == "parallel" and n[0] == 1:
                panel.axhline(
                    percent[0], color=vanilla_colour(index), linestyle="--", linewidth=0.8
                )


def _draw_paper(panel: Axes, cells: pd.DataFrame, model_index: int) -> None:
    """The paper's values as open marks: the marker of the model, the colour of the strategy."""
    for method, mine in cells.groupby("method"):
        look = series_style(str(method), model_index)
        colour = vanilla_colour(model_index) if method == "vanilla" else look["color"]
        # Beside its N: on the curve a mark would hide our value or that of the other strategy.
        figure = panel.get_figure(root=True)
        assert figure is not None
        shift = PAPER_SHIFT if method == "sequential" else -PAPER_SHIFT
        beside = panel.transData + ScaledTranslation(shift / 72, 0, figure.dpi_scale_trans)
        panel.plot(
            mine["n"],
            mine["value"],
            marker=look["marker"],
            markeredgecolor=colour,
            transform=beside,
            **PAPER_MARK,
        )
        # Points under a transform of their own do not count when the limits are chosen.
        panel.update_datalim(mine[["n", "value"]].to_numpy())
    panel.autoscale_view()


def _finish_axes(panel: Axes, budgets: Sequence[int]) -> None:
    """Budgets as ticks, percent from 0 to 100 with room for the marks at the ends."""
    first, last = min(budgets), max(budgets)
    labelled = list(budgets)[:1]
    for n in list(budgets)[1:]:
        if n - labelled[-1] >= 0.07 * (last - first):  # else the two numbers would touch
            labelled.append(n)
    panel.xaxis.set_major_locator(FixedLocator(labelled))
    panel.xaxis.set_minor_locator(FixedLocator([n for n in budgets if n not in labelled]))
    margin = 0.06 * (last - first) + 0.2  # holds the paper's marks at the first and last budget
    panel.set_xlim(first - margin, last + margin)
    low, high = panel.get_ylim()
    low, high = max(low, -3), min(high, 103)
    panel.set_ylim(low, high)
    panel.yaxis.set_major_locator(MultipleLocator(20 if high - low > 60 else 10))


def _legend_handles(
    rows: pd.DataFrame, models: list[str], estimators: dict[str, str], marked: bool
) -> list[Artist]:
    """One entry for each series by model, then what the bands and the open marks are."""
    handles: list[Artist] = []
    for index, model in enumerate(models):
        title = model_title(model)
        for strategy in order_strategies(rows.loc[rows["model"] == model, "strategy"]):
            label = f"{title}, {strategy} ({estimators[strategy]})"
            handles.append(Line2D([], [], label=label, **series_style(strategy, index)))
        handles.append(
            Line2D(
                [],
                [],
                label=f"{title}, vanilla",
                color=vanilla_colour(index),
                linestyle="--",
                linewidth=0.8,
            )
        )
    handles.append(Patch(color="#555555", alpha=2 * BAND_ALPHA, linewidth=0, label="95 % interval"))
    if marked:
        handles.append(
            Line2D(
                [],
                [],
                marker="o",
                color="#555555",
                label="the paper's value, beside N",
                **PAPER_MARK,
            )
        )
    return handles


def _estimator_note(estimators: dict[str, str], joint: str) -> str:
    """What the estimators named in the legend are."""
    meaning = {
        "exact": "exact: mean over all subsets of N units;",
        "prefix": "prefix: the first N units;",
    }
    used = [meaning[name] for name in ("exact", "prefix") if name in estimators.values()]
    return joint.join(used)[:-1]

"""Fig. 4: saturation points predicted by the theory against those observed."""

from __future__ import annotations

import math
from itertools import product
from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from ttspm.errors import UserError
from ttspm.figures.saturation_points import published_estimator, published_rows
from ttspm.figures.style import (
    COLUMN_WIDTH,
    FULL_WIDTH,
    name_outer_axes,
    names,
    order_strategies,
    series_style,
    style,
)
from ttspm.paper_table import benchmark_title, model_title

PROTOCOL = "paper"  # the row of fit.csv that stands in a panel
LARGEST_AREA = 260.0  # square points, for the largest count of the figure
LARGEST_AREA_OF_ONE = 16.0  # square points, where all counts are small
CHARACTER = 0.049  # inches, the mean width at 7 points
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NICE_COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@style()
def draw(saturation: pd.DataFrame, fit: pd.DataFrame) -> Figure:
    """Draw predicted N* against the first hit for the test problems.

    A row a benchmark, a panel a model and strategy, p_x by the paper's estimators. Problems that
    coincide are one mark whose area is proportional to their number.

    Parameters
    ----------
    saturation : pandas.DataFrame
        ``saturation.csv``. To show one benchmark, as the paper does, pass its rows only.
    fit : pandas.DataFrame
        ``fit.csv``: Pearson's r, its interval and p-value for protocol ``paper``; ``pearson_r``
        may hold a text that says why r is undefined.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`.

    Raises
    ------
    UserError
        If there are no test problems, or `fit` lacks the row of a panel.

    References
    ----------
    "Scaling over Scaling" (arXiv 2505.20522), Fig. 4 and Sec. 4.4.
    """
    rows = published_rows(saturation)
    rows = rows[rows["split"] == "test"]
    if rows.empty:
        raise UserError("saturation.csv: no row has split 'test'; nothing to draw")
    benchmarks, models = names(rows, "benchmark"), names(rows, "model")
    keys = ["benchmark", "model", "strategy"]
    points = rows.groupby([*keys, "n_star", "first_hit"]).size().rename("count").reset_index()
    of_cell = dict(list(points.groupby(keys)))
    cells = [
        cell
        for cell in product(benchmarks, models, order_strategies(rows["strategy"]))
        if cell in of_cell
    ]
    area_of_one = min(LARGEST_AREA_OF_ONE, LARGEST_AREA / points["count"].max())

    n_columns = min(4, rows.groupby(["model", "strategy"]).ngroups)
    n_rows = -(-len(cells) // n_columns)
    width = COLUMN_WIDTH if n_columns <= 2 else FULL_WIDTH
    pitch = (width - 0.35) / n_columns
    # A panel is narrower than its pitch by the labels of its ticks.
    titles = [_panel_title(cell, benchmarks, models, fit, pitch - 0.3) for cell in cells]
    row_height = pitch + 0.12 * max(title.count("\n") for title in titles) + 0.1
    figure = Figure(figsize=(width, n_rows * row_height + 0.85), layout="constrained")
    figure.suptitle(_common_heading(benchmarks, models), fontsize=7.5)
    grid = figure.add_gridspec(n_rows, n_columns)
    panels = []
    for i, (cell, title) in enumerate(zip(cells, titles, strict=True)):
        panel = figure.add_subplot(grid[divmod(i, n_columns)])
        _, model, strategy = cell
        colour = series_style(strategy, models.index(model))["color"]
        _draw_panel(panel, of_cell[cell], area_of_one, colour)
        panel.set_title(title, fontsize=7, loc="left")
        panels.append(panel)
    name_outer_axes(panels, "Predicted $N^*$", "Observed $N^*$ (first hit)")
    _add_legend(figure, int(points["count"].max()), area_of_one)
    return figure


def _draw_panel(panel: Axes, points: pd.DataFrame, area_of_one: float, colour: str) -> None:
    """Marks of one model and strategy over the line of perfect agreement."""
    last = max(2, int(points[["n_star", "first_hit"]].max().max()))
    margin = 0.12 * (last - 1)
    panel.plot(
        [1 - margin, last + margin],
        [1 - margin, last + margin],
        color="#777777",
        linestyle="--",
        linewidth=0.8,
        zorder=1,
    )
    # The largest first, so that a single problem beside a crowd stays in sight.
    ordered = points.sort_values(["count", "n_star", "first_hit"], ascending=[False, True, True])
    panel.scatter(
        ordered["n_star"],
        ordered["first_hit"],
        s=area_of_one * ordered["count"],
        color=colour,
        alpha=0.8,
        edgecolor="white",
        linewidth=0.25,
        zorder=3,
    )
    round_numbers = MaxNLocator(4, steps=[1, 2, 5, 10], integer=True).tick_values(1, last)
    ticks = [1, *(t for t in round_numbers if 1 < t <= last)]
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.set_xlim(1 - margin, last + margin)
    panel.set_ylim(1 - margin, last + margin)
    panel.set_aspect("equal")


def _common_heading(benchmarks: list[str], models: list[str]) -> str:
    """What all panels share, for the figure's title."""
    shared = [benchmark_title(b) for b in benchmarks if len(benchmarks) == 1]
    shared += [model_title(m) for m in models if len(models) == 1]
    return ", ".join([*shared, "test problems" if shared else "Test problems"])


def _panel_title(
    cell: tuple[str, str, str],
    benchmarks: list[str],
    models: list[str],
    fit: pd.DataFrame,
    width: float,
) -> str:
    """What sets a panel apart, and its correlation, in lines no wider than `width` (inches)."""
    benchmark, model, strategy = cell
    own = [benchmark_title(benchmark)] if len(benchmarks) > 1 else []
    own += [model_title(model)] if len(models) > 1 else []
    lines = [", ".join([*own, strategy]), *_describe_fit(fit, benchmark, model, strategy)]
    return "\n".join(part for line in lines for part in wrap(line, int(width / CHARACTER)))


def _describe_fit(fit: pd.DataFrame, benchmark: str, model: str, strategy: str) -> list[str]:
    """Pearson's r with its interval, p-value and number of test problems, or why r is undefined."""
    row = fit[
        (fit["benchmark"] == benchmark)
        & (fit["model"] == model)
        & (fit["strategy"] == strategy)
        & (fit["protocol"] == PROTOCOL)
        & (fit["estimator"] == published_estimator(fit, strategy))
    ]
    if len(row) != 1:
        raise UserError(
            f"fit.csv: {len(row)} rows of protocol '{PROTOCOL}' for {model}, {benchmark}, "
            f"{strategy}; one is needed"
        )
    cell = row.iloc[0]
    n_test = f"{int(cell['n_test'])} problems"
    try:
        r = float(cell["pearson_r"])
    except ValueError:
        return [f"r {cell['pearson_r']}", n_test]
    if math.isnan(r):
        return ["r undefined", n_test]
    correlation = f"r = {r:.2f}"
    if pd.notna(cell["r_low"]) and pd.notna(cell["r_high"]):
        correlation += f" [{float(cell['r_low']):.2f}, {float(cell['r_high']):.2f}]"
    return [correlation.replace("-", "\N{MINUS SIGN}"), _format_p(float(cell["p_value"])), n_test]


def _format_p(p_value: float) -> str:
    """A p-value with two digits, as a power of ten where it is small."""
    if p_value >= 0.001:
        return f"p = {p_value:.2g}"
    if p_value == 0:
        return "p < 10⁻³⁰⁰"
    mantissa, exponent = f"{p_value:.1e}".split("e")
    return f"p = {mantissa}×10" + str(int(exponent)).translate(SUPERSCRIPT)


def _add_legend(figure: Figure, largest: int, area_of_one: float) -> None:
    """Sizes of the marks, and the line of agreement."""
    middle = min(NICE_COUNTS, key=lambda count: abs(math.log(count * count / largest)))
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color="#555555",
            markeredgewidth=0,
            markersize=math.sqrt(area_of_one * count),
            label=f"{count} problem" if count == 1 else f"{count} problems",
        )
        for count in sorted({1, middle, largest})
    ]
    handles.append(
        Line2D([], [], color="#777777", linestyle="--", linewidth=0.8, label="predicted = observed")
    )
    narrow = figure.get_figwidth() < FULL_WIDTH
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2 if narrow else 4, labelspacing=0.7
    )

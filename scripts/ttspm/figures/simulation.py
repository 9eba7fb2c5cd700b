"""The simulation study: coverage of the intervals by size, and r of every protocol by scenario."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ttspm.errors import UserError
from ttspm.figures.style import FULL_WIDTH, STRATEGIES, order_strategies, style
from ttspm.simulation.report import FEW, expected_on_rarer_side, model_free
from ttspm.simulation.scenarios import SCENARIOS, Point, Scenario

CONFIDENCE = 95.0
# Colour and marker of an estimator; hit filled, acc open.
ESTIMATOR_LOOKS = {"prefix": ("#D55E00", "o"), "exact": ("#0072B2", "s")}
QUANTITY_NAMES = {"hit": "hit@N", "acc": "acc@N"}
LEAST_EXPECTED = 0.03  # problems; left of it nearly every interval has zero width

# (protocol, estimator) -> label, colour, marker, in the order of the lines within a scenario.
PROTOCOL_LOOKS = {
    "parallel": {
        ("paper", "c/n"): ("as published (c/n)", "#D55E00", "o"),
        ("held-out", "c/n"): ("held-out (c/n)", "#0072B2", "s"),
        ("null-pooled", "c/n"): ("null-pooled (c/n)", "#999999", "^"),
        ("true p", "true p"): ("true p known", "#000000", "D"),
    },
    "sequential": {
        ("paper", "k/n"): ("as published (k/n)", "#D55E00", "o"),
        ("paper-mle", "1/k"): ("as published (1/k)", "#CC79A7", "v"),
        ("held-out", "1/k"): ("held-out (1/k)", "#0072B2", "s"),
        ("null-pooled", "1/k"): ("null-pooled (1/k)", "#999999", "^"),
        ("true p", "true p"): ("true p known", "#000000", "D"),
    },
}
# Sec. 4.4 and Fig. 4 of the paper, the 1.5B and the 7B model.
PAPER_R = {"parallel": (0.743, 0.802), "sequential": (0.731, 0.565)}


@style()
def draw(table: pd.DataFrame) -> Figure:
    """Draw coverage against what a benchmark can show, and the distribution of r.

    Parameters
    ----------
    table : pandas.DataFrame
        ``simulation.csv``, as `ttspm.simulation.summary.summarise` makes it.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`. Above, a panel a size of benchmark: coverage of the
        population's truth by the intervals of hit@N and acc@N, a mark a scenario and N. Below, a
        panel a strategy, at the largest size: the mean of r and its 2.5 to 97.5 percentiles over
        replications, and the paper's values as lines.

    Raises
    ------
    UserError
        If the table has no intervals or no correlations.
    """
    covered = model_free(table)
    covered = covered[covered["coverage"].notna()]
    correlations = table[(table["quantity"] == "pearson_r") & table["mean"].notna()]
    if covered.empty or correlations.empty:
        raise UserError("simulation.csv: no interval or no correlation; nothing to draw")
    correlations = correlations[correlations["n_problems"] == correlations["n_problems"].max()]
    strategies = [s for s in order_strategies(correlations["strategy"]) if s in STRATEGIES]
    sizes = sorted(covered["n_problems"].unique())
    groups = correlations.groupby("strategy")["scenario"].nunique()
    most = int(groups[strategies].max())

    figure = Figure(figsize=(FULL_WIDTH, 2.8 + 0.44 * most), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=[1.9, 0.9 + 0.44 * most]))
    for i, (panel, size) in enumerate(
        zip(np.atleast_1d(above.subplots(1, len(sizes), sharey=True)), sizes, strict=True)
    ):
        _draw_coverage(panel, covered[covered["n_problems"] == size])
        panel.set_title(f"{size} problems")
        if i == 0:
            panel.set_ylabel("Coverage of the 95 %\nintervals (%)")
        if i == len(sizes) // 2:
            panel.set_xlabel("Problems expected on the rarer side (solved or failed)")
    above.legend(handles=_coverage_handles(), loc="outside lower center", ncols=5)
    halves = np.atleast_1d(np.asarray(below.subfigures(1, len(strategies))))
    for half, strategy in zip(halves, strategies, strict=True):
        panel = half.subplots()
        _draw_correlations(panel, correlations[correlations["strategy"] == strategy], strategy)
        panel.set_title(f"{strategy.capitalize()}, {max(sizes)} problems")
        panel.set_xlabel("Pearson's r of predicted and observed $N^*$")
        half.legend(
            handles=_protocol_handles(strategy),
            loc="outside lower center",
            ncols=2,
            handlelength=2.0,
        )
    return figure


def _draw_coverage(panel: Axes, rows: pd.DataFrame) -> None:
    """Coverage of one size of benchmark, with the noise that the replications leave in it."""
    error = 196.0 * np.sqrt(0.95 * 0.05 / rows["replications"].max())
    panel.axhspan(CONFIDENCE - error, CONFIDENCE + error, color="#DDDDDD", linewidth=0, zorder=0)
    panel.axhline(CONFIDENCE, color="#777777", linewidth=0.8, zorder=1)
    panel.axvline(FEW, color="#777777", linewidth=0.8, linestyle=":", zorder=1)
    expected = expected_on_rarer_side(rows)
    for (quantity, estimator), kind in rows.groupby(["quantity", "estimator"]):
        shown = expected[kind.index] >= LEAST_EXPECTED
        panel.plot(
            expected[kind.index][shown],
            100.0 * kind["coverage"][shown],
            linestyle="none",
            alpha=0.8,
            zorder=3,
            **_estimator_mark(str(quantity), str(estimator)),
        )
    panel.set_xscale("log")
    panel.set_xlim(LEAST_EXPECTED / 1.3, 400)
    panel.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    panel.set_ylim(-3, 103)


def _estimator_mark(quantity: str, estimator: str) -> dict[str, Any]:
    colour, marker = ESTIMATOR_LOOKS[estimator]
    return {
        "color": colour,
        "marker": marker,
        "markersize": 3.2,
        "markerfacecolor": colour if quantity == "hit" else "white",
        "markeredgewidth": 0.7,
    }


def _coverage_handles() -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            label=f"{name}, {estimator}",
            **_estimator_mark(quantity, estimator),
        )
        for quantity, name in QUANTITY_NAMES.items()
        for estimator in ESTIMATOR_LOOKS
    ]
    few = Line2D([], [], color="#777777", linestyle=":", linewidth=0.8, label=f"{FEW:g} problems")
    return [*handles, few]


def _draw_correlations(panel: Axes, rows: pd.DataFrame, strategy: str) -> None:
    """Mean and spread of r, a group of lines a scenario, from the top."""
    looks = PROTOCOL_LOOKS[strategy]
    scenarios = list(dict.fromkeys(rows["scenario"]))
    step = len(looks) + 1.5
    for r in PAPER_R[strategy]:
        panel.axvline(r, color="#009E73", linewidth=0.9, linestyle="--", zorder=1)
    panel.axvline(0.0, color="#777777", linewidth=0.8, zorder=1)
    for group, scenario in enumerate(scenarios):
        if group % 2:
            top = -group * step + 1.25
            panel.axhspan(top - step, top, color="#F4F4F4", linewidth=0, zorder=0)
        for line, (key, (_, colour, marker)) in enumerate(looks.items()):
            here = (rows["protocol"] == key[0]) & (rows["estimator"] == key[1])
            found = rows[here & (rows["scenario"] == scenario)]
            if found.empty:
                continue  # r is undefined where nothing varies
            row, y = found.iloc[0], -(group * step + line)
            panel.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.1, zorder=2)
            panel.plot(row["mean"], y, color=colour, marker=marker, markersize=3.6, zorder=3)
    middle = (len(looks) - 1) / 2.0
    panel.set_yticks(
        [-(group * step + middle) for group in range(len(scenarios))],
        [_scenario_label(SCENARIOS[name]) for name in scenarios],
    )
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.set_ylim(-len(scenarios) * step + 1.25, 1.25)
    panel.set_xlim(-0.5, 1.03)


def _scenario_label(scenario: Scenario) -> str:
    alike = len(scenario.problems) == 1 and isinstance(scenario.problems[0], Point)
    note = "\n(nothing to predict)" if alike else ""
    return scenario.title.replace(", ", ",\n") + note


def _protocol_handles(strategy: str) -> list[Line2D]:
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=3.6, linewidth=1.1, label=label)
        for label, colour, marker in PROTOCOL_LOOKS[strategy].values()
    ]
    paper = Line2D([], [], color="#009E73", linewidth=0.9, linestyle="--", label="the paper's r")
    return [*handles, paper]

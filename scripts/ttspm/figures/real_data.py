"""Others' samples: r of every protocol by run, and accuracy against tokens by benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ttspm.errors import UserError
from ttspm.figures.simulation import PAPER_R, PROTOCOL_LOOKS
from ttspm.figures.style import FULL_WIDTH, name_outer_axes, panel_grid, style
from ttspm.real_data.curves import SEQUENTIAL
from ttspm.real_data.names import BENCHMARK_TITLES, METHOD_TITLES, run_title

ROW_HEIGHT = 0.31  # inches
SHOWN_PROTOCOLS = ("paper", "held-out", "null-pooled")
PAPER_LINE: dict[str, Any] = {"color": "#009E73", "linewidth": 0.9, "linestyle": "--"}
METHOD_LOOKS: dict[str, dict[str, Any]] = {
    SEQUENTIAL: {"color": "#D55E00", "marker": "o", "markersize": 2.2, "linestyle": "none"},
    "maj_vote": {"color": "#0072B2", "linewidth": 1.3},
    "best_of_n_prm": {"color": "#777777", "linewidth": 1.1, "linestyle": "--"},
}


@style()
def draw_correlations(fit: pd.DataFrame) -> Figure:
    """Draw Pearson's r of predicted and observed N*, three protocols for each run.

    Parameters
    ----------
    fit : pandas.DataFrame
        ``fit.csv`` of parallel runs; ``pearson_r`` is a number or says why there is none.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`. A group of lines a run: r and its 95 % interval, of the null
        the median and 95 % of its draws; nothing where r is undefined. The paper's two values for
        parallel scaling are dashed.

    Raises
    ------
    UserError
        If there is no row of these protocols.
    """
    looks = {p: look for (p, _), look in PROTOCOL_LOOKS["parallel"].items() if p in SHOWN_PROTOCOLS}
    rows = fit[fit["protocol"].isin(looks)]
    if rows.empty:
        raise UserError(f"fit.csv: no row has a protocol of {', '.join(looks)}; nothing to draw")
    runs = rows[["benchmark", "model"]].drop_duplicates().sort_values("benchmark", kind="stable")
    step = len(looks) + 1.0
    figure = Figure(figsize=(FULL_WIDTH, ROW_HEIGHT * len(runs) + 0.9), layout="constrained")
    panel = figure.subplots()
    for r in PAPER_R["parallel"]:
        panel.axvline(r, zorder=1, **PAPER_LINE)
    panel.axvline(0.0, color="#777777", linewidth=0.8, zorder=1)
    for group, (benchmark, model) in enumerate(runs.itertuples(index=False, name=None)):
        if group % 2:
            top = -group * step + 1.0
            panel.axhspan(top - step, top, color="#F4F4F4", linewidth=0, zorder=0)
        mine = rows[(rows["benchmark"] == benchmark) & (rows["model"] == model)]
        for line, (protocol, (_, colour, marker)) in enumerate(looks.items()):
            row = mine[mine["protocol"] == protocol].iloc[0]
            r, y = pd.to_numeric(row["pearson_r"], errors="coerce"), -(group * step + line)
            if pd.isna(r):
                continue
            panel.plot([row["r_low"], row["r_high"]], [y, y], color=colour, linewidth=1.1, zorder=2)
            panel.plot(r, y, color=colour, marker=marker, markersize=3.6, zorder=3)
    middle = (len(looks) - 1) / 2.0
    panel.set_yticks(
        [-(group * step + middle) for group in range(len(runs))],
        [
            f"{BENCHMARK_TITLES.get(b, b)}: {run_title(m)}"
            for b, m in runs.itertuples(index=False, name=None)
        ],
    )
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.set_ylim(-len(runs) * step + 1.0, 1.0)
    panel.set_xlim(-1.0, 1.03)
    panel.set_xlabel("Pearson's r of predicted and observed $N^*$ on the test problems")
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=3.6, linewidth=1.1, label=label)
        for label, colour, marker in looks.values()
    ]
    handles.append(Line2D([], [], label="the paper's r, parallel", **PAPER_LINE))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=2.4)
    return figure


@style()
def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw accuracy against the tokens spent on a problem, a panel a benchmark.

    Parameters
    ----------
    curves : pandas.DataFrame
        From `ttspm.real_data.curves.read_curves`.

    Returns
    -------
    matplotlib.figure.Figure
        For `ttspm.figures.style.save`: every round of sequential rethinking as a mark, votes and
        best-of-N as lines.
    """
    benchmarks = list(curves["benchmark"].drop_duplicates())
    figure, panels = panel_grid(len(benchmarks), 1.6, 1)
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        here = curves[curves["benchmark"] == benchmark]
        for method, look in METHOD_LOOKS.items():
            curve = here[here["method"] == method].sort_values("n")
            panel.plot(curve["tokens"] / 1000.0, 100.0 * curve["accuracy"], **look)
        _finish_panel(panel, here)
    name_outer_axes(panels, "Thousand tokens per problem", "Accuracy (%)")
    handles = [
        Line2D([], [], label=METHOD_TITLES[method], **look) for method, look in METHOD_LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _finish_panel(panel: Axes, here: pd.DataFrame) -> None:
    # At least ten points high: else half a point of a large benchmark looks like much.
    low, high = 100.0 * here["accuracy"].min(), 100.0 * here["accuracy"].max()
    margin = max(1.0, (10.0 - (high - low)) / 2.0)
    panel.set_ylim(np.floor(low - margin), min(100.5, np.ceil(high + margin)))
    title = BENCHMARK_TITLES.get(here["benchmark"].iloc[0], here["benchmark"].iloc[0])
    panel.set_title(f"{title} ({here['n_problems'].iloc[0]} problems)")

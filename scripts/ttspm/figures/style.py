"""How every figure looks, and how it is written so that equal input gives equal bytes.

Figures are built as `matplotlib.figure.Figure` objects, never through pyplot: no display is
needed, nothing is left open, and the user's own matplotlib settings play no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# A paper of two columns: figures are drawn at their final size, so 7 points print as 7 points.
COLUMN_WIDTH = 3.3  # inches
FULL_WIDTH = 6.8  # inches
LINE_HEIGHT = 0.145  # inches, one line of a legend

STRATEGIES = ("parallel", "sequential")  # the paper's, in the order of the legends

# Okabe and Ito's palette. A strategy has a family (cool, warm, neutral), a model a shade in it and
# a marker, so no two series rest on hue alone.
_FAMILIES = {
    "parallel": ("#0072B2", "#56B4E9", "#009E73"),
    "sequential": ("#D55E00", "#E69F00", "#CC79A7"),
}
_OTHER_FAMILY = ("#000000", "#666666", "#AAAAAA")
_LINES = {"parallel": "-", "sequential": "-."}
_OTHER_LINE = ":"
_MARKERS = ("o", "s", "^", "D", "v", "P")
_VANILLA = ("#000000", "#777777", "#AAAAAA")

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.title_fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 3.4,
    "legend.columnspacing": 1.4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.8,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # journals refuse type 3 fonts
    "svg.hashsalt": "ttspm",
}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults and the settings above, for the body of a ``with`` or a function."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


@style()
def save(figure: Figure, pdf_path: str | Path, png_path: str | Path) -> None:
    """Write a figure as PDF and as PNG (200 dpi), the same bytes each time it is drawn.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What a ``draw`` of this package returned.
    pdf_path, png_path : path-like
        Files to write.
    """
    figure.savefig(
        pdf_path,
        format="pdf",
        metadata={"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    )
    figure.savefig(png_path, format="png", dpi=200, metadata={"Software": None})


def order_strategies(names: Iterable[str]) -> list[str]:
    """Strategies without repetition: the paper's first, then the others as they come."""
    found = list(dict.fromkeys(names))
    return [s for s in STRATEGIES if s in found] + [s for s in found if s not in STRATEGIES]


def series_style(strategy: str, model_index: int) -> dict[str, Any]:
    """Colour, marker and line of one (strategy, model), as keywords for ``Axes.plot``."""
    family = _FAMILIES.get(strategy, _OTHER_FAMILY)
    return {
        "color": family[model_index % len(family)],
        "marker": _MARKERS[model_index % len(_MARKERS)],
        "linestyle": _LINES.get(strategy, _OTHER_LINE),
    }


def vanilla_colour(model_index: int) -> str:
    """Colour of a model's vanilla line."""
    return _VANILLA[model_index % len(_VANILLA)]


def names(frame: pd.DataFrame, column: str) -> list[str]:
    """The values of a column in the order in which they first appear: the order of the run."""
    return [str(value) for value in frame[column].drop_duplicates()]


def panel_grid(n_panels: int, panel_height: float, legend_lines: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with one panel for each benchmark and room for a legend below.

    One panel is a column wide, more are as wide as the page; four stand two by two.

    Parameters
    ----------
    n_panels : int
        Number of panels, at least 1.
    panel_height : float
        Height of a row of panels with its labels, in inches.
    legend_lines : int
        Lines of the legend to come.

    Returns
    -------
    figure : matplotlib.figure.Figure
        With constrained layout: nothing overlaps or is cut off.
    panels : list of matplotlib.axes.Axes
        In reading order.
    """
    n_columns = {1: 1, 2: 2, 3: 3, 4: 2}.get(n_panels, 3)
    n_rows = -(-n_panels // n_columns)
    width = COLUMN_WIDTH if n_panels == 1 else FULL_WIDTH
    height = n_rows * panel_height + legend_lines * LINE_HEIGHT + 0.1
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.add_gridspec(n_rows, n_columns)
    panels = [figure.add_subplot(grid[divmod(i, n_columns)]) for i in range(n_panels)]
    return figure, panels


def name_outer_axes(panels: list[Axes], x_label: str, y_label: str) -> None:
    """Name the y axis of the first panel of each row, the x axis of the last of each column."""
    positions = []
    for panel in panels:
        spec = panel.get_subplotspec()
        assert spec is not None
        positions.append((spec.rowspan.start, spec.colspan.start))
    for panel, (row, column) in zip(panels, positions, strict=True):
        if column == 0:
            panel.set_ylabel(y_label)
        if (row + 1, column) not in positions:
            panel.set_xlabel(x_label)


def legend_columns(labels: list[str], width: float, most: int) -> int:
    """Number of legend columns that fit into a figure, at most `most`.

    Parameters
    ----------
    labels : list of str
        The entries.
    width : float
        Width of the figure, inches.
    most : int
        Number of columns wanted.
    """
    # A character of 7 points is 0.058 inches wide on average; 0.5 for the handle and the gap.
    widest = 0.058 * max(len(label) for label in labels) + 0.5
    return max(1, min(most, int(width / widest)))

"""Fig. 1: the two strategies as a drawing. Parallel samples and a vote; rounds of rethinking."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ttspm.figures.style import FULL_WIDTH, series_style, style

HEIGHT = 2.6  # inches
MIDDLE = 1.52  # height of the problem and of the chain, inches
BOX_HEIGHT = 0.3  # inches
PADDING = 0.04  # inches, of a box's rounded corners
PLAIN = "#555555"
RIGHT, WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"


@style()
def draw() -> Figure:
    """Draw both strategies on one problem, whose correct answer is 7.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_svg`.

    References
    ----------
    "Scaling over Scaling" (arXiv 2505.20522), Fig. 1 and Sec. 3.
    """
    figure = Figure(figsize=(FULL_WIDTH, HEIGHT))
    canvas = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    canvas.set_xlim(0.0, FULL_WIDTH)
    canvas.set_ylim(0.0, HEIGHT)
    canvas.axis("off")
    _draw_parallel(canvas)
    _draw_sequential(canvas)
    canvas.plot([3.03, 3.03], [0.1, HEIGHT - 0.1], color="#CCCCCC", linewidth=0.6)
    return figure


@style()
def save_svg(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG, the same bytes each time it is drawn."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw_parallel(canvas: Axes) -> None:
    colour = str(series_style("parallel", 0)["color"])
    _box(canvas, 0.4, MIDDLE, 0.56, "Problem", PLAIN)
    _box(canvas, 2.21, MIDDLE, 0.34, "Vote", colour)
    samples = [(0.55, f"sample 1:  7 {RIGHT}"), (0.15, f"sample 2:  3 {WRONG}")]
    samples += [(-0.55, f"sample N:  7 {RIGHT}")]
    for above, text in samples:
        height = MIDDLE + above
        _box(canvas, 1.36, height, 0.8, text, colour)
        _arrow(canvas, (0.72, MIDDLE), (0.92, height))
        _arrow(canvas, (1.8, height), (2.0, MIDDLE))
    canvas.text(1.36, MIDDLE - 0.2, "\N{VERTICAL ELLIPSIS}", ha="center", va="center", color=colour)
    _arrow(canvas, (2.42, MIDDLE), (2.57, MIDDLE))
    _box(canvas, 2.74, MIDDLE, 0.26, f"7 {RIGHT}", PLAIN)
    canvas.text(2.74, MIDDLE - 0.27, "Answer", ha="center", va="center")
    _caption(
        canvas,
        1.45,
        "Parallel scaling",
        "$p_{sample}$: chance that a sample is correct",
        "hit@N: one of the N samples is correct",
        "acc@N: their majority vote is correct",
    )


def _draw_sequential(canvas: Axes) -> None:
    colour = str(series_style("sequential", 0)["color"])
    _box(canvas, 3.45, MIDDLE, 0.56, "Problem", PLAIN)
    places = (4.17, 4.95, 5.86)
    texts = (f"round 1:\n3 {WRONG}", f"round 2:\n5 {WRONG}", f"round N:\n7 {RIGHT}")
    for x, text in zip(places, texts, strict=True):
        _box(canvas, x, MIDDLE, 0.46, text, colour)
    canvas.text(
        (places[1] + places[2]) / 2,
        MIDDLE,
        "\N{MIDLINE HORIZONTAL ELLIPSIS}",
        ha="center",
        va="center",
        color=colour,
    )
    # The problem is asked again in every round; what is handed on is the last answer alone.
    edge = (BOX_HEIGHT + PADDING) / 2 + PADDING
    for start, end in pairwise(places):
        _arrow(canvas, (start + 0.05, MIDDLE + edge), (end - 0.05, MIDDLE + edge), bend=-0.35)
    canvas.text(5.0, MIDDLE + 0.52, "the last answer is handed on", ha="center", va="center")
    _arrow(canvas, (3.77, MIDDLE), (places[0] - 0.27, MIDDLE))
    for end in places[1:]:
        _arrow(canvas, (3.45, MIDDLE - 0.14), (end, MIDDLE - edge), bend=0.22)
    canvas.text(4.9, MIDDLE - 0.57, "the problem is asked again", ha="center", va="center")
    _arrow(canvas, (places[2] + 0.27, MIDDLE), (6.33, MIDDLE))
    _box(canvas, 6.5, MIDDLE, 0.26, f"7 {RIGHT}", PLAIN)
    canvas.text(6.5, MIDDLE - 0.27, "Answer", ha="center", va="center")
    _caption(
        canvas,
        4.95,
        "Sequential scaling",
        "$p_{rethink}$: chance that a round reaches the correct answer",
        "hit@N: one of the N rounds is correct",
        "acc@N: the last round is correct",
    )


def _caption(canvas: Axes, x: float, title: str, *lines: str) -> None:
    canvas.text(x, HEIGHT - 0.14, title, ha="center", va="center", fontsize=8, fontweight="bold")
    for i, line in enumerate(reversed(lines)):
        canvas.text(x, 0.14 + 0.19 * i, line, ha="center", va="center")


def _box(canvas: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    height = BOX_HEIGHT if "\n" in text else BOX_HEIGHT - 0.1
    canvas.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad={PADDING}",
            facecolor="white",
            edgecolor=colour,
            linewidth=1.0,
            zorder=2,
        )
    )
    canvas.text(x, y, text, ha="center", va="center", zorder=3, linespacing=1.25)


def _arrow(
    canvas: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0
) -> None:
    canvas.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            connectionstyle=f"arc3,rad={bend}",
            mutation_scale=5.5,
            shrinkA=0,
            shrinkB=0,
            color=PLAIN,
            linewidth=0.7,
            zorder=1,
        )
    )

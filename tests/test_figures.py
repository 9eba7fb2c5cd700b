"""Figures 2 to 5: the same bytes twice, everything named, numbers drawn as they are."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from synthetic_frames import LARGE, PAPER, SMALL, make_metrics, make_saturation

from ttspm.errors import UserError
from ttspm.figures import accuracy, agreement, histogram, hit, style

THREE = {**LARGE, "benchmarks": {"aime25": 30, "math500": 500, "gpqa_diamond": 198}}
GRIDS = {"small": SMALL, "three": THREE, "large": LARGE}
KINDS = ("hit", "accuracy", "histogram", "agreement")


@pytest.fixture(scope="module")
def frames() -> dict[str, tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    return {name: (make_metrics(grid), *make_saturation(grid)) for name, grid in GRIDS.items()}


def draw(kind: str, tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> Figure:
    metrics, saturation, fit = tables
    return {
        "hit": lambda: hit.draw(metrics, PAPER),
        "accuracy": lambda: accuracy.draw(metrics, PAPER),
        "histogram": lambda: histogram.draw(saturation),
        "agreement": lambda: agreement.draw(saturation, fit),
    }[kind]()


def legend_labels(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_twice_gives_the_same_bytes(kind, frames, tmp_path):
    def write(name: str) -> list[bytes]:
        paths = [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"]
        style.save(draw(kind, frames["small"]), *paths)
        return [path.read_bytes() for path in paths]

    first = write("first")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "savefig.dpi": 30}):
        second = write("second")  # the user's own settings play no part
    assert first == second
    assert b"CreationDate" not in first[0]
    assert b"Matplotlib" not in first[0]
    assert b"Software" not in first[1]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_named_and_laid_out(kind, grid, frames):
    """Axes and series are named; no text is cut off, under 7 points, or over another panel."""
    figure = draw(kind, frames[grid])
    with style.style():
        figure.draw_without_rendering()
    panels = figure.axes
    n_cells = len(GRIDS[grid]["models"]) * 2
    n_benchmarks = len(GRIDS[grid]["benchmarks"])
    assert len(panels) == n_benchmarks * (n_cells if kind == "agreement" else 1)
    assert panels[0].get_ylabel()
    assert panels[-1].get_xlabel()
    assert all(panel.get_title("left") or panel.get_title() for panel in panels)

    labels = legend_labels(figure)
    if kind == "agreement":
        titles = [panel.get_title("left") for panel in panels]
        assert sum("parallel" in title for title in titles) == len(panels) / 2
        assert "predicted = observed" in labels
    else:
        assert sum("parallel" in label for label in labels) == n_cells / 2
        assert sum("sequential" in label for label in labels) == n_cells / 2

    (legend,) = figure.legends
    page = figure.bbox
    titles = [t for p in panels for t in (p.title, p._left_title)]
    axis_names = [label for p in panels for label in (p.xaxis.label, p.yaxis.label)]
    ticks = [t for p in panels for t in p.get_xticklabels()]
    texts = [t for t in (*titles, *axis_names, *ticks, *legend.get_texts()) if t.get_text()]
    boxes = [t.get_window_extent() for t in texts]
    assert all(text.get_fontsize() >= 7 for text in texts)
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= page.x0 - 1, text.get_text()
        assert box.x1 <= page.x1 + 1, text.get_text()
        assert box.y0 >= page.y0 - 1, text.get_text()
        assert box.y1 <= page.y1 + 1, text.get_text()
        assert sum(box.overlaps(other) for other in boxes) == 1, text.get_text()
    legend_box = legend.get_window_extent()
    assert not any(Bbox.intersection(legend_box, panel.bbox) for panel in panels)


@pytest.mark.parametrize(("kind", "metric"), [("hit", "hit"), ("accuracy", "acc")])
def test_curves_hold_the_values_of_the_table(kind, metric, frames):
    """Parallel by `exact`, sequential by `prefix`, in percent at the budgets; vanilla at N = 1."""
    metrics = frames["small"][0]
    (panel,) = draw(kind, frames["small"]).axes
    drawn = [
        line.get_ydata() for line in panel.get_lines() if line.get_marker() not in ("", "None")
    ]
    rows = metrics[metrics["metric"] == metric]
    parallel = rows[(rows["strategy"] == "parallel") & (rows["estimator"] == "exact")]
    sequential = rows[rows["strategy"] == "sequential"]
    np.testing.assert_allclose(drawn, [100 * parallel["value"], 100 * sequential["value"]])
    vanilla = [line for line in panel.get_lines() if line.get_linestyle() == "--"]
    np.testing.assert_allclose(vanilla[0].get_ydata(), 100 * parallel["value"].iloc[0])
    assert list(panel.get_xticks()) == list(SMALL["budgets"])
    edges = np.concatenate([c.get_paths()[0].vertices[:, 1] for c in panel.collections])
    assert edges.min() == pytest.approx(
        100 * min(parallel["ci_low"].min(), sequential["ci_low"].min())
    )


def test_the_papers_values_are_open_marks(frames):
    """Each cell of Table 1 whose model, benchmark and N ran is drawn once, no other is."""
    figure = draw("accuracy", frames["large"])
    marks = [
        value
        for panel in figure.axes
        for line in panel.get_lines()
        if line.get_markerfacecolor() == "white" and line.get_linestyle() == "None"
        for value in line.get_ydata()
    ]
    columns = [name for name in PAPER.columns if name.endswith("_acc")]
    assert sorted(marks) == sorted(PAPER[columns].to_numpy().ravel())
    assert any("paper" in label for label in legend_labels(figure))
    assert not any("paper" in label for label in legend_labels(draw("hit", frames["small"])))


def test_histogram_counts_each_problem_once(frames):
    """Bars add up to the problems; the open part of the bar at 1 is the problems never solved."""
    saturation = frames["small"][1]
    (panel,) = draw("histogram", frames["small"]).axes
    published = saturation[saturation["estimator"].isin(["c/n", "k/n"])]
    bars = list(panel.patches)
    assert sum(bar.get_height() for bar in bars) == len(published) == 2 * 36
    never = sum(bar.get_height() for bar in bars if bar.get_hatch())
    assert never == (published["p_hat"] <= 1e-5).sum() > 0
    assert [text.get_text() for text in panel.get_xticklabels()][-1] == ">10"

    early = saturation[saturation["first_hit"] <= 10]
    (panel,) = histogram.draw(early).axes
    assert [text.get_text() for text in panel.get_xticklabels()][-1] == "10"


def test_area_is_proportional_to_the_number_of_problems(frames):
    saturation = frames["large"][1]
    rows = saturation[saturation["benchmark"] == "math500"]
    figure = agreement.draw(rows, frames["large"][2])
    mine = rows[
        (rows["split"] == "test")
        & (rows["strategy"] == "parallel")
        & (rows["model"] == "deepseek-r1-distill-qwen-1.5b")
    ]
    counts = mine.groupby(["n_star", "first_hit"]).size()
    (marks,) = figure.axes[0].collections
    area = dict(zip(map(tuple, marks.get_offsets().data), marks.get_sizes(), strict=True))
    assert area.keys() == set(counts.index)
    ratios = [area[point] / count for point, count in counts.items()]
    np.testing.assert_allclose(ratios, ratios[0])
    # The legend's marks are to the same scale: "1 problem" first.
    one = figure.legends[0].legend_handles[0]
    assert one.get_markersize() ** 2 == pytest.approx(ratios[0])


def test_r_stands_in_its_panel_or_the_reason_why_not(frames, tmp_path):
    saturation, fit = frames["large"][1:]
    fit = fit.copy()
    fit["pearson_r"] = fit["pearson_r"].astype(object)
    chosen = (fit["benchmark"] == "math500") & (fit["estimator"] == "c/n")
    index = fit.index[chosen]
    fit.loc[index[0], ["pearson_r", "r_low", "r_high", "p_value"]] = [
        "undefined (predicted N* is constant)",
        np.nan,
        np.nan,
        np.nan,
    ]
    fit.to_csv(tmp_path / "fit.csv", index=False)
    read = pd.read_csv(tmp_path / "fit.csv")  # the column is text once one cell is
    figure = agreement.draw(saturation[saturation["benchmark"] == "math500"], read)
    titles = [" ".join(panel.get_title("left").split()) for panel in figure.axes]
    assert "r undefined (predicted N* is constant) 100 problems" in titles[0]
    row = fit.loc[index[1]]
    assert f"r = {row['pearson_r']:.2f} [{row['r_low']:.2f}, {row['r_high']:.2f}]" in titles[2]
    exponent = math.floor(math.log10(row["p_value"]))
    superscript = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    assert f"×10{superscript} 100 problems" in titles[2]


def test_series_differ_in_more_than_hue():
    looks = [style.series_style(s, m) for s in ("parallel", "sequential") for m in range(3)]
    assert len({look["color"] for look in looks}) == len(looks)
    assert len({(look["marker"], look["linestyle"]) for look in looks}) == len(looks)


def test_one_strategy_or_an_unknown_one_is_drawn(frames):
    metrics, saturation, fit = (frame.copy() for frame in frames["small"])
    only = metrics[metrics["strategy"] == "sequential"]
    assert not any("parallel" in label for label in legend_labels(hit.draw(only, PAPER)))
    for frame in (metrics, saturation, fit):
        frame["strategy"] = frame["strategy"].replace({"sequential": "tree"})
    assert any("tree" in label for label in legend_labels(accuracy.draw(metrics, PAPER)))
    assert any("tree" in label for label in legend_labels(histogram.draw(saturation)))
    fit.loc[fit["strategy"] == "tree", "protocol"] = "paper"
    assert "tree" in agreement.draw(saturation, fit).axes[1].get_title("left")


def test_nothing_to_draw_is_one_line(frames):
    metrics, saturation, fit = frames["small"]
    with pytest.raises(UserError, match=r"metrics\.csv: .*'hit'"):
        hit.draw(metrics[metrics["metric"] == "acc"], PAPER)
    with pytest.raises(UserError, match=r"saturation\.csv: .*estimators"):
        histogram.draw(saturation[saturation["estimator"] == "1/k"])
    with pytest.raises(UserError, match=r"saturation\.csv: .*'test'"):
        agreement.draw(saturation[saturation["split"] == "validation"], fit)
    with pytest.raises(UserError, match=r"fit\.csv: 0 rows of protocol 'paper'"):
        agreement.draw(saturation, fit[fit["protocol"] != "paper"])

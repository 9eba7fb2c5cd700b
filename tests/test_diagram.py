"""Fig. 1: nothing overlaps, and the committed drawing is what the command draws."""

from __future__ import annotations

from pathlib import Path

from matplotlib.patches import FancyBboxPatch

import draw_diagram
from ttspm.figures.diagram import draw

COMMITTED = Path(__file__).resolve().parents[1] / "docs" / "figure1.svg"


def test_committed_drawing_is_what_the_command_draws(tmp_path):
    for name in ("first.svg", "second.svg"):
        draw_diagram.main([str(tmp_path / name)])
    drawn = (tmp_path / "first.svg").read_bytes()
    assert drawn == (tmp_path / "second.svg").read_bytes()
    assert drawn == COMMITTED.read_bytes()
    assert b"<dc:date>" not in drawn


def test_texts_are_legible_on_the_page_and_apart():
    figure = draw()
    figure.draw_without_rendering()
    (canvas,) = figure.axes
    texts = canvas.texts
    assert {"Parallel scaling", "Sequential scaling", "Vote"} <= {t.get_text() for t in texts}
    assert all(text.get_fontsize() >= 7 for text in texts)
    extents = [text.get_window_extent() for text in texts]
    for i, box in enumerate(extents):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in extents[i + 1 :]), texts[i].get_text()


def test_every_box_holds_its_text():
    figure = draw()
    figure.draw_without_rendering()
    (canvas,) = figure.axes
    boxes = [p.get_window_extent() for p in canvas.patches if isinstance(p, FancyBboxPatch)]
    assert len(boxes) == 2 + 3 + 1 + 3 + 2  # problems, samples, vote, rounds, answers
    inside = 0
    for text in canvas.texts:
        extent = text.get_window_extent()
        middle = ((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2)
        for box in boxes:
            if box.contains(*middle):
                inside += 1
                assert box.x0 < extent.x0
                assert extent.x1 < box.x1
    assert inside == len(boxes)

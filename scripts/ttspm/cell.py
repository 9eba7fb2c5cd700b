"""A cell of the grid: one model on one benchmark with one strategy."""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """What the rows of one records table have in common."""

    model: str
    benchmark: str
    strategy: str

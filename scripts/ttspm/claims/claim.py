"""What a claim is: a number or a sentence of the paper, and the function that decides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ttspm.claims.decision import Decision
from ttspm.claims.evidence import Evidence


@dataclass(frozen=True)
class Claim:
    """One number or sentence of the paper.

    Attributes
    ----------
    text : str
        What is claimed: the paper's words in quotes, then the reading that is tested.
    where : str
        The table, figure or section it stands in.
    decide : callable
        Its verdict from a run's tables.
    paper : float or None
        The paper's number, in percent, points, or as printed. None for a sentence; the ledger
        then works the same quantity out from Table 1.
    """

    text: str
    where: str
    decide: Callable[[Evidence], Decision]
    paper: float | None = None

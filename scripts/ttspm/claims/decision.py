"""Verdicts, and the few ways in which one is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ttspm.claims.measured import Measured, difference

AGREES, DIFFERS, NOT_RUN = "agrees", "differs", "not run"
UNDECIDED = "interval includes the opposite"
NAN = float("nan")
TIE_DECIMALS = 9  # values this near are equal: tables hold fractions of 12 decimals


@dataclass(frozen=True)
class Decision:
    """The verdict on a claim, the value that decided it and its 95 % interval."""

    verdict: str
    ours: float = NAN
    low: float = NAN
    high: float = NAN
    note: str = ""

    def with_note(self, note: str) -> Decision:
        """The same decision with one more remark."""
        return replace(self, note="; ".join(part for part in (self.note, note) if part))


class Row(NamedTuple):
    """A row of the ledger."""

    claim: str
    where: str
    paper: float
    decision: Decision


def decided(holds: bool, measured: Measured, note: str = "") -> Decision:
    """A decision that rests on one value."""
    verdict = AGREES if holds else DIFFERS
    return Decision(verdict, measured.value, measured.low, measured.high, note)


def same_number(ours: Measured | None, theirs: Measured) -> Decision:
    """Whether two measurements of one quantity are as far apart as chance puts them.

    Parameters
    ----------
    ours : Measured or None
        None where nothing was measured.
    theirs : Measured
        The paper's value, with the interval of one run on its problems.

    Returns
    -------
    Decision
        ``agrees`` if the 95 % interval of the difference includes 0: a two-sided test at 5 %
        with the errors of both sides. Two runs on the same problems differ by less than this
        allows, so ``differs`` is a strong verdict and ``agrees`` a weak one.
    """
    gap = difference(ours, theirs)
    if ours is None or gap is None:
        return Decision(NOT_RUN)
    return decided(gap.low <= 0.0 <= gap.high, ours)


def hold(
    parts: Mapping[str, Measured | None],
    above: float = 0.0,
    *,
    strict: bool = True,
    at_least: int | None = None,
    decimals: int = 1,
) -> Decision:
    """Whether values are above a threshold: all of them, or at least so many.

    Parameters
    ----------
    parts : mapping of str to Measured or None
        One value for each place where the statement must hold; None where nothing was measured.
    above : float
        The threshold, in the unit of the values.
    strict : bool
        Whether a value equal to the threshold fails.
    at_least : int, optional
        How many must hold; by default all.
    decimals : int
        Decimals of the values in the note.

    Returns
    -------
    Decision
        By the values themselves; the note names those that fail, and says so where the
        intervals alone would not exclude the opposite. The value that decides is the smallest,
        or the `at_least`-th largest. Parts that were not measured leave it ``not run``, unless
        the others are enough to decide.
    """
    needed = len(parts) if at_least is None else at_least
    ran = {name: part for name, part in parts.items() if part is not None}

    def exceeds(value: float) -> bool:
        surplus = round(value - above, TIE_DECIMALS)
        return surplus > 0.0 or (not strict and surplus == 0.0)

    if not ran:
        return Decision(NOT_RUN)
    holding = sum(exceeds(part.value) for part in ran.values())
    failing = [
        f"{name} ({part.value:.{decimals}f})"
        for name, part in ran.items()
        if not exceeds(part.value)
    ]
    if holding < needed <= holding + len(parts) - len(ran):
        return Decision(NOT_RUN, note=f"holds in {holding} of {len(ran)} that ran of {len(parts)}")
    deciding = sorted(ran.values(), key=lambda part: -round(part.value, TIE_DECIMALS))[
        min(needed, len(ran)) - 1
    ]
    if holding >= needed:
        sure = sum(exceeds(part.low) for part in ran.values())
        certain, open_parts = sure >= needed, holding - sure
    else:
        possible = sum(exceeds(part.high) for part in ran.values())
        certain, open_parts = possible + len(parts) - len(ran) < needed, possible - holding
    decision = decided(holding >= needed, deciding)
    if failing and len(parts) > 1:  # of a single part the row itself holds the value
        decision = decision.with_note(
            f"{'fails' if at_least is None else 'not'} in {len(failing)} of {len(ran)}: "
            + ", ".join(failing)
        )
    if certain:
        return decision
    where = f" in {open_parts} of {len(ran)}" if len(parts) > 1 else ""
    return decision.with_note(UNDECIDED + where)


def below(parts: Mapping[str, Measured | None], level: float) -> Decision:
    """Whether all values are below a level; the mirror of `hold`, for p-values."""
    mirrored = hold({name: -part if part else None for name, part in parts.items()}, -level)
    if mirrored.verdict == NOT_RUN:
        return mirrored
    failing = [
        f"{name} ({part.value:.2g})" for name, part in parts.items() if part and part.value >= level
    ]
    return Decision(
        mirrored.verdict,
        -mirrored.ours,
        -mirrored.high,
        -mirrored.low,
        f"fails in {len(failing)}: {', '.join(failing)}" if failing else "",
    )

"""A value with its 95 % interval, and what may be computed with such values."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054  # 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Measured:
    """A value and its 95 % interval; shares are in percent, their differences in points."""

    value: float
    low: float
    high: float

    def __neg__(self) -> Measured:
        return Measured(-self.value, -self.high, -self.low)


def exactly(value: float) -> Measured:
    """Give a number that has no sampling error an interval without width."""
    return Measured(value, value, value)


def wilson(percent: float, n_problems: int) -> Measured:
    """Wilson's score interval for a share of problems.

    Parameters
    ----------
    percent : float
        The share, in percent; it need not be a whole number of problems.
    n_problems : int
        Problems that it is a share of.

    Returns
    -------
    Measured
        In percent. Unlike a bootstrap it has a width at 0 and 100.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    JASA 22 (1927) 209-212.
    """
    share, square = percent / 100.0, Z95**2 / n_problems
    centre = (share + square / 2.0) / (1.0 + square)
    spread = share * (1.0 - share) / n_problems + square / (4.0 * n_problems)
    half = Z95 * math.sqrt(spread) / (1.0 + square)
    # At 0 and at 100 rounding could put the bound a hair on the wrong side of the share.
    return Measured(
        percent, min(percent, 100.0 * (centre - half)), max(percent, 100.0 * (centre + half))
    )


def fisher(r: float, n_pairs: int) -> Measured:
    """Interval of Pearson's r by Fisher's z-transformation.

    Parameters
    ----------
    r : float
        The correlation, between -1 and 1.
    n_pairs : int
        Pairs it was computed from; with three or fewer nothing is known.
    """
    if n_pairs <= 3:
        return Measured(r, -1.0, 1.0)
    if abs(r) == 1.0:
        return exactly(r)
    z, half = math.atanh(r), Z95 / math.sqrt(n_pairs - 3)
    return Measured(r, math.tanh(z - half), math.tanh(z + half))


def combine(*terms: tuple[float, Measured | None]) -> Measured | None:
    """Weighted sum of measured values, with an interval made from theirs.

    Parameters
    ----------
    *terms : tuple of float and Measured
        Weights and values; a value is None where nothing was measured.

    Returns
    -------
    Measured or None
        None if one of the values is.

    Notes
    -----
    "Square and add": the distances from each value to its bound, on the side that moves the sum,
    are added as squares. It asks for no symmetry and needs nothing but the intervals. The values
    are taken as independent. Those of one benchmark share its problems, so a difference comes
    out wider than a paired interval would be: it errs towards "undecided".

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17 (1998) 873-890, method 10; G. Y. Zou and A. Donner, "Construction of
    confidence limits about effect measures", Statistics in Medicine 27 (2008) 1693-1702.
    """
    total = below = above = 0.0
    for weight, measured in terms:
        if measured is None:
            return None
        signed = measured if weight >= 0 else -measured
        total += weight * measured.value
        below += (weight * max(0.0, signed.value - signed.low)) ** 2
        above += (weight * max(0.0, signed.high - signed.value)) ** 2
    return Measured(total, total - math.sqrt(below), total + math.sqrt(above))


def difference(a: Measured | None, b: Measured | None) -> Measured | None:
    """``a - b``, taken as independent; see `combine`."""
    return combine((1.0, a), (-1.0, b))

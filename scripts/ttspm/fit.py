"""Fit of epsilon / F_max on a validation split, and how well N* then predicts first hits.

The paper (Sec. 4.4) says that the ratio is estimated on validation, not how; here it is by least
squares of N* against the observed first hit. docs/saturation.md derives the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ttspm.errors import UserError
from ttspm.saturation import saturation_points

VALIDATION_SHARE = 0.8  # Sec. 4.4: "a proportion of 8:2"
EPSILON_RANGE = (1e-6, 1.0)
GRID = np.geomspace(*EPSILON_RANGE, 1201)  # 200 points a decade

_LOG_GRID = np.log(GRID)
_SAME_LOG = 1e-11  # wider than the tie of a saturation point, so that no piece lies inside one


@dataclass(frozen=True)
class EpsilonFit:
    """Least-squares threshold and the plateau of the loss on which it lies.

    Attributes
    ----------
    epsilon_over_fmax : float
        Log-midpoint of the plateau.
    squared_error : int
        Sum of (N* - first hit)^2 over the problems, in units squared.
    low, high : float
        Ends of the plateau within the range searched, 1e-6 to 1: every threshold in (low, high)
        has this same loss.
    """

    epsilon_over_fmax: float
    squared_error: int
    low: float
    high: float


@dataclass(frozen=True)
class Trial:
    """One fit on validation applied to test.

    Attributes
    ----------
    fit : EpsilonFit
        What validation gave.
    predicted, observed : ndarray of int64, shape (test problems,)
        N* and first hit of the test problems.
    """

    fit: EpsilonFit
    predicted: NDArray[np.int64]
    observed: NDArray[np.int64]

    @property
    def mae(self) -> float:
        """Mean absolute error of N* on test, in units."""
        return float(np.abs(self.predicted - self.observed).mean())

    @property
    def pearson_r(self) -> float:
        """Pearson's r on test; NaN where `undefined` says why."""
        if self.undefined:
            return float("nan")
        return float(pearson_rows(self.predicted[None], self.observed[None])[0])

    @property
    def undefined(self) -> str | None:
        """Why r is undefined, as text for a table; None where it is defined."""
        if len(self.observed) < 3:
            return "undefined (fewer than 3 problems)"
        if np.ptp(self.predicted) == 0:
            return "undefined (predicted N* is constant)"
        if np.ptp(self.observed) == 0:
            return "undefined (observed first hit is constant)"
        return None


@dataclass(frozen=True)
class Correlation:
    """Pearson's r with its two-sided p-value and a 95 % bootstrap interval; NaN if undefined."""

    r: float
    low: float
    high: float
    p_value: float


def split_mask(
    n_problems: int, rng: np.random.Generator, validation_share: float = VALIDATION_SHARE
) -> NDArray[np.bool_]:
    """Draw which problems are for validation; the others are for test.

    Parameters
    ----------
    n_problems : int
        Problems to split.
    rng : numpy.random.Generator
        Source of the draw.
    validation_share : float
        Share of validation, rounded to whole problems; neither part is ever empty.

    Returns
    -------
    ndarray of bool, shape (n_problems,)
        True for validation.

    Raises
    ------
    UserError
        If there are fewer than 2 problems.
    """
    if n_problems < 2:
        raise UserError(
            f"{n_problems} problem(s) cannot be split into validation and test; "
            "at least 2 are needed, and a correlation needs 3 in test"
        )
    n_validation = min(max(round(validation_share * n_problems), 1), n_problems - 1)
    mask = np.zeros(n_problems, dtype=bool)
    mask[rng.permutation(n_problems)[:n_validation]] = True
    return mask


def split_problems(
    problem_ids: Sequence[str],
    rng: np.random.Generator,
    validation_share: float = VALIDATION_SHARE,
) -> pd.Series:
    """`split_mask` by name: the same for the same problems, in whatever order they come.

    Returns
    -------
    Series of {'validation', 'test'}
        Indexed by problem id, sorted. Models on one benchmark can share it.
    """
    ids = sorted(set(problem_ids))
    mask = split_mask(len(ids), rng, validation_share)
    return pd.Series(np.where(mask, "validation", "test"), index=ids, name="split")


def fit_epsilon(p_hat: ArrayLike, hits: ArrayLike) -> EpsilonFit:
    """Threshold epsilon / F_max that minimises sum of (N*(p) - first hit)^2.

    Parameters
    ----------
    p_hat : array_like of float, shape (problems,)
        Estimated chances, in [0, 1].
    hits : array_like of int, shape (problems,)
        Observed first hits.

    Returns
    -------
    EpsilonFit

    Raises
    ------
    ValueError
        If there is no problem.

    Notes
    -----
    The loss is constant between thresholds p (1 - p)^k, where one N* steps from k to k + 1. The
    grid finds the best region; between the worse grid points on either side of it every piece is
    evaluated, so the result is exact there and never worse than any grid point. All sums are of
    integers, so equal losses are equal. Of several optima the smallest threshold is taken, the
    one that spends the most units.
    """
    # Few distinct p exist (c/n), so problems are grouped: losses cost one N* per distinct p.
    p, group = np.unique(np.asarray(p_hat, dtype=np.float64), return_inverse=True)
    k = np.asarray(hits, dtype=np.int64)
    if not len(k):
        raise ValueError("a fit needs at least one validation problem")
    count = np.bincount(group)
    total = np.zeros(len(p), dtype=np.int64)
    np.add.at(total, group, k)
    squares = int((k * k).sum())

    def loss(thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
        points = saturation_points(p[None, :], thresholds[:, None])
        return points * points @ count - 2 * (points @ total) + squares

    on_grid = loss(GRID)
    first = int(on_grid.argmin())
    last = first
    while last + 1 < len(GRID) and on_grid[last + 1] == on_grid[first]:
        last += 1
    below, above = _LOG_GRID[max(first - 1, 0)], _LOG_GRID[min(last + 1, len(GRID) - 1)]
    ends = np.concatenate([[below], _breakpoints(p, below, above), [above]])
    in_pieces = loss(np.exp((ends[:-1] + ends[1:]) / 2))
    first = last = int(in_pieces.argmin())
    while last + 1 < len(in_pieces) and in_pieces[last + 1] == in_pieces[first]:
        last += 1
    low, high = ends[first], ends[last + 1]
    return EpsilonFit(
        epsilon_over_fmax=float(np.exp((low + high) / 2)),
        squared_error=int(in_pieces[first]),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
    )


def _breakpoints(p: NDArray[np.float64], below: float, above: float) -> NDArray[np.float64]:
    """Logarithms of all p (1 - p)^k, k >= 1, strictly between two logarithms; sorted."""
    logs = []
    for chance in p[(p > 0) & (p < 1)]:
        start, step = np.log(chance), np.log1p(-chance)
        k = np.arange(max(1, np.floor((above - start) / step)), np.ceil((below - start) / step) + 1)
        logs.append(start + k * step)
    merged = np.sort(np.concatenate(logs)) if logs else np.empty(0)
    merged = merged[(merged > below + _SAME_LOG) & (merged < above - _SAME_LOG)]
    return merged[np.diff(merged, prepend=-np.inf) > _SAME_LOG]


def evaluate(
    p_hat: NDArray[np.float64], hits: NDArray[np.int64], validation: NDArray[np.bool_]
) -> Trial:
    """Fit the threshold on validation and predict N* on test.

    Parameters
    ----------
    p_hat : ndarray of float, shape (problems,)
        Estimated chances.
    hits : ndarray of int64, shape (problems,)
        Observed first hits.
    validation : ndarray of bool, shape (problems,)
        True for validation, False for test.

    Returns
    -------
    Trial
    """
    fit = fit_epsilon(p_hat[validation], hits[validation])
    predicted = saturation_points(p_hat[~validation], fit.epsilon_over_fmax)
    return Trial(fit, predicted, hits[~validation])


def pearson_rows(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pearson's r of each row of two integer arrays; NaN where a side is constant.

    Parameters
    ----------
    x, y : ndarray of int64, shape (rows, observations)
        The two sides. Integers, so "constant" needs no tolerance.

    Returns
    -------
    ndarray of float, shape (rows,)
    """
    varied = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    dx = x[varied] - x[varied].mean(axis=1, keepdims=True)
    dy = y[varied] - y[varied].mean(axis=1, keepdims=True)
    r = np.full(len(x), np.nan)
    spread = np.sqrt((dx * dx).sum(axis=1) * (dy * dy).sum(axis=1))
    r[varied] = np.clip((dx * dy).sum(axis=1) / spread, -1, 1)
    return r


def correlate(trial: Trial, rng: np.random.Generator, resamples: int = 2000) -> Correlation:
    """Pearson's r on test with its p-value and a percentile bootstrap over test problems.

    Parameters
    ----------
    trial : Trial
        Predicted and observed points of the test problems.
    rng : numpy.random.Generator
        Source of the resamples.
    resamples : int
        Bootstrap resamples. Those in which a side happens to be constant have no r and are left
        out; if they are more than half, so is the interval.

    Returns
    -------
    Correlation
        All NaN where r is undefined. The interval holds the threshold fixed: it says how r
        varies with the test problems, not with the split (for that see protocol `repeated`).
    """
    if trial.undefined:
        return Correlation(*(float("nan"),) * 4)
    n = len(trial.observed)
    drawn = rng.integers(n, size=(resamples, n))
    resampled = pearson_rows(trial.predicted[drawn], trial.observed[drawn])
    defined = resampled[~np.isnan(resampled)]
    low, high = float("nan"), float("nan")
    if 2 * len(defined) >= resamples:
        low, high = (float(q) for q in np.quantile(defined, [0.025, 0.975]))
    p_value = float(stats.pearsonr(trial.predicted, trial.observed).pvalue)
    return Correlation(trial.pearson_r, low, high, p_value)

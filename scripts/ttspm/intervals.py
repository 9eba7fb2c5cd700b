"""Bootstrap intervals over problems, for one quantity or for many columns of them at once.

The problem is what is resampled: units of one problem share its difficulty and are no
independent evidence about the benchmark.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95
COLUMNS_AT_ONCE = 256  # with RESAMPLES_AT_ONCE keeps the working memory near 50 MB
RESAMPLES_AT_ONCE = 1_000


def bootstrap_mean(
    values: ArrayLike,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[Floats, Floats]:
    """Percentile bootstrap interval of each column's mean over problems.

    Parameters
    ----------
    values : array_like, shape (problems, columns)
        One row a problem; columns (metrics, budgets) share the resamples, so their intervals can
        be read side by side.
    rng : numpy.random.Generator
        Seeded; the same state and values give the same bytes, whatever the number of threads.
    resamples : int
        Bootstrap resamples of the problems.
    confidence : float
        Coverage aimed at, between 0 and 1.

    Returns
    -------
    low, high : ndarray, shape (columns,)
        The (1 - confidence) / 2 and (1 + confidence) / 2 quantiles of the resampled means.

    Raises
    ------
    ValueError
        If `values` is not a finite table with a row, or a setting is out of range.

    Notes
    -----
    Where all problems have one value (all solved, none solved, a single problem), every resample
    has that mean and the interval has **zero width**. That is what the method gives, not
    certainty: with all of n problems solved, the 95 % upper bound on the share of unsolved ones
    is still about 3 / n [2]_. With few problems the intervals are somewhat too narrow in general,
    as intervals from the central limit theorem are [3]_.

    References
    ----------
    .. [1] B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
    .. [2] J. Hanley and A. Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?",
       JAMA 249 (1983) 1743-1745.
    .. [3] S. Bowyer et al., "Don't Use the CLT in LLM Evals With Fewer Than a Few Hundred
       Datapoints", 2025, arXiv:2503.01747.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not len(table) or not np.all(np.isfinite(table)):
        raise ValueError("values must be a finite (problems, columns) table with at least a row")
    if resamples < 1 or not 0.0 < confidence < 1.0:
        raise ValueError("resamples must be at least 1 and confidence between 0 and 1")
    tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    weights = _problem_counts(len(table), rng, resamples)
    bounds = np.empty((2, table.shape[1]))
    for start in range(0, table.shape[1], COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        bounds[:, columns] = np.quantile(
            _resampled_means(table[:, columns], weights), tails, axis=0
        )
    return bounds[0], bounds[1]


def bootstrap_difference(
    values_a: ArrayLike,
    values_b: ArrayLike,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[Floats, Floats]:
    """Paired percentile bootstrap interval of ``mean(a) - mean(b)`` over the same problems.

    Parameters
    ----------
    values_a, values_b : array_like, shape (problems, columns)
        Row i of both belongs to the same problem: each resample takes or leaves the pair, so the
        difficulty that both share does not widen the interval.
    rng, resamples, confidence
        As in `bootstrap_mean`.

    Returns
    -------
    low, high : ndarray, shape (columns,)
        Zero width where the difference is the same for every problem; see `bootstrap_mean`.

    Raises
    ------
    ValueError
        If the tables differ in shape, or as in `bootstrap_mean`.
    """
    table_a, table_b = np.asarray(values_a, np.float64), np.asarray(values_b, np.float64)
    if table_a.shape != table_b.shape:
        raise ValueError(f"paired tables differ in shape: {table_a.shape} and {table_b.shape}")
    return bootstrap_mean(table_a - table_b, rng, resamples, confidence)


def named_stream(root: int, *names: str) -> np.random.Generator:
    """A generator of its own for what `names` says, so that its draws depend on nothing else.

    Parameters
    ----------
    root : int
        One non-negative draw from the run's generator, or its seed.
    *names : str
        Model, benchmark, strategy, or whatever tells one use from another.
    """
    return np.random.default_rng([root, crc32("\0".join(names).encode())])


def _problem_counts(problems: int, rng: np.random.Generator, resamples: int) -> NDArray[np.uint32]:
    """How often each problem is in each resample, shape (resamples, problems)."""
    counts = np.empty((resamples, problems), dtype=np.uint32)
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        block = counts[start : start + RESAMPLES_AT_ONCE]
        drawn = rng.integers(problems, size=block.shape)
        drawn += problems * np.arange(len(block))[:, None]
        block[:] = np.bincount(drawn.ravel(), minlength=block.size).reshape(block.shape)
    return counts


def _resampled_means(table: Floats, counts: NDArray[np.uint32]) -> Floats:
    """Means of each column in each resample, shape (resamples, columns), summed without rounding.

    The values are first put on a grid so coarse (about 1e-13 of the largest) that every sum is a
    whole number of steps below 2**53. A matrix product adds in an order that depends on the
    number of threads; exact sums do not.
    """
    problems = len(table)
    bits = 52 - int(problems - 1).bit_length()
    exponents = np.frexp(np.abs(table).max(axis=0))[1]
    steps = np.rint(np.ldexp(table, bits - exponents))
    means = np.empty((len(counts), table.shape[1]))
    for start in range(0, len(counts), RESAMPLES_AT_ONCE):
        block = slice(start, start + RESAMPLES_AT_ONCE)
        means[block] = counts[block].astype(np.float64) @ steps
    return np.ldexp(means, exponents - bits) / problems

"""What N of the recorded units are worth: hits and votes, exactly and for the first N units.

``*_exact`` is the expectation over all subsets of N recorded units, drawn without replacement;
``*_prefix`` looks at the first N units in their recorded order, as the paper does. The derivation
is in ``docs/estimators.md``. Nothing here is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A coefficient this far above the smallest double (1e-308) is not touched by underflow in its
# terms; budgets whose own coefficient would be smaller get an inclusion chance nearer to N / n.
SMALLEST_COEFFICIENT = 1e-200


def hit_exact(n_units: ArrayLike, n_correct: ArrayLike, budgets: Sequence[int] | Ints) -> Floats:
    """Chance that N of a problem's units, drawn without replacement, hold a correct one.

    Parameters
    ----------
    n_units, n_correct : array_like of int, shape (problems,) or scalar
        Recorded units n and correct units c of each problem; ``0 <= c <= n``.
    budgets : sequence of int, length (budgets,)
        Budgets N in units, each from 1 to the smallest `n_units`.

    Returns
    -------
    ndarray, shape (problems, budgets)
        ``1 - C(n-c, N) / C(n, N)``, the unbiased estimate of hit@N (a fraction in [0, 1]).

    Raises
    ------
    ValueError
        If counts or budgets are out of range.

    References
    ----------
    M. Chen et al., "Evaluating Large Language Models Trained on Code", 2021, arXiv:2107.03374,
    Eq. 1 (there pass@k).
    """
    total, right = np.broadcast_arrays(np.atleast_1d(n_units), np.atleast_1d(n_correct))
    if np.any(right < 0) or np.any(right > total):
        raise ValueError("n_correct must lie between 0 and n_units")
    sizes = _checked_budgets(budgets, int(total.min()))
    drawn = np.arange(sizes.max())
    # C(n-c, N) / C(n, N) as a product of N ratios in [0, 1]: no factorial, hence no overflow.
    wrong_left = np.maximum(total[:, None] - right[:, None] - drawn, 0)
    all_wrong = np.cumprod(wrong_left / (total[:, None] - drawn), axis=1)
    return 1.0 - all_wrong[:, sizes - 1]


def vote_exact(
    class_counts: Sequence[int] | Ints,
    correct_class: int | None,
    n_silent: int,
    budgets: Sequence[int] | Ints,
) -> Floats:
    """Expected credit of a majority vote among N of one problem's units, for every budget N.

    The expectation is over all subsets of N units without replacement. Classes that tie for most
    votes share the credit evenly; a unit without an answer is drawn but casts no vote; a subset
    without votes scores 0.

    Parameters
    ----------
    class_counts : sequence of int, length (classes,)
        Units in each class of equal answers.
    correct_class : int or None
        Index into `class_counts` of the correct class; None where no unit is correct.
    n_silent : int
        Units without an answer.
    budgets : sequence of int, length (budgets,)
        Budgets N in units, each from 1 to the number of units ``sum(class_counts) + n_silent``.

    Returns
    -------
    ndarray, shape (budgets,)
        Expected credit, a fraction in [0, 1], to about 1e-13 up to thousands of units.

    Raises
    ------
    ValueError
        If counts, class or budgets are out of range.

    Notes
    -----
    Include every unit independently with chance p: given that N units are in, all subsets of N
    are equally likely, whatever p is. So the expectation is the coefficient of x^N in a product
    of binomial generating functions, one for each class, over that of all units; the even share
    ``1 / (1 + ties)`` is the integral of ``y**ties`` over [0, 1], which a Gauss-Legendre rule
    gives exactly. All terms are positive and at most 1: nothing cancels and nothing overflows.

    References
    ----------
    X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models",
    2022, arXiv:2203.11171 (the majority vote); ``docs/estimators.md`` (the derivation).
    """
    counts = np.asarray(class_counts, dtype=np.int64)
    if n_silent < 0 or np.any(counts < 0):
        raise ValueError("class_counts and n_silent must not be negative")
    if correct_class is not None and not 0 <= correct_class < len(counts):
        raise ValueError(f"correct_class {correct_class} is not one of {len(counts)} classes")
    n_units = int(counts.sum()) + n_silent
    sizes = _checked_budgets(budgets, n_units)
    expected = np.zeros(len(sizes))
    if correct_class is None or counts[correct_class] == 0:
        return expected

    rivals = np.sort(np.delete(counts, correct_class))[::-1]
    rivals = rivals[rivals > 0]
    pending = np.argsort(sizes)
    while len(pending):
        # Aimed at the middle budget; up to several hundred units one aim serves all budgets.
        inclusion = (sizes[pending[len(pending) // 2]] + 0.5) / (n_units + 1)
        of_all = _inclusions(n_units, inclusion, n_units + 1)[sizes[pending]]
        served = of_all >= SMALLEST_COEFFICIENT
        now = pending[served]
        credit = _credit_by_total(
            int(counts[correct_class]), rivals, n_silent, inclusion, int(sizes[now].max()) + 1
        )
        expected[now] = credit[sizes[now]] / of_all[served]
        pending = pending[~served]
    return np.minimum(expected, 1.0)


def hit_prefix(correct: ArrayLike, budgets: Sequence[int] | Ints) -> Floats:
    """Whether one of a problem's first N units is correct, for every budget N.

    Parameters
    ----------
    correct : array_like of bool, shape (units,)
        In the order of the units.
    budgets : sequence of int, length (budgets,)
        Each from 1 to the number of units.

    Returns
    -------
    ndarray, shape (budgets,)
        1.0 or 0.0.
    """
    right = np.asarray(correct, dtype=bool)
    sizes = _checked_budgets(budgets, len(right))
    return np.logical_or.accumulate(right)[sizes - 1].astype(np.float64)


def vote_prefix(
    answer_class: Sequence[int] | Ints, correct_class: int | None, budgets: Sequence[int] | Ints
) -> Floats:
    """Whether the majority vote among a problem's first N units is correct, for every budget N.

    Parameters
    ----------
    answer_class : sequence of int, length (units,)
        Class of each unit's answer in the order of the units; negative where it has none.
    correct_class : int or None
        The class that is correct; None where no unit is correct.
    budgets : sequence of int, length (budgets,)
        Each from 1 to the number of units.

    Returns
    -------
    ndarray, shape (budgets,)
        1.0 or 0.0. Of classes that tie, the one seen first wins; without votes the value is 0.0.
    """
    classes = np.asarray(answer_class, dtype=np.int64)
    sizes = _checked_budgets(budgets, len(classes))
    voting = classes >= 0
    seen, first_at = np.unique(classes[voting], return_index=True)
    if correct_class is None or correct_class not in seen:
        return np.zeros(len(sizes))
    in_order_seen = seen[np.argsort(first_at)]
    votes = np.cumsum(classes[:, None] == in_order_seen, axis=0)[sizes - 1]
    winner = in_order_seen[np.argmax(votes, axis=1)]  # argmax takes the first of equals
    return ((winner == correct_class) & (votes.max(axis=1) > 0)).astype(np.float64)


def last_round(correct: ArrayLike, budgets: Sequence[int] | Ints) -> Floats:
    """Whether round N of a sequential chain is correct, for every budget N.

    Parameters
    ----------
    correct : array_like of bool, shape (units,)
        In the order of the rounds.
    budgets : sequence of int, length (budgets,)
        Each from 1 to the number of rounds.

    Returns
    -------
    ndarray, shape (budgets,)
        1.0 or 0.0.
    """
    right = np.asarray(correct, dtype=bool)
    return right[_checked_budgets(budgets, len(right)) - 1].astype(np.float64)


def _checked_budgets(budgets: Sequence[int] | Ints, n_units: int) -> Ints:
    sizes = np.asarray(budgets, dtype=np.int64)
    if sizes.ndim != 1 or not len(sizes):
        raise ValueError("budgets must be a list of at least one number of units")
    if sizes.min() < 1 or sizes.max() > n_units:
        raise ValueError(f"budgets must lie between 1 and the {n_units} recorded units")
    return sizes


def _credit_by_total(
    n_correct: int, rivals: Ints, n_silent: int, inclusion: float, length: int
) -> Floats:
    """Expected credit of the correct class joint with N units included, for N < `length`.

    `rivals` are the sizes of the wrong classes, largest first. With v votes for the correct
    class, a rival smaller than v can neither win nor tie, so only its units count; the v with the
    same rivals left are worked out together.
    """
    of_correct = _inclusions(n_correct, inclusion, length)
    credit = np.zeros(length)
    most_votes = min(n_correct, length - 1)
    thresholds = [0, *np.unique(rivals).tolist(), most_votes]
    for below, upto in pairwise(thresholds):
        votes = np.arange(below + 1, min(upto, most_votes) + 1)
        if not len(votes):
            break
        able = rivals[rivals > below]
        harmless = n_silent + int(rivals[rivals <= below].sum())
        nodes, weights = _unit_interval_rule(len(able))
        others = np.empty((len(votes), len(nodes), length))
        others[:] = _inclusions(harmless, inclusion, length)
        for size in able:
            others = _with_rival(others, _inclusions(int(size), inclusion, length), votes, nodes)
        # einsum rather than BLAS: its sums do not depend on the number of threads.
        shared = np.einsum("q,vql->vl", weights, others)
        for count, share in zip(votes, shared, strict=True):
            credit[count:] += of_correct[count] * share[: length - count]
    return credit


def _with_rival(others: Floats, of_rival: Floats, votes: Ints, nodes: Floats) -> Floats:
    """Multiply in a rival that may stay below the correct class's votes (1) or tie (y)."""
    length = others.shape[-1]
    product = np.zeros_like(others)
    for count in range(min(int(votes[-1]), length - 1) + 1):
        # Rows are the correct class's votes; those from `outvoted` on exceed the rival's `count`.
        outvoted = max(count - int(votes[0]) + 1, 0)
        reach = others[:, :, : length - count]
        if outvoted < len(votes):
            product[outvoted:, :, count:] += of_rival[count] * reach[outvoted:]
        if outvoted > 0:
            product[outvoted - 1, :, count:] += (
                of_rival[count] * nodes[:, None] * reach[outvoted - 1]
            )
    return product


@lru_cache(maxsize=1024)  # classes of one size recur within a problem and between problems
def _inclusions(size: int, inclusion: float, length: int) -> Floats:
    """Chance of k = 0 .. length-1 inclusions among `size` units: the binomial distribution.

    Built by ratios outwards from the mode and then normalised: an entry `k` steps from the mode
    has a relative error of about k * 1e-16, where log-gamma would lose more for large sizes.
    """
    odds = inclusion / (1.0 - inclusion)
    mode = min(int((size + 1) * inclusion), size)
    rising = np.arange(mode, size)
    falling = np.arange(mode, 0, -1)
    upwards = np.cumprod((size - rising) / (rising + 1) * odds)
    downwards = np.cumprod(falling / (size - falling + 1) / odds)
    chances = np.concatenate([downwards[::-1], [1.0], upwards])
    chances /= chances.sum()
    chances = np.pad(chances[:length], (0, max(length - len(chances), 0)))
    chances.flags.writeable = False  # the cache hands the same array to every caller
    return chances


@lru_cache(maxsize=1024)
def _unit_interval_rule(degree: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on [0, 1], exact for polynomials up to `degree`."""
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (nodes + 1.0) / 2.0, weights / 2.0

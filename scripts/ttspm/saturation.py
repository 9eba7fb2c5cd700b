"""Success probability of a unit, observed first hit, and the saturation point that follows.

Equations and appendices are those of *Scaling over Scaling* (arXiv 2505.20522v1);
docs/saturation.md holds the derivation and the table of edges.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from numbers import Rational

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ttspm.errors import UserError

UNSOLVED_P_RETHINK = 1e-5  # the paper's convention (App. A); the censored MLE would be 0
ESTIMATORS: dict[str, tuple[str, ...]] = {"parallel": ("c/n",), "sequential": ("k/n", "1/k")}

# Floats nearer than this (relative) to equality cannot say on which side they are.
_TIE = 1e-12


def saturation_point(p: float | Rational, epsilon_over_fmax: float | Rational) -> int:
    """Saturation point N*: the smallest N >= 1 with p (1 - p)^N < epsilon / F_max.

    Parameters
    ----------
    p : float, int or Fraction
        Chance that one unit solves the problem, in [0, 1].
    epsilon_over_fmax : float, int or Fraction
        Smallest gain worth one more unit as a share of the ceiling F_max, above 0.

    Returns
    -------
    int
        N* in units. It is 1 where p is 0 or 1 and where epsilon >= F_max p.

    Raises
    ------
    ValueError
        If p is outside [0, 1], or the threshold is not above 0.

    Notes
    -----
    Eq. 10 with its strict inequality. Eq. 14 as printed, a ceiling, is one too small wherever
    the ratio of logarithms is an integer. Two integers or Fractions are decided exactly; floats
    that agree to 1e-12 count as equal, and equality does not satisfy the inequality.

    Examples
    --------
    >>> saturation_point(0.5, 0.125)  # 0.5 * 0.5**2 is 0.125, not below it
    3
    """
    if isinstance(p, Rational) and isinstance(epsilon_over_fmax, Rational):
        return _exact_saturation_point(Fraction(p), Fraction(epsilon_over_fmax))
    return int(saturation_points(float(p), float(epsilon_over_fmax)))


def saturation_points(p: ArrayLike, epsilon_over_fmax: ArrayLike) -> NDArray[np.int64]:
    """`saturation_point` for arrays of floats, broadcast against each other.

    Parameters
    ----------
    p : array_like of float
        Chances that one unit solves the problem, in [0, 1].
    epsilon_over_fmax : array_like of float
        Thresholds as a share of the ceiling, above 0.

    Returns
    -------
    ndarray of int64
        N* in units, of the broadcast shape.

    Raises
    ------
    ValueError
        If a p is outside [0, 1], a threshold is not above 0, or an N* does not fit 64 bits.

    Notes
    -----
    Constant time for any N*. The tie is worth 1e-12 / p units of N*: nothing for any p that can
    be estimated, a whole unit only below p = 1e-12.
    """
    chance, threshold = np.broadcast_arrays(
        np.asarray(p, dtype=np.float64), np.asarray(epsilon_over_fmax, dtype=np.float64)
    )
    _check_range(
        bool(np.all((chance >= 0) & (chance <= 1))), bool(np.all(threshold > 0)), chance, threshold
    )
    points = np.ones(chance.shape, dtype=np.int64)
    pays = (chance < 1) & (chance > threshold)  # elsewhere the first unit is already enough
    chance, threshold = chance[pays], threshold[pays]
    ratio = (np.log(chance) - np.log(threshold) + _TIE) / -np.log1p(-chance)
    if np.any(ratio >= 2.0**62):
        raise ValueError("a saturation point exceeds 2^62 units; p and epsilon are too small")
    points[pays] = np.floor(ratio).astype(np.int64) + 1
    return points


def _exact_saturation_point(p: Fraction, threshold: Fraction) -> int:
    _check_range(0 <= p <= 1, threshold > 0, p, threshold)
    if p in (0, 1) or threshold >= p:
        return 1
    # A hundred digits decide all but ties; only those pay for the power of a fraction.
    with localcontext(Context(prec=100, Emax=MAX_EMAX, Emin=MIN_EMIN)):
        ratio = (_ln(threshold) - _ln(p)) / _ln(1 - p)
        nearest = int(ratio.to_integral_value())
        if abs(ratio - nearest) > Decimal("1e-40"):
            return int(ratio) + 1
    return nearest if p * (1 - p) ** nearest < threshold else nearest + 1


def _ln(x: Fraction) -> Decimal:
    return (Decimal(x.numerator) / Decimal(x.denominator)).ln()


def _check_range(p_ok: bool, threshold_ok: bool, p: object, threshold: object) -> None:
    if not p_ok:
        raise ValueError(f"p must lie in [0, 1], got {p}")
    if not threshold_ok:
        raise ValueError(f"epsilon / F_max must be above 0, got {threshold}")


def first_hit(correct: ArrayLike) -> int:
    """Index of the first correct unit, counted from 1; 1 where there is none.

    Parameters
    ----------
    correct : array_like of bool, shape (units,)
        Whether each unit is correct, in unit order; at least one unit.

    Returns
    -------
    int
        The paper's observed saturation point. "None gives 1" is not said there; it is what its
        remark on Fig. 3 fits (AIME at N = 1: "solved in the first attempt or ... challenging").

    Raises
    ------
    ValueError
        If there is no unit.
    """
    return int(first_hits(np.atleast_2d(np.asarray(correct, dtype=bool)))[0])


def first_hits(correct: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`first_hit` of each row of a (problems, units) array."""
    if correct.shape[-1] == 0:
        raise ValueError("a first hit needs at least one unit")
    # argmax of a row without True is 0, which makes "none" a 1, as wanted
    return correct.argmax(axis=-1).astype(np.int64) + 1


def p_sample(n_correct: ArrayLike, n: int) -> NDArray[np.float64]:
    """Parallel: the share of correct samples, c/n (App. A).

    Parameters
    ----------
    n_correct : array_like of int, shape (problems,)
        Correct units among the n of each problem.
    n : int
        Units of each problem.

    Returns
    -------
    ndarray of float, shape (problems,)
    """
    return np.asarray(n_correct, dtype=np.float64) / n


def p_rethink(
    hits: ArrayLike, solved: ArrayLike, n: int, estimator: str = "1/k"
) -> NDArray[np.float64]:
    """Sequential: chance of reaching the correct state in one round, from one chain a problem.

    Parameters
    ----------
    hits : array_like of int, shape (problems,)
        k, the round that first solved the problem; not read where `solved` is False.
    solved : array_like of bool, shape (problems,)
        Whether any of the n rounds solved it.
    n : int
        Rounds of the chain.
    estimator : {'1/k', 'k/n'}
        '1/k' is the maximum-likelihood estimate of a geometric distribution. 'k/n' is what
        App. A prints (k/32) under that name: it *grows* with lateness and is 1 at k = n.

    Returns
    -------
    ndarray of float, shape (problems,)
        1e-5 for a chain never solved under either: the paper's convention, where the
        maximum-likelihood estimate of the censored chain is 0.

    Raises
    ------
    ValueError
        If the estimator is neither of the two.
    """
    k = np.asarray(hits, dtype=np.float64)
    if estimator == "1/k":
        estimate = 1 / k
    elif estimator == "k/n":
        estimate = k / n
    else:
        raise ValueError(f"estimator of p_rethink must be '1/k' or 'k/n', got '{estimator}'")
    return np.where(np.asarray(solved, dtype=bool), estimate, UNSOLVED_P_RETHINK)


def estimate_p(correct: NDArray[np.bool_], estimator: str) -> NDArray[np.float64]:
    """Estimate p_x of each problem from its units.

    Parameters
    ----------
    correct : ndarray of bool, shape (problems, units)
        Whether each unit is correct, in unit order.
    estimator : {'c/n', 'k/n', '1/k'}
        See `p_sample` and `p_rethink`.

    Returns
    -------
    ndarray of float, shape (problems,)
    """
    n = correct.shape[1]
    if estimator == "c/n":
        return p_sample(correct.sum(axis=1), n)
    return p_rethink(first_hits(correct), correct.any(axis=1), n, estimator)


def correct_matrix(
    records: pd.DataFrame, n: int, chain: int | None = None
) -> tuple[list[str], NDArray[np.bool_]]:
    """Correctness of the first n units of every problem of one cell.

    Parameters
    ----------
    records : DataFrame
        Columns of `ttspm.tables.RECORDS`; `chain` too where a problem has several chains.
    n : int
        Units to use of each problem.
    chain : int, optional
        The chain to read, where there is such a column; by default the first.

    Returns
    -------
    problem_ids : list of str
        Sorted, so that the order of the rows does not matter.
    correct : ndarray of bool, shape (problems, n)
        In unit order.

    Raises
    ------
    UserError
        If there is no row, or a problem lacks one of the first n units or has it twice.
    """
    if "chain" in records.columns and len(records):
        chain = records["chain"].min() if chain is None else chain
        records = records[records["chain"] == chain]
    if not len(records):
        raise UserError("records: there is no row; at least one unit of one problem is needed")
    ids = sorted(records["problem_id"].unique())
    head = records[records["unit"].between(1, n)].sort_values(["problem_id", "unit"])
    wanted = pd.MultiIndex.from_product([ids, range(1, n + 1)])
    found = pd.MultiIndex.from_frame(head[["problem_id", "unit"]])
    if found.has_duplicates:
        problem, unit = found[found.duplicated()][0]
        raise UserError(f"records: problem '{problem}' has unit {unit} twice; each may occur once")
    if len(found) < len(wanted):
        problem, unit = wanted.difference(found)[0]
        raise UserError(
            f"records: problem '{problem}' lacks unit {unit} of the first {n}; "
            "every problem needs as many units as the largest budget"
        )
    return ids, head["correct"].to_numpy(dtype=bool).reshape(len(ids), n)


def estimators_of(strategy: str) -> tuple[str, ...]:
    """Names of the estimators of p_x that a strategy has, the paper's own first.

    Raises
    ------
    UserError
        If the strategy is not known.
    """
    if strategy not in ESTIMATORS:
        raise UserError(f"strategy '{strategy}' is unknown; known are {', '.join(ESTIMATORS)}")
    return ESTIMATORS[strategy]


def estimate_p_x(records: pd.DataFrame, strategy: str, n: int) -> pd.DataFrame:
    """Estimate p_x and observe the first hit of every problem of one cell.

    Parameters
    ----------
    records : DataFrame
        Columns of `ttspm.tables.RECORDS`. Of several chains the first is used.
    strategy : {'parallel', 'sequential'}
        Decides the estimators: c/n, or k/n and 1/k.
    n : int
        Units used of each problem, the first n.

    Returns
    -------
    DataFrame
        One row for each estimator and problem, problems sorted: `problem_id`, `units`,
        `correct` (units correct), `first_hit`, `solved` (any unit correct), `p_hat`,
        `estimator`.

    Raises
    ------
    UserError
        If the strategy is unknown or a problem lacks one of the n units.
    """
    names = estimators_of(strategy)
    ids, correct = correct_matrix(records, n)
    observed = pd.DataFrame(
        {
            "problem_id": ids,
            "units": n,
            "correct": correct.sum(axis=1),
            "first_hit": first_hits(correct),
            "solved": correct.any(axis=1),
        }
    )
    return pd.concat(
        [observed.assign(p_hat=estimate_p(correct, name), estimator=name) for name in names],
        ignore_index=True,
    )

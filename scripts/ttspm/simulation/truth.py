"""What the estimators should find: exact values for one problem and for the population.

With p a problem's chance of success, everything that N units can be worth is a polynomial in p of
degree N + 1 at most. So it is worked out exactly at a few values of p, and known at all of them:
by Chebyshev interpolation for single problems, by Gauss-Jacobi quadrature for the population.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ttspm.fit import GRID
from ttspm.saturation import saturation_points
from ttspm.simulation.population import quadrature, quantiles
from ttspm.simulation.scenarios import BUDGETS, UNITS, Scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The gain that is worth one more unit where N* itself is estimated, as a share of the ceiling.
EPSILON_OVER_FMAX = 0.02


@dataclass(frozen=True)
class Truth:
    """Exact values of one scenario.

    Attributes
    ----------
    scenario : Scenario
        Whose truth it is.
    coefficients : ndarray, shape (degree + 1, columns)
        Chebyshev coefficients on 0 <= p <= 1 of hit@N and acc@N as functions of p.
    columns : list of tuple
        (``hit`` or ``acc``, N) of each column.
    population : dict
        (quantity, N) -> mean over the population: `hit` and `acc` of every budget, `p_x` and
        `n_star` with N = 32, and `log10_epsilon`, the threshold that fits best where p_x is known.
    """

    scenario: Scenario
    coefficients: Floats
    columns: list[tuple[str, int]]
    population: dict[tuple[str, int], float]

    def of_problems(self, p: Floats) -> dict[tuple[str, int], Floats]:
        """Give the true value of each (quantity, N) for problems with these chances."""
        values = chebyshev.chebval(2.0 * p - 1.0, self.coefficients)
        return dict(zip(self.columns, values, strict=True)) | {
            ("p_x", UNITS): p,
            ("n_star", UNITS): saturation_points(p, EPSILON_OVER_FMAX).astype(np.float64),
        }


def truth_of(scenario: Scenario) -> Truth:
    """Work out the exact truth of a scenario.

    Parameters
    ----------
    scenario : Scenario
        One of `ttspm.simulation.scenarios.SCENARIOS`, or another.

    Returns
    -------
    Truth
    """
    degree = UNITS + 1
    columns = [(metric, n) for metric in ("hit", "acc") for n in BUDGETS]

    def values(p: Floats) -> Floats:
        return np.column_stack([hit_chance(scenario, p, BUDGETS), acc_chance(scenario, p, BUDGETS)])

    # Through as many points as there are coefficients, the fit is the interpolating polynomial.
    points = chebyshev.chebpts1(degree + 1)
    exact = values((points + 1.0) / 2.0)
    coefficients = np.asarray(chebyshev.chebfit(points, exact, degree), dtype=np.float64)
    nodes, weights = quadrature(scenario, degree)
    population = dict(zip(columns, weights @ values(nodes), strict=True))
    population["p_x", UNITS] = float(weights @ nodes)
    fine, fine_weights = quantiles(scenario)
    n_star = saturation_points(fine, EPSILON_OVER_FMAX)
    population["n_star", UNITS] = float(fine_weights @ n_star)
    population["log10_epsilon", UNITS] = best_log10_epsilon(scenario)
    return Truth(scenario, coefficients, columns, {k: float(v) for k, v in population.items()})


def hit_chance(scenario: Scenario, p: Floats, budgets: tuple[int, ...]) -> Floats:
    """Chance that one of N units is correct, exactly.

    Parameters
    ----------
    scenario : Scenario
        Its dependence between units.
    p : ndarray, shape (problems,)
        Chance that a unit is correct.
    budgets : tuple of int
        Budgets N in units.

    Returns
    -------
    ndarray, shape (problems, budgets)
    """
    n = np.asarray(budgets)
    wrong = 1.0 - p[:, None]
    if scenario.copies:
        own = 1.0 - scenario.copies  # the shared answer is correct with chance p
        return 1.0 - (1.0 - wrong) * (own * wrong) ** n - wrong * (1.0 - own * (1.0 - wrong)) ** n
    stays_wrong = scenario.repeats + (1.0 - scenario.repeats) * wrong
    return 1.0 - wrong * stays_wrong ** (n - 1)


def acc_chance(scenario: Scenario, p: Floats, budgets: tuple[int, ...]) -> Floats:
    """Chance that the answer after N units is correct: the vote, or the last round; exactly.

    Parameters and result are those of `hit_chance`; ties in the vote share the credit evenly.
    """
    if scenario.keeps:
        return hit_chance(scenario, p, budgets)
    if scenario.strategy == "sequential":
        return np.repeat(p[:, None], len(budgets), axis=1)
    chances = np.column_stack([p, (1.0 - p)[:, None] * np.asarray(scenario.wrong)])
    if not scenario.copies:
        return vote_chance(chances, budgets)
    # Given the shared answer, units are independent: average over which answer it is.
    own = (1.0 - scenario.copies) * chances
    silent = np.maximum(1.0 - chances.sum(axis=1), 0.0)
    expected = silent[:, None] * vote_chance(own, budgets)
    # Wrong answers of one share are alike: the first of each stands for all of them.
    _, first, alike = np.unique(scenario.wrong, return_index=True, return_counts=True)
    for shared, times in [(0, 1), *zip(first + 1, alike, strict=True)]:
        given = own.copy()
        given[:, shared] += scenario.copies
        expected += times * chances[:, [shared]] * vote_chance(given, budgets)
    return expected


def vote_chance(chances: Floats, budgets: tuple[int, ...]) -> Floats:
    """Expected credit of the majority vote among N independent units, exactly.

    Parameters
    ----------
    chances : ndarray, shape (problems, classes)
        Chance of each answer in one unit, the correct one first. What is missing to 1 is the
        chance that a unit has no answer.
    budgets : tuple of int
        Budgets N in units, each at most 170 (beyond that N! is not a float).

    Returns
    -------
    ndarray, shape (problems, budgets)
        Answers that tie for most votes share the credit evenly; without votes it is 0.

    Notes
    -----
    The derivation of ``docs/estimators.md`` with units drawn from a distribution instead of from
    recorded ones: N! times the coefficient of x^N in a product of exponential generating
    functions, one for each class; the even share is an integral that a Gauss-Legendre rule gives
    exactly. All terms are positive.
    """
    length = max(budgets) + 1
    order = np.arange(length)
    of_factorial = np.array([float(factorial(k)) for k in order])
    silent = np.maximum(1.0 - chances.sum(axis=1), 0.0)
    terms = chances[:, :, None] ** order / of_factorial
    votes = np.arange(1, length)
    nodes, weights = np.polynomial.legendre.leggauss((chances.shape[1] - 1) // 2 + 1)
    ties, weights = (nodes + 1.0) / 2.0, weights / 2.0

    # Axes: problem, votes of the correct class, node, power of x.
    others = np.empty((len(chances), len(votes), len(ties), length))
    others[:] = (silent[:, None] ** order / of_factorial)[:, None, None, :]
    for rival in range(1, chances.shape[1]):
        product = np.zeros_like(others)
        for count in order:
            may = np.where(count == votes[:, None], ties, count < votes[:, None])
            factor = terms[:, rival, count, None, None] * may
            product[..., count:] += factor[..., None] * others[..., : length - count]
        others = product
    shared = np.einsum("q,pvqx->pvx", weights, others)
    credit = np.zeros((len(chances), length))
    for vote in votes:
        credit[:, vote:] += terms[:, 0, vote, None] * shared[:, vote - 1, : length - vote]
    chosen = np.asarray(budgets)
    return credit[:, chosen] * of_factorial[chosen]


def best_log10_epsilon(scenario: Scenario) -> float:
    """Threshold epsilon / F_max that fits the first hits best where p_x is known, as log10.

    Parameters
    ----------
    scenario : Scenario
        Whose population of problems.

    Returns
    -------
    float
        log10 of the threshold that minimises the expected squared difference between N* of the
        true p_x and the first hit among 32 units (1 where there is none): the middle of its
        plateau on the grid of `ttspm.fit.GRID`.
    """
    p, weights = quantiles(scenario)
    hit = hit_chance(scenario, p, tuple(range(1, UNITS + 1)))
    first_at = np.diff(hit, axis=1, prepend=0.0)
    expected = first_at @ np.arange(1, UNITS + 1) + (1.0 - hit[:, -1])
    # The variance of the first hit is the same for every threshold and is left out.
    loss = np.array(
        [weights @ (saturation_points(p, threshold) - expected) ** 2 for threshold in GRID]
    )
    best = np.flatnonzero(loss <= loss.min() * (1.0 + 1e-12))
    last = best[0] + int(np.argmin(np.append(np.diff(best) == 1, False)))
    return float((np.log10(GRID[best[0]]) + np.log10(GRID[last])) / 2.0)

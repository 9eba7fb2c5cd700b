"""Problems and answers drawn from a scenario, and averages over its population of problems."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from ttspm.simulation.scenarios import Beta, Point, Scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_ANSWER = -1
CORRECT = 0  # class of the correct answer; the wrong ones follow in the scenario's order


def draw_problems(scenario: Scenario, n_problems: int, rng: np.random.Generator) -> Floats:
    """Draw p_x of the problems of one benchmark.

    Parameters
    ----------
    scenario : Scenario
        Whose population they come from.
    n_problems : int
        Problems to draw, independent of each other.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    ndarray, shape (n_problems,)
        Chance that one unit solves the problem.
    """
    weights = [component.weight for component in scenario.problems]
    of_component = np.stack(
        [
            np.full(n_problems, part.p)
            if isinstance(part, Point)
            else rng.beta(part.a, part.b, n_problems)
            for part in scenario.problems
        ]
    )
    chosen = rng.choice(len(weights), size=n_problems, p=weights)
    return of_component[chosen, np.arange(n_problems)]


def draw_answers(scenario: Scenario, p: Floats, units: int, rng: np.random.Generator) -> Ints:
    """Draw the answer of every unit of every problem.

    Parameters
    ----------
    scenario : Scenario
        Its wrong answers and the dependence between units.
    p : ndarray, shape (problems,)
        Chance that one unit solves the problem.
    units : int
        Units of each problem.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    ndarray of int64, shape (problems, units)
        0 where correct, 1, 2, ... for the wrong answers, -1 where there is none. Each unit by
        itself is correct with chance p, unless correct answers are kept.
    """
    answers = _independent(scenario, p, units, rng)
    if scenario.copies:
        shared = _independent(scenario, p, 1, rng)
        answers = np.where(rng.random(answers.shape) < scenario.copies, shared, answers)
    if scenario.repeats:
        repeated = rng.random(answers.shape) < scenario.repeats
        for unit in range(1, units):
            again = repeated[:, unit]
            answers[again, unit] = answers[again, unit - 1]
    if scenario.keeps:
        answers[np.logical_or.accumulate(answers == CORRECT, axis=1)] = CORRECT
    return answers


def _independent(scenario: Scenario, p: Floats, units: int, rng: np.random.Generator) -> Ints:
    shape = (len(p), units)
    bounds = np.cumsum(scenario.wrong)
    bounds /= max(bounds[-1], 1.0)  # shares that add to 1 only up to rounding leave nobody silent
    wrong = 1 + np.searchsorted(bounds, rng.random(shape), side="right")
    wrong[wrong > len(bounds)] = NO_ANSWER
    return np.where(rng.random(shape) < p[:, None], CORRECT, wrong).astype(np.int64)


def quadrature(scenario: Scenario, degree: int) -> tuple[Floats, Floats]:
    """Nodes and weights that average polynomials in p over the population exactly.

    Parameters
    ----------
    scenario : Scenario
        Whose population of problems.
    degree : int
        Largest degree of the polynomials.

    Returns
    -------
    p, weights : ndarray, shape (nodes,)
        The weights add to 1.

    Notes
    -----
    Gauss-Jacobi: its weight function on [-1, 1] is the density of a beta distribution.
    """
    nodes, weights = [], []
    for part in scenario.problems:
        if isinstance(part, Point):
            x, w = np.array([part.p]), np.ones(1)
        else:
            with np.errstate(
                invalid="ignore"
            ):  # SciPy divides 0 by 0 where a + b = 1, then drops it
                x, w = special.roots_jacobi(degree // 2 + 1, part.b - 1.0, part.a - 1.0)
            x = (x + 1.0) / 2.0
        nodes.append(x)
        weights.append(part.weight * w / w.sum())
    return np.concatenate(nodes), np.concatenate(weights)


def quantiles(scenario: Scenario, per_component: int = 4000) -> tuple[Floats, Floats]:
    """Nodes and weights for averages of functions that are not polynomials, such as N*.

    Parameters
    ----------
    scenario : Scenario
        Whose population of problems.
    per_component : int
        Quantiles of each beta distribution, the middles of equal shares.

    Returns
    -------
    p, weights : ndarray, shape (nodes,)
        The weights add to 1. The error is of the order of 1 / `per_component`.
    """
    middles = (np.arange(per_component) + 0.5) / per_component
    nodes = [
        stats.beta.ppf(middles, part.a, part.b) if isinstance(part, Beta) else np.array([part.p])
        for part in scenario.problems
    ]
    weights = [
        np.full(len(x), part.weight / len(x))
        for x, part in zip(nodes, scenario.problems, strict=True)
    ]
    return np.concatenate(nodes), np.concatenate(weights)

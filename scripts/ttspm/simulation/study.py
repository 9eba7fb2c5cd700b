"""One scenario, many replications: draw a benchmark, run every estimator on it, keep what it says.

The package's own estimators, intervals and protocols are run, as they are on a real model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ttspm.estimators import hit_exact, hit_prefix, last_round, vote_exact, vote_prefix
from ttspm.fit import Trial, evaluate, split_mask
from ttspm.intervals import bootstrap_mean, named_stream
from ttspm.protocols import DRAWS, IN_SAMPLE, PARALLEL_ONLY, Cell, held_out
from ttspm.saturation import ESTIMATORS, estimate_p, first_hits, saturation_points
from ttspm.simulation.population import CORRECT, NO_ANSWER, draw_answers, draw_problems
from ttspm.simulation.scenarios import BUDGETS, SIZES, UNITS, Scenario
from ttspm.simulation.truth import EPSILON_OVER_FMAX, Truth, truth_of

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Name = tuple[str, str, int]  # quantity, estimator, N

REPLICATIONS = pa.schema(
    [
        pa.field("n_problems", pa.int32(), nullable=False),
        pa.field("replication", pa.int32(), nullable=False),
        pa.field("quantity", pa.string(), nullable=False),
        pa.field("estimator", pa.string(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),  # of a correlation, else empty
        pa.field("n", pa.int32(), nullable=False),
        pa.field("value", pa.float64()),  # null where undefined
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("truth", pa.float64()),  # of the population of problems
        pa.field("truth_drawn", pa.float64()),  # of the very problems drawn
        pa.field("squared_error", pa.float64()),  # of single problems, their mean
    ]
)

# Protocols whose threshold aims at the first hits of all 32 units, as the true one does; `held-out`
# sees half of the units, and a null is drawn from another world.
SAME_THRESHOLD = {"true p", "paper", "paper-mle", "repeated"}
TABLE_DECIMALS = 12  # what is below may depend on the number of threads

ONE_P = "one p"  # Eq. 8 for a whole benchmark, with the mean of c/n as its only p_x
TRUE_P = "true p"


def run_scenario(
    name: str, scenario: Scenario, replications: int, resamples: int, seed: int
) -> pd.DataFrame:
    """Replicate one scenario at every size of benchmark.

    Parameters
    ----------
    name : str
        The scenario's name; its random numbers depend on it and on no other scenario.
    scenario : Scenario
        What is drawn.
    replications : int
        Benchmarks drawn. The smaller ones are the first problems of the largest.
    resamples : int
        Bootstrap resamples behind each interval.
    seed : int
        The run's seed.

    Returns
    -------
    DataFrame
        Columns of `REPLICATIONS`.
    """
    truth = truth_of(scenario)
    rows: list[dict[str, object]] = []
    for replication in range(1, replications + 1):
        rng = named_stream(seed, "simulation", name, str(replication))
        p = draw_problems(scenario, max(SIZES), rng)
        # A second chain for the held-out protocol; parallel units are all of one kind.
        n_chains = 2 if scenario.strategy == "sequential" else 1
        chains = np.stack([draw_answers(scenario, p, UNITS, rng) for _ in range(n_chains)])
        estimates = estimate_problems(scenario.strategy, chains[0])
        true = truth.of_problems(p)
        for size in SIZES:
            found = _benchmark_rows(estimates, true, truth, size, resamples, rng)
            found += _protocol_rows(scenario, p[:size], chains[:, :size] == CORRECT, truth, rng)
            rows += [row | {"n_problems": size, "replication": replication} for row in found]
    return pd.DataFrame(rows, columns=REPLICATIONS.names).round(TABLE_DECIMALS)


def estimate_problems(strategy: str, answers: Ints) -> dict[Name, Floats]:
    """Run every estimator that gives a value for each problem.

    Parameters
    ----------
    strategy : {'parallel', 'sequential'}
        Decides the estimators.
    answers : ndarray of int, shape (problems, units)
        As `ttspm.simulation.population.draw_answers` gives them.

    Returns
    -------
    dict of (quantity, estimator, N) to ndarray, shape (problems,)
        Quantities `hit`, `acc`, `p_x` and `n_star`.
    """
    correct = answers == CORRECT
    tables = {("hit", "prefix"): np.array([hit_prefix(row, BUDGETS) for row in correct])}
    if strategy == "parallel":
        counts = correct.sum(axis=1)
        tables["hit", "exact"] = hit_exact(answers.shape[1], counts, BUDGETS)
        tables["acc", "prefix"] = np.array([vote_prefix(row, CORRECT, BUDGETS) for row in answers])
        tables["acc", "exact"] = np.array([_exact_vote(row) for row in answers])
    else:
        tables["acc", "prefix"] = np.array([last_round(row, BUDGETS) for row in correct])
    values: dict[Name, Floats] = {}
    for estimator in ESTIMATORS[strategy]:
        p_hat = estimate_p(correct, estimator)
        values["p_x", estimator, UNITS] = p_hat
        points = saturation_points(p_hat, EPSILON_OVER_FMAX)
        values["n_star", estimator, UNITS] = points.astype(np.float64)
        tables["hit", f"Eq. 8, {estimator}"] = 1.0 - (1.0 - p_hat[:, None]) ** np.array(BUDGETS)
    for (quantity, estimator), table in tables.items():
        values |= {(quantity, estimator, n): table[:, i] for i, n in enumerate(BUDGETS)}
    return values


def _exact_vote(answers: Ints) -> Floats:
    """Exact expectation of the vote for one problem, shape (budgets,)."""
    voting = answers[answers != NO_ANSWER]
    counts = np.bincount(voting, minlength=1)
    rivals = np.sort(counts[CORRECT + 1 :])
    return _vote_of_counts(int(counts[CORRECT]), tuple(rivals[rivals > 0].tolist()), len(answers))


@cache  # the value depends on the sizes of the classes alone, and those recur
def _vote_of_counts(n_correct: int, rivals: tuple[int, ...], n_units: int) -> Floats:
    silent = n_units - n_correct - sum(rivals)
    return vote_exact([n_correct, *rivals], 0, silent, BUDGETS)


def _benchmark_rows(
    estimates: dict[Name, Floats],
    true: dict[tuple[str, int], Floats],
    truth: Truth,
    size: int,
    resamples: int,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Mean over a benchmark's problems of every estimate, with its interval."""
    table = np.column_stack([column[:size] for column in estimates.values()])
    wanted = np.column_stack([true[quantity, n][:size] for quantity, _, n in estimates])
    low, high = bootstrap_mean(table, rng, resamples)
    mean, drawn = table.mean(axis=0), wanted.mean(axis=0)
    squared = ((table - wanted) ** 2).mean(axis=0)
    rows: list[dict[str, object]] = []
    for i, (quantity, estimator, n) in enumerate(estimates):
        row = _row(quantity, estimator, n, truth) | {
            "value": mean[i],
            "ci_low": low[i],
            "ci_high": high[i],
            "truth_drawn": drawn[i],
            "squared_error": squared[i],
        }
        rows.append(row)
        if estimator == "c/n" and quantity == "p_x":
            rows += [_one_p(row, budget, true, size, truth) for budget in BUDGETS]
    return rows


def _one_p(
    mean_p: dict[str, object],
    n: int,
    true: dict[tuple[str, int], Floats],
    size: int,
    truth: Truth,
) -> dict[str, object]:
    """Eq. 8 with the benchmark's mean p_x; it grows with p, and so do the ends of the interval."""

    def hit(p: object) -> float:
        assert isinstance(p, float)
        return 1.0 - (1.0 - p) ** n

    return _row("hit", ONE_P, n, truth) | {
        "value": hit(mean_p["value"]),
        "ci_low": hit(mean_p["ci_low"]),
        "ci_high": hit(mean_p["ci_high"]),
        "truth_drawn": true["hit", n][:size].mean(),
    }


def _row(quantity: str, estimator: str, n: int, truth: Truth) -> dict[str, object]:
    return {
        "quantity": quantity,
        "estimator": estimator,
        "protocol": "",
        "n": n,
        "truth": truth.population.get((quantity, n)),
    }


def _protocol_rows(
    scenario: Scenario, p: Floats, chains: Bools, truth: Truth, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Pearson's r and the fitted threshold of every protocol, one draw of each.

    `repeated` and the nulls are distributions over draws; here each replication gives one draw
    of them, and the replications the distribution.
    """
    cell = Cell(chains[0], split_mask(len(p), rng))
    hits = first_hits(cell.correct)
    trials = {("true p", TRUE_P): evaluate(p, hits, cell.validation)}
    for estimator in ESTIMATORS[scenario.strategy]:
        in_sample = evaluate(estimate_p(cell.correct, estimator), hits, cell.validation)
        trials[IN_SAMPLE[estimator], estimator] = in_sample
        trials["held-out", estimator] = evaluate(*held_out(chains, estimator), cell.validation)
        for protocol, draw in _draws(scenario.strategy).items():
            trials[protocol, estimator] = draw(cell, estimator, rng)
    rows: list[dict[str, object]] = []
    for (protocol, estimator), trial in trials.items():
        r = _row("pearson_r", estimator, UNITS, truth)
        rows.append(r | {"protocol": protocol, "value": trial.pearson_r})
        threshold = float(np.log10(trial.fit.epsilon_over_fmax))
        fit = _row("log10_epsilon", estimator, UNITS, truth)
        rows.append(fit | {"protocol": protocol, "value": threshold})
        if protocol not in SAME_THRESHOLD:
            rows[-1]["truth"] = None
    return rows


def _draws(strategy: str) -> dict[str, Callable[[Cell, str, np.random.Generator], Trial]]:
    return {k: v for k, v in DRAWS.items() if strategy == "parallel" or k not in PARALLEL_ONLY}

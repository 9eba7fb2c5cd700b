"""Paired differences between strategies and between models, at equal units and equal tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ttspm.cell import Cell
from ttspm.intervals import CONFIDENCE, RESAMPLES, bootstrap_difference, named_stream
from ttspm.metrics import TABLE_DECIMALS, CellValues

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COMPARED = ("acc", "hit")
ESTIMATORS = ("prefix", "exact")
DIFFERENCES_COLUMNS = [
    *("model_a", "strategy_a", "n_a", "model_b", "strategy_b", "n_b", "benchmark", "basis"),
    *("metric", "estimator", "difference", "ci_low", "ci_high", "n_problems"),
]

Match = tuple[tuple[str, str, str, int, float], Floats, Floats]


def differences_table(
    cells: Mapping[Cell, CellValues],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Paired differences in acc and hit between strategies of a model, and models of a strategy.

    Parameters
    ----------
    cells : mapping of Cell to CellValues
        Each pair with one benchmark that differs in just the model or just the strategy is
        compared, a before b in this order, over the problems that both have.
    rng, resamples, confidence
        As in `metrics_table`.

    Returns
    -------
    pandas.DataFrame
        Columns `DIFFERENCES_COLUMNS`; `difference` is a minus b, by one estimator on both sides
        (so `prefix` between strategies). With basis `equal_n` both spend N units. With
        `equal_tokens`, b spends on average the tokens that a spends with `n_a` units: it is given
        its two budgets around that cost in the proportion that meets it, `n_b` units on average.
        Costs that b's budgets do not reach are left out: nothing is extrapolated. The interval
        takes this proportion as given.
    """
    root = int(rng.integers(2**63))
    tables = []
    for (cell_a, of_a), (cell_b, of_b) in combinations(cells.items(), 2):
        same = (cell_a.model == cell_b.model) + (cell_a.strategy == cell_b.strategy)
        problems = of_a.values.index.intersection(of_b.values.index, sort=None)
        if cell_a.benchmark != cell_b.benchmark or same != 1 or not len(problems):
            continue
        pairs = list(_matched(of_a.values.loc[problems], of_b.values.loc[problems]))
        if not pairs:
            continue
        rows, a_columns, b_columns = zip(*pairs, strict=True)
        a, b = np.column_stack(a_columns), np.column_stack(b_columns)
        stream = named_stream(root, *cell_a, *cell_b)
        low, high = bootstrap_difference(a, b, stream, resamples, confidence)
        tables.append(
            pd.DataFrame(rows, columns=["basis", "metric", "estimator", "n_a", "n_b"]).assign(
                model_a=cell_a.model,
                strategy_a=cell_a.strategy,
                model_b=cell_b.model,
                strategy_b=cell_b.strategy,
                benchmark=cell_a.benchmark,
                difference=(a - b).mean(axis=0).round(TABLE_DECIMALS),
                ci_low=low.round(TABLE_DECIMALS),
                ci_high=high.round(TABLE_DECIMALS),
                n_problems=len(problems),
            )
        )
    if not tables:
        return pd.DataFrame(columns=DIFFERENCES_COLUMNS)
    return pd.concat(tables, ignore_index=True)[DIFFERENCES_COLUMNS]


def _matched(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[Match]:
    """Yield (basis, metric, estimator, n_a, n_b) with both sides' values of each problem."""
    for metric, estimator in product(COMPARED, ESTIMATORS):
        budgets_a, of_a = _columns(a, metric, estimator)
        budgets_b, of_b = _columns(b, metric, estimator)
        for n in np.intersect1d(budgets_a, budgets_b):
            row = ("equal_n", metric, estimator, int(n), float(n))
            yield row, of_a[:, budgets_a == n][:, 0], of_b[:, budgets_b == n][:, 0]

        costs_a = _columns(a, "tokens", estimator)[1].mean(axis=0)
        costs_b = _columns(b, "tokens", estimator)[1].mean(axis=0)
        if not costs_a.size or not costs_b.size or not budgets_a.size or not budgets_b.size:
            continue
        for n, cost, values in zip(budgets_a, costs_a, of_a.T, strict=True):
            if not costs_b[0] <= cost <= costs_b[-1]:
                continue
            place = float(np.interp(cost, costs_b, np.arange(len(costs_b))))
            lower, upper = int(np.floor(place)), int(np.ceil(place))
            share = place - lower  # of the problems that get b's larger budget
            n_b = float((1.0 - share) * budgets_b[lower] + share * budgets_b[upper])
            mixed = (1.0 - share) * of_b[:, lower] + share * of_b[:, upper]
            row = ("equal_tokens", metric, estimator, int(n), round(n_b, TABLE_DECIMALS))
            yield row, values, mixed


def _columns(values: pd.DataFrame, metric: str, estimator: str) -> tuple[Ints, Floats]:
    """Budgets, and values of shape (problems, budgets); both empty where there are none."""
    columns = values.columns
    there = (columns.get_level_values("metric") == metric) & (
        columns.get_level_values("estimator") == estimator
    )
    budgets = columns.get_level_values("n")[there].to_numpy(np.int64)
    return budgets, values.to_numpy(np.float64)[:, there]

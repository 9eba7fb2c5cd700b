"""Verification protocols for Fig. 4: how far N* predicts the first hit, and how far it must.

Each protocol is a row of fit.csv. What each can and cannot show is in docs/saturation.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ttspm.errors import UserError
from ttspm.fit import Trial, correlate, evaluate, split_mask
from ttspm.saturation import (
    UNSOLVED_P_RETHINK,
    correct_matrix,
    estimate_p,
    estimate_p_x,
    estimators_of,
    first_hits,
    saturation_points,
)

FIT_COLUMNS = [
    "model", "benchmark", "strategy", "protocol", "estimator", "epsilon_over_fmax",
    "pearson_r", "r_low", "r_high", "p_value", "mae", "n_test",
]  # fmt: skip
SATURATION_COLUMNS = [
    "model", "benchmark", "strategy", "problem_id", "split", "p_hat", "estimator", "n_star",
    "first_hit",
]  # fmt: skip

# What the published, in-sample procedure is called with each estimator.
IN_SAMPLE = {"c/n": "paper", "k/n": "paper", "1/k": "paper-mle"}


@dataclass(frozen=True)
class Cell:
    """Units of one model, benchmark and strategy, and the split of its problems.

    Attributes
    ----------
    correct : ndarray of bool, shape (problems, units)
        In unit order; of several chains the first.
    validation : ndarray of bool, shape (problems,)
        True for validation, False for test.
    """

    correct: NDArray[np.bool_]
    validation: NDArray[np.bool_]


@dataclass(frozen=True)
class FitTable:
    """Rows of fit.csv for one cell, and what a reader must be told beside them."""

    rows: pd.DataFrame
    notes: list[str]


def validation_mask(problem_ids: list[str], split: pd.Series) -> NDArray[np.bool_]:
    """Which problems of a cell are for validation.

    Parameters
    ----------
    problem_ids : list of str
        The cell's problems.
    split : Series
        'validation' or 'test' by problem id, as `ttspm.fit.split_problems` gives it.

    Returns
    -------
    ndarray of bool, shape (problems,)

    Raises
    ------
    UserError
        If a problem is in neither part, or a part has no problem of the cell.
    """
    missing = [name for name in problem_ids if name not in split.index]
    if missing:
        raise UserError(f"split: problem '{missing[0]}' is in neither validation nor test")
    mask = split.loc[problem_ids].to_numpy() == "validation"
    if mask.all() or not mask.any():
        raise UserError("split: validation and test must each have a problem of the cell")
    return mask


def permute_within(
    values: NDArray[np.int64], groups: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Permute values among the positions whose group is equal; all such permutations alike.

    Parameters
    ----------
    values : ndarray of int64, shape (problems,)
        First hits.
    groups : ndarray of float, shape (problems,)
        Estimated p_x; only whether two are equal matters.
    rng : numpy.random.Generator
        Source of the permutation.

    Returns
    -------
    ndarray of int64, shape (problems,)
    """
    home = np.argsort(groups, kind="stable")
    shuffled = np.lexsort((rng.random(len(values)), groups))
    permuted = np.empty_like(values)
    permuted[home] = values[shuffled]
    return permuted


def redraw_first_hits(
    n_correct: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """First hits of c correct units among n in uniformly random order; 1 where c is 0.

    Parameters
    ----------
    n_correct : ndarray of int64, shape (problems,)
        Correct units of each problem; enough by itself, so counts without order do.
    n : int
        Units of each problem.
    rng : numpy.random.Generator
        Source of the order.

    Returns
    -------
    ndarray of int64, shape (problems,)
    """
    ordered = np.arange(n) < np.asarray(n_correct)[:, None]
    return first_hits(rng.permuted(ordered, axis=1))


def resplit(cell: Cell, estimator: str, rng: np.random.Generator) -> Trial:
    """Draw of `repeated`: the in-sample procedure on another random split."""
    p_hat = estimate_p(cell.correct, estimator)
    return evaluate(p_hat, first_hits(cell.correct), split_mask(len(p_hat), rng))


def permute_first_hits(cell: Cell, estimator: str, rng: np.random.Generator) -> Trial:
    """Draw of `null-within`: first hits permuted among the problems of equal estimated p_x."""
    p_hat = estimate_p(cell.correct, estimator)
    hits = permute_within(first_hits(cell.correct), p_hat, rng)
    return evaluate(p_hat, hits, cell.validation)


def reorder_units(cell: Cell, estimator: str, rng: np.random.Generator) -> Trial:
    """Draw of `null-order`: the units of each problem put in uniformly random order."""
    n_correct, n = cell.correct.sum(axis=1), cell.correct.shape[1]
    hits = redraw_first_hits(n_correct, n, rng)
    return evaluate(estimate_p(cell.correct, estimator), hits, cell.validation)


def pool_units(cell: Cell, estimator: str, rng: np.random.Generator) -> Trial:
    """Draw of `null-pooled`: all units dealt anew, so that every problem has the same p_x."""
    dealt = rng.permutation(cell.correct.ravel()).reshape(cell.correct.shape)
    return evaluate(estimate_p(dealt, estimator), first_hits(dealt), cell.validation)


# Protocols that are a distribution of r over random draws; new ones go to the end, since each
# has the stream of random numbers that belongs to its place.
DRAWS: dict[str, Callable[[Cell, str, np.random.Generator], Trial]] = {
    "repeated": resplit,
    "null-within": permute_first_hits,
    "null-order": reorder_units,
    "null-pooled": pool_units,
}
PARALLEL_ONLY = {"null-order"}  # the order of rounds is what sequential scaling is about


def fit_table(
    records: pd.DataFrame,
    strategy: str,
    n: int,
    split: pd.Series,
    rng: np.random.Generator,
    *,
    model: str,
    benchmark: str,
    repeats: int = 200,
) -> FitTable:
    """Run every verification protocol that the records of one cell allow.

    Parameters
    ----------
    records : DataFrame
        Columns of `ttspm.tables.RECORDS`, and `chain` where a problem has several sequential
        chains; all protocols but `held-out` use the first chain, as the paper had only one.
    strategy : {'parallel', 'sequential'}
        Decides the estimators of p_x.
    n : int
        Units used of each problem: the largest budget.
    split : Series
        'validation' or 'test' by problem id; all protocols but `repeated` use it.
    rng : numpy.random.Generator
        Source of bootstraps, repeated splits and nulls.
    model, benchmark : str
        Names for the rows.
    repeats : int
        Random splits of `repeated`, and draws of each null.

    Returns
    -------
    FitTable
        Rows with the columns of fit.csv. `pearson_r` is a number, or text that says why it is
        undefined; then its interval and p-value are NaN, an empty cell. `r_low`, `r_high` are
        the bootstrap over test problems, or for `repeated` and the nulls the 2.5 and 97.5
        percentiles of r. `p_value` is Pearson's two-sided one, or for a null the share of its
        draws whose r reaches the in-sample r (one-sided, both counted in); none for `repeated`.

    Raises
    ------
    UserError
        If the strategy is unknown, units are missing, or the split does not fit the problems.
    """
    ids, correct = correct_matrix(records, n)
    cell = Cell(correct, validation_mask(ids, split))
    names = {"model": model, "benchmark": benchmark, "strategy": strategy}
    where = f"{model} {benchmark} {strategy}"
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    estimators = estimators_of(strategy)
    for estimator, stream in zip(estimators, rng.spawn(len(estimators)), strict=True):
        for_paper, for_held_out, *for_draws = stream.spawn(2 + len(DRAWS))

        published = evaluate(estimate_p(correct, estimator), first_hits(correct), cell.validation)
        own = names | {"estimator": estimator}
        rows.append(own | {"protocol": IN_SAMPLE[estimator]} | _single(published, for_paper))

        halves = _held_out(records, correct, estimator, ids, n)
        if isinstance(halves, str):
            notes.append(f"held-out ({estimator}) of {where} is left out: {halves}")
        else:
            trial = evaluate(*halves, cell.validation)
            rows.append(own | {"protocol": "held-out"} | _single(trial, for_held_out))

        for (protocol, draw), generator in zip(DRAWS.items(), for_draws, strict=True):
            if protocol in PARALLEL_ONLY and strategy != "parallel":
                continue
            trials = [draw(cell, estimator, generator) for _ in range(repeats)]
            is_null = protocol != "repeated"
            cells = _distribution(trials, published if is_null else None)
            rows.append(own | {"protocol": protocol} | cells)
            without = sum(trial.undefined is not None for trial in trials)
            if without:
                notes.append(
                    f"{protocol} ({estimator}) of {where}: r is undefined in {without} of "
                    f"{repeats} draws, which are left out"
                )
    return FitTable(pd.DataFrame(rows, columns=FIT_COLUMNS), notes)


def _single(trial: Trial, rng: np.random.Generator) -> dict[str, object]:
    correlation = correlate(trial, rng)
    return {
        "epsilon_over_fmax": trial.fit.epsilon_over_fmax,
        "pearson_r": trial.undefined or correlation.r,
        "r_low": correlation.low,
        "r_high": correlation.high,
        "p_value": correlation.p_value,
        "mae": trial.mae,
        "n_test": len(trial.observed),
    }


def _distribution(trials: list[Trial], observed: Trial | None) -> dict[str, object]:
    """Median and percentiles of many trials; a draw without r has none to count."""
    reasons = Counter(trial.undefined for trial in trials if trial.undefined)
    r = np.array([trial.pearson_r for trial in trials if not trial.undefined])
    cells: dict[str, object] = {
        "epsilon_over_fmax": float(np.median([t.fit.epsilon_over_fmax for t in trials])),
        "r_low": float("nan"),
        "r_high": float("nan"),
        "p_value": float("nan"),
        "mae": float(np.median([trial.mae for trial in trials])),
        "n_test": len(trials[0].observed),
    }
    if 2 * len(r) < len(trials):
        return cells | {"pearson_r": reasons.most_common(1)[0][0]}
    low, middle, high = (float(q) for q in np.quantile(r, [0.025, 0.5, 0.975]))
    cells |= {"pearson_r": middle, "r_low": low, "r_high": high}
    if observed is not None and not observed.undefined:
        # the same pairs in another order may differ in the last bit, and are as extreme
        reaching = int((r >= observed.pearson_r - 1e-12).sum())
        cells["p_value"] = (1 + reaching) / (1 + len(r))
    return cells


def _held_out(
    records: pd.DataFrame,
    correct: NDArray[np.bool_],
    estimator: str,
    ids: list[str],
    n: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | str:
    """Give p_x and first hits from disjoint units, or the reason why there are none."""
    if estimator == "c/n":
        return "one unit has no second half" if n < 2 else held_out(correct[None], estimator)
    chains = sorted(records["chain"].unique()) if "chain" in records.columns else []
    if len(chains) < 2:
        return "a single chain has no round that did not enter p_rethink"
    matrices = []
    for chain in chains:
        chain_ids, matrix = correct_matrix(records, n, chain)
        if chain_ids != ids:
            raise UserError(
                f"records: chain {chain} does not have the problems of chain {chains[0]}"
            )
        matrices.append(matrix)
    return held_out(np.stack(matrices), estimator)


def held_out(
    chains: NDArray[np.bool_], estimator: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Estimate p_x and observe first hits with no unit on both sides.

    Parameters
    ----------
    chains : ndarray of bool, shape (chains, problems, units)
        Correctness in unit order: one chain for 'c/n', at least two for the others.
    estimator : {'c/n', 'k/n', '1/k'}
        'c/n' takes p_x from the odd units and the first hit from the even ones; the others take
        p_x from the 1st, 3rd, ... chain and the first hit from the 2nd.

    Returns
    -------
    p_hat : ndarray of float, shape (problems,)
    hits : ndarray of int64, shape (problems,)
    """
    if estimator == "c/n":
        return estimate_p(chains[0, :, 0::2], estimator), first_hits(chains[0, :, 1::2])
    return _p_of_chains(chains[0::2], estimator), first_hits(chains[1])


def _p_of_chains(chains: NDArray[np.bool_], estimator: str) -> NDArray[np.float64]:
    """p_rethink from several chains, shape (chains, problems, rounds); of one, as published."""
    if estimator == "k/n":  # printed for one chain; the mean is the least that can be done
        return np.mean([estimate_p(chain, estimator) for chain in chains], axis=0)
    solved = chains.any(axis=2)
    rounds = np.where(solved, chains.argmax(axis=2) + 1, chains.shape[2])
    pooled = solved.sum(axis=0) / rounds.sum(axis=0)  # MLE with unsolved chains censored
    return np.where(solved.any(axis=0), pooled, UNSOLVED_P_RETHINK)


def saturation_table(
    records: pd.DataFrame,
    strategy: str,
    n: int,
    split: pd.Series,
    *,
    model: str,
    benchmark: str,
) -> pd.DataFrame:
    """Predicted and observed saturation point of every problem of one cell.

    Parameters
    ----------
    records, strategy, n, split, model, benchmark
        As for `fit_table`.

    Returns
    -------
    DataFrame
        Columns of saturation.csv, one row for each estimator and problem. `n_star` is from the
        threshold fitted on validation with that estimator, the same as in fit.csv's `paper`
        and `paper-mle` rows. `first_hit` is 1 where no unit is correct.

    Raises
    ------
    UserError
        As `fit_table`.
    """
    estimates = estimate_p_x(records, strategy, n)
    tables = []
    for _, table in estimates.groupby("estimator", sort=False):
        validation = validation_mask(table["problem_id"].tolist(), split)
        p_hat, hits = table["p_hat"].to_numpy(), table["first_hit"].to_numpy()
        threshold = evaluate(p_hat, hits, validation).fit.epsilon_over_fmax
        tables.append(
            table.assign(
                model=model,
                benchmark=benchmark,
                strategy=strategy,
                split=np.where(validation, "validation", "test"),
                n_star=saturation_points(p_hat, threshold),
            )
        )
    return pd.concat(tables, ignore_index=True)[SATURATION_COLUMNS]

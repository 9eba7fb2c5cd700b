"""From graded records to the metrics table: what each budget N gives, costs, and leaves out.

One *cell* is a model on a benchmark with a strategy. `cell_values` turns its records into one
number per problem, metric, estimator and budget; `metrics_table` gives the means of those over
problems, with bootstrap intervals. All shares are fractions in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ttspm.cell import Cell
from ttspm.errors import UserError
from ttspm.estimators import hit_exact, hit_prefix, last_round, vote_exact, vote_prefix
from ttspm.intervals import CONFIDENCE, RESAMPLES, bootstrap_mean, named_stream

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRICS_COLUMNS = [
    *("model", "benchmark", "strategy", "n", "metric", "estimator"),
    *("value", "ci_low", "ci_high", "n_problems"),
]
NEEDED = ("problem_id", "unit", "answer_class", "correct", "truncated", "completion_tokens")

# What the estimators guarantee; digits beyond it would be noise in a table that people read.
TABLE_DECIMALS = 12


@dataclass(frozen=True)
class CellValues:
    """Values of one cell's problems, and what had to be left out.

    Attributes
    ----------
    values : pandas.DataFrame
        Index `problem_id` (sorted); columns (`metric`, `estimator`, `n`).
    warnings : tuple of str
        One line each, to be shown to the user.
    """

    values: pd.DataFrame
    warnings: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """One row for each value: `problem_id`, `metric`, `estimator`, `n`, `value`."""
        problems, columns = self.values.shape
        tidy = self.values.columns.to_frame(index=False)
        tidy = tidy.iloc[np.tile(np.arange(columns), problems)].reset_index(drop=True)
        tidy.insert(0, "problem_id", np.repeat(self.values.index.to_numpy(), columns))
        return tidy.assign(value=self.values.to_numpy().ravel())


@dataclass(frozen=True)
class Problem:
    """One problem's units in their order; all arrays have the shape (units,).

    Attributes
    ----------
    classes : ndarray of int
        Class of each unit's answer, negative where it has none.
    correct_class : int or None
        The class that is correct; None where no answer is.
    tokens : ndarray of float
        Completion tokens, NaN where not recorded.
    """

    problem_id: str
    correct: Bools
    classes: Ints
    correct_class: int | None
    truncated: Bools
    tokens: Floats


def _exact_vote(problem: Problem, budgets: Ints) -> Floats:
    if problem.correct_class is None:
        return np.zeros(len(budgets))
    voting = problem.classes[problem.classes >= 0]
    classes, counts = np.unique(voting, return_counts=True)
    right = int(np.searchsorted(classes, problem.correct_class))
    return vote_exact(counts, right, len(problem.classes) - len(voting), budgets)


def _share_of_first(marked: Bools, budgets: Ints) -> Floats:
    return np.cumsum(marked)[budgets - 1] / budgets


def _share_of_all(marked: Bools, budgets: Ints) -> Floats:
    """Expected share in a random subset, which is the share of all units whatever its size."""
    return np.full(len(budgets), marked.mean())


# (metric, estimator) -> its value on one problem for every budget; `acc` is that of parallel.
MEASURES: dict[tuple[str, str], Callable[[Problem, Ints], Floats]] = {
    ("acc", "prefix"): lambda p, n: vote_prefix(p.classes, p.correct_class, n),
    ("acc", "exact"): _exact_vote,
    ("hit", "prefix"): lambda p, n: hit_prefix(p.correct, n),
    ("hit", "exact"): lambda p, n: hit_exact(len(p.correct), p.correct.sum(), n)[0],
    ("tokens", "prefix"): lambda p, n: np.cumsum(p.tokens)[n - 1],
    ("tokens", "exact"): lambda p, n: n * p.tokens.mean(),
    ("no_answer", "prefix"): lambda p, n: _share_of_first(p.classes < 0, n),
    ("no_answer", "exact"): lambda p, n: _share_of_all(p.classes < 0, n),
    ("truncated", "prefix"): lambda p, n: _share_of_first(p.truncated, n),
    ("truncated", "exact"): lambda p, n: _share_of_all(p.truncated, n),
}
SEQUENTIAL_MEASURES = {
    name: measure for name, measure in MEASURES.items() if name[1] == "prefix"
} | {("acc", "prefix"): lambda p, n: last_round(p.correct, n)}


def cell_values(
    records: pd.DataFrame, strategy: str, budgets: Sequence[int], counts_only: bool = False
) -> CellValues:
    """Work out every metric of one cell for each problem and budget.

    Parameters
    ----------
    records : pandas.DataFrame
        Columns of `ttspm.tables.RECORDS`, rows in any order, of one model, benchmark, strategy.
    strategy : {"parallel", "sequential"}
        `acc` is the majority vote (parallel) or the last round (sequential).
    budgets : sequence of int
        Budgets N in units. Those above the smallest number of units of a problem are left out.
    counts_only : bool
        The records were made from counts: neither order nor answers of the units are known, so
        only exact estimates are worked out, and no vote.

    Returns
    -------
    CellValues
        Estimator `prefix` (the first N units) and, for parallel, `exact` (expectation over all
        size-N subsets of the problem's recorded units). `tokens` is what one problem costs with
        budget N; `no_answer` and `truncated` are shares of the units drawn.

        Where answers were not recorded (a unit is correct and has no answer class), the vote and
        `no_answer` are left out, and so is `truncated` if no unit is marked; where a unit has no
        token count, `tokens` is. Each such omission is a warning.

    Raises
    ------
    UserError
        If there is no record, a column is missing, the strategy or a budget is not valid, a unit
        is there twice, a chain has a gap, or equal answers are graded differently.
    """
    if strategy not in ("parallel", "sequential"):
        raise UserError(f"strategy '{strategy}' is unknown; use 'parallel' or 'sequential'")
    if counts_only and strategy == "sequential":
        raise UserError("records: counts have no order of rounds; use the strategy 'parallel'")
    asked = np.unique(np.asarray(budgets, dtype=np.int64))
    if not len(asked) or asked[0] < 1:
        raise UserError("budgets: give at least one number of units, each 1 or more")
    frame = _sorted_records(records)
    warnings = _warnings_about_units(frame, strategy, asked)
    problems, merged = _split_into_problems(frame)
    if merged:
        warnings.append(
            f"problem '{merged[0]}' has several correct answer classes: counted as one in the"
            f" vote ({len(merged)} such problems)"
        )
    kept = asked[asked <= min(len(problem.correct) for problem in problems)]
    left_out = _unknown_metrics(frame, strategy, counts_only, warnings)
    measures = MEASURES if strategy == "parallel" else SEQUENTIAL_MEASURES
    chosen = {
        (metric, estimator): measure
        for (metric, estimator), measure in measures.items()
        if len(kept) and metric not in left_out and (estimator == "exact" or not counts_only)
    }
    values = [[measure(problem, kept) for measure in chosen.values()] for problem in problems]
    columns = pd.MultiIndex.from_tuples(
        [(*name, n) for name in chosen for n in kept.tolist()], names=["metric", "estimator", "n"]
    )
    index = pd.Index([problem.problem_id for problem in problems], name="problem_id")
    table = np.array(values, dtype=np.float64).reshape(len(problems), len(columns))
    return CellValues(pd.DataFrame(table, index, columns), tuple(warnings))


def metrics_table(
    cells: Mapping[Cell, CellValues],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Means over problems with bootstrap intervals: the rows of ``metrics.csv``.

    Parameters
    ----------
    cells : mapping of Cell to CellValues
        Rows come out in this order.
    rng : numpy.random.Generator
        Seeded. Each cell gets a stream of its own from it and its name, so that its interval does
        not depend on which other cells ran.
    resamples, confidence
        Of `ttspm.intervals.bootstrap_mean`.

    Returns
    -------
    pandas.DataFrame
        Columns `METRICS_COLUMNS`; `tokens` in tokens per problem, the rest fractions.
    """
    root = int(rng.integers(2**63))
    tables = []
    for cell, of_cell in cells.items():
        values = of_cell.values.to_numpy()
        low, high = bootstrap_mean(values, named_stream(root, *cell), resamples, confidence)
        tables.append(
            of_cell.values.columns.to_frame(index=False).assign(
                **cell._asdict(),
                value=values.mean(axis=0).round(TABLE_DECIMALS),
                ci_low=low.round(TABLE_DECIMALS),
                ci_high=high.round(TABLE_DECIMALS),
                n_problems=len(values),
            )
        )
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=METRICS_COLUMNS)
    return pd.concat(tables, ignore_index=True)[METRICS_COLUMNS]


def _sorted_records(records: pd.DataFrame) -> pd.DataFrame:
    for column in NEEDED:
        if column not in records:
            raise UserError(f"records: column '{column}' is missing; needed are {list(NEEDED)}")
    if records.empty:
        raise UserError("records: there is no row; at least one graded unit is needed")
    frame = records.sort_values(["problem_id", "unit"], kind="stable", ignore_index=True)
    twice = frame.duplicated(["problem_id", "unit"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise UserError(
            f"records: problem '{row['problem_id']}' has unit {row['unit']} twice; each unit may"
            " occur once"
        )
    return frame


def _warnings_about_units(frame: pd.DataFrame, strategy: str, asked: Ints) -> list[str]:
    """Say what is uneven about the units; a gap in a chain shifts every later round: an error."""
    warnings = []
    by_problem = frame.groupby("problem_id", sort=True)["unit"]
    sizes = by_problem.size()
    gaps = sizes[(by_problem.max() != sizes) | (by_problem.min() != 1)]
    if len(gaps):
        problem = f"problem '{gaps.index[0]}' has {gaps.iloc[0]} units, not numbered 1 to"
        if strategy == "sequential":
            raise UserError(f"records: {problem} {gaps.iloc[0]}; a chain needs every round")
        warnings.append(f"{problem} {gaps.iloc[0]}: taken in their order ({len(gaps)} such)")
    if sizes.min() < sizes.max():
        warnings.append(
            f"numbers of units per problem differ, {sizes.min()} (problem '{sizes.idxmin()}') to"
            f" {sizes.max()}: budgets go up to {sizes.min()}"
        )
    too_large = asked[asked > sizes.min()]
    if len(too_large):
        listed = ", ".join(map(str, too_large))
        warnings.append(f"budgets left out, above the {sizes.min()} units recorded: {listed}")
    return warnings


def _unknown_metrics(
    frame: pd.DataFrame, strategy: str, counts_only: bool, warnings: list[str]
) -> set[str]:
    """Name the metrics that the records cannot tell, and append why to `warnings`."""
    unknown: set[str] = set()
    without_answer = frame["correct"].to_numpy(bool) & (frame["answer_class"].to_numpy() < 0)
    if counts_only or without_answer.any():
        unknown = {"acc", "no_answer"} if strategy == "parallel" else {"no_answer"}
        if not frame["truncated"].any():
            unknown.add("truncated")
        warnings.append(f"answers are not recorded: {', '.join(sorted(unknown))} left out")
    uncounted = int(frame["completion_tokens"].isna().sum())
    if uncounted:
        unknown.add("tokens")
        warnings.append(f"{uncounted} of {len(frame)} units have no token count: tokens left out")
    return unknown


def _split_into_problems(frame: pd.DataFrame) -> tuple[list[Problem], list[str]]:
    """Cut sorted records into problems; also name those whose correct classes were merged."""
    problem_ids = frame["problem_id"].to_numpy()
    correct = frame["correct"].to_numpy(bool)
    classes = frame["answer_class"].to_numpy(np.int64)
    truncated = frame["truncated"].to_numpy(bool)
    tokens = frame["completion_tokens"].to_numpy(np.float64, na_value=np.nan)
    starts = np.flatnonzero(np.r_[True, problem_ids[1:] != problem_ids[:-1]])
    problems, merged = [], []
    for start, stop in zip(starts, [*starts[1:], len(frame)], strict=True):
        units = slice(start, stop)
        right = np.unique(classes[units][correct[units] & (classes[units] >= 0)])
        graded_twice = np.isin(classes[units], right) & ~correct[units]
        if graded_twice.any():
            unit = frame["unit"].iloc[start + int(np.argmax(graded_twice))]
            raise UserError(
                f"records: problem '{problem_ids[start]}', unit {unit}: its answer is wrong here"
                " and correct in another unit; equal answers must be graded alike"
            )
        if len(right) > 1:
            merged.append(str(problem_ids[start]))
        problems.append(
            Problem(
                problem_id=problem_ids[start],
                correct=correct[units],
                # Answers equal to the gold answer are equal to each other: one class in the vote.
                classes=np.where(np.isin(classes[units], right), right[:1], classes[units])
                if len(right)
                else classes[units],
                correct_class=int(right[0]) if len(right) else None,
                truncated=truncated[units],
                tokens=tokens[units],
            )
        )
    return problems, merged

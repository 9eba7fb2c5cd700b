"""Curves of others: accuracy and tokens against N, without the samples behind them.

Of such aggregates a level, a range and a rank correlation can be told. An interval over problems
cannot, nor can two curves be paired by problem.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ttspm.errors import UserError

COLUMNS = ("benchmark", "method", "N", "accuracy", "avg_total_tokens")
PROBLEMS = {"AIME24": 30, "AIME25": 30, "AMC23": 40, "MATH500": 500, "GSM8K": 1319}
SEQUENTIAL = "mr_thinking"  # the only method whose N-th value is that of the N-th unit alone
SHOWN = (1, 2, 4, 8, 16, 32, 64)


def read_curves(path: str | Path) -> pd.DataFrame:
    """Read the file of OptScale's curves.

    Parameters
    ----------
    path : path-like
        CSV with a row for each benchmark, method and N = 1, 2, ...

    Returns
    -------
    pandas.DataFrame
        Columns ``benchmark``, ``method``, ``n``, ``accuracy`` (a fraction), ``tokens`` (of all N
        units together, mean over problems), ``n_problems``.

    Raises
    ------
    UserError
        If a column is missing, a benchmark is unknown, a curve has a gap, or an accuracy is no
        number of problems: then the file is not what it is taken for.
    """
    table = pd.read_csv(path)
    for column in COLUMNS:
        if column not in table:
            raise UserError(f"{path}: column '{column}' is missing; needed are {list(COLUMNS)}")
    for benchmark in table["benchmark"]:
        if benchmark not in PROBLEMS:
            raise UserError(
                f"{path}: benchmark '{benchmark}' is unknown; known are {', '.join(PROBLEMS)}"
            )
    curves = table[list(COLUMNS)].rename(columns={"N": "n", "avg_total_tokens": "tokens"})
    curves["n_problems"] = curves["benchmark"].map(PROBLEMS)
    solved = curves["accuracy"] * curves["n_problems"]
    off = (solved - solved.round()).abs() > 1e-6
    if off.any():
        row = curves[off].iloc[0]
        raise UserError(
            f"{path}: {row['benchmark']}, {row['method']}, N={row['n']}: accuracy"
            f" {row['accuracy']} is no number of {row['n_problems']} problems"
        )
    for (benchmark, method), curve in curves.groupby(["benchmark", "method"]):
        if sorted(curve["n"]) != list(range(1, len(curve) + 1)):
            raise UserError(f"{path}: {benchmark}, {method}: N must go from 1 up without a gap")
    return curves


def shown_points(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of `read_curves` at N = 1, 2, 4, ..., 64."""
    return curves[curves["n"].isin(SHOWN)].reset_index(drop=True)


def trends(curves: pd.DataFrame) -> pd.DataFrame:
    """Say of each curve how it moves with N.

    Parameters
    ----------
    curves : pandas.DataFrame
        From `read_curves`, with at least 4 values of N.

    Returns
    -------
    pandas.DataFrame
        A row a curve, accuracies as fractions:

        * ``first`` (N = 1); ``later``, ``lowest``, ``highest``, ``spread``: mean, least, largest
          and standard deviation over N >= 2; ``binomial_error``: standard error that one run has
          as a sample of problems, sqrt(a (1 - a) / problems) of ``later``;
        * ``rank_correlation``: Spearman's, of accuracy with N >= 2, the first value being a level
          of its own; ``neighbours``: correlation of each value with the next;
        * ``chance_limit``: |rank correlation| that 95 % of random orders stay below. Only for
          sequential rethinking, whose values come from a round each: the N-th value of a vote
          holds all samples of the one before, so that random orders are no comparison.
    """
    rows = []
    for (benchmark, method), curve in curves.groupby(["benchmark", "method"], sort=False):
        accuracy = curve.sort_values("n")["accuracy"].to_numpy()
        later, problems = accuracy[1:], int(curve["n_problems"].iloc[0])
        mean = float(later.mean())
        rank = stats.spearmanr(np.arange(len(later)), later).statistic
        rows.append(
            {
                "benchmark": benchmark,
                "method": method,
                "n_problems": problems,
                "n_max": len(accuracy),
                "first": accuracy[0],
                "later": mean,
                "lowest": later.min(),
                "highest": later.max(),
                "spread": later.std(ddof=1),
                "binomial_error": np.sqrt(mean * (1 - mean) / problems),
                "rank_correlation": rank,
                "neighbours": np.corrcoef(later[:-1], later[1:])[0, 1],
                # Spearman's variance over random orders of m values is 1 / (m - 1).
                "chance_limit": (
                    stats.norm.ppf(0.975) / np.sqrt(len(later) - 1)
                    if method == SEQUENTIAL
                    else np.nan
                ),
            }
        )
    return pd.DataFrame(rows)

"""From replications to the table people read: bias, spread, coverage, and how r is distributed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ttspm.fit import split_mask
from ttspm.simulation.scenarios import Scenario
from ttspm.simulation.study import TABLE_DECIMALS

SUMMARY_COLUMNS = [
    *("scenario", "strategy", "n_problems", "quantity", "estimator", "protocol", "n", "truth"),
    *("mean", "bias", "sd", "rmse", "rmse_problem", "low", "high"),
    *("coverage", "coverage_drawn", "ci_width", "significant", "undefined", "replications"),
]
KEY = ["n_problems", "quantity", "estimator", "protocol", "n"]
SIGNIFICANCE = 0.05
# An interval of zero width at the truth covers it, whatever the last bit says.
ROUNDING = 1e-9


def summarise(scenarios: dict[str, tuple[Scenario, pd.DataFrame]]) -> pd.DataFrame:
    """Summarise the replications of scenarios.

    Parameters
    ----------
    scenarios : dict of str to (Scenario, DataFrame)
        By name, what was drawn and what `ttspm.simulation.study.run_scenario` returned.

    Returns
    -------
    DataFrame
        Columns `SUMMARY_COLUMNS`, one row for each scenario, size, quantity, estimator, protocol
        and N. `bias`, `sd` and `rmse` are of the benchmark's value over replications, against
        `truth`, the mean over the population of problems; `rmse_problem` is the root mean squared
        error of single problems; `low` and `high` are the 2.5 and 97.5 percentiles over
        replications. `coverage` is the share of the 95 % intervals that hold the population's
        truth, `coverage_drawn` the truth of the very problems drawn. For a correlation,
        `significant` is the share with Pearson's two-sided p below 0.05 and `undefined` the share
        without an r. A cell is empty where it has no meaning.
    """
    tables = [
        _summarise_one(replications).assign(scenario=name, strategy=scenario.strategy)
        for name, (scenario, replications) in scenarios.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.reindex(columns=SUMMARY_COLUMNS).round(TABLE_DECIMALS)


def _summarise_one(replications: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for key, group in replications.groupby(KEY, sort=False):
        named = dict(zip(KEY, key, strict=True))
        rows.append(named | _statistics(group, named))
    return pd.DataFrame(rows)


def _statistics(group: pd.DataFrame, named: dict[str, object]) -> dict[str, float]:
    values = group["value"].to_numpy(np.float64)
    defined = values[~np.isnan(values)]
    truth = float(group["truth"].iloc[0]) if group["truth"].notna().all() else np.nan
    row = {
        "truth": truth,
        "undefined": 1.0 - len(defined) / len(values),
        "replications": len(values),
    }
    if len(defined):
        low, high = np.quantile(defined, [0.025, 0.975])
        row |= {
            "mean": float(defined.mean()),
            "bias": float(defined.mean()) - truth,
            "sd": float(defined.std(ddof=1)) if len(defined) > 1 else np.nan,
            "rmse": float(np.sqrt(((defined - truth) ** 2).mean())),
            "low": float(low),
            "high": float(high),
        }
    if group["squared_error"].notna().all():
        row["rmse_problem"] = float(np.sqrt(group["squared_error"].mean()))
    if group["ci_low"].notna().all():
        row |= {
            "coverage": _coverage(group, group["truth"]),
            "coverage_drawn": _coverage(group, group["truth_drawn"]),
            "ci_width": float((group["ci_high"] - group["ci_low"]).mean()),
        }
    if named["quantity"] == "pearson_r" and len(defined):
        least = least_significant_r(_n_test(int(group["n_problems"].iloc[0])))
        row["significant"] = float((np.abs(defined) > least).mean())
    return row


def _coverage(group: pd.DataFrame, truth: pd.Series) -> float:
    inside = (group["ci_low"] <= truth + ROUNDING) & (group["ci_high"] >= truth - ROUNDING)
    return float(inside.mean())


def least_significant_r(n_test: int) -> float:
    """Size of r beyond which Pearson's two-sided p-value is below 0.05, for `n_test` problems."""
    t = stats.t.ppf(1.0 - SIGNIFICANCE / 2.0, n_test - 2)
    return float(t / np.sqrt(n_test - 2 + t * t))


def _n_test(n_problems: int) -> int:
    """Size of the test part, which the draw of the split does not change."""
    validation: NDArray[np.bool_] = split_mask(n_problems, np.random.default_rng(0))
    return int((~validation).sum())

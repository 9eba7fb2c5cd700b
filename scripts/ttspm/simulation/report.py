"""The parts of the simulation's table that the docs show, as Markdown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ttspm.simulation.scenarios import SIZES

LARGEST = max(SIZES)
FEW = 5.0  # expected problems on the rarer side, below which an interval is called ragged
# What estimates hit@N and acc@N without a model of how they grow with N.
MODEL_FREE = ("prefix", "exact")
SHOWN_BUDGET = 8
PROTOCOLS = (
    *("true p", "paper", "paper-mle", "held-out", "repeated"),
    *("null-within", "null-order", "null-pooled"),
)


def to_markdown(table: pd.DataFrame) -> str:
    """Five tables in Markdown, each under a heading.

    Parameters
    ----------
    table : DataFrame
        From `ttspm.simulation.summary.summarise`.

    Returns
    -------
    str
    """
    replications = int(table["replications"].max())
    parts = [
        "# Tables of the simulation study",
        f"{replications} replications of each scenario. Made by `snakemake --cores 8 simulation`, "
        "which writes this file as `results/tables/simulation.md`; every row is in "
        "`results/tables/simulation.csv`.",
        "## Coverage of the 95 % intervals\n\nMean over scenarios and budgets, smallest in "
        f"brackets, in percent. *Few*: fewer than {FEW:g} problems of the benchmark are expected "
        "to be solved, or fewer to fail.",
        _coverage(table),
        f"## hit@{SHOWN_BUDGET} and acc@{SHOWN_BUDGET} with {LARGEST} problems\n\nBias ± standard "
        "deviation over replications, in points.",
        _bias(table),
        f"## p_x and N\\* with {LARGEST} problems\n\nMean over problems against the truth, and the "
        "root mean squared error of a single problem.",
        _single_problems(table),
        f"## Threshold log10(ε/F_max) with {LARGEST} problems\n\nMean ± standard deviation over "
        "replications; the truth is the threshold that fits best where p_x is known.",
        _threshold(table),
        *_correlations(table),
    ]
    return "\n\n".join(parts) + "\n"


def expected_on_rarer_side(rows: pd.DataFrame) -> pd.Series:
    """Problems of a benchmark expected to be solved, or to fail, whichever are fewer."""
    return rows["n_problems"] * np.minimum(rows["truth"], 1.0 - rows["truth"])


def model_free(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of hit@N and acc@N by the estimators that no theory enters."""
    chosen = table["quantity"].isin(["hit", "acc"]) & table["estimator"].isin(MODEL_FREE)
    return table[chosen]


def _coverage(table: pd.DataFrame) -> str:
    rows = model_free(table).copy()
    rows["few"] = expected_on_rarer_side(rows) < FEW
    lines = []
    kinds = rows.groupby(["few", "quantity", "estimator"])
    for (few, quantity, estimator), of_kind in kinds:
        cells = [f"{quantity}, {estimator}", "few" if few else f"{FEW:g} or more"]
        for target in ("coverage", "coverage_drawn"):
            for size in SIZES:
                values = 100.0 * of_kind.loc[of_kind["n_problems"] == size, target]
                some = len(values) > 0
                cells.append(f"{values.mean():.0f} [{values.min():.0f}]" if some else "–")
        lines.append(cells)
    sizes = [f"{size}" for size in SIZES]
    header = [
        "",
        "rarer side",
        *(f"population, {s}" for s in sizes),
        *(f"drawn, {s}" for s in sizes),
    ]
    return _markdown(header, lines)


def _bias(table: pd.DataFrame) -> str:
    rows = table[(table["n_problems"] == LARGEST) & (table["n"] == SHOWN_BUDGET)]
    kinds = list(dict.fromkeys(zip(rows["quantity"], rows["estimator"], strict=True)))
    kinds.sort(key=lambda kind: (kind[0] != "hit", kind[1] not in MODEL_FREE))
    lines = []
    for scenario, of_scenario in rows.groupby("scenario", sort=False):
        by_kind = {(row["quantity"], row["estimator"]): row for _, row in of_scenario.iterrows()}
        truths = [
            f"{100 * by_kind[quantity, 'prefix']['truth']:.1f}" for quantity in ("hit", "acc")
        ]
        cells = [_signed(by_kind[kind]) if kind in by_kind else "–" for kind in kinds]
        lines.append([str(scenario), *truths, *cells])
    header = ["scenario", "true hit", "true acc", *(f"{q}: {e}" for q, e in kinds)]
    return _markdown(header, lines)


def _signed(row: pd.Series) -> str:
    return f"{100 * row['bias']:+.1f} ± {100 * row['sd']:.1f}"


def _single_problems(table: pd.DataFrame) -> str:
    rows = table[table["n_problems"] == LARGEST]
    lines = []
    for key, _ in rows[rows["quantity"] == "p_x"].groupby(["scenario", "estimator"], sort=False):
        of_key = rows[(rows["scenario"] == key[0]) & (rows["estimator"] == key[1])]
        cells = [str(key[0]), str(key[1])]
        for quantity, digits in (("p_x", 3), ("n_star", 1)):
            row = of_key[of_key["quantity"] == quantity].iloc[0]
            values = (row["truth"], row["mean"], row["rmse_problem"])
            cells += [f"{value:.{digits}f}" for value in values]
        lines.append(cells)
    header = ["scenario", "estimator", "true p_x", "mean", "RMSE", "true N\\*", "mean", "RMSE"]
    return _markdown(header, lines)


def _threshold(table: pd.DataFrame) -> str:
    rows = table[(table["n_problems"] == LARGEST) & (table["quantity"] == "log10_epsilon")]
    rows = rows[rows["truth"].notna() & (rows["protocol"] != "repeated")]
    return _by_protocol(
        rows, lambda row: f"{row['mean']:.2f} ± {row['sd']:.2f}", lambda row: f"{row['truth']:.2f}"
    )


def _correlations(table: pd.DataFrame) -> list[str]:
    parts = []
    for size in sorted({min(SIZES), LARGEST}, reverse=True):
        rows = table[(table["n_problems"] == size) & (table["quantity"] == "pearson_r")]
        parts += [
            f"## Pearson's r with {size} problems\n\nMean over replications, 2.5 and 97.5 "
            "percentiles in brackets, then the percentage with p < 0.05, and *u* the percentage "
            "without an r (a side is constant).",
            _by_protocol(rows, _correlation),
        ]
    return parts


def _correlation(row: pd.Series) -> str:
    undefined = f" u {round(100 * row['undefined'], 1):g}" if row["undefined"] > 0 else ""
    if pd.isna(row["mean"]):
        return undefined.strip()
    spread = f"[{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['mean']:.2f} {spread} {100 * row['significant']:.0f} %{undefined}"


def _by_protocol(
    rows: pd.DataFrame,
    cell: Callable[[pd.Series], str],
    truth: Callable[[pd.Series], str] | None = None,
) -> str:
    """One line a scenario and estimator, one column a protocol; the true p_x is on every line."""
    protocols = [name for name in PROTOCOLS if (rows["protocol"] == name).any()]
    lines = []
    for scenario, of_scenario in rows.groupby("scenario", sort=False):
        estimators = dict.fromkeys(
            of_scenario.loc[of_scenario["protocol"] != "true p", "estimator"]
        )
        for estimator in estimators:
            mine = of_scenario["estimator"] == estimator
            found = of_scenario[mine | (of_scenario["protocol"] == "true p")].set_index("protocol")
            cells = [cell(found.loc[name]) if name in found.index else "–" for name in protocols]
            first = [truth(found.iloc[0])] if truth else []
            lines.append([str(scenario), str(estimator), *first, *cells])
    header = ["scenario", "estimator", *(["truth"] if truth else []), *protocols]
    return _markdown(header, lines)


def _markdown(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])

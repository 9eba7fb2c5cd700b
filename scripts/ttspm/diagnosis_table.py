"""The diagnoses of all cells in one table, beside the paper's and published values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ttspm.cell import Cell
from ttspm.claims.measured import wilson
from ttspm.grader import REFERENCE, Grader
from ttspm.paper_table import MODELS, benchmark_title, model_title, paper_cells

SHARES = ("truncated", "unboxed", "unanswered")


def diagnosis_table(
    cells: Mapping[Cell, pd.DataFrame], paper: pd.DataFrame, published: pd.DataFrame
) -> pd.DataFrame:
    """Put the cells together, and beside the paper's cells what each grader explains of them.

    Parameters
    ----------
    cells : mapping of Cell to pandas.DataFrame
        From `cell_diagnosis`; rows come out in this order.
    paper, published : pandas.DataFrame
        ``resources/paper_table1.csv`` and ``resources/published_pass1.csv``, in percent.

    Returns
    -------
    pandas.DataFrame
        ``diagnosis.csv``: the columns of `cell_diagnosis` and

        * ``paper_acc_n``, ``paper_hit_n``: the paper's values at this budget;
        * ``paper_acc_1``, ``published_acc_1`` (parallel only): its vanilla accuracy, and the mean
          over what others measured;
        * ``explained``, ``explained_low``, ``explained_high``: what grading so costs in our units,
          in percent of the distance between those two. Only where the distance is real: where the
          published value is outside the 95 % interval of the paper's single run.
    """
    tables = []
    for cell, rows in cells.items():
        n = int(rows["n"].iloc[0])
        at = {name: _paper_value(paper, cell, name, cell.strategy, n) for name in ("acc", "hit")}
        vanilla = elsewhere = float("nan")
        if cell.strategy == "parallel":
            vanilla = _paper_value(paper, cell, "acc", "vanilla", 1)
            elsewhere = _published_value(published, cell)
        distance = elsewhere - vanilla
        if not _is_real(vanilla, elsewhere, int(rows["n_problems"].iloc[0])):
            distance = float("nan")
        explained = {
            "explained": rows["change"],
            "explained_low": rows["change_high"],  # a loss of accuracy explains
            "explained_high": rows["change_low"],
        }
        tables.append(
            rows.assign(
                paper_acc_1=vanilla,
                published_acc_1=round(elsewhere, 2),
                paper_acc_n=at["acc"],
                paper_hit_n=at["hit"],
                # + 0.0 makes -0.0, of a change of nothing, 0.0
                **{k: (-100.0 * v / distance).round(1) + 0.0 for k, v in explained.items()},
            )
        )
        for at_column, name in enumerate(Cell._fields):
            tables[-1].insert(at_column, name, getattr(cell, name))
    return pd.concat(tables, ignore_index=True)


def to_markdown(table: pd.DataFrame) -> str:
    """``diagnosis.csv`` as a page to read."""
    lines = [
        "# Diagnosis: what the grader decides",
        "",
        "The same units under each way of finding and comparing answers, in percent; in brackets "
        "95 % intervals, bootstrap over problems. `change` is acc@1 minus that of the package's "
        "own grading (math-verify, last_boxed), paired by problem. `unboxed`: the answer does not "
        "come from a box; `unanswered`: there is none. acc@1 and acc@N are `exact` for parallel, "
        "the first round and the last of N for sequential.",
    ]
    for (model, benchmark, strategy), rows in table.groupby(list(Cell._fields), sort=False):
        first = rows.iloc[0]
        n = int(first["n"])
        lines += [
            "",
            f"## {model_title(str(model))}, {benchmark_title(str(benchmark))}, {strategy}",
            "",
            _row(["equality", "extraction", "acc@1", "change", f"acc@{n}", f"hit@{n}", *SHARES]),
            _row(["---", "---", *["---:"] * 7]),
        ]
        for _, row in rows.iterrows():
            numbers = [_cell(row, name) for name in ("acc_1", "change", "acc_n", "hit_n")]
            shares = [f"{row[name]:.1f}" for name in SHARES]
            lines.append(_row([row["equality"], row["extraction"], *numbers, *shares]))
        lines += _beside_the_paper(rows, n)
    return "\n".join(lines) + "\n"


def _beside_the_paper(rows: pd.DataFrame, n: int) -> list[str]:
    """What the paper has for the cell and how much of its distance each grader explains."""
    first, said = rows.iloc[0], []
    if pd.notna(first["paper_acc_1"]):
        said.append(
            f"The paper's vanilla accuracy is {first['paper_acc_1']:.1f}, "
            f"the mean of published values {first['published_acc_1']:.1f}."
        )
    if pd.notna(first["paper_acc_n"]):
        said.append(
            f"The paper's acc@{n} is {first['paper_acc_n']:.1f}, "
            f"its hit@{n} {first['paper_hit_n']:.1f}."
        )
    alternatives = rows[rows["explained"].notna()]
    parts = [
        f"{row['equality']} with {row['extraction']} {_cell(row, 'explained', 0)} %"
        for _, row in alternatives.iterrows()
        if Grader(row["equality"], row["extraction"]) != REFERENCE
    ]
    if parts:
        said.append(f"Of that distance to the published values, {', '.join(parts)} is explained.")
    elif pd.notna(first["published_acc_1"]):
        said.append("They agree within the error of the paper's run: nothing is to be explained.")
    return ["", " ".join(said)] if said else []


def _paper_value(paper: pd.DataFrame, cell: Cell, metric: str, method: str, n: int) -> float:
    found = paper_cells(paper, cell.model, cell.benchmark, metric)
    found = found[(found["method"] == method) & (found["n"] == n)]
    return float(found["value"].iloc[0]) if len(found) else float("nan")


def _published_value(published: pd.DataFrame, cell: Cell) -> float:
    """Mean over the sources that have it; NaN where none has."""
    rows = published[published["model"] == MODELS.get(cell.model)]
    return float(rows[cell.benchmark].mean()) if cell.benchmark in rows else float("nan")


def _is_real(paper: float, published: float, n_problems: int) -> bool:
    """Whether the published value is outside the error of the paper's one run."""
    if np.isnan(paper) or np.isnan(published):
        return False
    error = wilson(paper, n_problems)
    return not error.low <= published <= error.high


def _cell(row: pd.Series, name: str, decimals: int = 1) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if low == high == value:  # also where all problems are alike: no width is no certainty
        return f"{value:.{decimals}f}"
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

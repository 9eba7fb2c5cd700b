"""The ledger as a page to read."""

from __future__ import annotations

import pandas as pd

from ttspm.claims.decision import AGREES, DIFFERS, NOT_RUN

VERDICTS = (AGREES, DIFFERS, NOT_RUN)
PARTS = {
    False: "The paper against the run",
    True: "The paper against itself and against published values",
}


def to_markdown(table: pd.DataFrame) -> str:
    """Lay out the ledger by the place of each claim, with counts of verdicts.

    Parameters
    ----------
    table : pandas.DataFrame
        From `ttspm.claims.ledger.ledger`.

    Returns
    -------
    str
        A table of counts, then for each place its decided claims in a table, and those that were
        not run in a list that opens at a click.
    """
    lines = [*_counts(table)]
    itself = table["where"].str.contains(" against ")
    for is_itself, title in PARTS.items():
        part = table[itself == is_itself]
        if part.empty:
            continue
        lines += ["", f"## {title}"]
        for where, rows in part.groupby("where", sort=False):
            lines += ["", f"### {where}", "", *_section(rows, is_itself)]
    return "\n".join(lines) + "\n"


def _counts(table: pd.DataFrame) -> list[str]:
    counts = pd.crosstab(table["where"], table["verdict"])
    counts = counts.reindex(index=table["where"].unique(), columns=VERDICTS, fill_value=0)
    return [
        _row(["where", *VERDICTS]),
        _row(["---", *["---:"] * len(VERDICTS)]),
        *(
            _row([str(where), *map(str, row)])
            for where, row in zip(counts.index, counts.to_numpy(), strict=True)
        ),
        _row(["all", *map(str, counts.sum())]),
    ]


def _section(rows: pd.DataFrame, is_itself: bool) -> list[str]:
    """Rows of one place: decided ones as a table, the others folded away."""
    ran, waiting = rows[rows["verdict"] != NOT_RUN], rows[rows["verdict"] == NOT_RUN]
    lines = []
    if len(ran):
        values = "computed" if is_itself else "ours"
        lines += [
            _row(["claim", "paper", values, "95 % interval", "verdict", "note"]),
            _row(["---", "---:", "---:", "---:", "---", "---"]),
            *(_row(_cells(row)) for _, row in ran.iterrows()),
        ]
    if len(waiting) and (rows["where"] == "Table 1").all():
        lines += [*([""] if lines else []), f"{len(waiting)} of {len(rows)} values not run."]
    elif len(waiting):
        items = [f"- {row['claim']}" + _reason(row["note"]) for _, row in waiting.iterrows()]
        lines += [""] if lines else []
        lines += [f"<details><summary>{len(items)} not run</summary>", "", *items, "", "</details>"]
    return lines


def _cells(row: pd.Series) -> list[str]:
    numbers = row[["paper", "ours", "ci_low", "ci_high"]].astype(float)
    # Correlations, p-values and p_x need more decimals than percentages.
    decimals = 3 if numbers.abs().max() <= 2.0 else 1
    paper, ours, low, high = ("" if pd.isna(x) else f"{x:.{decimals}f}" for x in numbers)
    interval = f"[{low}, {high}]" if low and row["ci_low"] < row["ci_high"] else ""
    verdict = f"**{row['verdict']}**" if row["verdict"] == DIFFERS else row["verdict"]
    return [row["claim"], paper, ours, interval, verdict, row["note"]]


def _reason(note: str) -> str:
    return f" ({note})" if note else ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

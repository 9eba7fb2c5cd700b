"""Table 1 in the paper's layout: our accuracy and hit@N beside the paper's, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ttspm.errors import UserError
from ttspm.paper_table import benchmark_title, model_title, paper_cells

METRICS = {"acc": "Acc.", "hit": "Hit@N"}
SHARES = {"truncated": "truncated", "no_answer": "without an answer"}
METHODS = {"sequential": "Seq.", "parallel": "Par."}  # in the paper's order


def table1(
    metrics: pd.DataFrame, paper: pd.DataFrame, budgets: Sequence[int] | None = None
) -> pd.DataFrame:
    """Set our numbers beside those of the paper's Table 1.

    Values are those of the estimator `prefix` (the first N units), for both strategies, because
    the paper measures one run of N units; the figures draw parallel scaling by the exact estimator,
    so the two may differ. Vanilla is parallel scaling at N = 1: the first sample.

    Parameters
    ----------
    metrics : pandas.DataFrame
        ``metrics.csv``: values and intervals as fractions.
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``, in percent.
    budgets : sequence of int, optional
        Values of N above 1 to report; by default all that ran.

    Returns
    -------
    pandas.DataFrame
        A row a model and method (``Vanilla``, ``Seq. (N=4)``, ...). For each benchmark and for
        ``acc`` and ``hit`` the columns ``{benchmark}_{metric}`` with ``_low``, ``_high`` (95 %
        interval) and ``_paper``; percent, one decimal, missing where a cell did not run or the
        paper has none.

    Raises
    ------
    UserError
        If `metrics` has no accuracy or hit@N by the prefix: counts alone have no first N units.

    References
    ----------
    "Scaling over Scaling" (arXiv 2505.20522), Table 1.
    """
    rows = metrics[(metrics["estimator"] == "prefix") & metrics["metric"].isin(METRICS)]
    if rows.empty:
        raise UserError(
            "metrics.csv: no row has estimator 'prefix'; Table 1 needs units in their order"
        )
    if budgets is not None:
        rows = rows[rows["n"].isin([1, *budgets])]
    strategies = list(rows["strategy"].drop_duplicates())
    ordered = [s for s in METHODS if s in strategies] + [s for s in strategies if s not in METHODS]
    benchmarks = list(rows["benchmark"].drop_duplicates())

    table: list[dict[str, object]] = []
    for model, of_model in rows.groupby("model", sort=False):
        vanilla = of_model[(of_model["strategy"] == "parallel") & (of_model["n"] == 1)]
        groups = [("Vanilla", "vanilla", 1, vanilla)]
        for strategy in ordered:
            mine = of_model[(of_model["strategy"] == strategy) & (of_model["n"] > 1)]
            for n, here in mine.groupby("n"):
                name = f"{METHODS.get(strategy, strategy)} (N={n})"
                groups.append((name, strategy, int(str(n)), here))
        for name, method, n, here in groups:
            if here.empty:
                continue
            row: dict[str, object] = {"model": model, "method": name}
            for benchmark in benchmarks:
                for metric in METRICS:
                    chosen = (here["benchmark"] == benchmark) & (here["metric"] == metric)
                    theirs = paper_cells(paper, str(model), benchmark, metric)
                    theirs = theirs[(theirs["method"] == method) & (theirs["n"] == n)]
                    row |= _cell(f"{benchmark}_{metric}", here[chosen], theirs)
            table.append(row)
    return pd.DataFrame(table)


def _cell(column: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, object]:
    """The four columns of one cell, in percent."""
    percent = (100 * ours[["value", "ci_low", "ci_high"]]).round(1)
    value, low, high = percent.iloc[0] if len(percent) else (float("nan"),) * 3
    return {
        column: value,
        f"{column}_low": low,
        f"{column}_high": high,
        f"{column}_paper": theirs["value"].iloc[0] if len(theirs) else float("nan"),
    }


def shares_note(metrics: pd.DataFrame, budgets: Sequence[int] | None = None) -> str:
    """Say which shares of the units behind Table 1 were truncated, and which have no answer.

    A unit without an answer counts as wrong, and most truncated ones have none or a wrong one: an
    accuracy alone does not say whether a model could not or was not let.

    Parameters
    ----------
    metrics : pandas.DataFrame
        ``metrics.csv``.
    budgets : sequence of int, optional
        As for `table1`; the shares are those among the first units of the largest.

    Returns
    -------
    str
        One sentence for each model and benchmark; empty where the records do not tell.
    """
    rows = metrics[(metrics["estimator"] == "prefix") & metrics["metric"].isin(SHARES)]
    if budgets is not None:
        rows = rows[rows["n"].isin([1, *budgets])]
    if rows.empty:
        return ""
    sentences = []
    for (model, benchmark), cell in rows.groupby(["model", "benchmark"], sort=False):
        parts = []
        for strategy, of_strategy in cell.groupby("strategy", sort=False):
            last = of_strategy[of_strategy["n"] == of_strategy["n"].max()]
            found = last.set_index("metric")["value"]
            shares = [f"{100 * found[m]:.1f} {name}" for m, name in SHARES.items() if m in found]
            parts.append(f"{strategy} (N={last['n'].iloc[0]}) {', '.join(shares)}")
        where = f"{model_title(str(model))}, {benchmark_title(str(benchmark))}"
        sentences.append(f"{where}: {'; '.join(parts)}.")
    return "Of the first N units, in percent: " + " ".join(sentences)


def to_markdown(table: pd.DataFrame, shares: str = "") -> str:
    """Table 1 as Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        From `table1`.
    shares : str
        From `shares_note`, to stand below.

    Returns
    -------
    str
        Cells such as ``53.3 [43.3, 63.3] (50.0)``: our value, its 95 % interval, the paper's value.
    """
    columns = _value_columns(table)
    titles = [f"{benchmark_title(b)} {METRICS[m]}" for b, m in columns]
    lines = [
        _markdown_row(["Model", "Method", *titles]),
        _markdown_row(["---", "---", *["---:"] * len(titles)]),
    ]
    for _, row in table.iterrows():
        cells = [
            " ".join(part for part in _parts(row, f"{b}_{m}") if part) or "–" for b, m in columns
        ]
        lines.append(_markdown_row([model_title(row["model"]), row["method"], *cells]))
    note = f"{_meaning(table)}. Interval: 95 %, bootstrap over problems."
    return "\n".join([*lines, "", note, *(["", shares] if shares else [])]) + "\n"


def to_latex(table: pd.DataFrame, shares: str = "") -> str:
    r"""Table 1 as a LaTeX float over two columns.

    Parameters
    ----------
    table : pandas.DataFrame
        From `table1`.
    shares : str
        From `shares_note`, to stand below.

    Returns
    -------
    str
        A ``table*`` that needs the packages booktabs and multirow. Each method takes two lines:
        our value with the paper's in parentheses, and the 95 % interval below.
    """
    columns = _value_columns(table)
    benchmarks = list(dict.fromkeys(b for b, _ in columns))
    width = len(METRICS)
    heads, rules = [], []
    for i, benchmark in enumerate(benchmarks):
        first = 3 + width * i
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{_escape(benchmark_title(benchmark))}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
    names = [METRICS[m].replace("@N", "@$N$") for _, m in columns]
    lines = [
        r"% needs \usepackage{booktabs,multirow}",
        r"\begin{table*}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{_escape(_meaning(table))}. In brackets the 95\,\% interval, bootstrap over"
        r" problems.}",
        r"\label{tab:ttspm-table1}",
        rf"\begin{{tabular}}{{ll{'c' * len(columns)}}}",
        r"\toprule",
        r"\multirow{2}{*}{Model} & \multirow{2}{*}{Method} & " + " & ".join(heads) + r" \\",
        " ".join(rules),
        " & & " + " & ".join(names) + r" \\",
    ]
    for model, of_model in table.groupby("model", sort=False):
        lines.append(r"\midrule")
        title = rf"\multirow{{{2 * len(of_model)}}}{{*}}{{{_escape(model_title(str(model)))}}}"
        for _, row in of_model.iterrows():
            parts = [_parts(row, f"{b}_{m}") for b, m in columns]
            values = [f"{value} {theirs}".strip() or "--" for value, _, theirs in parts]
            intervals = [
                rf"{{\scriptsize {interval}}}" if interval else "" for _, interval, _ in parts
            ]
            method = _escape(row["method"]).replace("N=", "$N$=")
            lines.append(" & ".join([title, method, *values]) + r" \\*")
            lines.append(" & ".join(["", "", *intervals]) + r" \\[2pt]")
            title = ""
    below = [r"\par\smallskip", rf"\parbox{{\linewidth}}{{{_escape(shares)}}}"] if shares else []
    lines += [r"\bottomrule", r"\end{tabular}", *below, r"\end{table*}"]
    return "\n".join(lines) + "\n"


def _value_columns(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(benchmark, metric) in the order of the table."""
    names = [name.removesuffix("_low") for name in table.columns if name.endswith("_low")]
    return [(name.rpartition("_")[0], name.rpartition("_")[2]) for name in names]


def _parts(row: pd.Series, column: str) -> tuple[str, str, str]:
    """Our value, its interval and the paper's value as text; empty where there is none."""
    value, low, high = row[column], row[f"{column}_low"], row[f"{column}_high"]
    theirs = row[f"{column}_paper"]
    return (
        f"{value:.1f}" if pd.notna(value) else "",
        f"[{low:.1f}, {high:.1f}]" if pd.notna(low) and pd.notna(high) else "",
        f"({theirs:.1f})" if pd.notna(theirs) else "",
    )


def _meaning(table: pd.DataFrame) -> str:
    """What the numbers are, and the parentheses where there are any."""
    text = "Accuracy and hit@N in percent, by the first N units of each problem"
    paper = table[[name for name in table.columns if name.endswith("_paper")]]
    return text + ("; in parentheses the paper's values" if paper.notna().any(axis=None) else "")


def _markdown_row(cells: Sequence[str]) -> str:
    """One line of a Markdown table; a bar inside a name would end its cell."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _escape(text: str) -> str:
    """Text with LaTeX's special characters made harmless."""
    special = {c: f"\\{c}" for c in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    return "".join(special.get(character, character) for character in text)

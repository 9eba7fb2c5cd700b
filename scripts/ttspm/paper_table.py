"""The paper's Table 1 as a table to look cells up in, and the names it uses.

Source: "Scaling over Scaling" (arXiv 2505.20522, version 1), Table 1; kept in
``resources/paper_table1.csv`` with values in percent.
"""

from __future__ import annotations

import pandas as pd

MODELS = {
    "deepseek-r1-distill-qwen-1.5b": "R1-1.5B",
    "deepseek-r1-distill-qwen-7b": "R1-7B",
}
BENCHMARKS = {
    "aime24": "aime24",
    "aime25": "aime25",
    "math500": "math500",
    "gpqa_diamond": "gpqa",
}
TITLES = {
    "aime24": "AIME 2024",
    "aime25": "AIME 2025",
    "math500": "MATH-500",
    "gpqa_diamond": "GPQA-Diamond",
}


def model_title(model: str) -> str:
    """Name of a model in tables and figures: the paper's where it has one."""
    return MODELS.get(model, model)


def benchmark_title(benchmark: str) -> str:
    """Name of a benchmark in tables and figures: the usual spelling where there is one."""
    return TITLES.get(benchmark, benchmark)


def paper_cells(paper: pd.DataFrame, model: str, benchmark: str, metric: str) -> pd.DataFrame:
    """The paper's values for one model, benchmark and metric.

    Parameters
    ----------
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``.
    model, benchmark : str
        Names of this package, such as ``deepseek-r1-distill-qwen-7b`` and ``gpqa_diamond``.
    metric : {'acc', 'hit'}
        Accuracy or hit@N.

    Returns
    -------
    pandas.DataFrame
        Columns ``method`` (``vanilla`` | ``sequential`` | ``parallel``), ``n`` and ``value``
        (percent); no rows where the paper did not run the model or the benchmark.
    """
    rows = paper[paper["model"] == MODELS.get(model)]
    column = f"{BENCHMARKS.get(benchmark)}_{metric}"
    if column not in paper.columns:
        rows = rows.iloc[:0].assign(**{column: []})
    cells = rows[["method", "n", column]].rename(columns={column: "value"})
    return cells.dropna(subset=["value"]).reset_index(drop=True)

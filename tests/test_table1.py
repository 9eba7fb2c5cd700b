"""Table 1: our numbers beside the paper's, as a frame, as Markdown and as LaTeX."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from synthetic_frames import LARGE, PAPER, SMALL, make_metrics

from ttspm.errors import UserError
from ttspm.table1 import shares_note, table1, to_latex, to_markdown


@pytest.fixture(scope="module")
def large_metrics() -> pd.DataFrame:
    return make_metrics(LARGE)


@pytest.fixture(scope="module")
def large(large_metrics) -> pd.DataFrame:
    return table1(large_metrics, PAPER)


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return table1(make_metrics(SMALL), PAPER)


def test_rows_are_in_the_papers_order(large):
    methods = ["Vanilla", *(f"{s} (N={n})" for s in ("Seq.", "Par.") for n in (4, 8, 16, 32))]
    assert list(large["method"]) == methods * 2
    assert list(large["model"]) == [model for model in LARGE["models"] for _ in methods]


def test_every_cell_is_the_prefix_in_percent(large, large_metrics):
    prefix = large_metrics[large_metrics["estimator"] == "prefix"]
    index = ["model", "benchmark", "strategy", "n", "metric"]
    expected = prefix.set_index(index)[["value", "ci_low", "ci_high"]]
    names = {"Seq.": "sequential", "Par.": "parallel", "Vanilla": "parallel"}
    for _, row in large.iterrows():
        word, _, rest = row["method"].partition(" ")
        n = int(rest[3:-1]) if rest else 1
        for benchmark in LARGE["benchmarks"]:
            for metric in ("acc", "hit"):
                ours = expected.loc[row["model"], benchmark, names[word], n, metric]
                columns = [f"{benchmark}_{metric}{end}" for end in ("", "_low", "_high")]
                np.testing.assert_allclose(row[columns].astype(float), 100 * ours, atol=0.0501)
                assert all(value == round(value, 1) for value in row[columns])


def test_every_cell_of_the_paper_is_there_once(large):
    ran = large[~large["method"].str.contains("N=16")]
    for ours, theirs in (("math500_acc", "math500_acc"), ("gpqa_diamond_hit", "gpqa_hit")):
        assert list(ran[f"{ours}_paper"]) == list(PAPER[theirs])
    assert large.loc[large["method"].str.contains("N=16"), "aime24_acc_paper"].isna().all()


def test_a_model_of_ones_own_has_no_paper_values(small):
    assert list(small["method"])[:3] == ["Vanilla", "Seq. (N=4)", "Seq. (N=8)"]
    assert small.filter(like="_paper").isna().all(axis=None)
    text = to_markdown(small)
    assert "paper" not in text
    assert re.search(r"\| Par\. \(N=16\) \| \d+\.\d \[\d+\.\d, \d+\.\d\] \|", text)


def test_budgets_and_missing_cells(large_metrics):
    few = table1(large_metrics, PAPER, budgets=[8])
    assert list(few["method"]) == ["Vanilla", "Seq. (N=8)", "Par. (N=8)"] * 2
    lacking = large_metrics[
        ~((large_metrics["benchmark"] == "aime25") & (large_metrics["strategy"] == "sequential"))
    ]
    table = table1(lacking, PAPER)
    row = table[table["method"] == "Seq. (N=4)"].iloc[0]
    assert np.isnan(row["aime25_acc"])
    assert row["aime25_acc_paper"] == 23.3
    line = next(line for line in to_markdown(table).splitlines() if "Seq. (N=4)" in line)
    assert line.split("|")[5].strip() == "(23.3)"
    no_parallel = table1(large_metrics[large_metrics["strategy"] == "sequential"], PAPER)
    assert "Vanilla" not in set(no_parallel["method"])
    with pytest.raises(UserError, match="'prefix'"):
        table1(large_metrics[large_metrics["estimator"] == "exact"], PAPER)


def test_markdown_is_a_table(large):
    lines = to_markdown(large).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(large)
    assert {row.count("|") for row in rows} == {len(rows[0].split("|")) - 1}
    first = large.iloc[0]
    cell = (
        f"{first['aime24_acc']:.1f} [{first['aime24_acc_low']:.1f}, "
        f"{first['aime24_acc_high']:.1f}] (30.0)"
    )
    assert rows[2].split("|")[1:4] == [" R1-1.5B ", " Vanilla ", f" {cell} "]
    assert "in parentheses the paper's values" in lines[-1]


@pytest.mark.parametrize("name", ["small", "large"])
def test_latex_is_well_formed(name, request):
    """Environments and braces close, every row has as many cells as the table columns."""
    table = request.getfixturevalue(name)
    text = to_latex(table)
    environments = re.findall(r"\\(begin|end)\{([a-z*]+)\}", text)
    assert environments == [
        ("begin", "table*"),
        ("begin", "tabular"),
        ("end", "tabular"),
        ("end", "table*"),
    ]
    assert text.count("{") == text.count("}")
    n_columns = len(re.search(r"\\begin\{tabular\}\{(l+c+)\}", text).group(1))
    assert n_columns == 2 + 2 * len(SMALL["benchmarks"] if name == "small" else LARGE["benchmarks"])
    rows = [line for line in text.splitlines() if re.search(r"\\\\(\*|\[2pt\])?$", line)]
    assert len(rows) == 2 + 2 * len(table)
    for row in rows:
        merged = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
        assert row.count("&") + 1 + merged == n_columns, row
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule"):
        assert rule in text


def test_names_are_escaped():
    metrics = make_metrics(SMALL)
    metrics["model"], metrics["benchmark"] = "my_model|50%", "sums_&_more"
    table = table1(metrics, PAPER)
    assert r"my\_model|50\%" in to_latex(table)
    assert r"sums\_\&\_more" in to_latex(table)
    assert r"my_model\|50%" in to_markdown(table)
    assert "sums_&_more_acc" in table.columns


def shares(model, benchmark, strategy, n, metric, value, estimator="prefix"):
    row = {"model": model, "benchmark": benchmark, "strategy": strategy, "n": n}
    return row | {"metric": metric, "estimator": estimator, "value": value}


def test_the_shares_stand_below():
    """Those of the largest budget that the table has, by model and benchmark."""
    metrics = pd.DataFrame(
        [
            shares("m_1", "aime24", "parallel", 4, "truncated", 0.5),
            shares("m_1", "aime24", "parallel", 8, "truncated", 0.125),
            shares("m_1", "aime24", "parallel", 8, "truncated", 0.9, "exact"),
            shares("m_1", "aime24", "parallel", 8, "no_answer", 0.0625),
            shares("m_1", "aime24", "parallel", 16, "truncated", 0.7),
            shares("m_1", "aime24", "sequential", 8, "truncated", 0.25),
            shares("m_1", "sums", "sequential", 8, "acc", 0.25),
        ]
    )
    note = shares_note(metrics, [1, 4, 8])
    assert note == (
        "Of the first N units, in percent: m_1, AIME 2024: parallel (N=8) 12.5 truncated, 6.2"
        " without an answer; sequential (N=8) 25.0 truncated."
    )
    table = table1(make_metrics(SMALL), PAPER)
    assert to_markdown(table, note) == to_markdown(table) + "\n" + note + "\n"
    latex = to_latex(table, note)
    assert note.replace("m_1", r"m\_1") in latex
    assert latex.index(r"\end{tabular}") < latex.index("Of the first") < latex.index(r"\end{table")
    assert shares_note(metrics[metrics["metric"] == "acc"]) == ""

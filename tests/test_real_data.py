"""Others' samples: the library on small ones, the committed page and tables on the real ones."""

from __future__ import annotations

import importlib
import struct
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.cell import Cell
from ttspm.errors import UserError
from ttspm.figures.real_data import draw_correlations, draw_curves
from ttspm.real_data.curves import PROBLEMS, SHOWN, read_curves, shown_points, trends
from ttspm.real_data.names import run_title
from ttspm.real_data.page import to_markdown
from ttspm.real_data.runs import describe_runs, read_samples, shown_metrics

ROOT = Path(__file__).resolve().parents[1]
PAGE, TABLES = ROOT / "docs/real_data.md", ROOT / "docs/real_data"
DATA = ROOT.parent / "shared" / "data" / "records"
NAMES = ["curves", "fit", "metrics", "runs", "sources", "trends"]

script = importlib.import_module("real_data_page")
needs_data = pytest.mark.skipif(not (DATA / script.RUNS).exists(), reason="the files are absent")


# ---- curves --------------------------------------------------------------------------------------


def write_curves(folder: Path, solved: dict[tuple[str, str], list[float]]) -> Path:
    rows = [
        (benchmark, method, n, k / PROBLEMS[benchmark], 100.0 * n)
        for (benchmark, method), ks in solved.items()
        for n, k in enumerate(ks, start=1)
    ]
    names = ["benchmark", "method", "N", "accuracy", "avg_total_tokens"]
    path = folder / "curves.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


def test_trends_by_hand(tmp_path: Path) -> None:
    chain, vote = [6, 12, 15, 9, 18], [6, 9, 12, 15, 18]
    curves = read_curves(
        write_curves(tmp_path, {("AIME24", "mr_thinking"): chain, ("AIME24", "maj_vote"): vote})
    )
    table = trends(curves).set_index("method")
    row = table.loc["mr_thinking"]
    assert (row["first"], row["lowest"], row["highest"]) == (0.2, 0.3, 0.6)
    assert row["later"] == pytest.approx(0.45)
    assert row["binomial_error"] == pytest.approx(np.sqrt(0.45 * 0.55 / 30))
    assert row["spread"] == pytest.approx(np.std([0.4, 0.5, 0.3, 0.6], ddof=1))
    # ranks 2 3 1 4 against 1 2 3 4: 1 - 6 (1 + 1 + 4 + 0) / (4 (16 - 1))
    assert row["rank_correlation"] == pytest.approx(0.4)
    assert table.loc["maj_vote", "rank_correlation"] == pytest.approx(1.0)
    assert np.isnan(table.loc["maj_vote", "chance_limit"]), "a vote's values share their samples"


def test_the_chance_limit_is_of_random_orders(tmp_path: Path) -> None:
    """The variance that it rests on, over all orders of the later rounds."""
    solved = [3, 4, 5, 6, 7, 8]
    found = []
    for order in permutations(solved):
        curve = pd.DataFrame({"n": range(1, 8), "accuracy": [0.0, *order]})
        ranks = curve["accuracy"][1:].rank() - curve["n"][1:].rank()
        found.append(1 - 6 * (ranks**2).sum() / (6 * 35))
    curves = read_curves(write_curves(tmp_path, {("AIME24", "mr_thinking"): [0, *solved]}))
    limit = trends(curves)["chance_limit"].iloc[0]
    assert np.mean(found) == pytest.approx(0.0, abs=1e-12)
    assert limit == pytest.approx(1.959963984540054 * np.std(found))


@given(
    st.lists(st.integers(0, 30), min_size=6, max_size=64).filter(lambda ks: len(set(ks[1:])) > 1)
)
@settings(max_examples=30, derandomize=True, deadline=None)
def test_trends_do_not_depend_on_the_order_of_rows(solved: list[int]) -> None:
    curves = pd.DataFrame(
        {
            "benchmark": "AIME24",
            "method": "mr_thinking",
            "n": np.arange(1, len(solved) + 1),
            "accuracy": np.array(solved) / 30,
            "tokens": 1.0,
            "n_problems": 30,
        }
    )
    table = trends(curves)
    pd.testing.assert_frame_equal(table, trends(curves.iloc[::-1]))
    row = table.iloc[0]
    assert row["lowest"] <= row["later"] + 1e-12
    assert row["later"] <= row["highest"] + 1e-12
    assert -1 - 1e-12 <= row["rank_correlation"] <= 1 + 1e-12


@pytest.mark.parametrize(
    ("solved", "change", "said"),
    [
        ([1, 2], lambda table: table.drop(columns="N"), "column 'N' is missing"),
        ([1, 2], lambda table: table.assign(benchmark="AIME23"), "'AIME23' is unknown"),
        ([1, 2.5], lambda table: table, "mr_thinking, N=2: accuracy 0.08333333333333333 is no"),
        ([1, 2, 3], lambda table: table.drop(index=1), "N must go from 1 up without a gap"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, solved, change, said) -> None:
    path = write_curves(tmp_path, {("AIME24", "mr_thinking"): solved})
    change(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(UserError, match=said):
        read_curves(path)


# ---- runs ----------------------------------------------------------------------------------------


def test_runs_by_hand(tmp_path: Path) -> None:
    rows = [  # problem, sample, answer, recorded, regraded
        ("1", 0, "4", True, True),
        ("1", 1, "4", False, True),  # contradicts the line before; the gold answer says right
        ("1", 2, None, True, False),  # graded right without an answer
        ("2", 0, "x", False, False),
        ("2", 1, "y", False, False),
        ("2", 2, "x", False, False),
    ]
    names = ["problem_id", "sample_index", "answer", "correct", "regraded"]
    samples = pd.DataFrame(rows, columns=names).assign(
        model="org/m [x]", benchmark="b", gold="4", tokens=[1, 2, 3, 4, 5, 6]
    )
    path = tmp_path / "runs.jsonl"
    samples.drop(columns="regraded").iloc[::-1].to_json(path, orient="records", lines=True)
    records = pd.DataFrame(
        {
            "problem_id": samples["problem_id"],
            "unit": samples["sample_index"] + 1,
            "answer_class": [0, 0, -1, 0, 1, 0],
            "correct": samples["regraded"],
        }
    )
    (row,) = describe_runs(read_samples(path), {Cell("org-m-x", "b", "parallel"): records}).to_dict(
        "records"
    )
    assert (row["n_problems"], row["units"], row["contradicted"], row["regraded"]) == (2, 3, 1, 2)
    assert row["no_answer"] == pytest.approx(1 / 6)
    assert row["recorded_accuracy"] == pytest.approx(2 / 6)
    assert row["accuracy"] == pytest.approx(2 / 6)
    assert row["tokens"] == 3.5


def test_names_of_runs() -> None:
    assert run_title("openai-gpt-5-2025-08-07-reasoning_effort-high") == (
        "gpt-5, reasoning_effort high"
    )
    assert run_title("anthropic-claude-3-7-sonnet-20250219") == "claude-3-7-sonnet"
    assert run_title("sagemaker-microsoft-phi-4-max_tokens-4096") == "phi-4, max_tokens 4096"
    assert run_title("my-own") == "my-own"


def test_only_exact_estimates_are_shown() -> None:
    metrics = pd.DataFrame(
        {
            "metric": ["acc", "hit", "acc", "no_answer", "tokens"],
            "estimator": ["exact", "exact", "prefix", "exact", "exact"],
        }
    )
    assert list(shown_metrics(metrics)["metric"]) == ["acc", "hit", "tokens"]


# ---- what is committed ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed() -> dict[str, pd.DataFrame]:
    return dict(script.read_tables(TABLES))


def test_the_page_is_made_of_the_tables(committed) -> None:
    assert sorted(committed) == NAMES
    assert PAGE.read_text() == to_markdown(committed), script.__doc__


def test_every_table_names_its_source_and_holds_no_samples(committed) -> None:
    files = set(committed["sources"]["file"])
    for name, table in committed.items():
        assert not {"problem_id", "question", "answer", "gold"} & set(table.columns)
        if name != "sources":
            assert set(table["source"]) <= files
            assert (TABLES / f"{name}.csv").stat().st_size < 30_000


def test_figures_are_small_pictures() -> None:
    for name in ("correlations", "curves"):
        content = (TABLES / f"{name}.png").read_bytes()
        assert len(content) < 200_000
        width, height = struct.unpack(">II", content[16:24])
        assert width > 1000
        assert height > 500
        assert f"(real_data/{name}.png)" in PAGE.read_text()


def test_a_changed_number_changes_the_page(committed) -> None:
    text = to_markdown(committed)
    rounds = committed["trends"]["method"] == "mr_thinking"
    changes = {
        "runs": ("no_answer", 0),
        "metrics": ("value", 0),
        "fit": ("r_high", 0),
        "curves": ("accuracy", 0),
        "trends": ("spread", rounds.idxmax()),
        "sources": ("rows", 0),
    }
    for name, (column, at) in changes.items():
        changed = committed[name].astype({column: float})
        changed.loc[at, column] = 0.12345
        assert to_markdown({**committed, name: changed}) != text, name


def test_a_mark_for_each_r_that_there_is(committed) -> None:
    fit = committed["fit"]
    shown = fit[fit["protocol"].isin(["paper", "held-out", "null-pooled"])]
    defined = pd.to_numeric(shown["pearson_r"], errors="coerce").notna().sum()
    (panel,) = draw_correlations(fit).axes
    marks = [line for line in panel.lines if line.get_marker() not in ("None", None, "")]
    assert len(marks) == defined
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert len(labels) == len(fit[["model", "benchmark"]].drop_duplicates())
    with pytest.raises(UserError, match="nothing to draw"):
        draw_correlations(fit[fit["protocol"] == "repeated"])


def test_a_panel_for_each_benchmark(committed) -> None:
    panels = draw_curves(committed["curves"]).axes
    assert len(panels) == 5
    for panel in panels:
        assert [len(line.get_xdata()) for line in panel.lines] == [len(SHOWN)] * 3


@pytest.mark.parametrize("gone", ["runs", "curves"])
def test_a_folder_without_the_files_is_told(tmp_path: Path, gone: str) -> None:
    for name in script.SOURCES:
        (tmp_path / name).touch()
    name = {"runs": script.RUNS, "curves": script.CURVES}[gone]
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"there is no {name}"):
        script.main([str(tmp_path)])


# ---- the real files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documented command, with a folder of its own to write to."""
    docs = tmp_path_factory.mktemp("docs")
    script.main([str(DATA), "--docs", str(docs)])
    return docs


@needs_data
def test_the_tables_are_what_the_files_give(made: Path, committed) -> None:
    again = script.read_tables(made / "real_data")
    assert sorted(again) == NAMES
    for name, table in committed.items():
        pd.testing.assert_frame_equal(again[name], table, rtol=1e-9)
    assert (made / "real_data.md").read_text() == PAGE.read_text()


@needs_data
def test_recorded_accuracies_are_those_of_the_file(committed) -> None:
    """By another way: the mean of the recorded grades, and of the counts."""
    samples = read_samples(DATA / script.RUNS)
    means = samples.groupby(["model", "benchmark"])["correct"].mean()
    runs = committed["runs"].set_index(["model", "benchmark"])
    pd.testing.assert_series_equal(
        runs["recorded_accuracy"].sort_index(), means.sort_index(), check_names=False
    )
    counts = pd.read_csv(DATA / script.COUNTS)
    metrics = committed["metrics"]
    first = metrics[(metrics["n"] == 1) & (metrics["metric"] == "hit")].set_index("model")["value"]
    assert first["Qwen2.5-7B-base"] == pytest.approx((counts.n_correct / counts.n_samples).mean())
    acc = metrics[(metrics["n"] == 1) & (metrics["metric"] == "acc")]
    ours = acc.set_index(["model", "benchmark"])["value"]
    pd.testing.assert_series_equal(
        ours.sort_index(), runs["accuracy"].sort_index(), check_names=False, rtol=1e-9
    )


@needs_data
def test_curves_are_those_of_the_file(committed) -> None:
    raw = pd.read_csv(DATA / script.CURVES)
    shown = committed["curves"]
    assert len(shown) == 5 * 3 * len(SHOWN)
    merged = shown.merge(
        raw, left_on=["benchmark", "method", "n"], right_on=["benchmark", "method", "N"]
    )
    assert (merged["accuracy_x"] == merged["accuracy_y"]).all()
    assert (merged["tokens"] == merged["avg_total_tokens"]).all()
    pd.testing.assert_frame_equal(
        shown_points(read_curves(DATA / script.CURVES)), shown.drop(columns="source")
    )

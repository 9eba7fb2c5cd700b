"""The metrics table: values by hand, what is left out and said, and real records."""

from __future__ import annotations

import gzip
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark_estimators
from ttspm.cell import Cell
from ttspm.errors import UserError
from ttspm.metrics import METRICS_COLUMNS, cell_values, metrics_table

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def records(problems: dict[str, list[int]], right: int = 0, tokens: int | None = 10):
    """One row a unit from answer classes; class `right` is correct, unit k costs k * tokens."""
    rows = [
        {
            "problem_id": problem,
            "unit": unit,
            "answer": None if answer < 0 else str(answer),
            "answer_class": answer,
            "correct": answer == right,
            "truncated": answer < 0,
            "completion_tokens": None if tokens is None else unit * tokens,
        }
        for problem, answers in problems.items()
        for unit, answer in enumerate(answers, start=1)
    ]
    return pd.DataFrame(rows)


def value(cell, problem, metric, estimator, n):
    return cell.values.loc[problem, (metric, estimator, n)]


def test_parallel_values_by_hand():
    cell = cell_values(records({"p": [1, 0, -1, 0], "q": [2, 1, 1, 1]}), "parallel", [1, 2, 4])
    assert cell.warnings == ()
    prefix = [value(cell, "p", "acc", "prefix", n) for n in (1, 2, 4)]
    assert prefix == [0.0, 0.0, 1.0]  # at N=2 the tie goes to class 1, seen first
    assert [value(cell, "p", "hit", "prefix", n) for n in (1, 2, 4)] == [0.0, 1.0, 1.0]
    assert value(cell, "p", "acc", "exact", 1) == pytest.approx(1 / 2)
    # Pairs of {1, 0, none, 0}: two tie 1-0, one is 1 alone, two are 0 alone, one is 0 twice.
    assert value(cell, "p", "acc", "exact", 2) == pytest.approx((2 * 0.5 + 3) / 6)
    assert value(cell, "p", "hit", "exact", 2) == pytest.approx(5 / 6)
    assert [value(cell, "p", "tokens", "prefix", n) for n in (1, 2, 4)] == [10, 30, 100]
    assert [value(cell, "p", "tokens", "exact", n) for n in (1, 2, 4)] == [25, 50, 100]
    assert [value(cell, "p", "no_answer", "prefix", n) for n in (1, 2, 4)] == [0, 0, 0.25]
    assert value(cell, "p", "truncated", "exact", 2) == 0.25
    assert not cell.values.loc["q"][["acc", "hit"]].any()


def test_sequential_takes_the_last_round_and_has_only_prefix():
    cell = cell_values(records({"p": [1, 0, -1, 0]}), "sequential", [1, 2, 3, 4])
    assert [value(cell, "p", "acc", "prefix", n) for n in (1, 2, 3, 4)] == [0, 1, 0, 1]
    assert [value(cell, "p", "hit", "prefix", n) for n in (1, 2, 3, 4)] == [0, 1, 1, 1]
    assert set(cell.values.columns.get_level_values("estimator")) == {"prefix"}


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(st.integers(-1, 2), min_size=2, max_size=7))
def test_exact_values_are_means_of_prefix_values_over_all_subsets(answers):
    # A subset in both of its extreme orders has the tie of two classes broken either way.
    n = 2
    exact = cell_values(records({"p": answers}), "parallel", [n])
    subsets = [s for s in combinations(range(len(answers)), n)]
    means = {"acc": [], "hit": [], "tokens": [], "no_answer": []}
    for subset in subsets:
        for order in (subset, subset[::-1]):
            frame = records({"p": answers}).iloc[list(order)].assign(unit=range(1, n + 1))
            cell = cell_values(frame, "parallel", [n])
            for metric, seen in means.items():
                seen.append(value(cell, "p", metric, "prefix", n))
    for metric, seen in means.items():
        assert value(exact, "p", metric, "exact", n) == pytest.approx(np.mean(seen), abs=1e-12)


def test_order_of_rows_changes_nothing():
    rng = np.random.default_rng(0)
    frame = records({f"p{i}": rng.integers(-1, 3, 8).tolist() for i in range(6)})
    cell = cell_values(frame, "parallel", [1, 4, 8])
    shuffled = cell_values(frame.sample(frac=1, random_state=3), "parallel", [8, 1, 4])
    pd.testing.assert_frame_equal(cell.values, shuffled.values, check_exact=True)


def test_tidy_holds_every_value_once():
    cell = cell_values(records({"p": [0, 1], "q": [1, 0]}), "parallel", [1, 2])
    tidy = cell.tidy()
    assert list(tidy.columns) == ["problem_id", "metric", "estimator", "n", "value"]
    assert len(tidy) == cell.values.size
    for row in tidy.itertuples():
        assert row.value == value(cell, row.problem_id, row.metric, row.estimator, row.n)


def test_unequal_units_allow_budgets_up_to_the_smallest_and_are_said_aloud():
    cell = cell_values(records({"p": [0, 0, 1, 0], "q": [0, 1]}), "parallel", [1, 2, 4])
    assert sorted(set(cell.values.columns.get_level_values("n"))) == [1, 2]
    assert any("differ, 2 (problem 'q') to 4" in line for line in cell.warnings)
    assert any("budgets left out, above the 2 units recorded: 4" in line for line in cell.warnings)
    assert value(cell, "p", "hit", "exact", 1) == pytest.approx(3 / 4)  # all of p's units count


def test_no_budget_within_the_records_gives_no_rows_and_says_so():
    cell = cell_values(records({"p": [0, 1]}), "parallel", [4, 8])
    assert cell.values.shape == (1, 0)
    assert any("above the 2 units recorded: 4, 8" in line for line in cell.warnings)
    table = metrics_table({Cell("m", "b", "parallel"): cell}, np.random.default_rng(0))
    assert list(table.columns) == METRICS_COLUMNS
    assert table.empty


def test_missing_tokens_leave_out_the_token_rows():
    cell = cell_values(records({"p": [0, 1]}, tokens=None), "parallel", [1, 2])
    assert "tokens" not in cell.values.columns.get_level_values("metric")
    assert cell.warnings == ("2 of 2 units have no token count: tokens left out",)
    partly = records({"p": [0, 1]})
    partly.loc[1, "completion_tokens"] = None
    assert cell_values(partly, "parallel", [1]).warnings[0].startswith("1 of 2 units")


def test_records_without_answers_give_hits_but_no_votes():
    frame = records({"p": [0, 1, 0]}).assign(answer=None, answer_class=-1, truncated=False)
    parallel = cell_values(frame, "parallel", [1, 2])
    assert set(parallel.values.columns.get_level_values("metric")) == {"hit", "tokens"}
    assert value(parallel, "p", "hit", "exact", 2) == 1.0
    assert parallel.warnings == ("answers are not recorded: acc, no_answer, truncated left out",)
    sequential = cell_values(frame, "sequential", [1, 2])  # a round needs no vote
    assert value(sequential, "p", "acc", "prefix", 2) == 0.0


def test_counts_have_no_prefix():
    frame = records({"p": [0, 1, 0]}, tokens=None).assign(answer_class=-1, truncated=False)
    cell = cell_values(frame, "parallel", [1, 3], counts_only=True)
    assert list(cell.values.columns) == [("hit", "exact", 1), ("hit", "exact", 3)]
    unsolved = cell_values(frame.assign(correct=False), "parallel", [1], counts_only=True)
    assert list(unsolved.values.columns) == [("hit", "exact", 1)]
    with pytest.raises(UserError, match="order of rounds"):
        cell_values(frame, "sequential", [1], counts_only=True)


def test_several_correct_classes_vote_as_one_and_are_said_aloud():
    frame = records({"p": [0, 1, 2, 2]})
    frame["correct"] = frame["answer_class"].isin([0, 1])
    cell = cell_values(frame, "parallel", [4])
    assert value(cell, "p", "acc", "exact", 4) == pytest.approx(0.5)
    assert value(cell, "p", "acc", "prefix", 4) == 1.0
    assert any("problem 'p' has several correct answer classes" in w for w in cell.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:0], "there is no row"),
        (lambda f: f.drop(columns="correct"), "column 'correct' is missing"),
        (lambda f: f.assign(unit=1), "problem 'p' has unit 1 twice"),
        (lambda f: f.assign(correct=[True, False, False]), "problem 'p', unit 3: its answer is"),
        (lambda f: f.assign(unit=[1, 2, 4]), "problem 'p' has 3 units, not numbered 1 to 3"),
    ],
)
def test_wrong_records_get_one_line(change, message):
    frame = change(records({"p": [0, 1, 0]}))
    with pytest.raises(UserError, match=message) as caught:
        cell_values(frame, "sequential", [1])
    assert "\n" not in str(caught.value)


def test_a_gap_in_independent_samples_is_closed_and_said_aloud():
    frame = records({"p": [0, 1, 0]}).assign(unit=[1, 2, 4])
    cell = cell_values(frame, "parallel", [3])
    assert value(cell, "p", "acc", "prefix", 3) == 1.0
    assert "not numbered 1 to 3" in cell.warnings[0]


def test_wrong_strategy_and_budgets_get_one_line():
    with pytest.raises(UserError, match="strategy 'beam' is unknown"):
        cell_values(records({"p": [0]}), "beam", [1])
    with pytest.raises(UserError, match="budgets"):
        cell_values(records({"p": [0]}), "parallel", [0, 1])


def make_cells(seed: int = 0):
    rng = np.random.default_rng(seed)
    return {
        Cell(model, "b", strategy): cell_values(
            records({f"p{i}": rng.integers(-1, 2, 6).tolist() for i in range(12)}),
            strategy,
            [1, 3, 6],
        )
        for model in ("small", "large")
        for strategy in ("parallel", "sequential")
    }


def test_metrics_table_has_the_rows_and_columns_people_read():
    cells = make_cells()
    table = metrics_table(cells, np.random.default_rng(1))
    assert list(table.columns) == METRICS_COLUMNS
    assert len(table) == 2 * (5 * 2 + 5) * 3
    assert not table.isna().any().any()
    assert not table.duplicated(METRICS_COLUMNS[:6]).any()
    assert (table["ci_low"] <= table["value"]).all()
    assert (table["value"] <= table["ci_high"]).all()
    shares = table[table["metric"] != "tokens"]
    assert shares[["value", "ci_low", "ci_high"]].to_numpy().min() >= 0
    assert shares[["value", "ci_low", "ci_high"]].to_numpy().max() <= 1
    assert set(table["n_problems"]) == {12}
    chosen = table.query("model == 'small' and metric == 'hit' and estimator == 'exact' and n == 3")
    cell = cells[Cell("small", "b", "parallel")]
    assert chosen["value"].item() == pytest.approx(cell.values["hit", "exact", 3].mean(), abs=1e-12)


def test_intervals_of_a_cell_do_not_depend_on_the_others():
    cells = make_cells()
    table = metrics_table(cells, np.random.default_rng(1))
    cell = Cell("large", "b", "parallel")
    alone = metrics_table({cell: cells[cell]}, np.random.default_rng(1))
    mask = (table["model"] == "large") & (table["strategy"] == "parallel")
    pd.testing.assert_frame_equal(table[mask].reset_index(drop=True), alone, check_exact=True)
    other = metrics_table({cell: cells[cell]}, np.random.default_rng(2))
    assert not alone["ci_low"].equals(other["ci_low"])


@pytest.mark.skipif(not SHARED.exists(), reason="shared data folder is absent")
def test_counts_on_real_math500_samples():
    counts = pd.read_csv(SHARED / "records" / "math500_qwen2.5_7b_n128_counts.csv")
    frame = pd.DataFrame(
        {
            "problem_id": np.repeat(counts["problem_id"].astype(str), counts["n_samples"]),
            "unit": np.concatenate([np.arange(1, n + 1) for n in counts["n_samples"]]),
            "correct": np.concatenate(
                [np.arange(n) < c for n, c in counts[["n_samples", "n_correct"]].to_numpy()]
            ),
        }
    ).assign(answer=None, answer_class=-1, truncated=False, completion_tokens=np.nan)
    cell = cell_values(frame, "parallel", [1, 8, 128], counts_only=True)
    table = metrics_table({Cell("m", "math500", "parallel"): cell}, np.random.default_rng(0))
    rate = (counts["n_correct"] / counts["n_samples"]).mean()
    solved = (counts["n_correct"] > 0).mean()
    assert table["value"].iloc[[0, 2]].tolist() == pytest.approx([rate, solved], abs=1e-12)
    assert rate < table["value"].iloc[1] < solved


@pytest.mark.skipif(not SHARED.exists(), reason="shared data folder is absent")
def test_votes_on_real_gpqa_samples():
    with gzip.open(SHARED / "records" / "epoch_reasoning_runs.jsonl.gz", "rt") as lines:
        frame = pd.DataFrame(map(json.loads, lines))
    frame = frame[frame["benchmark"] == "gpqa_diamond"]
    frame = frame[frame["model"] == frame["model"].iloc[0]]
    frame = frame.assign(
        unit=frame["sample_index"] + 1,
        answer_class=frame["answer"].map({"A": 0, "B": 1, "C": 2, "D": 3}).fillna(-1).astype(int),
        truncated=False,
        completion_tokens=frame["tokens"],
    )
    cell = cell_values(frame, "parallel", [1, 2, 4, 8])
    means = cell.values.mean()
    accuracy = frame.groupby("problem_id")["correct"].mean().mean()
    assert means["acc", "exact", 1] == pytest.approx(accuracy, abs=1e-12)
    assert means["hit", "exact", 1] == pytest.approx(accuracy, abs=1e-12)
    assert means["hit", "exact", 8] == pytest.approx(
        frame.groupby("problem_id")["correct"].max().mean(), abs=1e-12
    )
    votes, hits = (
        cell.values.loc[:, [(metric, "exact", n) for n in (1, 2, 4, 8)]].to_numpy()
        for metric in ("acc", "hit")
    )
    assert np.all(votes <= hits + 1e-12)


def test_benchmark_command_reports_every_shape(capsys):
    benchmark_estimators.main(["--problems", "3", "--units", "16"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(benchmark_estimators.SHAPES) + 1
    assert all(" s   peak so far " in line for line in lines[1:])


def test_benchmark_shapes_hold_as_many_units_as_asked_for():
    for units in (16, 128):
        for shape in benchmark_estimators.SHAPES.values():
            sizes = shape(units, np.random.default_rng(0))
            assert sizes.sum() == units
            assert sizes.min() >= 0

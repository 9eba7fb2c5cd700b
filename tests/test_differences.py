"""Paired differences: who is compared with whom, at which budgets, and by how much."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ttspm.cell import Cell
from ttspm.differences import DIFFERENCES_COLUMNS, differences_table
from ttspm.metrics import cell_values


def cell(answers: list[list[int]], tokens: int, strategy: str, budgets: list[int], first: int = 0):
    rows = [
        {
            "problem_id": f"p{first + i}",
            "unit": unit,
            "answer_class": answer,
            "correct": answer == 0,
            "truncated": False,
            "completion_tokens": tokens,
        }
        for i, of_problem in enumerate(answers)
        for unit, answer in enumerate(of_problem, start=1)
    ]
    return cell_values(pd.DataFrame(rows), strategy, budgets)


EASY = [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0]]
HARD = [[1, 1, 1, 0], [0, 1, 1, 1], [1, 1, 1, 1]]


def test_equal_n_pairs_models_of_a_strategy_and_strategies_of_a_model():
    cells = {
        Cell("large", "b", "parallel"): cell(EASY, 10, "parallel", [1, 2, 4]),
        Cell("small", "b", "parallel"): cell(HARD, 10, "parallel", [1, 2, 4]),
        Cell("small", "b", "sequential"): cell(HARD, 10, "sequential", [1, 2, 4]),
        Cell("small", "other", "parallel"): cell(HARD, 10, "parallel", [1, 2, 4]),
    }
    table = differences_table(cells, np.random.default_rng(0))
    assert list(table.columns) == DIFFERENCES_COLUMNS
    pairs = table[["model_a", "strategy_a", "model_b", "strategy_b"]].drop_duplicates()
    assert pairs.to_numpy().tolist() == [
        ["large", "parallel", "small", "parallel"],
        ["small", "parallel", "small", "sequential"],
    ]
    models = table[(table["model_a"] == "large") & (table["basis"] == "equal_n")]
    assert set(models["estimator"]) == {"prefix", "exact"}
    strategies = table[table["strategy_b"] == "sequential"]
    assert set(strategies["estimator"]) == {"prefix"}  # the one that both have

    row = models.query("metric == 'acc' and estimator == 'exact' and n_a == 1").iloc[0]
    assert row["difference"] == pytest.approx((4 + 3 + 1 - 1 - 1 - 0) / 12)
    assert row["ci_low"] <= row["difference"] <= row["ci_high"]
    # The pairs' differences are 3/4, 2/4 and 1/4: no resample can leave that range.
    assert row["ci_low"] >= 0.25
    assert row["ci_high"] <= 0.75
    assert (row["n_a"], row["n_b"], row["n_problems"]) == (1, 1.0, 3)


def test_equal_tokens_mixes_the_two_budgets_around_the_cost():
    cells = {
        Cell("large", "b", "parallel"): cell(EASY, 30, "parallel", [1, 2, 4]),
        Cell("small", "b", "parallel"): cell(HARD, 10, "parallel", [1, 2, 4]),
    }
    table = differences_table(cells, np.random.default_rng(0))
    rows = table.query("basis == 'equal_tokens' and metric == 'hit' and estimator == 'exact'")
    # 1 unit of a costs 30: b's budgets 2 (20) and 4 (40), half and half. 60 and 120 are too much.
    assert rows[["n_a", "n_b"]].to_numpy().tolist() == [[1, 3.0]]
    hit_a = (1 + 0.75 + 0.25) / 3
    hit_b = ((0.5 + 1) / 2 + (0.5 + 1) / 2 + 0) / 3
    assert rows["difference"].item() == pytest.approx(hit_a - hit_b)


def test_equal_tokens_at_equal_costs_is_equal_n():
    cells = {
        Cell("large", "b", "parallel"): cell(EASY, 10, "parallel", [1, 2, 4]),
        Cell("small", "b", "parallel"): cell(HARD, 10, "parallel", [1, 2, 4]),
    }
    table = differences_table(cells, np.random.default_rng(0))
    both = table.set_index(["basis", "metric", "estimator", "n_a"])["difference"]
    pd.testing.assert_series_equal(both["equal_n"], both["equal_tokens"])


def test_only_common_problems_are_compared():
    cells = {
        Cell("large", "b", "parallel"): cell(EASY, 10, "parallel", [1]),
        Cell("small", "b", "parallel"): cell(HARD, 10, "parallel", [1], first=2),
    }
    table = differences_table(cells, np.random.default_rng(0))
    assert set(table["n_problems"]) == {1}
    # Only p2 is shared: 1/4 of the units for a, 1/4 for b.
    row = table.query("basis == 'equal_n' and metric == 'acc' and estimator == 'exact'")
    assert row["difference"].item() == pytest.approx(0.0)


def test_nothing_to_compare_gives_the_columns_alone():
    cells = {
        Cell("large", "b", "parallel"): cell(EASY, 10, "parallel", [1]),
        Cell("small", "b", "sequential"): cell(HARD, 10, "sequential", [1]),
        Cell("small", "b", "parallel"): cell(HARD, 10, "parallel", [1], first=50),
    }
    table = differences_table(cells, np.random.default_rng(0))
    assert list(table.columns) == DIFFERENCES_COLUMNS
    assert table.empty

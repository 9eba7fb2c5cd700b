from __future__ import annotations

from collections import Counter
from itertools import permutations
from math import comb

import numpy as np
import pandas as pd
import pytest

from ttspm.errors import UserError
from ttspm.fit import correlate, evaluate, split_problems
from ttspm.protocols import (
    DRAWS,
    FIT_COLUMNS,
    SATURATION_COLUMNS,
    Cell,
    fit_table,
    permute_within,
    pool_units,
    redraw_first_hits,
    saturation_table,
    validation_mask,
)
from ttspm.saturation import estimate_p, first_hits, saturation_points
from ttspm.tables import write_csv

NAMES = {"model": "m", "benchmark": "b"}


def draw_units(seed, n_problems=80, n=16, alpha=0.5):
    rng = np.random.default_rng(seed)
    return rng.random((n_problems, n)) < rng.beta(alpha, alpha, n_problems)[:, None]


def as_records(correct, **columns):
    n_problems, n = correct.shape
    return pd.DataFrame(
        {
            "problem_id": np.repeat([f"q{i:03d}" for i in range(n_problems)], n),
            "unit": np.tile(np.arange(1, n + 1), n_problems),
            "correct": correct.ravel(),
        }
    ).assign(**columns)


def run(records, strategy, n=16, seed=1, repeats=20):
    split = split_problems(records["problem_id"].unique(), np.random.default_rng(0))
    return fit_table(
        records, strategy, n, split, np.random.default_rng(seed), repeats=repeats, **NAMES
    )


def row(table, protocol, estimator="c/n"):
    rows = table.rows
    found = rows[(rows["protocol"] == protocol) & (rows["estimator"] == estimator)]
    assert len(found) == 1
    return found.iloc[0]


def mask_of(records):
    split = split_problems(records["problem_id"].unique(), np.random.default_rng(0))
    return validation_mask(sorted(split.index), split)


def test_parallel_rows():
    table = run(as_records(draw_units(0)), "parallel")
    assert table.rows.columns.tolist() == FIT_COLUMNS
    assert table.rows["protocol"].tolist() == ["paper", "held-out", *DRAWS]
    assert set(table.rows["estimator"]) == {"c/n"}
    assert (table.rows["n_test"] == 16).all()


def test_sequential_rows_with_one_chain_leave_held_out_out_and_say_so():
    table = run(as_records(draw_units(0)), "sequential")
    pairs = table.rows[["protocol", "estimator"]].to_numpy().tolist()
    draws = ["repeated", "null-within", "null-pooled"]
    expected = [["paper", "k/n"], *([d, "k/n"] for d in draws)]
    expected += [["paper-mle", "1/k"], *([d, "1/k"] for d in draws)]
    assert pairs == expected
    left_out = [note for note in table.notes if note.startswith("held-out")]
    assert len(left_out) == 2
    assert "single chain" in left_out[0]


def test_the_paper_row_is_the_in_sample_fit():
    records = as_records(draw_units(0))
    for strategy, protocol, estimator in [
        ("parallel", "paper", "c/n"),
        ("sequential", "paper", "k/n"),
        ("sequential", "paper-mle", "1/k"),
    ]:
        correct = draw_units(0)
        trial = evaluate(estimate_p(correct, estimator), first_hits(correct), mask_of(records))
        found = row(run(records, strategy), protocol, estimator)
        expected = correlate(trial, np.random.default_rng(0))
        assert found["epsilon_over_fmax"] == trial.fit.epsilon_over_fmax
        assert found["pearson_r"] == expected.r
        assert found["p_value"] == expected.p_value
        assert found["mae"] == trial.mae
        assert found["r_low"] < found["pearson_r"] < found["r_high"]


def test_equal_seeds_give_equal_tables_and_row_order_does_not_matter():
    records = as_records(draw_units(0))
    first = run(records, "parallel")
    again = run(records.sample(frac=1, random_state=5), "parallel")
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert first.notes == again.notes
    other = run(records, "parallel", seed=2)
    assert row(other, "repeated")["pearson_r"] != row(first, "repeated")["pearson_r"]
    assert row(other, "paper")["pearson_r"] == row(first, "paper")["pearson_r"]


def test_held_out_uses_disjoint_halves_of_the_units():
    correct = draw_units(3)
    validation = mask_of(as_records(correct))
    found = row(run(as_records(correct), "parallel"), "held-out")
    trial = evaluate(correct[:, ::2].mean(axis=1), first_hits(correct[:, 1::2]), validation)
    assert found["pearson_r"] == trial.pearson_r
    assert found["epsilon_over_fmax"] == trial.fit.epsilon_over_fmax
    # the order of the odd units carries nothing into it, though it does into `paper`
    reversed_odd = correct.copy()
    reversed_odd[:, ::2] = correct[:, ::2][:, ::-1]
    other = run(as_records(reversed_odd), "parallel")
    pd.testing.assert_series_equal(row(other, "held-out"), found)
    original = row(run(as_records(correct), "parallel"), "paper")
    assert row(other, "paper")["pearson_r"] != original["pearson_r"]


def test_held_out_of_chains_pools_odd_chains_and_observes_an_even_one():
    chains = [draw_units(3), draw_units(4), draw_units(5), draw_units(6)]
    chains[0][:2], chains[2][:1] = False, False  # problem 0 never solved, problem 1 once of two
    records = pd.concat([as_records(c, chain=i) for i, c in enumerate(chains, start=1)])
    table = run(records, "sequential")
    assert not [note for note in table.notes if note.startswith("held-out")]
    rounds = sum(np.where(c.any(axis=1), first_hits(c), 16) for c in (chains[0], chains[2]))
    solved = chains[0].any(axis=1).astype(int) + chains[2].any(axis=1)
    mle = np.where(solved > 0, solved / rounds, 1e-5)
    printed = (estimate_p(chains[0], "k/n") + estimate_p(chains[2], "k/n")) / 2
    for estimator, p_hat in (("1/k", mle), ("k/n", printed)):
        trial = evaluate(p_hat, first_hits(chains[1]), mask_of(records))
        assert row(table, "held-out", estimator)["pearson_r"] == trial.pearson_r
        assert row(table, "held-out", estimator)["mae"] == trial.mae


def test_held_out_of_one_unit_is_left_out():
    table = run(as_records(draw_units(0)), "parallel", n=1)
    assert "held-out" not in set(table.rows["protocol"])
    assert any("no second half" in note for note in table.notes)


def test_chains_with_unlike_problems_are_refused():
    records = pd.concat(
        [as_records(draw_units(0), chain=1), as_records(draw_units(0)[:70], chain=2)]
    )
    with pytest.raises(UserError, match="chain 2 does not have the problems of chain 1"):
        run(records, "sequential")


def test_repeated_is_the_distribution_over_splits():
    table = run(as_records(draw_units(0)), "parallel", repeats=60)
    found = row(table, "repeated")
    assert found["r_low"] < found["pearson_r"] < found["r_high"]
    assert np.isnan(found["p_value"])
    # r on another split of the same cell mostly lies inside
    correct = draw_units(0)
    inside = 0
    for seed in range(30):
        split = split_problems(as_records(correct)["problem_id"], np.random.default_rng(100 + seed))
        mask = validation_mask(sorted(split.index), split)
        r = evaluate(estimate_p(correct, "c/n"), first_hits(correct), mask).pearson_r
        inside += found["r_low"] <= r <= found["r_high"]
    assert inside >= 25


def test_within_equal_p_a_sequential_chain_has_nothing_to_permute():
    """First hit is a function of p_hat there, so the null yields the very r of the paper."""
    table = run(as_records(draw_units(0)), "sequential")
    for protocol, estimator in (("paper", "k/n"), ("paper-mle", "1/k")):
        null = row(table, "null-within", estimator)
        published = row(table, protocol, estimator)["pearson_r"]
        assert null["r_low"] == null["r_high"] == null["pearson_r"] == published
        assert null["p_value"] == 1


def test_permutation_stays_within_groups_and_is_uniform_there():
    rng = np.random.default_rng(0)
    values = np.array([1, 9, 2, 8, 3])
    groups = np.array([0.5, 0.1, 0.5, 0.1, 0.5])
    seen = Counter()
    for _ in range(6000):
        permuted = permute_within(values, groups, rng)
        assert sorted(permuted[groups == 0.1]) == [8, 9]
        seen[tuple(permuted[groups == 0.5].tolist())] += 1
    assert set(seen) == set(permutations([1, 2, 3]))
    assert max(abs(count - 1000) for count in seen.values()) < 150  # five standard errors


@pytest.mark.parametrize(("c", "n"), [(0, 5), (1, 5), (2, 6), (5, 8), (4, 4)])
def test_redrawn_first_hits_have_the_exact_distribution(c, n):
    draws = 20000
    hits = redraw_first_hits(np.full(draws, c), n, np.random.default_rng(0))
    for hit in range(1, n + 1):
        exact = comb(n - hit, c - 1) / comb(n, c) if c else float(hit == 1)
        assert abs((hits == hit).mean() - exact) <= 5 * np.sqrt(exact * (1 - exact) / draws)


def test_pooled_units_are_dealt_uniformly():
    correct = np.array([[True] * 3, [True, True, False], [False] * 3, [False] * 3])
    cell = Cell(correct, np.array([True, True, False, True]))
    rng = np.random.default_rng(0)
    draws = 3000
    hits = Counter(int(pool_units(cell, "c/n", rng).observed[0]) for _ in range(draws))
    # problem 2 has no correct unit of its own, but 5 of 12 in the pool
    second, third = 7 / 12 * 5 / 11, 7 / 12 * 6 / 11 * 5 / 10
    for hit, exact in ((1, 1 - second - third), (2, second), (3, third)):
        assert abs(hits[hit] / draws - exact) < 5 * np.sqrt(exact * (1 - exact) / draws)


@pytest.mark.parametrize("protocol", ["null-within", "null-order", "null-pooled"])
def test_where_a_null_holds_the_observed_r_is_one_of_its_draws(protocol):
    """Ranks of the observed r among the draws are uniform; the ranks' mean is checked."""
    ranks = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        # pooled supposes one p_x for all problems; the others only that units are exchangeable
        p = np.full(40, 0.3) if protocol == "null-pooled" else rng.beta(0.7, 0.7, 40)
        correct = rng.random((40, 8)) < p[:, None]
        cell = Cell(correct, np.arange(40) < 30)
        observed = evaluate(estimate_p(correct, "c/n"), first_hits(correct), cell.validation)
        trials = [observed, *(DRAWS[protocol](cell, "c/n", rng) for _ in range(19))]
        # an undefined r ranks below any other; a tie counts half
        r, *drawn = np.nan_to_num([trial.pearson_r for trial in trials], nan=-2)
        below, equal = np.array(drawn) < r - 1e-12, abs(np.array(drawn) - r) <= 1e-12
        ranks.append((below + equal / 2).mean())
    assert abs(np.mean(ranks) - 0.5) < 4 * np.sqrt(1 / 12 / len(ranks))
    assert np.std(ranks) > 0.1


def test_chains_without_any_difference_between_problems():
    """Circularity alone: one p_x for all, yet 1/k "predicts" its own chain, not another one."""
    rng = np.random.default_rng(11)
    first, second = rng.random((2, 300, 16)) < 0.3
    records = pd.concat([as_records(first, chain=1), as_records(second, chain=2)])
    table = run(records, "sequential")
    assert row(table, "paper-mle", "1/k")["pearson_r"] > 0.7
    assert row(table, "null-pooled", "1/k")["pearson_r"] > 0.7
    held_out = row(table, "held-out", "1/k")
    assert held_out["r_low"] < 0 < held_out["r_high"]


def test_differences_between_problems_exceed_the_pooled_null():
    table = run(as_records(draw_units(0, n_problems=200)), "parallel", repeats=100)
    null = row(table, "null-pooled")
    assert row(table, "paper")["pearson_r"] > null["r_high"]
    assert null["p_value"] < 0.05


def test_sides_without_variance_are_told_in_words_and_leave_empty_cells(tmp_path):
    table = run(as_records(np.ones((20, 4), dtype=bool)), "parallel", n=4)
    assert set(table.rows["pearson_r"]) == {"undefined (predicted N* is constant)"}
    assert table.rows[["r_low", "r_high", "p_value"]].isna().all(axis=None)
    assert (table.rows["mae"] == 0).all()
    assert any("20 of 20 draws" in note for note in table.notes)
    write_csv(table.rows, tmp_path / "fit.csv")
    line = (tmp_path / "fit.csv").read_text().splitlines()[1]
    assert line.endswith(",undefined (predicted N* is constant),,,,0.0,4")


def test_too_few_test_problems():
    table = run(as_records(draw_units(0)[:5]), "parallel")
    assert row(table, "paper")["pearson_r"] == "undefined (fewer than 3 problems)"


@pytest.mark.parametrize(
    ("strategy", "estimators"), [("parallel", ["c/n"]), ("sequential", ["k/n", "1/k"])]
)
def test_saturation_table(strategy, estimators):
    records = as_records(draw_units(0))
    split = split_problems(records["problem_id"].unique(), np.random.default_rng(0))
    table = saturation_table(records, strategy, 16, split, **NAMES)
    assert table.columns.tolist() == SATURATION_COLUMNS
    assert len(table) == 80 * len(estimators)
    assert table["estimator"].unique().tolist() == estimators
    fits = run(records, strategy).rows
    for estimator in estimators:
        part = table[table["estimator"] == estimator]
        assert part["split"].tolist() == split[part["problem_id"]].tolist()
        assert part["p_hat"].tolist() == estimate_p(draw_units(0), estimator).tolist()
        assert part["first_hit"].tolist() == first_hits(draw_units(0)).tolist()
        fit = fits[fits["protocol"].isin(["paper", "paper-mle"]) & (fits["estimator"] == estimator)]
        threshold = fit["epsilon_over_fmax"].iloc[0]
        assert part["n_star"].tolist() == saturation_points(part["p_hat"], threshold).tolist()
        test = part[part["split"] == "test"]
        assert (test["n_star"] - test["first_hit"]).abs().mean() == fit["mae"].iloc[0]


def test_splits_that_do_not_fit_are_refused():
    split = pd.Series({"a": "validation", "b": "test"})
    assert validation_mask(["b", "a"], split).tolist() == [False, True]
    with pytest.raises(UserError, match="'c' is in neither"):
        validation_mask(["a", "c"], split)
    with pytest.raises(UserError, match="must each have a problem"):
        validation_mask(["a"], split)

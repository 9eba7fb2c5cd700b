"""The bootstrap: against direct resampling, its coverage, and what does not change it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ttspm import intervals
from ttspm.intervals import bootstrap_difference, bootstrap_mean


def test_interval_has_the_quantiles_of_all_possible_resamples():
    values = np.array([0.0, 0.25, 1.0, 7.0, 3.5])
    means = np.sort([np.mean(r) for r in itertools.product(values, repeat=len(values))])
    low, high = bootstrap_mean(values[:, None], np.random.default_rng(5), resamples=200_000)
    # The bounds are quantiles of the full resampling distribution, within Monte Carlo error.
    for bound, tail in ((low[0], 0.025), (high[0], 0.975)):
        around = np.quantile(means, [tail - 0.003, tail + 0.003])
        assert around[0] <= bound <= around[1]


def test_columns_share_their_resamples_and_blocks_do_not_matter(monkeypatch):
    values = np.random.default_rng(1).random((40, 5))
    low, high = bootstrap_mean(values, np.random.default_rng(2), resamples=2_500)
    monkeypatch.setattr(intervals, "COLUMNS_AT_ONCE", 2)
    again = bootstrap_mean(values, np.random.default_rng(2), resamples=2_500)
    assert low.tobytes() == again[0].tobytes()
    assert high.tobytes() == again[1].tobytes()
    alone = bootstrap_mean(values[:, 3:4], np.random.default_rng(2), resamples=2_500)
    assert (low[3], high[3]) == (alone[0][0], alone[1][0])
    other_seed = bootstrap_mean(values, np.random.default_rng(3), resamples=2_500)
    assert low.tobytes() != other_seed[0].tobytes()


@pytest.mark.parametrize("scale", [1.0, 3e4, 1e-6])
def test_sums_are_exact_so_that_the_order_of_problems_cannot_show(scale):
    table = scale * np.random.default_rng(4).random((37, 6))
    counts = intervals._problem_counts(37, np.random.default_rng(0), 300)
    order = np.random.default_rng(9).permutation(37)
    means = intervals._resampled_means(table, counts)
    shuffled = intervals._resampled_means(table[order], counts[:, order])
    assert means.tobytes() == shuffled.tobytes()
    np.testing.assert_allclose(means, counts @ table / 37, rtol=1e-12)
    assert np.all(counts.sum(axis=1) == 37)


def test_coverage_is_near_the_confidence_asked_for():
    rng = np.random.default_rng(11)
    benchmarks = (rng.random((120, 300)) < 0.6).astype(float)  # each column one benchmark
    low, high = bootstrap_mean(benchmarks, rng, resamples=1_000, confidence=0.9)
    covered = np.mean((low <= 0.6) & (high >= 0.6))
    assert 0.84 <= covered <= 0.95


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_equal_values_give_zero_width(value):
    low, high = bootstrap_mean(np.full((30, 1), value), np.random.default_rng(0))
    assert low[0] == high[0] == pytest.approx(value, rel=1e-12)


def test_paired_difference_is_narrower_than_the_unpaired_spread():
    rng = np.random.default_rng(8)
    difficulty = rng.random((100, 1))
    better, worse = difficulty + 0.1 + 0.01 * rng.random((100, 1)), difficulty
    low, high = bootstrap_difference(better, worse, np.random.default_rng(1))
    assert 0.1 < low[0] < high[0] < 0.11
    own_low, own_high = bootstrap_mean(better, np.random.default_rng(1))
    assert own_high[0] - own_low[0] > 10 * (high[0] - low[0])
    reverse = bootstrap_difference(worse, better, np.random.default_rng(1))
    np.testing.assert_allclose([reverse[0][0], reverse[1][0]], [-high[0], -low[0]], atol=1e-12)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 2)), np.array([[np.nan]])])
def test_refuses_what_is_not_a_finite_table(values):
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean(values, np.random.default_rng(0))


def test_refuses_impossible_settings_and_unpaired_tables():
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_mean(np.ones((2, 1)), np.random.default_rng(0), confidence=95)
    with pytest.raises(ValueError, match="differ in shape"):
        bootstrap_difference(np.ones((2, 1)), np.ones((3, 1)), np.random.default_rng(0))

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ttspm.errors import UserError
from ttspm.fit import (
    GRID,
    EpsilonFit,
    Trial,
    correlate,
    evaluate,
    fit_epsilon,
    pearson_rows,
    split_mask,
    split_problems,
)
from ttspm.saturation import saturation_point, saturation_points

problems = st.lists(
    st.tuples(st.sampled_from([0, 1e-5, *(c / 16 for c in range(1, 17))]), st.integers(1, 16)),
    min_size=1,
    max_size=12,
)


def squared_error(p, hits, epsilon):
    return sum((saturation_point(a, epsilon) - k) ** 2 for a, k in zip(p, hits, strict=True))


def dense_losses(p, hits, thresholds):
    return (
        (saturation_points(np.array(p)[:, None], thresholds) - np.array(hits)[:, None]) ** 2
    ).sum(0)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(problems)
def test_refinement_is_never_worse_than_brute_force_near_the_best_grid_point(problems):
    p, hits = zip(*problems, strict=True)
    fit = fit_epsilon(p, hits)
    assert fit.squared_error == squared_error(p, hits, fit.epsilon_over_fmax)
    on_grid = dense_losses(p, hits, GRID)
    assert fit.squared_error <= on_grid.min()
    best = int(on_grid.argmin())
    around = np.geomspace(GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)], 3000)
    assert fit.squared_error <= dense_losses(p, hits, around).min()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(problems)
def test_the_plateau_is_flat_and_ends_where_it_says(problems):
    p, hits = zip(*problems, strict=True)
    fit = fit_epsilon(p, hits)
    assert fit.low < fit.epsilon_over_fmax < fit.high
    assert fit.epsilon_over_fmax == pytest.approx(np.sqrt(fit.low * fit.high), rel=1e-12)
    inside = np.geomspace(fit.low * (1 + 1e-9), fit.high * (1 - 1e-9), 50)
    assert set(dense_losses(p, hits, inside).tolist()) == {fit.squared_error}
    # just beyond an end the loss is another, unless the end is that of the range
    for end, beyond in ((fit.low, fit.low * (1 - 1e-9)), (fit.high, fit.high * (1 + 1e-9))):
        if not np.isclose(end, [GRID[0], GRID[-1]], rtol=1e-9).any():
            assert squared_error(p, hits, beyond) > fit.squared_error


def test_the_plateau_of_one_problem_is_the_interval_that_eq_10_gives():
    # N*(1/2) = 3 exactly for (1/2)^4 < epsilon <= (1/2)^3
    fit = fit_epsilon([0.5], [3])
    assert fit.squared_error == 0
    assert (fit.low, fit.high) == pytest.approx((1 / 16, 1 / 8))
    assert fit.epsilon_over_fmax == pytest.approx(2**-3.5)


@pytest.mark.parametrize("planted", [0.003, 0.02, 0.11])
def test_a_planted_threshold_is_recovered(planted):
    p = np.random.default_rng(1).integers(1, 33, 400) / 32
    fit = fit_epsilon(p, saturation_points(p, planted))
    assert fit.squared_error == 0
    assert fit.low <= planted <= fit.high
    assert fit.high / fit.low < 1.1
    assert fit.epsilon_over_fmax == pytest.approx(planted, rel=0.05)


def test_a_planted_threshold_is_recovered_under_noise():
    rng = np.random.default_rng(2)
    p = rng.integers(1, 33, 500) / 32
    hits = np.maximum(saturation_points(p, 0.02) + rng.integers(-2, 3, 500), 1)
    assert fit_epsilon(p, hits).epsilon_over_fmax == pytest.approx(0.02, rel=0.15)


def test_where_no_threshold_matters_the_whole_range_is_the_plateau():
    fit = fit_epsilon([0, 1, 1], [1, 1, 2])
    assert (fit.low, fit.high, fit.squared_error) == (pytest.approx(1e-6), pytest.approx(1), 1)


def test_a_fit_needs_a_problem():
    with pytest.raises(ValueError, match="at least one"):
        fit_epsilon([], [])


@pytest.mark.parametrize(("n", "n_validation"), [(2, 1), (3, 2), (5, 4), (24, 19), (500, 400)])
def test_split_sizes(n, n_validation):
    mask = split_mask(n, np.random.default_rng(0))
    assert mask.shape == (n,)
    assert mask.sum() == n_validation


def test_split_is_seeded_and_uniform_over_problems():
    draws = np.array([split_mask(10, np.random.default_rng(s)) for s in range(2000)])
    assert np.array_equal(draws[7], split_mask(10, np.random.default_rng(7)))
    assert np.all(np.abs(draws.mean(axis=0) - 0.8) < 5 * np.sqrt(0.16 / 2000))


def test_split_by_name_does_not_depend_on_the_order_of_the_problems():
    names = [f"q{i}" for i in range(20)]
    split = split_problems(names, np.random.default_rng(4))
    assert split.equals(split_problems(names[::-1], np.random.default_rng(4)))
    assert split.value_counts().to_dict() == {"validation": 16, "test": 4}


def test_too_few_problems_to_split():
    with pytest.raises(UserError, match="at least 2 are needed"):
        split_mask(1, np.random.default_rng(0))


def make_trial(predicted, observed):
    return Trial(EpsilonFit(0.1, 0, 0.09, 0.11), np.array(predicted), np.array(observed))


@pytest.mark.parametrize(
    ("predicted", "observed", "reason"),
    [
        ([1, 2], [1, 2], "undefined (fewer than 3 problems)"),
        ([4, 4, 4], [1, 2, 3], "undefined (predicted N* is constant)"),
        ([1, 2, 3], [1, 1, 1], "undefined (observed first hit is constant)"),
    ],
)
def test_an_undefined_correlation_says_why(predicted, observed, reason):
    trial = make_trial(predicted, observed)
    assert trial.undefined == reason
    assert np.isnan(trial.pearson_r)
    result = correlate(trial, np.random.default_rng(0))
    assert np.isnan([result.r, result.low, result.high, result.p_value]).all()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=3, max_size=20))
def test_r_and_p_value_are_scipys(pairs):
    trial = make_trial(*zip(*pairs, strict=True))
    if trial.undefined:
        return
    expected = stats.pearsonr(trial.predicted, trial.observed)
    result = correlate(trial, np.random.default_rng(0), resamples=10)
    assert result.r == pytest.approx(expected.statistic, abs=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    rows = pearson_rows(
        np.stack([trial.predicted, np.ones_like(trial.predicted)]),
        np.stack([trial.observed, trial.observed]),
    )
    assert rows[0] == pytest.approx(expected.statistic, abs=1e-12)
    assert np.isnan(rows[1])


def test_bootstrap_interval_is_seeded_and_that_of_a_plain_loop():
    rng = np.random.default_rng(5)
    predicted = rng.integers(1, 12, 40)
    trial = make_trial(predicted, predicted + rng.integers(0, 6, 40))
    result = correlate(trial, np.random.default_rng(9), resamples=300)
    assert result == correlate(trial, np.random.default_rng(9), resamples=300)
    drawn = np.random.default_rng(9).integers(40, size=(300, 40))
    loop = [np.corrcoef(trial.predicted[d], trial.observed[d])[0, 1] for d in drawn]
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])))
    assert result.low < result.r < result.high


def test_no_interval_where_most_resamples_have_no_variance():
    # one unlike problem of three: a resample misses it with chance (2/3)^3, or has only it
    mostly = correlate(make_trial([1, 1, 2], [1, 1, 5]), np.random.default_rng(0))
    assert mostly.low == mostly.high == pytest.approx(1)
    # the two sides vary in different problems of three: both are needed at once
    rarely = correlate(make_trial([1, 1, 2], [1, 4, 1]), np.random.default_rng(0))
    assert np.isnan([rarely.low, rarely.high]).all()
    assert rarely.r == pytest.approx(-0.5)


def test_evaluate_fits_on_validation_only():
    rng = np.random.default_rng(6)
    p = rng.integers(1, 33, 60) / 32
    hits = saturation_points(p, 0.05)
    validation = split_mask(60, rng)
    trial = evaluate(p, hits, validation)
    assert trial.fit == fit_epsilon(p[validation], hits[validation])
    assert np.array_equal(trial.observed, hits[~validation])
    expected = saturation_points(p[~validation], trial.fit.epsilon_over_fmax)
    assert np.array_equal(trial.predicted, expected)
    assert trial.mae == np.abs(expected - trial.observed).mean()
    spoilt = np.where(validation, hits, 99)
    assert evaluate(p, spoilt, validation).fit == trial.fit


def test_two_hundred_splits_of_five_hundred_problems_take_seconds():
    rng = np.random.default_rng(8)
    correct = rng.random((500, 32)) < rng.beta(0.5, 0.5, 500)[:, None]
    p, hits = correct.mean(axis=1), correct.argmax(axis=1) + 1
    start = time.perf_counter()
    for _ in range(200):
        evaluate(p, hits, split_mask(500, rng))
    assert time.perf_counter() - start < 10

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.errors import UserError
from ttspm.saturation import (
    UNSOLVED_P_RETHINK,
    correct_matrix,
    estimate_p_x,
    first_hit,
    first_hits,
    p_rethink,
    p_sample,
    saturation_point,
    saturation_points,
)

chances = st.fractions(min_value=Fraction(1, 60), max_value=Fraction(59, 60), max_denominator=60)
exhaustive = settings(derandomize=True, deadline=None, max_examples=300)


def search(p, epsilon):
    n = 1
    while not p * (1 - p) ** n < epsilon:
        n += 1
    return n


@exhaustive
@given(chances, st.fractions(min_value=Fraction(1, 5000), max_value=2, max_denominator=5000))
def test_fractions_agree_with_a_direct_search(p, epsilon):
    assert saturation_point(p, epsilon) == search(p, epsilon)


@exhaustive
@given(chances, st.integers(min_value=0, max_value=80))
def test_an_integer_ratio_is_one_more_than_the_ceiling(p, k):
    """Strict inequality: at epsilon = p (1-p)^k the gain is not yet below it."""
    epsilon = p * (1 - p) ** k
    assert saturation_point(p, epsilon) == k + 1
    assert saturation_point(float(p), float(epsilon)) == k + 1
    # as a user would compute it, with the rounding of every step
    assert saturation_point(float(p), float(p) * (1 - float(p)) ** k) == k + 1


@exhaustive
@given(chances, st.integers(min_value=1, max_value=80), st.sampled_from([-1, 1]))
def test_fractions_just_beside_a_tie_are_told_apart(p, k, side):
    tie = p * (1 - p) ** k
    epsilon = tie * (1 + side * Fraction(1, 10**50))
    assert saturation_point(p, epsilon) == (k if side > 0 else k + 1)


@exhaustive
@given(
    st.floats(min_value=0.02, max_value=0.98),
    st.floats(min_value=1e-6, max_value=1.5),
)
def test_floats_agree_with_a_direct_search(p, epsilon):
    # the same meaning of "equal" on both sides; away from ties it changes nothing
    n = 1
    while not p * (1 - p) ** n < epsilon * (1 - 1e-12):
        n += 1
    assert saturation_point(p, epsilon) == n


@exhaustive
@given(chances, st.fractions(min_value=Fraction(1, 5000), max_value=2, max_denominator=5000))
def test_floats_agree_with_the_fractions_they_stand_for(p, epsilon):
    assert saturation_point(float(p), float(epsilon)) == saturation_point(p, epsilon)


@pytest.mark.parametrize(
    ("p", "epsilon"),
    [(0, 0.1), (1, 0.1), (0.0, 1e-9), (1.0, 1e-9), (0.3, 0.3), (0.3, 0.4), (0.3, 2), (1e-5, 0.1)],
)
def test_edges_where_one_unit_is_enough(p, epsilon):
    assert saturation_point(p, epsilon) == 1
    assert saturation_point(Fraction(p), Fraction(epsilon)) == 1


def test_a_threshold_a_hair_below_p_still_gives_the_first_unit_that_satisfies_it():
    assert saturation_point(0.3, np.nextafter(0.3, 0)) == 1  # 0.3 * 0.7 is far below it
    assert saturation_point(0.3, 0.21) == 2  # and here it is exactly the threshold


def test_large_points_need_no_search():
    # reference: ln(10) / -ln(1 - 1e-5) = 230257.36 by 30-digit arithmetic
    assert saturation_point(1e-5, 1e-6) == 230258
    assert saturation_point(Fraction(1, 10**5), Fraction(1, 10**6)) == 230258
    assert saturation_point(Fraction(1, 10**15), Fraction(1, 10**16)) == 2302585092994045


@pytest.mark.parametrize(
    ("p", "epsilon"),
    [(-0.1, 0.1), (1.1, 0.1), (float("nan"), 0.1), (0.5, 0), (0.5, -1.0), (0.5, float("nan"))],
)
def test_values_that_mean_nothing_are_refused(p, epsilon):
    with pytest.raises(ValueError, match="must"):
        saturation_point(p, epsilon)
    with pytest.raises(ValueError, match="must"):
        saturation_points([p, 0.5], epsilon)


def test_exact_input_is_checked_as_well():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        saturation_point(Fraction(3, 2), Fraction(1, 10))
    with pytest.raises(ValueError, match="above 0"):
        saturation_point(Fraction(1, 2), 0)


def test_a_point_beyond_64_bits_is_refused():
    with pytest.raises(ValueError, match="2\\^62"):
        saturation_points(1e-30, 1e-31)


def test_arrays_broadcast_and_equal_the_scalar_form():
    p = np.array([0.0, 1e-5, 0.2, 0.5, 1.0])[:, None]
    epsilon = np.geomspace(1e-6, 1, 13)
    points = saturation_points(p, epsilon)
    assert points.shape == (5, 13)
    assert points.dtype == np.int64
    expected = [[saturation_point(float(a[0]), float(e)) for e in epsilon] for a in p]
    assert points.tolist() == expected


@exhaustive
@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_first_hit_equals_a_loop(correct):
    expected = next((i for i, c in enumerate(correct, start=1) if c), 1)
    assert first_hit(correct) == expected
    assert first_hits(np.array([correct, correct])).tolist() == [expected, expected]


def test_first_hit_needs_a_unit():
    with pytest.raises(ValueError, match="at least one unit"):
        first_hit([])


def test_estimators():
    assert p_sample([0, 8, 32], 32).tolist() == [0, 0.25, 1]
    hits, solved = [1, 8, 32, 1], [True, True, True, False]
    assert p_rethink(hits, solved, 32, "k/n").tolist() == [1 / 32, 0.25, 1, 1e-5]
    assert p_rethink(hits, solved, 32, "1/k").tolist() == [1, 0.125, 1 / 32, 1e-5]
    with pytest.raises(ValueError, match="'k/32'"):
        p_rethink(hits, solved, 32, "k/32")


@exhaustive
@given(st.integers(min_value=1, max_value=64))
def test_one_over_k_maximises_the_geometric_likelihood(k):
    estimate = p_rethink([k], [True], 64, "1/k")[0]

    def likelihood(p):
        return p * (1 - p) ** (k - 1)

    assert likelihood(estimate) >= likelihood(np.linspace(0, 1, 2001)).max() - 1e-15


def make_records(correct, ids=None, **columns):
    correct = np.asarray(correct)
    ids = ids or [f"q{i}" for i in range(len(correct))]
    rows = [
        {"problem_id": name, "unit": unit, "correct": bool(flag), **columns}
        for name, row in zip(ids, correct, strict=True)
        for unit, flag in enumerate(row, start=1)
    ]
    return pd.DataFrame(rows)


def test_correct_matrix_is_independent_of_row_order_and_uses_the_first_units():
    correct = np.random.default_rng(3).random((5, 6)) < 0.5
    records = make_records(correct, ids=list("edcba"))
    ids, matrix = correct_matrix(records.sample(frac=1, random_state=1), 4)
    assert ids == list("abcde")
    assert np.array_equal(matrix, correct[::-1, :4])


def test_correct_matrix_reads_the_first_chain_unless_told():
    first, second = np.array([[True, False]]), np.array([[False, False]])
    records = pd.concat([make_records(second, chain=2), make_records(first, chain=1)])
    assert np.array_equal(correct_matrix(records, 2)[1], first)
    assert np.array_equal(correct_matrix(records, 2, chain=2)[1], second)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda r: r.drop(index=2), "'q0' lacks unit 3 of the first 4"),
        (lambda r: r[(r.problem_id != "q1") | (r.unit > 4)], "'q1' lacks unit 1 "),
        (lambda r: pd.concat([r, r.iloc[[7]]]), "'q1' has unit 2 twice"),
        (lambda r: r.iloc[:0], "no row"),
    ],
)
def test_units_that_are_missing_or_doubled_are_named(broken, message):
    records = make_records(np.zeros((2, 6)))
    with pytest.raises(UserError, match=message) as error:
        correct_matrix(broken(records), 4)
    assert "\n" not in str(error.value)


def test_estimate_p_x_rows():
    records = make_records([[False, True, True, False], [False] * 4])
    parallel = estimate_p_x(records, "parallel", 4)
    assert parallel.columns.tolist() == [
        "problem_id", "units", "correct", "first_hit", "solved", "p_hat", "estimator",
    ]  # fmt: skip
    assert parallel.to_numpy().tolist() == [
        ["q0", 4, 2, 2, True, 0.5, "c/n"],
        ["q1", 4, 0, 1, False, 0.0, "c/n"],
    ]
    sequential = estimate_p_x(records, "sequential", 4)
    assert sequential["estimator"].tolist() == ["k/n", "k/n", "1/k", "1/k"]
    assert sequential["p_hat"].tolist() == [0.5, UNSOLVED_P_RETHINK, 0.5, UNSOLVED_P_RETHINK]
    with pytest.raises(UserError, match="'serial' is unknown; known are parallel, sequential"):
        estimate_p_x(records, "serial", 4)

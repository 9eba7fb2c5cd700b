"""Estimators against enumeration of all subsets and against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.estimators import hit_exact, hit_prefix, last_round, vote_exact, vote_prefix

fixed = settings(derandomize=True, deadline=None, max_examples=60)


def credit_of(answers: tuple[int, ...], correct: int | None) -> Fraction:
    """The definition: even share of the top classes; -1 casts no vote."""
    votes: dict[int, int] = {}
    for answer in answers:
        if answer >= 0:
            votes[answer] = votes.get(answer, 0) + 1
    top = [answer for answer, count in votes.items() if count == max(votes.values())]
    return Fraction(1, len(top)) if correct in top else Fraction(0)


def vote_in_fractions(counts: list[int], correct: int, silent: int, size: int) -> Fraction:
    """Integer counting over (units drawn, rivals tied), for each number of correct votes."""
    rivals = [count for j, count in enumerate(counts) if j != correct]
    pascal = {m: [comb(m, k) for k in range(m + 1)] for m in {*rivals, counts[correct]}}
    by_ties: dict[int, int] = {}
    for votes in range(1, min(counts[correct], size) + 1):
        ways = {(0, 0): 1}
        for rival in rivals:
            grown: dict[tuple[int, int], int] = {}
            for (drawn, tied), number in ways.items():
                for k in range(min(rival, votes, size - votes - drawn) + 1):
                    state = (drawn + k, tied + (k == votes))
                    grown[state] = grown.get(state, 0) + number * pascal[rival][k]
            ways = grown
        for (drawn, tied), number in ways.items():
            rest = comb(silent, size - votes - drawn)
            subsets = number * pascal[counts[correct]][votes] * rest
            by_ties[tied] = by_ties.get(tied, 0) + subsets
    total = sum((Fraction(subsets, tied + 1) for tied, subsets in by_ties.items()), Fraction(0))
    return total / comb(sum(counts) + silent, size)


@fixed
@given(st.lists(st.integers(-1, 4), min_size=1, max_size=10), st.integers(-1, 4))
def test_vote_exact_equals_enumeration_of_all_subsets(answers, label):
    correct = None if label < 0 else label
    counts = [answers.count(k) for k in range(5)]
    budgets = range(1, len(answers) + 1)
    expected = []
    for size in budgets:
        credits = [credit_of(subset, correct) for subset in combinations(answers, size)]
        expected.append(float(sum(credits) / len(credits)))
    got = vote_exact(counts, correct, answers.count(-1), list(budgets))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


@fixed
@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_hit_exact_equals_enumeration_of_all_subsets(correct):
    budgets = range(1, len(correct) + 1)
    expected = [
        np.mean([any(subset) for subset in combinations(correct, size)]) for size in budgets
    ]
    got = hit_exact(len(correct), sum(correct), list(budgets))
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=1e-13)


@fixed
@given(st.integers(1, 300), st.data())
def test_hit_exact_equals_rational_arithmetic(n, data):
    c = data.draw(st.integers(0, n))
    got = hit_exact([n, n], [c, n - c], np.arange(1, n + 1))
    for row, right in zip(got, (c, n - c), strict=True):
        expected = [float(1 - Fraction(comb(n - right, k), comb(n, k))) for k in range(1, n + 1)]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 16), min_size=1, max_size=9),
    st.integers(0, 12),
    st.data(),
)
def test_vote_exact_equals_rational_arithmetic(counts, silent, data):
    correct = data.draw(st.integers(0, len(counts) - 1))
    n = sum(counts) + silent
    if n == 0:
        return
    budgets = sorted(data.draw(st.sets(st.integers(1, n), min_size=1, max_size=6)))
    expected = [float(vote_in_fractions(counts, correct, silent, size)) for size in budgets]
    got = vote_exact(counts, correct, silent, budgets)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("counts", "silent"),
    [
        ([32] + [1] * 96, 0),  # many small classes
        ([40] + [2] * 44, 0),
        ([100, 20, 5, 1, 1, 1], 0),  # one large class
        ([1] * 128, 0),
        ([28, 30, 35, 30], 5),  # choices A to D
        ([28, *range(1, 14)], 9),  # no two classes of one size
    ],
)
def test_vote_exact_equals_rational_arithmetic_at_128_units(counts, silent):
    budgets = [1, 2, 3, 16, 64, 127, 128]
    expected = [float(vote_in_fractions(counts, 0, silent, size)) for size in budgets]
    np.testing.assert_allclose(
        vote_exact(counts, 0, silent, budgets), expected, rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("counts", [[600, 500], [300, 900], [1100]])
def test_vote_exact_neither_overflows_nor_underflows_beyond_a_thousand_units(counts):
    silent = 3
    n = sum(counts) + silent
    budgets = [1, 2, 10, 300, 600, n - 1, n]
    expected = [float(vote_in_fractions(counts, 0, silent, size)) for size in budgets]
    got = vote_exact(counts, 0, silent, budgets)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_vote_exact_does_not_depend_on_which_budgets_are_asked_together():
    counts, silent = [400, 500, 250, 50], 100
    together = vote_exact(counts, 0, silent, np.arange(1, 1301))
    for size in (1, 17, 650, 1100):
        alone = vote_exact(counts, 0, silent, [size])
        assert alone[0] > 0
        np.testing.assert_allclose(alone, together[size - 1], rtol=1e-11)


@fixed
@given(st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any), st.integers(0, 10))
def test_credits_of_all_classes_share_the_chance_of_any_vote(counts, silent):
    n = sum(counts) + silent
    budgets = np.arange(1, n + 1)
    total = sum(vote_exact(counts, j, silent, budgets) for j in range(len(counts)))
    np.testing.assert_allclose(total, hit_exact(n, sum(counts), budgets)[0], atol=1e-12)


def test_vote_exact_of_unsolved_silent_and_unanimous_problems():
    assert vote_exact([3, 2], None, 1, [1, 6]).tolist() == [0.0, 0.0]
    assert vote_exact([], None, 4, [1, 4]).tolist() == [0.0, 0.0]
    assert vote_exact([0, 2], 0, 1, [1, 3]).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(vote_exact([4], 0, 0, [1, 2, 3, 4]), 1.0, atol=1e-15)


def test_vote_exact_at_one_unit_is_the_share_of_the_class_and_at_all_units_the_plurality():
    got = vote_exact([5, 5, 3], 0, 7, [1, 20])
    np.testing.assert_allclose(got, [5 / 20, 1 / 2], atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([2, -1], 0, 0, [1]), "negative"),
        (([2, 1], 2, 0, [1]), "classes"),
        (([2, 1], 0, 0, [4]), "between 1 and the 3"),
        (([2, 1], 0, 0, [0]), "between 1"),
        (([2, 1], 0, 0, []), "at least one"),
    ],
)
def test_vote_exact_refuses_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        vote_exact(*arguments)


def test_hit_exact_refuses_more_correct_than_units():
    with pytest.raises(ValueError, match="n_correct"):
        hit_exact([4], [5], [1])


@fixed
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=20), st.integers(-1, 3))
def test_vote_prefix_equals_counting_with_ties_to_the_class_seen_first(answers, label):
    correct = None if label < 0 else label
    budgets = list(range(1, len(answers) + 1))
    expected = []
    for size in budgets:
        cast = [answer for answer in answers[:size] if answer >= 0]
        # max returns the first of equals, and dict.fromkeys keeps the order of first sight.
        winner = max(dict.fromkeys(cast), key=cast.count) if cast else None
        expected.append(float(winner is not None and winner == correct))
    assert vote_prefix(answers, correct, budgets).tolist() == expected


def test_hit_prefix_and_last_round_read_the_units_in_order():
    correct = [False, True, False, False, True]
    assert hit_prefix(correct, [1, 2, 5]).tolist() == [0.0, 1.0, 1.0]
    assert last_round(correct, [1, 2, 3, 5]).tolist() == [0.0, 1.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="between 1 and the 5"):
        last_round(correct, [6])

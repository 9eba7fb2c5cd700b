"""How verdicts are reached: intervals, differences, and statements about many cells."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, pearsonr

from ttspm.claims.decision import AGREES, DIFFERS, NOT_RUN, UNDECIDED, below, hold, same_number
from ttspm.claims.measured import Measured, combine, difference, exactly, fisher, wilson

INTERVALS = st.tuples(st.integers(-2, 2), st.integers(0, 2), st.integers(0, 2)).map(
    lambda x: Measured(float(x[0]), float(x[0] - x[1]), float(x[0] + x[2]))
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.none(), INTERVALS), min_size=1, max_size=5), st.booleans(), st.data())
def test_hold_is_what_every_completion_says(parts, strict, data):
    needed = data.draw(st.integers(1, len(parts)))
    decision = hold({str(i): part for i, part in enumerate(parts)}, strict=strict, at_least=needed)

    def verdicts(choices: list[list[float]]) -> set[bool]:
        return {
            sum(value > 0 or (not strict and value == 0) for value in values) >= needed
            for values in product(*choices)
        }

    missing = [-9.0, 9.0]
    by_value = verdicts([[part.value] if part else missing for part in parts])
    if not any(parts) or len(by_value) == 2:
        assert decision.verdict == NOT_RUN
        return
    assert decision.verdict == (AGREES if by_value.pop() else DIFFERS)
    by_interval = verdicts([[part.low, part.high] if part else missing for part in parts])
    assert (UNDECIDED in decision.note) == (len(by_interval) == 2)


def test_hold_names_what_fails_and_shows_the_worst():
    parts = {"a": exactly(2.0), "b": Measured(-1.0, -3.0, 1.0), "c": exactly(-0.5), "d": None}
    decision = hold(parts)
    assert (decision.ours, decision.low, decision.high) == (-1.0, -3.0, 1.0)
    assert decision.note == "fails in 2 of 3: b (-1.0), c (-0.5)"
    assert hold({"a": exactly(2.0), "d": None}).note == "holds in 1 of 1 that ran of 2"
    assert hold({"a": Measured(2.0, -1.0, 5.0)}).note == UNDECIDED


def test_below_mirrors_hold():
    assert below({"a": exactly(0.01), "b": exactly(0.04)}, 0.05).ours == 0.04
    decision = below({"a": exactly(0.01), "b": exactly(0.3)}, 0.05)
    assert (decision.verdict, decision.note) == (DIFFERS, "fails in 1: b (0.3)")
    assert below({"a": None, "b": exactly(0.01)}, 0.05).verdict == NOT_RUN


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(1, 600), st.data())
def test_wilson_is_scipys(n, data):
    k = data.draw(st.integers(0, n))
    expected = binomtest(k, n).proportion_ci(method="wilson")
    got = wilson(100 * k / n, n)
    assert (got.low, got.high) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_fisher_is_scipys():
    rng = np.random.default_rng(1)
    x = rng.normal(size=100)
    result = pearsonr(x, x + rng.normal(size=100))
    expected = result.confidence_interval()
    got = fisher(result.statistic, 100)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    assert fisher(0.5, 3) == Measured(0.5, -1.0, 1.0)
    assert fisher(1.0, 100) == exactly(1.0)


def test_a_difference_is_newcombes():
    """Table II (a) of Newcombe (1998), method 10: 56/70 - 48/80 is 0.2 [0.0524, 0.3339]."""
    gap = difference(wilson(80.0, 70), wilson(60.0, 80))
    assert gap.value == pytest.approx(20.0)
    assert (gap.low, gap.high) == pytest.approx((5.24, 33.39), abs=0.005)


def test_combine_weighs_and_mirrors():
    a, b = Measured(10.0, 7.0, 12.0), Measured(4.0, 0.0, 5.0)
    both = combine((2.0, a), (-0.5, b))
    assert both.value == 18.0
    assert both.low == pytest.approx(18.0 - np.hypot(2 * 3.0, 0.5 * 1.0))
    assert both.high == pytest.approx(18.0 + np.hypot(2 * 2.0, 0.5 * 4.0))
    assert combine((1.0, a), (1.0, None)) is None


def test_equal_runs_rarely_differ():
    """Exact size of the test for two runs of n problems with the same chance: 5 % or so."""
    n = 30
    weights = [comb(n, k) / 2**n for k in range(n + 1)]
    size = sum(
        weights[i] * weights[j]
        for i, j in product(range(n + 1), repeat=2)
        if same_number(wilson(100 * i / n, n), wilson(100 * j / n, n)).verdict == DIFFERS
    )
    assert 0.02 < size < 0.06

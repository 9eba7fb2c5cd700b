"""Seeds: named, in range, no two alike, and the same for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.seeds import generator, unit_seed

names = st.tuples(
    st.integers(0, 2**63), st.text(), st.text(), st.text(), st.text(), st.integers(1, 10**6)
)


@settings(derandomize=True)
@given(names)
def test_a_unit_seed_fits_a_signed_column(name):
    assert 0 <= unit_seed(*name) < 2**63
    assert unit_seed(*name) == unit_seed(*name)


@settings(derandomize=True)
@given(names, names)
def test_two_names_have_two_seeds(one, other):
    assert (unit_seed(*one) == unit_seed(*other)) == (one == other)


def test_where_one_part_of_a_name_ends_matters():
    assert unit_seed(1, "ab", "c", "s", "p", 1) != unit_seed(1, "a", "bc", "s", "p", 1)


def test_no_two_units_of_a_large_run_share_a_seed():
    seeds = {
        unit_seed(1, "m", benchmark, strategy, f"p{problem}", unit)
        for benchmark in ("a", "b")
        for strategy in ("parallel", "sequential")
        for problem in range(500)
        for unit in range(1, 33)
    }
    assert len(seeds) == 2 * 2 * 500 * 32


def test_seeds_are_the_same_in_every_release():
    """Changing them would generate everything anew."""
    name = (20250526, "smollm2-135m", "arithmetic", "parallel", "sum-1/1", 1)
    assert unit_seed(*name) == SEED_OF_THE_FIRST_UNIT


def test_a_generator_is_its_own_for_each_use():
    draws = {tuple(generator(*name).integers(2**63, size=2)) for name in
             [(1, "a"), (2, "a"), (1, "b"), (1, "a", "b"), (1, "a", 1), (1,)]}  # fmt: skip
    assert len(draws) == 6
    assert generator(1, "a").random() == generator(1, "a").random()


# SHA-256 of ["unit", 20250526, "smollm2-135m", "arithmetic", "parallel", "sum-1/1", 1], 63 bits.
SEED_OF_THE_FIRST_UNIT = 1023291516992834606

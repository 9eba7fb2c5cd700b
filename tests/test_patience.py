"""How long to wait before asking an endpoint again."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.engines.patience import Patience, told_wait


@given(
    st.integers(1, 2000), st.none() | st.floats(0, 1e6, allow_nan=False), st.integers(0, 2**63 - 1)
)
@settings(derandomize=True)
def test_waits_double_up_to_a_bound_and_are_never_shorter_than_told(failures, told, seed):
    patience = Patience(first_wait=1, longest_wait=60, longest_told_wait=900)
    wait = patience.wait(failures, told, np.random.default_rng(seed))
    assert wait == patience.wait(failures, told, np.random.default_rng(seed))
    own = min(60, 2 ** (failures - 1))
    if told is None:
        assert own / 2 <= wait <= own
    else:
        assert max(own / 2, min(told, 900)) <= wait <= max(own, min(told, 900))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_as_seconds_or_date(header, seconds):
    assert told_wait(header, datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)) == seconds

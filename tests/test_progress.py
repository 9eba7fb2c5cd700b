"""What a generation job says while it runs."""

from __future__ import annotations

import logging

import pytest

from ttspm.progress import Progress, duration


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_line_has_units_tokens_a_second_and_time_left(clock):
    progress = Progress("cell", total=10, done=4, clock=clock)
    assert progress.line(0) == "cell: 4/10 units (40 %)"
    clock.seconds += 60  # the engine loads
    progress.start()
    clock.seconds += 2
    progress.add(30)
    assert progress.line(2) == "cell: 5/10 units (50 %), 15 tokens/s, 10 s left"


def test_it_speaks_at_intervals_and_at_the_end(clock, caplog):
    caplog.set_level(logging.INFO, logger="ttspm")
    progress = Progress("cell", total=8, interval=5, clock=clock)
    progress.start()
    for _ in range(8):
        clock.seconds += 2
        progress.add(10)
    assert [record.message for record in caplog.records] == [
        "cell: 3/8 units (38 %), 5 tokens/s, 10 s left",
        "cell: 6/8 units (75 %), 5 tokens/s, 4 s left",
        "cell: 8/8 units (100 %), 5 tokens/s, 0 s left",
    ]


def test_units_made_before_count_for_neither_speed_nor_facts(clock):
    progress = Progress("cell", total=100, done=90, clock=clock)
    progress.start()
    clock.seconds += 4
    progress.add(100)
    assert progress.facts() == {"units": 1, "tokens": 100, "tokens_per_second": 25.0}
    assert progress.line(4).endswith("25 tokens/s, 36 s left")


def test_nothing_to_do_is_no_division_by_nothing(clock):
    progress = Progress("cell", total=0, clock=clock)
    assert progress.line(0) == "cell: 0/0 units (100 %)"
    assert progress.facts() == {"units": 0, "tokens": 0, "tokens_per_second": 0.0}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.5, "1 min 0 s"), (3599.4, "59 min 59 s"),
     (3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (90_000, "25 h 0 min")],
)  # fmt: skip
def test_durations_as_people_say_them(seconds, text):
    assert duration(seconds) == text

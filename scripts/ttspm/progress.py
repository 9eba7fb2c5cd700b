"""Live progress of a generation job: units done, tokens a second, time left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger("ttspm")


class Progress:
    """Says how far a job is, at most once in `interval` seconds and at its end.

    Parameters
    ----------
    name : str
        What is being done.
    total : int
        Units there will be.
    done : int
        Units there are already.
    interval : float
        Seconds between two lines.
    clock : callable
        Seconds; for tests.
    """

    def __init__(
        self,
        name: str,
        total: int,
        done: int = 0,
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.total, self.done = name, total, done
        self.interval, self.clock = interval, clock
        self.made, self.tokens = 0, 0
        self.started = self.said = clock()

    def start(self) -> None:
        """Begin to count time: loading the engine is not generating."""
        self.started = self.said = self.clock()

    def add(self, tokens: int) -> None:
        """Count one finished unit of so many tokens."""
        now = self.clock()
        self.done += 1
        self.made += 1
        self.tokens += tokens
        if now - self.said >= self.interval or self.done == self.total:
            self.said = now
            log.info("%s", self.line(now - self.started))

    def line(self, seconds: float) -> str:
        """The line for so many seconds of generating."""
        share = 100 * self.done / self.total if self.total else 100
        line = f"{self.name}: {self.done}/{self.total} units ({share:.0f} %)"
        if seconds <= 0 or not self.made:
            return line
        left = (self.total - self.done) * seconds / self.made
        return f"{line}, {self.tokens / seconds:.0f} tokens/s, {duration(left)} left"

    def facts(self) -> dict[str, float]:
        """Units and tokens made, and tokens a second, for the action record."""
        seconds = self.clock() - self.started
        return {
            "units": self.made,
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens / seconds, 1) if seconds > 0 else 0.0,
        }


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``3 min 10 s``, ``2 h 5 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"

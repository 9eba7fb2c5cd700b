"""How long to wait before an endpoint is asked again, and how often."""

from __future__ import annotations

import email.utils
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np


@dataclass(frozen=True)
class Patience:
    """How often a request is tried, and how long is waited in between.

    Attributes
    ----------
    tries : int
        Tries of one request that may fail: no connection, no answer in time, a server's error.
    tries_at_limit : int
        The same for "too many requests": the endpoint is well, and others are being served.
    first_wait, longest_wait : float
        Seconds; the wait doubles from try to try.
    longest_told_wait : float
        Seconds; a longer wait that the endpoint asks for is cut to this.
    """

    tries: int = 8
    tries_at_limit: int = 40
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_told_wait: float = 900.0

    def wait(self, failures: int, told: float | None, jitter: np.random.Generator) -> float:
        """Seconds before the next try, after so many failures in a row.

        Parameters
        ----------
        failures : int
            From 1.
        told : float or None
            Seconds that the endpoint asked for: never less than these.
        jitter : numpy.random.Generator
            Takes off up to half of the wait, or all that failed together would come back together.
        """
        doubled = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 30))
        return max(doubled * jitter.uniform(0.5, 1.0), min(told or 0.0, self.longest_told_wait))


def told_wait(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, given as seconds or as a date [1]_.

    Parameters
    ----------
    header : str or None
        Its value; None, or what cannot be read, gives None.
    now : datetime, optional
        For tests.

    References
    ----------
    .. [1] RFC 9110, HTTP Semantics, Sec. 10.2.3.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (
            until.replace(tzinfo=until.tzinfo or UTC) - (now or datetime.now(UTC))
        ).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None

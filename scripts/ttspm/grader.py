"""A grader: how answers are found in texts, and how they are compared."""

from __future__ import annotations

from typing import NamedTuple


class Grader(NamedTuple):
    """What `ttspm.grading.grade` is told."""

    equality: str
    extraction: str


REFERENCE = Grader("math-verify", "last_boxed")  # the package's own; the others are for diagnosis

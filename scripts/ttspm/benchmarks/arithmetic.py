"""A benchmark that the package makes itself: arithmetic and word problems in graded levels.

Each level is a question with two or three numbers drawn from a seeded generator, and a function
that computes the gold answer from the same numbers. The levels are such that the chance of a small
model to solve a problem spreads from near 0 to near 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ttspm.seeds import generator


@dataclass(frozen=True)
class Level:
    """One degree of difficulty.

    Attributes
    ----------
    name : str
        Part of the problem's id.
    question : str
        With a placeholder for each number.
    ranges : tuple of (int, int)
        Smallest and largest value of each number, both included.
    gold : callable
        The answer from the numbers.
    """

    name: str
    question: str
    ranges: tuple[tuple[int, int], ...]
    gold: Callable[..., int]


LEVELS = (
    Level("sum-1", "What is {0} + {1}?", ((2, 9), (2, 9)), lambda a, b: a + b),
    Level("difference-1", "What is {0} - {1}?", ((6, 9), (1, 5)), lambda a, b: a - b),
    Level("sum-2-1", "What is {0} + {1}?", ((11, 49), (2, 9)), lambda a, b: a + b),
    Level("sum-2", "What is {0} + {1}?", ((11, 49), (11, 49)), lambda a, b: a + b),
    Level("product-1", "What is {0} * {1}?", ((2, 9), (2, 9)), lambda a, b: a * b),
    Level("product-12", "What is {0} * {1}?", ((6, 12), (6, 12)), lambda a, b: a * b),
    Level(
        "word-sum",
        "Tom has {0} apples and buys {1} more apples. How many apples does Tom have now?",
        ((2, 9), (2, 6)),
        lambda a, b: a + b,
    ),
    Level(
        "word-product",
        "There are {0} boxes with {1} balls in each box. How many balls are there in total?",
        ((2, 6), (2, 9)),
        lambda a, b: a * b,
    ),
    Level(
        "word-two-steps",
        "Anna has {0} bags with {1} marbles in each bag. She loses {2} marbles."
        " How many marbles does she have left?",
        ((3, 6), (4, 9), (2, 8)),
        lambda a, b, c: a * b - c,
    ),
)


def arithmetic_rows(problems_per_level: int, seed: int) -> list[dict[str, object]]:
    """Problems of every level, easy to hard, no question twice in a level.

    Parameters
    ----------
    problems_per_level : int
        Problems in each of the levels of `LEVELS`.
    seed : int
        Seed of the numbers.

    Returns
    -------
    list of dict
        Rows with ``problem_id``, ``question``, ``answer``.

    Notes
    -----
    The numbers of one level come from a generator of its own, so adding a level, or more problems
    to each, leaves the earlier problems as they were. The ranges of ``product-1`` and
    ``product-12`` overlap: from about eight problems a level on, a question may be in both.
    """
    rows: list[dict[str, object]] = []
    for level in LEVELS:
        rng = generator(seed, "arithmetic", level.name)
        for index, numbers in enumerate(_distinct(level, problems_per_level, rng), start=1):
            rows.append(
                {
                    "problem_id": f"{level.name}/{index}",
                    "question": level.question.format(*numbers),
                    "answer": str(level.gold(*numbers)),
                }
            )
    return rows


def _distinct(level: Level, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    possible = int(np.prod([high - low + 1 for low, high in level.ranges]))
    if count > possible:
        raise ValueError(f"level {level.name} has {possible} different problems, not {count}")
    drawn: dict[tuple[int, ...], None] = {}  # keeps the order in which they were drawn
    while len(drawn) < count:
        drawn[tuple(int(rng.integers(low, high + 1)) for low, high in level.ranges)] = None
    return list(drawn)

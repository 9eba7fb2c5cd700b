"""Time and peak memory of the exact estimators, and of a whole metrics table with intervals.

    python scripts/benchmark_estimators.py --problems 500 --units 128

Every budget from 1 to the number of units is worked out, in one process, for classes of answers
as real models give them and for the shapes that cost most.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ttspm.cell import Cell
from ttspm.estimators import hit_exact, vote_exact
from ttspm.metrics import cell_values, metrics_table

Shape = Callable[[int, np.random.Generator], NDArray[np.int64]]


def _mixed(units: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Easy to hard problems: a correct class of any size, the rest spread over 1 to 30 answers."""
    right = rng.binomial(units, rng.beta(0.6, 0.4))
    shares = rng.dirichlet(np.full(rng.integers(1, 31), 0.4))
    return np.array([right, *rng.multinomial(units - right, shares)])


def _staircase(units: int, _: np.random.Generator) -> NDArray[np.int64]:
    """Wrong classes of 1, 2, 3, ... units: no two alike, so no work is shared."""
    steps = int(np.sqrt(1.5 * units))
    return np.array([units - steps * (steps + 1) // 2, *range(1, steps + 1)])


# Each gives the sizes of the classes of one problem, the correct one first.
SHAPES: dict[str, Shape] = {
    "mixed": _mixed,
    "one large class": lambda units, _: np.array([units - units // 8, *[1] * (units // 8)]),
    "two halves": lambda units, _: np.array([units - units // 2, units // 2]),
    "choices A to D": lambda units, rng: rng.multinomial(units, [0.25] * 4),
    "all answers differ": lambda units, _: np.array([units // 4, *[1] * (units - units // 4)]),
    "staircase": _staircase,
}


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _records(classes: list[NDArray[np.int64]], rng: np.random.Generator) -> pd.DataFrame:
    answers = [rng.permutation(np.repeat(np.arange(len(sizes)), sizes)) for sizes in classes]
    units = [np.arange(1, len(of_problem) + 1) for of_problem in answers]
    answer_class = np.concatenate(answers)
    return pd.DataFrame(
        {
            "problem_id": np.repeat(
                [f"p{i:04d}" for i in range(len(answers))], list(map(len, answers))
            ),
            "unit": np.concatenate(units),
            "answer_class": answer_class,
            "correct": answer_class == 0,
            "truncated": False,
            "completion_tokens": rng.integers(100, 30_000, len(answer_class)),
        }
    )


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each shape, then one for the whole metrics table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--units", type=int, default=128)
    settings = parser.parse_args(arguments)
    budgets = np.arange(1, settings.units + 1)

    def report(what: str, started: float) -> None:
        seconds = time.perf_counter() - started
        print(f"{what:<42} {seconds:7.2f} s   peak so far {_peak_mb():4.0f} MB", flush=True)

    print(f"{settings.problems} problems x {settings.units} units, every N from 1")
    for name, shape in SHAPES.items():
        rng = np.random.default_rng(0)
        classes = [shape(settings.units, rng) for _ in range(settings.problems)]
        started = time.perf_counter()
        hit_exact(settings.units, [sizes[0] for sizes in classes], budgets)
        for sizes in classes:
            vote_exact(sizes, 0, 0, budgets)
        report(f"hit and vote, {name}", started)

    rng = np.random.default_rng(0)
    records = _records([_mixed(settings.units, rng) for _ in range(settings.problems)], rng)
    started = time.perf_counter()
    cell = cell_values(records, "parallel", budgets.tolist())
    metrics_table({Cell("model", "benchmark", "parallel"): cell}, rng)
    report("metrics table with intervals, mixed", started)


if __name__ == "__main__":
    main()

r"""How much of an accuracy is the grader's: the same units under every equality and extraction.

The package grades by math-verify and the last ``\boxed``, with fallbacks. Comparing answers as
strings, or taking the first ``\boxed`` anywhere, is what a naive grader does. Grading the same
units by all of them shows what each costs, beside the shares of units that no grader can help.
Shares are in percent, their differences in points, as in Table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from ttspm.answers import EXTRACTIONS, extract
from ttspm.grader import REFERENCE, Grader
from ttspm.grading import EQUALITIES
from ttspm.intervals import CONFIDENCE, RESAMPLES, bootstrap_difference, bootstrap_mean
from ttspm.metrics import cell_values

DECIMALS = 2  # of a percentage: finer than one unit of any benchmark of the paper

GRADERS = [Grader(*names) for names in product(EQUALITIES, EXTRACTIONS)]


def unboxed_share(
    units: pd.DataFrame, benchmark: pd.DataFrame, *, thinking: bool, extraction: str
) -> float:
    """Share of the units whose answer does not come from a box, in percent.

    Parameters
    ----------
    units, benchmark : pandas.DataFrame
        Columns of `ttspm.tables.UNITS` and `ttspm.tables.BENCHMARK`.
    thinking, extraction
        As for `ttspm.grading.grade`.

    Returns
    -------
    float
        Units without an answer are among them: those too are in no box.
    """
    problems = benchmark.set_index("problem_id")
    kinds, choices = problems["kind"].to_dict(), problems["choices"].to_dict()
    unboxed = 0
    for problem_id, text in zip(units["problem_id"], units["text"], strict=True):
        of_problem = choices[problem_id]
        found = extract(
            text,
            kinds[problem_id],
            thinking=thinking,
            choices=None if of_problem is None else list(of_problem),
            extraction=extraction,
        )
        unboxed += found.rule != "boxed"
    return 100.0 * unboxed / len(units)


def cell_diagnosis(
    records: Mapping[Grader, pd.DataFrame],
    unboxed: Mapping[str, float],
    strategy: str,
    n: int,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Accuracy of one cell under each grader, with the shares that stand beside it.

    Parameters
    ----------
    records : mapping of Grader to pandas.DataFrame
        The same units under each grader, columns of `ttspm.tables.RECORDS`; `REFERENCE` among them.
    unboxed : mapping of str to float
        `unboxed_share` by extraction.
    strategy : {"parallel", "sequential"}
        Decides the estimator: `exact` for parallel, `prefix` for sequential, as in the figures.
    n : int
        Budget in units, of ``acc_n`` and ``hit_n``.
    rng : numpy.random.Generator
        Seeded.
    resamples, confidence
        Of `ttspm.intervals.bootstrap_mean`.

    Returns
    -------
    pandas.DataFrame
        One row a grader. ``acc_1``, ``acc_n``, ``hit_n`` with intervals; ``change``: ``acc_1``
        minus that of `REFERENCE`, its interval paired by problem; ``truncated``, ``unboxed``,
        ``unanswered``: shares of the units.

    Raises
    ------
    UserError
        As `ttspm.metrics.cell_values`.
    """
    estimator = "exact" if strategy == "parallel" else "prefix"
    wanted = {"acc_1": ("acc", 1), "acc_n": ("acc", n), "hit_n": ("hit", n)}
    values = {}
    for grader, graded in records.items():
        of_cell = cell_values(graded, strategy, [1, n]).values
        values[grader] = 100.0 * np.column_stack(
            [of_cell[metric, estimator, budget] for metric, budget in wanted.values()]
        )
    # The same resamples for every grader: equal values then have equal intervals.
    seed = int(rng.integers(2**63))
    rows = []
    for grader, of_grader in values.items():
        graded = records[grader]
        low, high = bootstrap_mean(of_grader, np.random.default_rng(seed), resamples, confidence)
        row: dict[str, object] = {
            **grader._asdict(),
            "n": n,
            "estimator": estimator,
            "n_problems": len(of_grader),
        }
        for at, name in enumerate(wanted):
            row |= _with_interval(name, of_grader[:, at].mean(), low[at], high[at])
        first, reference = of_grader[:, :1], values[REFERENCE][:, :1]
        below, above = bootstrap_difference(
            first, reference, np.random.default_rng(seed), resamples, confidence
        )
        row |= _with_interval("change", (first - reference).mean(), below[0], above[0])
        rows.append(
            row
            | {
                "truncated": round(100.0 * graded["truncated"].mean(), DECIMALS),
                "unboxed": round(unboxed[grader.extraction], DECIMALS),
                "unanswered": round(100.0 * (graded["answer_class"] < 0).mean(), DECIMALS),
            }
        )
    return pd.DataFrame(rows)


def _with_interval(name: str, value: float, low: float, high: float) -> dict[str, object]:
    # + 0.0 makes -0.0, of a change of nothing, 0.0
    bounds = {name: value, f"{name}_low": low, f"{name}_high": high}
    return {key: round(float(number), DECIMALS) + 0.0 for key, number in bounds.items()}

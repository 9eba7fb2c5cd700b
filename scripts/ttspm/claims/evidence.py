"""What the claims are decided from: the run's tables, or the paper's Table 1 in their shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import pandas as pd
from scipy.special import stdtr

from ttspm.claims.measured import Measured, difference, fisher, wilson
from ttspm.errors import UserError
from ttspm.figures.saturation_points import PUBLISHED
from ttspm.paper_table import BENCHMARKS, MODELS, benchmark_title, model_title, paper_cells
from ttspm.table1 import METHODS

PROBLEMS = {"aime24": 30, "aime25": 30, "math500": 500, "gpqa_diamond": 198}
BUDGETS = (4, 8, 32)  # of Table 1, beside vanilla
STRATEGIES = tuple(METHODS)

HALF_OF_LAST_DIGIT = 0.05 + 1e-9  # of a percentage with one decimal, rounded either way

VERIFIED_ON = "math500"  # Fig. 4 and Sec. 4.4
N_TEST = 100  # 8:2 of its 500 problems
PAPER_R = {
    ("deepseek-r1-distill-qwen-1.5b", "sequential"): 0.731,
    ("deepseek-r1-distill-qwen-1.5b", "parallel"): 0.743,
    ("deepseek-r1-distill-qwen-7b", "sequential"): 0.565,
    ("deepseek-r1-distill-qwen-7b", "parallel"): 0.802,
}  # Fig. 4

COLUMNS = {
    "metrics": "model benchmark strategy n metric estimator value ci_low ci_high n_problems",
    "fit": "model benchmark strategy protocol estimator pearson_r r_low r_high p_value n_test",
    "saturation": "model benchmark strategy problem_id first_hit",
    "differences": "model_a strategy_a n_a model_b strategy_b n_b benchmark basis metric estimator"
    " difference ci_low ci_high",
}


class Point(NamedTuple):
    """A model on a benchmark with a strategy and a budget."""

    model: str
    benchmark: str
    strategy: str
    n: int

    def __str__(self) -> str:
        place = f"{model_title(self.model)} {benchmark_title(self.benchmark)}"
        return f"{place} {'Vanilla' if self.n == 1 else f'{METHODS[self.strategy]} N={self.n}'}"


def vanilla(model: str, benchmark: str) -> Point:
    """One generation: the first sample of parallel scaling, as in ``table1.csv``."""
    return Point(model, benchmark, "parallel", 1)


@dataclass(frozen=True)
class Share:
    """A row of ``metrics.csv``: a share in percent, and what it was measured by."""

    measured: Measured
    estimator: str
    n_problems: int


@dataclass(frozen=True)
class Evidence:
    """Tables of a run, with the look-ups that claims need.

    Attributes
    ----------
    metrics, fit, saturation, differences : pandas.DataFrame
        As in ``results/tables``; empty where nothing ran.

    Raises
    ------
    UserError
        If a table lacks a column that is read.
    """

    metrics: pd.DataFrame
    fit: pd.DataFrame
    saturation: pd.DataFrame
    differences: pd.DataFrame

    def __post_init__(self) -> None:
        for table, columns in COLUMNS.items():
            for column in columns.split():
                if column not in getattr(self, table).columns:
                    raise UserError(f"{table}.csv: column '{column}' is missing")

    @cached_property
    def _shares(self) -> Mapping[tuple[Point, str], Share]:
        """By point and metric; of two estimators the prefix, which is what the paper reports."""
        rows = self.metrics[self.metrics["metric"].isin(["acc", "hit"])]
        shares: dict[tuple[Point, str], Share] = {}
        for row in _rows(rows.sort_values("estimator")):  # 'exact' before 'prefix'
            measured = _in_percent(row["value"], row["ci_low"], row["ci_high"])
            n_problems = int(row["n_problems"])
            if measured.low == measured.high:  # all problems alike: no width is not certainty
                measured = wilson(measured.value, n_problems)
            point = Point(row["model"], row["benchmark"], row["strategy"], int(row["n"]))
            shares[point, row["metric"]] = Share(measured, row["estimator"], n_problems)
        return shares

    @cached_property
    def _paired(self) -> Mapping[tuple[Point, Point, str, str], Measured]:
        """Paired differences at equal N, in both directions."""
        paired: dict[tuple[Point, Point, str, str], Measured] = {}
        for row in _rows(self.differences[self.differences["basis"] == "equal_n"]):
            a = Point(row["model_a"], row["benchmark"], row["strategy_a"], int(row["n_a"]))
            b = Point(row["model_b"], row["benchmark"], row["strategy_b"], int(row["n_b"]))
            gap = _in_percent(row["difference"], row["ci_low"], row["ci_high"])
            paired[a, b, row["metric"], row["estimator"]] = gap
            paired[b, a, row["metric"], row["estimator"]] = -gap
        return paired

    def share(self, point: Point, metric: str) -> Share | None:
        """Give a cell's share with the estimator it has; None where the cell did not run."""
        return self._shares.get((point, metric))

    def percent(self, point: Point, metric: str) -> Measured | None:
        """Accuracy (``acc``) or hit@N (``hit``) of a cell in percent."""
        share = self.share(point, metric)
        return share.measured if share else None

    def gap(self, a: Point, b: Point, metric: str) -> Measured | None:
        """``a - b`` in points: paired over problems where `differences` has it.

        Otherwise the two are taken as independent, which makes the interval too wide.
        """
        of_a, of_b = self.share(a, metric), self.share(b, metric)
        if of_a is None or of_b is None:
            return None
        paired = self._paired.get((a, b, metric, of_a.estimator))
        # A difference without width (all problems alike) is no certainty either.
        if of_a.estimator == of_b.estimator and paired and paired.low < paired.high:
            return paired
        return difference(of_a.measured, of_b.measured)

    def _fit_row(self, model: str, strategy: str, protocol: str) -> pd.Series | None:
        rows = self.fit[
            (self.fit["model"] == model)
            & (self.fit["benchmark"] == VERIFIED_ON)
            & (self.fit["strategy"] == strategy)
            & (self.fit["protocol"] == protocol)
            & (self.fit["estimator"] == PUBLISHED[strategy])
        ]
        return rows.iloc[0] if len(rows) else None

    def correlation(self, model: str, strategy: str, protocol: str = "paper") -> Measured | None:
        """Pearson's r on MATH-500; None where it was not computed or is undefined."""
        row = self._fit_row(model, strategy, protocol)
        r = float("nan") if row is None else _number(row["pearson_r"])
        if row is None or math.isnan(r):
            return None
        low, high = float(row["r_low"]), float(row["r_high"])
        # Too few resamples with a defined r leave no bootstrap interval.
        if math.isnan(low) or math.isnan(high):
            return fisher(r, int(row["n_test"]))
        return Measured(r, low, high)

    def undefined(self, model: str, strategy: str) -> str | None:
        """Why r does not exist although the cell ran; None where it exists or did not run."""
        row = self._fit_row(model, strategy, "paper")
        if row is None or not math.isnan(_number(row["pearson_r"])):
            return None
        return str(row["pearson_r"])

    def p_value(self, model: str, strategy: str, protocol: str) -> float | None:
        """p-value of a protocol on MATH-500."""
        row = self._fit_row(model, strategy, protocol)
        return None if row is None or pd.isna(row["p_value"]) else float(row["p_value"])

    def first_hits(self, model: str, benchmark: str, strategy: str) -> pd.Series | None:
        """First hit of each problem; the estimators of p_x repeat it and are dropped."""
        rows = self.saturation[
            (self.saturation["model"] == model)
            & (self.saturation["benchmark"] == benchmark)
            & (self.saturation["strategy"] == strategy)
        ].drop_duplicates("problem_id")
        return rows.set_index("problem_id")["first_hit"] if len(rows) else None


def nothing_ran() -> Evidence:
    """Evidence of a checkout without results."""
    return Evidence(**{name: pd.DataFrame(columns=c.split()) for name, c in COLUMNS.items()})


def paper_points(paper: pd.DataFrame) -> Iterator[tuple[Point, str, float]]:
    """Yield every value of Table 1: where it stands, ``acc`` or ``hit``, percent.

    Parameters
    ----------
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``.
    """
    for model, benchmark, metric in product(MODELS, BENCHMARKS, ("acc", "hit")):
        for row in _rows(paper_cells(paper, model, benchmark, metric)):
            strategy = "parallel" if row["method"] == "vanilla" else row["method"]
            point = Point(model, benchmark, strategy, int(row["n"]))
            yield point, metric, float(row["value"])


def on_grid(percent: float, n_problems: int) -> float | None:
    """Percentage k/n that a printed share was rounded from; None if there is none.

    Parameters
    ----------
    percent : float
        A share printed with one decimal.
    n_problems : int
        Problems that it is a share of; fewer than 1000, so that no two k round to one value.
    """
    exact = 100 * round(percent * n_problems / 100) / n_problems
    return exact if abs(exact - percent) <= HALF_OF_LAST_DIGIT else None


def paper_evidence(paper: pd.DataFrame) -> Evidence:
    """Put the paper's own numbers in the shape of a run's tables.

    Parameters
    ----------
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``.

    Returns
    -------
    Evidence
        Table 1 with Wilson intervals for one run on its problems, each value as the k/n that was
        rounded (the printed one where there is none), and the correlations of Fig. 4
        with Fisher's and the p-value of 100 test problems. It has no saturation points: the
        paper prints none.
    """
    shares = [
        point._asdict() | {"metric": metric, "estimator": "prefix"} | _printed_share(percent, point)
        for point, metric, percent in paper_points(paper)
    ]
    fits = [
        {
            "model": model,
            "benchmark": VERIFIED_ON,
            "strategy": strategy,
            "protocol": "paper",
            "estimator": PUBLISHED[strategy],
            "pearson_r": r,
            "r_low": fisher(r, N_TEST).low,
            "r_high": fisher(r, N_TEST).high,
            "p_value": _p_of_r(r, N_TEST),
            "n_test": N_TEST,
        }
        for (model, strategy), r in PAPER_R.items()
    ]
    empty = nothing_ran()
    return Evidence(
        metrics=pd.DataFrame(shares),
        fit=pd.DataFrame(fits),
        saturation=empty.saturation,
        differences=empty.differences,
    )


def _printed_share(percent: float, point: Point) -> dict[str, float]:
    n_problems = PROBLEMS[point.benchmark]
    exact = on_grid(percent, n_problems)
    share = wilson(percent if exact is None else exact, n_problems)
    return {
        "value": share.value / 100,
        "ci_low": share.low / 100,
        "ci_high": share.high / 100,
        "n_problems": n_problems,
    }


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _in_percent(value: float, low: float, high: float) -> Measured:
    return Measured(100 * value, 100 * low, 100 * high)


def _number(cell: object) -> float:
    """A number, or NaN for the words that stand where r is undefined."""
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


def _p_of_r(r: float, n_pairs: int) -> float:
    """Two-sided p-value of Pearson's r, by Student's t with n - 2 degrees of freedom."""
    t = abs(r) * math.sqrt((n_pairs - 2) / (1 - r**2))
    return float(2 * stdtr(n_pairs - 2, -t))

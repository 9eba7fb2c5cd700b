"""Sentences of Sec. 4.3: the curves of hit@N (Fig. 2) and the saturation points (Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import product

import pandas as pd
from scipy.stats import binomtest, chi2_contingency

from ttspm.claims.accuracy import diminishes, surpasses_larger
from ttspm.claims.claim import Claim
from ttspm.claims.decision import NOT_RUN, Decision, below, hold
from ttspm.claims.evidence import BUDGETS, STRATEGIES, Evidence, Point, vanilla
from ttspm.claims.measured import Measured, combine, difference, exactly, wilson
from ttspm.paper_table import BENCHMARKS, MODELS, benchmark_title, model_title
from ttspm.table1 import METHODS

FIRST, MIDDLE, LAST = BUDGETS
SMALL = next(iter(MODELS))
FIGURES = ("aime25", "math500", "gpqa_diamond")  # the benchmarks of Fig. 2 and 3
SIGNIFICANT = 0.05
CHOICES = 4  # of a GPQA question


def first_gain(evidence: Evidence, model: str, benchmark: str, strategy: str) -> Measured | None:
    """hit@4 minus vanilla, in points."""
    point = Point(model, benchmark, strategy, FIRST)
    return evidence.gap(point, vanilla(model, benchmark), "hit")


def guessing(n: int) -> float:
    """Chance, in percent, that one of n blind guesses among the choices of GPQA is correct."""
    return 100.0 * (1.0 - (1.0 - 1.0 / CHOICES) ** n)


def levels_off(evidence: Evidence) -> Decision:
    """The 24 units from N = 8 to 32 gain less than the 3 from N = 1 to 4, on every curve."""
    parts = {}
    for model, benchmark, strategy in product(MODELS, BENCHMARKS, STRATEGIES):
        hit = {n: evidence.percent(Point(model, benchmark, strategy, n), "hit") for n in BUDGETS}
        parts[_series(model, strategy, benchmark)] = combine(
            (1.0, hit[FIRST]),
            (-1.0, evidence.percent(vanilla(model, benchmark), "hit")),
            (1.0, hit[MIDDLE]),
            (-1.0, hit[LAST]),
        )
    return hold(parts)


def gpqa_is_steepest(evidence: Evidence, strategy: str, others: Iterable[str]) -> Decision:
    """hit@N rises more from N = 1 to 4 on GPQA than on the others, for both models."""
    decision = hold(
        {
            f"{model_title(model)} {METHODS[strategy]}, over {benchmark_title(other)}": difference(
                first_gain(evidence, model, "gpqa_diamond", strategy),
                first_gain(evidence, model, other, strategy),
            )
            for model, other in product(MODELS, others)
        }
    )
    if decision.verdict == NOT_RUN:
        return decision
    by_chance = guessing(FIRST) - guessing(1)
    return decision.with_note(f"blind guessing among four choices gains {by_chance:.1f} points")


def gpqa_is_steeper_in_parallel(evidence: Evidence) -> Decision:
    """On GPQA, hit@4 of parallel is above that of sequential scaling, for both models."""
    return hold(
        {
            model_title(model): evidence.gap(
                Point(model, "gpqa_diamond", "parallel", FIRST),
                Point(model, "gpqa_diamond", "sequential", FIRST),
                "hit",
            )
            for model in MODELS
        }
    )


def aime25_is_more_gradual(evidence: Evidence) -> Decision:
    """hit@N rises less from N = 1 to 4 on AIME 2025 than on GPQA."""
    return hold(
        {
            f"{model_title(model)} {METHODS[strategy]}": difference(
                first_gain(evidence, model, "gpqa_diamond", strategy),
                first_gain(evidence, model, "aime25", strategy),
            )
            for model, strategy in product(MODELS, STRATEGIES)
        }
    )


def share_at_once(evidence: Evidence, model: str, benchmark: str, strategy: str) -> Measured | None:
    """Percent of problems with their saturation point at N = 1: first hit 1, or none at all."""
    hits = evidence.first_hits(model, benchmark, strategy)
    return None if hits is None else wilson(100 * float((hits == 1).mean()), len(hits))


def aime25_concentrates(evidence: Evidence) -> Decision:
    """More than half of the problems of AIME 2025 have their saturation point at N = 1."""
    return hold(
        {
            f"{model_title(m)} {METHODS[s]}": share_at_once(evidence, m, "aime25", s)
            for m, s in product(MODELS, STRATEGIES)
        },
        above=50.0,
    )


def gpqa_is_dispersed(evidence: Evidence) -> Decision:
    """A smaller share of problems is at N = 1 on GPQA than on AIME 2025."""
    return hold(
        {
            f"{model_title(m)} {METHODS[s]}": difference(
                share_at_once(evidence, m, "aime25", s),
                share_at_once(evidence, m, "gpqa_diamond", s),
            )
            for m, s in product(MODELS, STRATEGIES)
        }
    )


def small_sequential_is_most_dispersed(evidence: Evidence) -> Decision:
    """On GPQA the smallest share at N = 1 is that of the 1.5B model with sequential scaling."""
    here = share_at_once(evidence, SMALL, "gpqa_diamond", "sequential")
    return hold(
        {
            f"{model_title(m)} {METHODS[s]}": difference(
                share_at_once(evidence, m, "gpqa_diamond", s), here
            )
            for m, s in product(MODELS, STRATEGIES)
            if (m, s) != (SMALL, "sequential")
        }
    )


def varies_across_benchmarks(evidence: Evidence) -> Decision:
    """The shares at N = 1 differ between benchmarks: chi-square test on their counts."""
    parts = {}
    for model, strategy in product(MODELS, STRATEGIES):
        hits = [evidence.first_hits(model, benchmark, strategy) for benchmark in FIGURES]
        there = [series for series in hits if series is not None]
        parts[f"{model_title(model)} {METHODS[strategy]}"] = (
            exactly(_homogeneity(there)) if len(there) == len(FIGURES) else None
        )
    return below(parts, SIGNIFICANT)


def _homogeneity(samples: list[pd.Series]) -> float:
    """p-value for one share at N = 1 in all samples; 1 where there is nothing to tell apart."""
    counts = [[int((hits == 1).sum()), int((hits != 1).sum())] for hits in samples]
    if any(sum(column) == 0 for column in zip(*counts, strict=True)):
        return 1.0
    return float(chi2_contingency(counts).pvalue)


def varies_across_strategies(evidence: Evidence) -> Decision:
    """First hits come earlier in one strategy: sign test over the problems that differ."""
    parts = {}
    for model, benchmark in product(MODELS, FIGURES):
        hits = [evidence.first_hits(model, benchmark, strategy) for strategy in STRATEGIES]
        both = [series for series in hits if series is not None]
        name = f"{model_title(model)} {benchmark_title(benchmark)}"
        parts[name] = exactly(_sign_test(*both)) if len(both) == len(STRATEGIES) else None
    return below(parts, SIGNIFICANT)


def _sign_test(a: pd.Series, b: pd.Series) -> float:
    """Two-sided exact p-value for "earlier as often as later"; 1 where no problem differs."""
    common = a.index.intersection(b.index)
    earlier, later = int((a[common] < b[common]).sum()), int((a[common] > b[common]).sum())
    if not earlier + later:
        return 1.0
    return float(binomtest(earlier, earlier + later).pvalue)


def _series(model: str, strategy: str, benchmark: str) -> str:
    return f"{model_title(model)} {benchmark_title(benchmark)} {METHODS[strategy]}"


CURVES = [
    Claim(
        '"The scaling Pareto is a universal phenomenon ... improvements become increasingly '
        'marginal": hit@N gained per unit never grows with N',
        "Sec. 4.3",
        partial(diminishes, metric="hit"),
    ),
    Claim(
        '"... eventually reaching a point where additional scaling yields negligible gains": hit@N '
        "gains less from N=8 to 32 than from N=1 to 4",
        "Sec. 4.3",
        levels_off,
    ),
    Claim(
        "\"On MATH-500, the 1.5B model with parallel scaling at N=32 ... exceeding the 7B model's "
        'vanilla performance": the difference in accuracy is above 0',
        "Sec. 4.3",
        partial(surpasses_larger, benchmarks=["math500"]),
    ),
    Claim(
        'A smaller model can "sometimes even surpass the performance of a larger model without '
        'scaling": 1.5B parallel N=32 minus 7B vanilla is above 0 on one benchmark at least',
        "Sec. 4.3",
        partial(surpasses_larger, benchmarks=list(BENCHMARKS)),
    ),
    Claim(
        '"GPQA shows the steepest initial improvement, particularly for parallel scaling": '
        "parallel, hit@N from N=1 to 4 rises more than on any other benchmark",
        "Sec. 4.3",
        partial(gpqa_is_steepest, strategy="parallel", others=["aime24", "aime25", "math500"]),
    ),
    Claim(
        '"GPQA shows the steepest initial improvement": sequential, hit@N from N=1 to 4 rises more '
        "than on any other benchmark",
        "Sec. 4.3",
        partial(gpqa_is_steepest, strategy="sequential", others=["aime24", "aime25", "math500"]),
    ),
    Claim(
        '"... particularly for parallel scaling": on GPQA, hit@4 of parallel minus sequential is '
        "above 0",
        "Sec. 4.3",
        gpqa_is_steeper_in_parallel,
    ),
    Claim(
        '"In contrast, AIME2025 exhibits more gradual improvements": hit@N rises less from N=1 to '
        "4 than on GPQA, in every series",
        "Sec. 4.3",
        aime25_is_more_gradual,
    ),
]

SATURATION_POINTS = [
    Claim(
        '"For AIME 2025, both models show a strong concentration at N = 1": percent of problems '
        "with their saturation point there is above 50",
        "Sec. 4.3",
        aime25_concentrates,
    ),
    Claim(
        '"GPQA exhibits a more dispersed distribution": the share of problems at N=1 is smaller '
        "than on AIME 2025, in every series",
        "Sec. 4.3",
        gpqa_is_dispersed,
    ),
    Claim(
        '"... particularly for the 1.5B model with sequential scaling": on GPQA its share of '
        "problems at N=1 is smaller than in any other series",
        "Sec. 4.3",
        small_sequential_is_most_dispersed,
    ),
    Claim(
        'Saturation points vary "significantly across benchmarks": chi-square test of the share at '
        "N=1, p below 0.05 in every series",
        "Sec. 4.3",
        varies_across_benchmarks,
    ),
    Claim(
        'Saturation points vary significantly across "scaling strategies": sign test of first '
        "hits, p below 0.05 for every model and benchmark",
        "Sec. 4.3",
        varies_across_strategies,
    ),
]

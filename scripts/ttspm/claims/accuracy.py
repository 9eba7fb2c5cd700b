"""Sentences of Sec. 4.2 (main results) and App. C (accuracy), and one of Sec. 3.1."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise, product

from ttspm.claims.claim import Claim
from ttspm.claims.decision import Decision, hold, same_number
from ttspm.claims.evidence import (
    BUDGETS,
    PROBLEMS,
    STRATEGIES,
    Evidence,
    Point,
    vanilla,
)
from ttspm.claims.measured import Measured, combine, difference, wilson
from ttspm.paper_table import BENCHMARKS, MODELS, benchmark_title, model_title
from ttspm.table1 import METHODS

SMALL, LARGE = MODELS
LAST = max(BUDGETS)
APPROACHES = 5.0  # points; the paper does not say how near "approaches" is


def improves(evidence: Evidence, points: Iterable[Point]) -> Decision:
    """Accuracy is above vanilla at every point."""
    return hold({str(p): evidence.gap(p, vanilla(p.model, p.benchmark), "acc") for p in points})


def improves_by(
    evidence: Evidence, model: str, benchmark: str, before: float, after: float
) -> Decision:
    """Accuracy rises by the paper's difference from vanilla to parallel scaling with N = 32."""
    point = Point(model, benchmark, "parallel", LAST)
    return same_number(
        evidence.gap(point, vanilla(model, benchmark), "acc"),
        paper_gap(before, after, PROBLEMS[benchmark]),
    )


def leads_by(
    evidence: Evidence, model: str, benchmark: str, sequential: float, parallel: float
) -> Decision:
    """Parallel leads sequential scaling by the paper's difference at N = 32."""
    ahead, behind = (Point(model, benchmark, s, LAST) for s in ("parallel", "sequential"))
    return same_number(
        evidence.gap(ahead, behind, "acc"), paper_gap(sequential, parallel, PROBLEMS[benchmark])
    )


def paper_gap(before: float, after: float, n_problems: int) -> Measured:
    """The difference of two printed shares, each one run on all problems."""
    gap = difference(wilson(after, n_problems), wilson(before, n_problems))
    assert gap is not None
    return gap


def leads(
    evidence: Evidence, metric: str, places: Iterable[tuple[str, str, int]]
) -> dict[str, Measured | None]:
    """Parallel minus sequential at equal N, in points."""
    return {
        f"{model_title(m)} {benchmark_title(b)} N={n}": evidence.gap(
            Point(m, b, "parallel", n), Point(m, b, "sequential", n), metric
        )
        for m, b, n in places
    }


def parallel_leads(
    evidence: Evidence, metric: str, places: Iterable[tuple[str, str, int]]
) -> Decision:
    """Parallel is above sequential scaling at every place."""
    return hold(leads(evidence, metric, places))


def lead_is_largest(evidence: Evidence, model: str, benchmark: str) -> Decision:
    """The lead of parallel scaling at N = 32 is larger here than anywhere else."""
    places = product(MODELS, BENCHMARKS, [LAST])
    all_leads = leads(evidence, "acc", places)
    here = f"{model_title(model)} {benchmark_title(benchmark)} N={LAST}"
    return hold(
        {
            name: difference(all_leads[here], lead)
            for name, lead in all_leads.items()
            if name != here
        }
    )


def over_larger_vanilla(
    evidence: Evidence, benchmarks: Iterable[str], strategy: str = "parallel"
) -> dict[str, Measured | None]:
    """The 1.5B model with N = 32 minus the 7B model's vanilla accuracy."""
    return {
        benchmark_title(b): evidence.gap(Point(SMALL, b, strategy, LAST), vanilla(LARGE, b), "acc")
        for b in benchmarks
    }


def surpasses_larger(evidence: Evidence, benchmarks: Iterable[str]) -> Decision:
    """On one of the benchmarks at least, 1.5B with N = 32 is above 7B vanilla."""
    return hold(over_larger_vanilla(evidence, benchmarks), at_least=1)


def approaches_larger(evidence: Evidence) -> Decision:
    """On half of the benchmarks at least, 1.5B with N = 32 is at most 5 points below 7B vanilla."""
    parts = over_larger_vanilla(evidence, BENCHMARKS)
    return hold(parts, above=-APPROACHES, strict=False, at_least=len(parts) // 2)


def steps(
    evidence: Evidence, model: str, benchmark: str, strategy: str
) -> dict[str, Measured | None]:
    """Changes of accuracy from each N of Table 1 to the next, vanilla included."""
    points = [vanilla(model, benchmark), *(Point(model, benchmark, strategy, n) for n in BUDGETS)]
    return {
        f"{model_title(model)} {benchmark_title(benchmark)} {METHODS[strategy]} {a.n}->{b.n}": (
            evidence.gap(b, a, "acc")
        )
        for a, b in pairwise(points)
    }


def never_falls(evidence: Evidence, strategy: str) -> Decision:
    """Accuracy does not fall from one N to the next."""
    parts: dict[str, Measured | None] = {}
    for model, benchmark in product(MODELS, BENCHMARKS):
        parts |= steps(evidence, model, benchmark, strategy)
    return hold(parts, strict=False)


def is_steadier(evidence: Evidence) -> Decision:
    """On each benchmark the worst step of parallel is above the worst step of sequential."""
    parts = {}
    for benchmark in BENCHMARKS:
        worst = {s: _worst_step(evidence, benchmark, s) for s in STRATEGIES}
        parts[benchmark_title(benchmark)] = difference(worst["parallel"], worst["sequential"])
    return hold(parts)


def _worst_step(evidence: Evidence, benchmark: str, strategy: str) -> Measured | None:
    """The lowest change of accuracy over both models; None where one did not run."""
    changes = [
        step for model in MODELS for step in steps(evidence, model, benchmark, strategy).values()
    ]
    there = [step for step in changes if step is not None]
    return min(there, key=lambda step: step.value) if len(there) == len(changes) else None


def stays_correct(evidence: Evidence) -> Decision:
    """No correct answer is lost: after N rounds as many are correct as ever were."""
    return hold(
        {
            str(point): difference(evidence.percent(point, "acc"), evidence.percent(point, "hit"))
            for point in _points(MODELS, BENCHMARKS, ["sequential"], BUDGETS)
        },
        strict=False,
    )


def diminishes(evidence: Evidence, metric: str) -> Decision:
    """The gain per unit shrinks from 1->4 to 4->8 and from 4->8 to 8->32, on every curve."""
    parts: dict[str, Measured | None] = {}
    for model, benchmark, strategy in product(MODELS, BENCHMARKS, STRATEGIES):
        curve = [vanilla(model, benchmark)]
        curve += [Point(model, benchmark, strategy, n) for n in BUDGETS]
        for a, b, c in zip(curve, curve[1:], curve[2:], strict=False):
            first, then = 1 / (b.n - a.n), 1 / (c.n - b.n)
            name = f"{model_title(model)} {benchmark_title(benchmark)} {METHODS[strategy]}"
            parts[f"{name} at {b.n}"] = combine(
                (-first, evidence.percent(a, metric)),
                (first + then, evidence.percent(b, metric)),
                (-then, evidence.percent(c, metric)),
            )
    return hold(parts, strict=False, decimals=2)


def _points(
    models: Iterable[str],
    benchmarks: Iterable[str],
    strategies: Iterable[str],
    budgets: Iterable[int],
) -> list[Point]:
    return [Point(*names) for names in product(models, benchmarks, strategies, budgets)]


# Sec. 4.2: model, benchmark, accuracy of vanilla and of parallel scaling with N = 32, as printed.
# The improvement on GPQA by the 1.5B model is missing in the text; its two ends are there.
IMPROVEMENTS = (
    (SMALL, "aime24", 30.0, 53.3, 23.3),
    (SMALL, "gpqa_diamond", 21.3, 39.4, None),
    (LARGE, "aime24", 56.7, 76.7, 20.0),
    (LARGE, "gpqa_diamond", 41.9, 56.6, 14.7),
)

MAIN_RESULTS = [
    *(
        Claim(
            f'"both sequential and parallel ... significantly improve the performance ... across '
            f'all benchmarks": {strategy}, N=32, accuracy minus vanilla is above 0',
            "Sec. 4.2",
            partial(improves, points=_points(MODELS, BENCHMARKS, [strategy], [LAST])),
        )
        for strategy in STRATEGIES
    ),
    *(
        Claim(
            '"test-time scaling consistently enhances model performance regardless of model size":'
            f" {model_title(model)}, accuracy minus vanilla is above 0, both strategies, every N",
            "Sec. 4.2",
            partial(improves, points=_points([model], BENCHMARKS, STRATEGIES, BUDGETS)),
        )
        for model in MODELS
    ),
    *(
        Claim(
            f"{model_title(model)} {benchmark_title(benchmark)}: parallel scaling with N=32 "
            f"improves accuracy from {before} to {after}, by (points)",
            "Sec. 4.2",
            partial(improves_by, model=model, benchmark=benchmark, before=before, after=after),
            round(after - before, 1),
        )
        for model, benchmark, before, after, _ in IMPROVEMENTS
    ),
    Claim(
        '"parallel scaling consistently outperforms sequential scaling across all benchmarks and '
        'model sizes": accuracy at equal N, parallel minus sequential is above 0',
        "Sec. 4.2",
        partial(parallel_leads, metric="acc", places=list(product(MODELS, BENCHMARKS, BUDGETS))),
    ),
    Claim(
        "R1-1.5B AIME 2024: parallel leads sequential scaling at N=32, 53.3 to 30.0, by (points)",
        "Sec. 4.2",
        partial(leads_by, model=SMALL, benchmark="aime24", sequential=30.0, parallel=53.3),
        23.3,
    ),
    Claim(
        '"This performance gap is particularly pronounced for the 1.5B model on AIME 2024": at '
        "N=32 it is larger than the gap of any other model and benchmark",
        "Sec. 4.2",
        partial(lead_is_largest, model=SMALL, benchmark="aime24"),
    ),
    Claim(
        'Parallel scaling can "explore a more diverse solution space": hit@N at equal N, parallel '
        "minus sequential is above 0",
        "Sec. 4.2",
        partial(parallel_leads, metric="hit", places=list(product(MODELS, BENCHMARKS, BUDGETS))),
    ),
]

APPENDIX_C = [
    Claim(
        '"Across all settings ... initial improvements in accuracy": at N=4 accuracy minus vanilla '
        "is above 0",
        "App. C",
        partial(improves, points=_points(MODELS, BENCHMARKS, STRATEGIES, [min(BUDGETS)])),
    ),
    Claim(
        '"... followed by diminishing returns": accuracy gained per unit never grows with N',
        "App. C",
        partial(diminishes, metric="acc"),
    ),
    Claim(
        'The 1.5B model "often approaches or exceeds the performance of the 7B vanilla baseline": '
        f"parallel, N=32, at most {APPROACHES:g} points below on half of the benchmarks",
        "App. C",
        approaches_larger,
    ),
    Claim(
        '"... particularly under parallel scaling": 1.5B with N=32, parallel minus sequential '
        "accuracy is above 0 on every benchmark",
        "App. C",
        partial(parallel_leads, metric="acc", places=list(product([SMALL], BENCHMARKS, [LAST]))),
    ),
    Claim(
        '"Parallel scaling consistently outperforms sequential scaling in terms of final accuracy":'
        " at N=32, parallel minus sequential is above 0",
        "App. C",
        partial(parallel_leads, metric="acc", places=list(product(MODELS, BENCHMARKS, [LAST]))),
    ),
    *(
        Claim(
            f'"both strategies benefit from increased N": {strategy}, accuracy never falls from '
            "one N to the next",
            "App. C",
            partial(never_falls, strategy=strategy),
        )
        for strategy in STRATEGIES
    ),
    Claim(
        'Parallel scaling "exhibits more stable behavior across all benchmarks": its worst change '
        "of accuracy from one N to the next is above that of sequential scaling",
        "App. C",
        is_steadier,
    ),
]

MODEL_OF_RETHINKING = [
    Claim(
        '"once a correct answer is reached, the process stops and remains correct": sequential, '
        "acc@N is not below hit@N",
        "Sec. 3.1",
        stays_correct,
    ),
]

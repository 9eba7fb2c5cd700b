"""The paper against itself and against what others published: needs no run, always decided."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pandas as pd

from ttspm.claims.accuracy import IMPROVEMENTS, LARGE, LAST, SMALL
from ttspm.claims.decision import AGREES, DIFFERS, NAN, Decision, Row, decided, hold
from ttspm.claims.evidence import (
    BUDGETS,
    HALF_OF_LAST_DIGIT,
    PROBLEMS,
    STRATEGIES,
    Evidence,
    Point,
    on_grid,
    paper_evidence,
    paper_points,
    vanilla,
)
from ttspm.claims.measured import Measured, difference, exactly
from ttspm.claims.scaling import guessing
from ttspm.paper_table import BENCHMARKS, MODELS, benchmark_title, model_title
from ttspm.saturation import p_rethink, saturation_point

TWO_ROUNDINGS = 2 * HALF_OF_LAST_DIGIT  # what a difference of two printed shares may be off by

# Vanilla lines of the figures, in percent: (1.5B, 7B).
FIG_2 = {"aime25": (23.3, 40.0), "math500": (74.2, 82.0), "gpqa_diamond": (20.1, 38.5)}
FIG_5 = {
    "aime24": (30.0, 56.7),
    "aime25": (23.3, 40.0),
    "math500": (74.2, 82.0),
    "gpqa_diamond": (21.3, 41.9),
}


def paper_against_itself(paper: pd.DataFrame, published: pd.DataFrame) -> list[Row]:
    """Every check that needs only the paper and published values.

    Parameters
    ----------
    paper : pandas.DataFrame
        ``resources/paper_table1.csv``.
    published : pandas.DataFrame
        ``resources/published_pass1.csv``: others' pass@1 of the same two models, percent.

    Returns
    -------
    list of Row
        `paper` is what the paper prints, the decision's `ours` what follows from the rest.
    """
    table = paper_evidence(paper)
    return [
        *on_the_grid(paper),
        *by_definition(table),
        *within_bound(table),
        *above_guessing(table),
        *as_printed(table),
        *improvements_as_printed(table),
        *against_published(table, published),
        estimate_in_words(1, LAST),
        estimate_in_words(LAST, LAST),
        ceiling_at_a_tie(Fraction(1, 2), Fraction(1, 8)),
    ]


def on_the_grid(paper: pd.DataFrame) -> list[Row]:
    """Whether each value is a whole number of problems, rounded to one decimal either way."""
    rows = []
    for benchmark, n in PROBLEMS.items():
        values = [(p, m, v) for p, m, v in paper_points(paper) if p.benchmark == benchmark]
        wrong = [
            f"{point} {metric} {value} (between {_neighbours(value, n)})"
            for point, metric, value in values
            if on_grid(value, n) is None
        ]
        rows.append(
            Row(
                f"{benchmark_title(benchmark)}: values that are k/{n} for a whole k",
                "Table 1 against its problems",
                float(len(values)),
                Decision(
                    DIFFERS if wrong else AGREES,
                    float(len(values) - len(wrong)),
                    note=", ".join(wrong),
                ),
            )
        )
    return rows


def _neighbours(percent: float, n_problems: int) -> str:
    k = math.floor(percent * n_problems / 100)
    return f"{100 * k / n_problems:.2f} and {100 * (k + 1) / n_problems:.2f}"


def by_definition(table: Evidence) -> list[Row]:
    """Relations that hold for any run: of one unit, of a vote, of more units."""
    same, not_above, rising = {}, {}, {}
    for model in MODELS:
        for benchmark in BENCHMARKS:
            first = vanilla(model, benchmark)
            same[str(first)] = _gap(table, first, "hit", first, "acc")
            for strategy in STRATEGIES:
                curve = [first, *(Point(model, benchmark, strategy, n) for n in BUDGETS)]
                for i, point in enumerate(curve[1:]):
                    not_above[str(point)] = _gap(table, point, "hit", point, "acc")
                    rising[str(point)] = _gap(table, point, "hit", curve[i], "hit")
    where = "Table 1 against definitions"
    differing = {name: exactly(0.0 - abs(part.value)) for name, part in same.items() if part}
    return [
        Row("Vanilla: hit@1 is accuracy", where, NAN, hold(differing, strict=False)),
        Row("hit@N minus accuracy is not below 0", where, NAN, hold(not_above, strict=False)),
        Row("hit@N does not fall when N grows", where, NAN, hold(rising, strict=False)),
    ]


def _gap(table: Evidence, a: Point, metric_a: str, b: Point, metric_b: str) -> Measured | None:
    """A difference that is 0 or more within one run, whatever its sampling error."""
    gap = difference(table.percent(a, metric_a), table.percent(b, metric_b))
    return exactly(gap.value) if gap else None


def jensen_bound(percent: float, n: int) -> float:
    """Largest hit@N, in percent, that independent units of a given mean accuracy can have.

    Parameters
    ----------
    percent : float
        Mean over problems of the chance that one unit is correct, in percent.
    n : int
        Units.

    Notes
    -----
    1 - (1-p)^N is concave in p, so its mean over problems is at most its value at the mean
    (Jensen's inequality), reached where all problems are equally hard.
    """
    return 100.0 * (1.0 - (1.0 - percent / 100.0) ** n)


def within_bound(table: Evidence) -> list[Row]:
    """Whether parallel hit@N is possible for independent samples as accurate as vanilla."""
    rows = []
    for model in MODELS:
        for benchmark in BENCHMARKS:
            mean = table.percent(vanilla(model, benchmark), "acc")
            for n in BUDGETS:
                point = Point(model, benchmark, "parallel", n)
                hit = table.percent(point, "hit")
                if mean is None or hit is None:
                    continue
                bound = Measured(*(jensen_bound(p, n) for p in (mean.value, mean.low, mean.high)))
                slack = hold({str(point): difference(bound, hit)}, strict=False)
                rows.append(
                    Row(
                        f"{point}: hit@{n} is at most 1-(1-m)^{n}, m the vanilla accuracy "
                        f"{mean.value:.1f}",
                        "Table 1 against its vanilla",
                        round(hit.value, 1),
                        replace(slack, ours=bound.value, low=bound.low, high=bound.high),
                    )
                )
    return rows


def above_guessing(table: Evidence) -> list[Row]:
    """Whether hit@N on GPQA is above what blind guessing reaches."""
    rows = []
    for model in MODELS:
        points = [vanilla(model, "gpqa_diamond")]
        points += [Point(model, "gpqa_diamond", s, n) for s in STRATEGIES for n in BUDGETS]
        for point in points:
            hit, level = table.percent(point, "hit"), exactly(guessing(point.n))
            if hit is None:
                continue
            surplus = hold({str(point): difference(hit, level)})
            rows.append(
                Row(
                    f"{point}: hit@{point.n} is above that of blind guessing, 1-(3/4)^{point.n}",
                    "Table 1 against guessing",
                    round(hit.value, 1),
                    replace(surplus, ours=level.value, low=NAN, high=NAN),
                )
            )
    return rows


def as_printed(table: Evidence) -> list[Row]:
    """Whether the numbers in the text and at the lines of the figures are those of Table 1."""
    numbers: list[tuple[str, Point, str, float]] = []
    for model, benchmark, before, after, _ in IMPROVEMENTS:
        numbers += [
            ("Sec. 4.2", vanilla(model, benchmark), "acc", before),
            ("Sec. 4.2", Point(model, benchmark, "parallel", LAST), "acc", after),
        ]
    numbers += [
        ("Sec. 4.2", Point(SMALL, "aime24", "sequential", LAST), "acc", 30.0),
        ("Sec. 4.3", Point(SMALL, "math500", "parallel", LAST), "acc", 83.6),
        ("Sec. 4.3", vanilla(LARGE, "math500"), "acc", 82.0),
    ]
    for where, metric, lines in (("Fig. 2", "hit", FIG_2), ("Fig. 5", "acc", FIG_5)):
        numbers += [
            (where, vanilla(model, benchmark), metric, value)
            for benchmark, values in lines.items()
            for model, value in zip(MODELS, values, strict=True)
        ]
    rows = []
    for where, point, metric, printed in numbers:
        there = table.percent(point, metric)
        if there is not None:
            note = _grid_note(printed, point.benchmark)
            decision = Decision(
                AGREES if abs(there.value - printed) <= HALF_OF_LAST_DIGIT else DIFFERS,
                there.value,
                note=note,
            )
            name = "hit@1" if metric == "hit" else "accuracy"
            rows.append(Row(f"{point}: {name} (%)", f"{where} against Table 1", printed, decision))
    return rows


def _grid_note(printed: float, benchmark: str) -> str:
    n = PROBLEMS[benchmark]
    return f"the printed value is no k/{n}" if on_grid(printed, n) is None else ""


def improvements_as_printed(table: Evidence) -> list[Row]:
    """Whether the text's improvements are Table 1's, with what one run can tell about them."""
    rows = []
    for model, benchmark, _, _, printed in IMPROVEMENTS:
        after, before = Point(model, benchmark, "parallel", LAST), vanilla(model, benchmark)
        gap = table.gap(after, before, "acc")
        if gap is None:
            continue
        decision = decided(printed is not None and abs(gap.value - printed) <= TWO_ROUNDINGS, gap)
        if printed is None:
            decision = decision.with_note("the number is missing in the text")
        errors = [standard_error(table.percent(p, "acc"), benchmark) for p in (before, after)]
        decision = decision.with_note(f"standard errors {errors[0]:.1f} and {errors[1]:.1f} points")
        if gap.low <= 0.0:
            decision = decision.with_note("the interval includes no improvement")
        name = f"{model_title(model)} {benchmark_title(benchmark)}"
        claim = f"{name}: improvement by parallel scaling with N=32 (points)"
        rows.append(
            Row(claim, "Sec. 4.2 against Table 1", NAN if printed is None else printed, decision)
        )
    return rows


def standard_error(share: Measured | None, benchmark: str) -> float:
    """Standard error of a share of a benchmark's problems, in points."""
    p = share.value / 100.0 if share else NAN
    return 100.0 * math.sqrt(p * (1.0 - p) / PROBLEMS[benchmark])


def against_published(table: Evidence, published: pd.DataFrame) -> list[Row]:
    """Whether vanilla accuracy is one run of what others measured as pass@1."""
    rows = []
    largest: dict[Point, float] = {}
    models = {title: model for model, title in MODELS.items()}
    for record in published.to_dict("records"):
        for benchmark in BENCHMARKS:
            first = vanilla(models[record["model"]], benchmark)
            value, here = float(record[benchmark]), table.percent(first, "acc")
            if math.isnan(value) or here is None:
                continue
            largest[first] = max(value, largest.get(first, 0.0))
            decision = Decision(
                AGREES if here.low <= value <= here.high else DIFFERS,
                value,
                note=f"{value - here.value:+.1f} points; 95 % interval of the paper's value "
                f"[{here.low:.1f}, {here.high:.1f}]; {record['setting']}",
            )
            rows.append(
                Row(
                    f"{first} accuracy, and pass@1 of {record['source']} (%)",
                    "Table 1 against published values",
                    round(here.value, 1),
                    decision,
                )
            )
    for first, value in largest.items():
        point = first._replace(n=LAST)
        hit = table.percent(point, "hit")
        if hit is not None:
            surplus = hold({str(point): difference(hit, exactly(value))})
            rows.append(
                Row(
                    f"{point}: hit@{LAST} is above the largest published pass@1 (%)",
                    "Table 1 against published values",
                    round(hit.value, 1),
                    replace(surplus, ours=value, low=NAN, high=NAN),
                )
            )
    return rows


def estimate_in_words(k: int, n: int) -> Row:
    """Whether App. A's k/n is the maximum-likelihood estimate that its words announce: 1/k."""
    printed, named = (float(p_rethink([k], [True], n, e)[0]) for e in ("k/n", "1/k"))
    return Row(
        f'A problem first solved in round {k} of {n}: k/{n} is "the maximum likelihood estimate '
        'for a geometric distribution"',
        "App. A against its words",
        printed,
        decided(math.isclose(printed, named), exactly(named)),
    )


def ceiling_at_a_tie(p: Fraction, ratio: Fraction) -> Row:
    """Whether Eq. 14 is the smallest N with a gain below the threshold (Eq. 10)."""
    printed = math.ceil(round(math.log(ratio / p) / math.log(1 - p), 9))
    smallest = saturation_point(p, ratio)
    return Row(
        f"Eq. 14 gives the smallest N that satisfies Eq. 10: p_x = {p}, epsilon/F_max = {ratio}",
        "Eq. 14 against Eq. 10",
        float(printed),
        decided(printed == smallest, exactly(float(smallest))),
    )

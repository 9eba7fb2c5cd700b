"""The simulation study: its truth against enumeration, its summary against known answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise, product
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from ttspm.config import check_config, load_schema
from ttspm.errors import UserError
from ttspm.figures import simulation as figure_of
from ttspm.figures import style
from ttspm.intervals import bootstrap_mean
from ttspm.metrics import cell_values
from ttspm.simulation import population, report, study, summary, truth
from ttspm.simulation.scenarios import (
    BUDGETS,
    MATH,
    SCENARIOS,
    SIZES,
    UNITS,
    Beta,
    Point,
    Scenario,
)

ROOT = Path(__file__).resolve().parents[1]


def credit(answers: tuple[int, ...]) -> Fraction:
    """What the majority vote earns: the correct answer is 0, a negative one casts no vote."""
    votes = Counter(answer for answer in answers if answer >= 0)
    if not votes or votes[0] < max(votes.values()):
        return Fraction(0)
    return Fraction(1, sum(count == votes[0] for count in votes.values()))


def paths(scenario: Scenario, p: Fraction, n: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Every sequence of n answers of one problem with its exact chance, by the definition."""
    wrong = [Fraction(share).limit_denominator(1000) for share in scenario.wrong]
    own = {0: p, -1: (1 - p) * (1 - sum(wrong))}
    own |= {i: (1 - p) * share for i, share in enumerate(wrong, 1)}
    if scenario.strategy == "parallel":
        copies = Fraction(scenario.copies)
        for shared, chance in own.items():
            given = {a: (1 - copies) * own[a] + (copies if a == shared else 0) for a in own}
            for answers in product(own, repeat=n):
                yield answers, chance * prod(given[a] for a in answers)
        return
    repeats = Fraction(scenario.repeats)
    for answers in product(own, repeat=n):
        chance = own[answers[0]]
        for before, after in pairwise(answers):
            if scenario.keeps and before == 0:
                chance *= after == 0
            else:
                chance *= (1 - repeats) * own[after] + (repeats if after == before else 0)
        yield answers, chance


SMALL = {
    "independent": Scenario("", "parallel", (Point(1.0, 0.5),), (0.5, 0.25)),
    "copies": Scenario("", "parallel", (Point(1.0, 0.5),), (0.25, 0.25, 0.25), copies=0.5),
    "distractor copied": Scenario("", "parallel", (Point(1.0, 0.5),), (0.75, 0.125), copies=0.25),
    "repeats": Scenario("", "sequential", (Point(1.0, 0.5),), (0.5,), repeats=0.75),
    "keeps": Scenario("", "sequential", (Point(1.0, 0.5),), (0.5,), keeps=True),
    "keeps and repeats": Scenario(
        "", "sequential", (Point(1.0, 0.5),), (1.0,), repeats=0.5, keeps=True
    ),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("p", [Fraction(0), Fraction(1, 8), Fraction(1, 2), Fraction(7, 8)])
def test_truth_equals_enumeration_of_all_answers(name, p):
    scenario = SMALL[name]
    for n in (1, 2, 3, 4):
        chances = dict.fromkeys(("hit", "acc", "all"), Fraction(0))
        for answers, chance in paths(scenario, p, n):
            chances["all"] += chance
            chances["hit"] += chance * (0 in answers)
            parallel = scenario.strategy == "parallel"
            chances["acc"] += chance * (credit(answers) if parallel else answers[-1] == 0)
        assert chances["all"] == 1
        at = np.array([float(p)])
        assert truth.hit_chance(scenario, at, (n,))[0, 0] == pytest.approx(
            float(chances["hit"]), abs=1e-13
        )
        assert truth.acc_chance(scenario, at, (n,))[0, 0] == pytest.approx(
            float(chances["acc"]), abs=1e-13
        )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    weights=st.lists(st.integers(0, 9), min_size=2, max_size=5).filter(sum),
    silent=st.integers(0, 5),
    n=st.integers(1, 4),
)
def test_vote_chance_equals_rational_enumeration(weights, silent, n):
    total = sum(weights) + silent
    chances = [Fraction(weight, total) for weight in weights]
    outcomes = [*range(len(weights)), -1]
    of_outcome = [*chances, Fraction(silent, total)]
    exact = sum(
        prod(of_outcome[a] for a in answers) * credit(answers)
        for answers in product(outcomes, repeat=n)
    )
    found = truth.vote_chance(np.array([[float(chance) for chance in chances]]), (n,))
    assert found[0, 0] == pytest.approx(float(exact), abs=1e-13)


def test_of_problems_is_the_polynomial_itself():
    scenario = SCENARIOS["math-copies"]
    found = truth.truth_of(scenario).of_problems(np.array([0.0, 1e-4, 0.31, 0.999, 1.0]))
    p = np.array([0.0, 1e-4, 0.31, 0.999, 1.0])
    for metric, chance in (("hit", truth.hit_chance), ("acc", truth.acc_chance)):
        exact = chance(scenario, p, BUDGETS)
        for i, n in enumerate(BUDGETS):
            np.testing.assert_allclose(found[metric, n], exact[:, i], atol=1e-12)


def test_population_means_are_the_beta_integrals():
    a, b, share = 0.5, 0.7, 0.7
    scenario = Scenario("", "parallel", (Point(1 - share, 0.0), Beta(share, a, b)))
    p, weights = population.quadrature(scenario, UNITS + 1)
    for n in (1, 7, UNITS + 1):
        moment = share * special.beta(a + n, b) / special.beta(a, b)
        assert weights @ p**n == pytest.approx(moment, rel=1e-12)
    means = truth.truth_of(scenario).population
    missed = share * special.beta(a, b + 32) / special.beta(a, b)
    assert means["hit", 32] == pytest.approx(share - missed, abs=1e-12)
    assert means["p_x", UNITS] == pytest.approx(share * a / (a + b), abs=1e-12)


def test_quantiles_average_a_step():
    p, weights = population.quantiles(Scenario("", "parallel", (Beta(1.0, 0.8, 0.2),)))
    below = stats.beta.cdf(0.3, 0.8, 0.2)
    assert weights @ (p < 0.3) == pytest.approx(below, abs=1 / 4000)


def test_threshold_of_equal_problems_is_the_plateau_at_their_mean_first_hit():
    """At p = 1/2 the mean first hit is 2, and N* is 2 for thresholds in (1/8, 1/4]."""
    scenario = SCENARIOS["equal"]
    expected = (np.log10(1 / 8) + np.log10(1 / 4)) / 2
    assert truth.best_log10_epsilon(scenario) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_are_distributions(name):
    scenario = SCENARIOS[name]
    assert sum(part.weight for part in scenario.problems) == pytest.approx(1.0)
    assert 0 <= sum(scenario.wrong) <= 1 + 1e-12
    sequential = scenario.strategy == "sequential"
    assert not (scenario.copies if sequential else scenario.repeats or scenario.keeps)


@pytest.mark.parametrize("name", ["unsolvable", "math-copies", "chain-repeats", "chain-keeps"])
def test_draws_follow_the_truth(name):
    """hit@N and acc@N of 1500 drawn problems are within 5 standard errors of their exact mean."""
    scenario, n = SCENARIOS[name], 1500
    rng = np.random.default_rng(3)
    p = population.draw_problems(scenario, n, rng)
    answers = population.draw_answers(scenario, p, UNITS, rng)
    estimates = study.estimate_problems(scenario.strategy, answers)
    exact = truth.truth_of(scenario)
    for metric in ("hit", "acc"):
        for budget in BUDGETS:
            error = estimates[metric, "prefix", budget] - exact.of_problems(p)[metric, budget]
            assert abs(error.mean()) < 5 * error.std() / np.sqrt(n) + 1e-12, (metric, budget)
    assert not (answers[p == 0] == 0).any()
    assert abs(p.mean() - exact.population["p_x", UNITS]) < 5 * p.std() / np.sqrt(n)


def test_copied_units_correlate_by_the_square():
    scenario = Scenario("", "parallel", (Point(1.0, 0.5),), copies=0.6)
    rng = np.random.default_rng(0)
    right = population.draw_answers(scenario, np.full(20_000, 0.5), 2, rng) == 0
    assert np.corrcoef(right.T)[0, 1] == pytest.approx(0.36, abs=0.03)


@pytest.mark.parametrize("strategy", ["parallel", "sequential"])
def test_estimates_are_those_of_the_metrics_table(strategy):
    """On the same units the study says what the package says of a model's records."""
    rng = np.random.default_rng(1)
    scenario = SCENARIOS["unsolvable" if strategy == "parallel" else "chain-repeats"]
    p = population.draw_problems(scenario, 25, rng)
    answers = population.draw_answers(scenario, p, UNITS, rng)
    records = pd.DataFrame(
        {
            "problem_id": np.repeat([f"p{i:02d}" for i in range(25)], UNITS),
            "unit": np.tile(np.arange(1, UNITS + 1), 25),
            "answer_class": answers.ravel(),
            "correct": answers.ravel() == 0,
            "truncated": False,
            "completion_tokens": 1,
        }
    )
    values = cell_values(records, strategy, BUDGETS).values
    estimates = study.estimate_problems(strategy, answers)
    compared = 0
    for (metric, estimator, n), column in estimates.items():
        if estimator in ("prefix", "exact"):
            np.testing.assert_allclose(column, values[metric, estimator, n], atol=1e-12)
            compared += 1
    assert compared == len(BUDGETS) * (4 if strategy == "parallel" else 2)


@pytest.fixture(scope="module")
def short() -> dict[str, tuple[Scenario, pd.DataFrame]]:
    names = ("equal", "math", "chain-equal", "chain-keeps")
    return {
        name: (SCENARIOS[name], study.run_scenario(name, SCENARIOS[name], 3, 200, 7))
        for name in names
    }


def test_the_same_again_and_nothing_depends_on_the_number_of_replications(short):
    again = study.run_scenario("chain-equal", SCENARIOS["chain-equal"], 2, 200, 7)
    before = short["chain-equal"][1]
    pd.testing.assert_frame_equal(again, before[before["replication"] <= 2])
    other = study.run_scenario("another", SCENARIOS["chain-equal"], 2, 200, 7)
    assert not other["value"].equals(again["value"])


def test_replications_fit_their_table(short):
    for _, frame in short.values():
        assert list(frame.columns) == study.REPLICATIONS.names
        assert set(frame["n_problems"]) == set(SIZES)
        for field in study.REPLICATIONS:
            if not field.nullable:
                assert frame[field.name].notna().all()


def test_correlation_shows_circularity_where_nothing_can_be_predicted(short):
    """With equal problems the published r of a chain is high, and the held-out one is not."""
    table = summary.summarise(short)
    r = table[(table["quantity"] == "pearson_r") & (table["n_problems"] == 500)]
    r = r.set_index(["scenario", "protocol", "estimator"])["mean"]
    assert r["chain-equal", "paper-mle", "1/k"] > 0.6
    assert r["chain-equal", "paper", "k/n"] > 0.6
    assert abs(r["chain-equal", "held-out", "1/k"]) < 0.3
    assert r["math", "true p", "true p"] > 0.1
    assert np.isnan(r["equal", "true p", "true p"])


def test_coverage_of_a_share_is_the_binomial_one():
    """Coverage over replications against its exact value, where the interval has a closed form."""
    n, p, replications = 30, 0.3, 1500
    solved = np.arange(n + 1)
    low, high = stats.binom.ppf([[0.025], [0.975]], n, solved / n) / n
    inside = (low <= p) & (p <= high)
    exact = float(stats.binom.pmf(solved, n, p) @ inside)
    values = (np.random.default_rng(5).random((replications, n)) < p).astype(float)
    bounds = [
        bootstrap_mean(row[:, None], np.random.default_rng(i), 1000) for i, row in enumerate(values)
    ]
    frame = replication_frame(values.mean(axis=1), truth=p, truth_drawn=2.0)
    frame["ci_low"], frame["ci_high"] = np.array(bounds)[:, :, 0].T
    (row,) = summary.summarise({"x": (SCENARIOS["equal"], frame)}).to_dict("records")
    assert row["coverage"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1500))
    assert row["coverage_drawn"] == 0.0


def replication_frame(values: np.ndarray, **columns: object) -> pd.DataFrame:
    rows = pd.DataFrame({"value": values, "replication": np.arange(1, len(values) + 1)})
    defaults = {
        "n_problems": 500, "quantity": "hit", "estimator": "prefix", "protocol": "", "n": 4,
        "ci_low": np.nan, "ci_high": np.nan, "truth": np.nan, "truth_drawn": np.nan,
        "squared_error": np.nan,
    }  # fmt: skip
    return rows.assign(**(defaults | columns))[study.REPLICATIONS.names]


def test_bias_spread_and_coverage_by_hand():
    frame = replication_frame(
        np.array([0.1, 0.2, 0.3, 0.6]),
        truth=0.25,
        truth_drawn=0.3,
        squared_error=0.04,
        ci_low=[0.0, 0.1, 0.25, 0.4],
        ci_high=[0.2, 0.3, 0.5, 0.7],
    )
    (row,) = summary.summarise({"x": (SCENARIOS["equal"], frame)}).to_dict("records")
    assert row["mean"] == pytest.approx(0.3)
    assert row["bias"] == pytest.approx(0.05)
    assert row["sd"] == pytest.approx(np.std([0.1, 0.2, 0.3, 0.6], ddof=1))
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean(np.square([-0.15, -0.05, 0.05, 0.35]))))
    assert row["rmse_problem"] == pytest.approx(0.2)
    assert (row["coverage"], row["coverage_drawn"]) == (0.5, 0.5)
    assert row["ci_width"] == pytest.approx(np.mean([0.2, 0.2, 0.25, 0.3]))
    assert np.isnan(row["significant"])


def test_undefined_correlations_are_counted_and_left_out():
    least = summary.least_significant_r(100)
    values = np.array([np.nan, least + 1e-6, least - 1e-6, -0.9])
    frame = replication_frame(values, quantity="pearson_r", protocol="paper", estimator="c/n")
    (row,) = summary.summarise({"x": (SCENARIOS["equal"], frame)}).to_dict("records")
    assert row["undefined"] == 0.25
    assert row["significant"] == pytest.approx(2 / 3)
    assert row["mean"] == pytest.approx(np.nanmean(values))
    assert np.isnan(row["truth"])


def test_least_significant_r_is_where_pearsons_p_is_five_percent():
    rng = np.random.default_rng(0)
    x, noise = np.linalg.qr(np.column_stack([np.ones(100), rng.normal(size=(100, 2))]))[0].T[1:]
    r = summary.least_significant_r(100)
    y = r * x + np.sqrt(1 - r * r) * noise  # orthogonal and without mean: r is exact
    assert stats.pearsonr(x, y).pvalue == pytest.approx(0.05)


def test_markdown_tables_are_rectangular(short):
    text = report.to_markdown(summary.summarise(short))
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == text.count("\n## ")
    for block in blocks:
        widths = {line.replace("\\|", "").count("|") for line in block.splitlines()}
        assert len(widths) == 1
        assert "nan" not in block
    assert "| chain-equal | 1/k |" in text


def test_committed_tables_are_of_these_scenarios():
    text = (ROOT / "docs" / "simulation_tables.md").read_text()
    for name in SCENARIOS:
        assert f"| {name} |" in text


def test_figure_is_named_legible_and_the_same_twice(short, tmp_path):
    table = summary.summarise(short)
    written = []
    for name in ("a", "b"):
        figure = figure_of.draw(table)
        style.save(figure, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png")
        written.append([(tmp_path / f"{name}.{kind}").read_bytes() for kind in ("pdf", "png")])
    assert written[0] == written[1]
    with style.style():
        figure.draw_without_rendering()
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == [
        "30 problems", "198 problems", "500 problems",
        "Parallel, 500 problems", "Sequential, 500 problems",
    ]  # fmt: skip
    above, below = figure.subfigs
    assert all(panel.get_xlabel() for panel in panels[3:])
    names = [text for panel in panels[3:] for text in panel.get_yticklabels()]
    assert sum("nothing to predict" in text.get_text() for text in names) == 2
    legends = [legend for part in (above, *below.subfigs) for legend in part.legends]
    assert len(legends) == 3
    texts = [text for legend in legends for text in legend.get_texts()] + names
    texts += [label for panel in panels for label in (panel.title, panel.xaxis.label)]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for i, box in enumerate(boxes):
        assert box.x0 >= figure.bbox.x0 - 1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= figure.bbox.y0 - 1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_figure_of_an_empty_table_is_one_line():
    empty = pd.DataFrame(columns=summary.SUMMARY_COLUMNS)
    with pytest.raises(UserError, match=r"simulation\.csv"):
        figure_of.draw(empty)


def test_replications_are_a_key_of_the_configuration():
    schema = load_schema(ROOT / "schemas" / "config.schema.yaml")
    config = {"models": {}, "benchmarks": {}, "grid": {"models": [], "benchmarks": []}}
    config["models"] = {"m": {"source": {"type": "folder", "path": "m"}}}
    config["benchmarks"] = {"b": {"source": {"type": "arithmetic"}}}
    filled = check_config(config, schema)
    assert filled["simulation"] == {"replications": 200, "resamples": 1000}
    with pytest.raises(UserError, match="replications"):
        check_config(config | {"simulation": {"replication": 3}}, schema)


def test_mixture_draws_both_kinds():
    rng = np.random.default_rng(2)
    p = population.draw_problems(SCENARIOS["unsolvable"], 5000, rng)
    assert (p == 0).mean() == pytest.approx(0.3, abs=0.03)
    assert population.draw_problems(Scenario("", "parallel", MATH), 9, rng).shape == (9,)

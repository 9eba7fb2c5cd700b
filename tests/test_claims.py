"""The ledger decided from a run: every value of Table 1 and every sentence, either way."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from claim_world import LARGE_MODEL, SMALL_MODEL, World, good_world
from synthetic_frames import LARGE, PAPER, SMALL, make_metrics, make_saturation

import claims as claims_script
from ttspm.action import Job
from ttspm.claims.claim import Claim
from ttspm.claims.decision import AGREES, DIFFERS, NOT_RUN
from ttspm.claims.evidence import COLUMNS, Evidence, Point
from ttspm.claims.ledger import LEDGER_COLUMNS, SENTENCES, ledger
from ttspm.claims.measured import Measured, fisher, wilson
from ttspm.claims.page import to_markdown
from ttspm.errors import UserError

RESOURCES = claims_script.__file__.replace("scripts/claims.py", "resources/")
PUBLISHED = pd.read_csv(RESOURCES + "published_pass1.csv")


def override(benchmark, strategy, n, metric, percent, model=SMALL_MODEL):
    return lambda world: world.override.update({(model, benchmark, strategy, n, metric): percent})


def change(attribute, key, value):
    return lambda world: getattr(world, attribute).update({key: value})


def assign(attribute, value):
    return lambda world: setattr(world, attribute, value)


# (start of the place, words that only this claim has) -> what makes it false
BREAKS: dict[tuple[str, str], Callable[[World], None]] = {
    ("Sec. 3.1", "remains correct"): override("aime24", "sequential", 8, "acc", 20.0),
    ("Sec. 4.2", "sequential, N=32, accuracy minus"): override(
        "math500", "sequential", 32, "acc", 74.2
    ),
    ("Sec. 4.2", "parallel, N=32, accuracy minus"): override(
        "math500", "parallel", 32, "acc", 74.0
    ),
    ("Sec. 4.2", "R1-1.5B, accuracy minus vanilla"): override(
        "aime24", "sequential", 8, "acc", 26.7
    ),
    ("Sec. 4.2", "R1-7B, accuracy minus vanilla"): override(
        "gpqa_diamond", "sequential", 4, "acc", 41.4, LARGE_MODEL
    ),
    ("Sec. 4.2", "from 30.0 to 53.3"): override("aime24", "parallel", 32, "acc", 95.0),
    ("Sec. 4.2", "from 21.3 to 39.4"): override("gpqa_diamond", "parallel", 32, "acc", 25.0),
    ("Sec. 4.2", "from 56.7 to 76.7"): override("aime24", "parallel", 32, "acc", 30.0, LARGE_MODEL),
    ("Sec. 4.2", "from 41.9 to 56.6"): override(
        "gpqa_diamond", "parallel", 32, "acc", 70.0, LARGE_MODEL
    ),
    ("Sec. 4.2", "consistently outperforms"): override("aime24", "parallel", 4, "acc", 30.0),
    ("Sec. 4.2", "53.3 to 30.0, by"): override("aime24", "sequential", 32, "acc", 60.0),
    ("Sec. 4.2", "particularly pronounced"): override(
        "math500", "sequential", 32, "acc", 40.0, LARGE_MODEL
    ),
    ("Sec. 4.2", "more diverse"): override("math500", "sequential", 4, "hit", 90.0),
    ("Sec. 4.3", "universal phenomenon"): override("aime24", "parallel", 32, "hit", 95.0),
    ("Sec. 4.3", "negligible gains"): override("aime25", "parallel", 32, "hit", 99.0),
    ("Sec. 4.3", "On MATH-500"): override("math500", "parallel", 32, "acc", 81.9),
    ("Sec. 4.3", "sometimes even surpass"): override("math500", "parallel", 32, "acc", 81.9),
    ("Sec. 4.3", 'scaling": parallel, hit@N from'): change(
        "hit_gain", (LARGE_MODEL, "aime24", "parallel"), 50.0
    ),
    ("Sec. 4.3", "sequential, hit@N from"): change(
        "hit_gain", (LARGE_MODEL, "aime25", "sequential"), 20.0
    ),
    ("Sec. 4.3", "hit@4 of parallel minus sequential"): override(
        "gpqa_diamond", "sequential", 4, "hit", 80.0
    ),
    ("Sec. 4.3", "more gradual"): override("aime25", "sequential", 4, "hit", 60.0),
    ("Sec. 4.3", "strong concentration"): change(
        "at_once", (LARGE_MODEL, "aime25", "parallel"), 0.4
    ),
    ("Sec. 4.3", "more dispersed"): change(
        "at_once", (LARGE_MODEL, "gpqa_diamond", "parallel"), 0.8
    ),
    ("Sec. 4.3", "1.5B model with sequential scaling"): change(
        "at_once", (LARGE_MODEL, "gpqa_diamond", "sequential"), 0.1
    ),
    ("Sec. 4.3", "across benchmarks"): change(
        "at_once", (SMALL_MODEL, "gpqa_diamond", "sequential"), 0.65
    ),
    ("Sec. 4.3", 'scaling strategies": sign test'): assign(
        "late", {"parallel": 2, "sequential": 2}
    ),
    ("Fig. 4", "R1-1.5B, sequential"): change("r", (SMALL_MODEL, "sequential"), 0.2),
    ("Fig. 4", "R1-1.5B, parallel"): change("r", (SMALL_MODEL, "parallel"), 0.99),
    ("Fig. 4", "R1-7B, sequential"): change("r", (LARGE_MODEL, "sequential"), -0.5),
    ("Fig. 4", "R1-7B, parallel"): change("r", (LARGE_MODEL, "parallel"), 0.3),
    ("Fig. 4", "p=0.000"): assign("p_value", 0.001),
    ("Sec. 4.4", "strong positive"): change("r", (LARGE_MODEL, "sequential"), 0.49),
    ("Sec. 4.4", "stronger correlation"): change("r", (SMALL_MODEL, "sequential"), 0.75),
    ("Sec. 4.4", "highest correlation"): change("r", (SMALL_MODEL, "parallel"), 0.81),
    ("Sec. 4.4", "null-pooled"): assign("p_null", 0.2),
    ("Sec. 4.4", "held-out"): assign("held_out", -0.1),
    ("App. C", "initial improvements"): override("aime25", "sequential", 4, "acc", 23.3),
    ("App. C", "diminishing returns"): override("aime24", "parallel", 4, "acc", 30.0),
    ("App. C", "often approaches"): lambda world: [
        override(b, "parallel", 32, "acc", 20.0)(world) for b in ("aime24", "gpqa_diamond")
    ],
    ("App. C", "particularly under parallel"): override("aime25", "sequential", 32, "acc", 40.0),
    ("App. C", "terms of final accuracy"): override(
        "aime25", "sequential", 32, "acc", 60.0, LARGE_MODEL
    ),
    ("App. C", 'N": sequential, accuracy never'): override("aime24", "sequential", 8, "acc", 26.7),
    ("App. C", 'N": parallel, accuracy never'): override("aime24", "parallel", 32, "acc", 40.0),
    ("App. C", "more stable"): override("aime25", "parallel", 32, "acc", 10.0),
}


def find(where: str, words: str) -> Claim:
    found = [c for c in SENTENCES if c.where == where and words in c.text]
    assert len(found) == 1, (where, words, [c.text for c in found])
    return found[0]


def test_every_sentence_has_a_case_in_which_it_fails():
    assert len({find(*key).text for key in BREAKS}) == len(BREAKS) == len(SENTENCES)


@pytest.mark.parametrize("key", BREAKS, ids=" ".join)
def test_a_sentence_agrees_where_it_is_true_and_differs_where_it_is_not(key):
    claim = find(*key)
    world = good_world()
    assert claim.decide(world.evidence()).verdict == AGREES
    BREAKS[key](world)
    assert claim.decide(world.evidence()).verdict == DIFFERS
    nothing = World(r={})
    nothing.vanilla["another-model", "aime24"] = 50.0
    nothing.accuracy_gain = nothing.hit_gain = {
        ("another-model", "aime24", s): 1.0 for s in ("parallel", "sequential")
    }
    assert claim.decide(nothing.evidence()).verdict == NOT_RUN


# --- the values of Table 1 ---


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    saturation, fit = make_saturation(LARGE)
    return ledger(make_metrics(LARGE), fit, saturation, None, PAPER, PUBLISHED)


def test_every_value_of_table_1_is_there_once(table):
    cells = table[table["where"] == "Table 1"]
    assert len(cells) == 14 * 8 == cells["claim"].nunique()
    value_columns = PAPER.columns[3:]
    assert sorted(cells["paper"]) == sorted(PAPER[value_columns].to_numpy().ravel())
    names = {"vanilla": "Vanilla", "sequential": "Seq. N={n}", "parallel": "Par. N={n}"}
    titles = {"aime24": "AIME 2024", "aime25": "AIME 2025", "math500": "MATH-500"}
    by_claim = cells.set_index("claim")["paper"]
    for row in PAPER.itertuples():
        for column in value_columns:
            benchmark, metric = column.split("_")
            title = titles.get(benchmark, "GPQA-Diamond")
            method = names[row.method].format(n=row.n)
            metric = {"acc": "Acc.", "hit": "Hit@N"}[metric]
            assert by_claim[f"{row.model} {title} {method}, {metric} (%)"] == getattr(row, column)


def test_ours_is_the_prefix_in_percent(table):
    metrics = (
        make_metrics(LARGE)
        .query("estimator == 'prefix'")
        .set_index(["model", "benchmark", "strategy", "n", "metric"])
    )
    row = table.set_index("claim").loc["R1-7B GPQA-Diamond Par. N=8, Hit@N (%)"]
    ours = 100 * metrics.loc[LARGE_MODEL, "gpqa_diamond", "parallel", 8, "hit"]
    np.testing.assert_allclose(
        row[["ours", "ci_low", "ci_high"]].astype(float),
        ours[["value", "ci_low", "ci_high"]].astype(float),
        atol=1e-6,
    )
    assert row["note"] == "the paper's value is no k/198"


def one_cell(percent: float, n_problems: int = 500, estimator: str = "prefix", width: float = 1.0):
    """The row of one value of Table 1: R1-7B, MATH-500, vanilla, accuracy, the paper's 82.0."""
    empty = {name: pd.DataFrame(columns=c.split()) for name, c in COLUMNS.items()}
    names = (LARGE_MODEL, "math500", "parallel", 1, "acc", estimator)
    values = (percent / 100, (percent - width) / 100, (percent + width) / 100, n_problems)
    metrics = pd.DataFrame([names + values], columns=COLUMNS["metrics"].split())
    table = ledger(metrics, empty["fit"], empty["saturation"], None, PAPER, PUBLISHED)
    ran = table[(table["where"] == "Table 1") & (table["verdict"] != NOT_RUN)]
    assert len(ran) == 1
    return ran.iloc[0]


def test_a_value_agrees_within_the_errors_of_both_sides():
    # The paper's Wilson interval at 82.0 of 500 is [78.4, 85.1]: 3.1 upwards; with ours, 3.3.
    assert one_cell(85.0)["verdict"] == AGREES
    assert one_cell(85.6)["verdict"] == DIFFERS
    assert one_cell(85.6, width=2.5)["verdict"] == AGREES
    assert one_cell(78.0)["verdict"] == DIFFERS


def test_what_was_measured_otherwise_is_noted():
    assert one_cell(82.0)["note"] == ""
    assert one_cell(82.0, n_problems=100)["note"] == "ours: 100 of 500 problems"
    assert "exact estimator" in one_cell(82.0, estimator="exact")["note"]


def test_no_width_is_no_certainty():
    """All problems solved: the bootstrap has no width, Wilson's interval does."""
    row = one_cell(100.0, n_problems=10, width=0.0)
    assert row["ci_low"] == pytest.approx(wilson(100.0, 10).low)
    assert row["ci_low"] < 75.0
    assert row["verdict"] == AGREES


# --- what the tables of a run may look like ---


def test_paired_differences_are_used_in_both_directions():
    world = good_world()
    a = (SMALL_MODEL, "parallel", 8, SMALL_MODEL, "sequential", 8, "aime24", "equal_n")
    row = (*a, "acc", "prefix", 0.125, 0.01, 0.25)
    tokens = (*a[:-1], "equal_tokens", "acc", "prefix", 0.5, 0.4, 0.6)
    differences = pd.DataFrame([row, tokens], columns=COLUMNS["differences"].split())
    evidence = Evidence(world.metrics(), world.fit(), world.saturation(), differences)
    parallel, sequential = (Point(SMALL_MODEL, "aime24", s, 8) for s in ("parallel", "sequential"))
    assert evidence.gap(parallel, sequential, "acc") == Measured(12.5, 1.0, 25.0)
    assert evidence.gap(sequential, parallel, "acc") == Measured(-12.5, -25.0, -1.0)
    unpaired = evidence.gap(parallel, sequential, "hit")
    assert unpaired.value == pytest.approx(24.0 - 0.8)


def test_a_grid_of_another_model_decides_nothing():
    saturation, fit = make_saturation(SMALL)
    table = ledger(make_metrics(SMALL), fit, saturation, None, PAPER, PUBLISHED)
    of_run = table[~table["where"].str.contains(" against ")]
    assert set(of_run["verdict"]) == {NOT_RUN}
    assert of_run["ours"].isna().all()


def test_one_counterexample_is_enough_but_one_example_is_not():
    claim = find("Sec. 4.2", "consistently outperforms")
    world = good_world()
    world.vanilla = {(SMALL_MODEL, "aime24"): 30.0}
    decision = claim.decide(world.evidence())
    assert decision.verdict == NOT_RUN
    assert decision.note == "holds in 3 of 3 that ran of 24"
    override("aime24", "parallel", 4, "acc", 20.0)(world)
    assert claim.decide(world.evidence()).verdict == DIFFERS


def test_an_undefined_correlation_differs_and_says_why():
    world = good_world()
    fit = world.fit()
    chosen = (fit["strategy"] == "parallel") & (fit["protocol"] == "paper")
    fit["pearson_r"] = fit["pearson_r"].astype(object)
    fit.loc[chosen, "pearson_r"] = "undefined (predicted N* is constant)"
    fit.loc[chosen, ["r_low", "r_high", "p_value"]] = np.nan
    table = ledger(world.metrics(), fit, world.saturation(), None, PAPER, PUBLISHED)
    row = table[(table["where"] == "Fig. 4") & table["claim"].str.contains("R1-7B, par")].iloc[0]
    assert row["verdict"] == DIFFERS
    assert row["note"] == "ours: undefined (predicted N* is constant)"
    assert np.isnan(row["ours"])


def test_r_without_a_bootstrap_interval_gets_fishers():
    world = good_world()
    fit = world.fit()
    fit[["r_low", "r_high"]] = np.nan
    evidence = Evidence(
        world.metrics(),
        fit,
        world.saturation(),
        pd.DataFrame(columns=COLUMNS["differences"].split()),
    )
    assert evidence.correlation(LARGE_MODEL, "parallel") == fisher(0.802, 100)


@pytest.mark.parametrize("name", ["metrics", "fit", "saturation"])
def test_a_missing_column_is_named(name):
    saturation, fit = make_saturation(LARGE)
    frames = {"metrics": make_metrics(LARGE), "fit": fit, "saturation": saturation}
    column = COLUMNS[name].split()[-1]
    frames[name] = frames[name].drop(columns=column)
    with pytest.raises(UserError, match=f"{name}.csv: column '{column}'"):
        ledger(**frames, differences=None, paper=PAPER, published=PUBLISHED)


# --- the table and the page ---


def test_the_ledger_has_its_columns_and_each_claim_once(table):
    assert list(table.columns) == LEDGER_COLUMNS
    assert not table.duplicated(["claim", "where"]).any()
    assert set(table["verdict"]) == {AGREES, DIFFERS, NOT_RUN}
    ran = table["verdict"] != NOT_RUN
    assert table.loc[ran, "ours"].notna().all()
    low, value, high = (table[c] for c in ("ci_low", "ours", "ci_high"))
    there = low.notna()
    assert ((low <= value + 1e-6) & (value <= high + 1e-6))[there].all()


def test_the_page_counts_every_row(table):
    lines = to_markdown(table).splitlines()
    counts = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    numbers = [int(x) for x in counts["all"].split("|")[2:5]]
    assert numbers == [int((table["verdict"] == v).sum()) for v in (AGREES, DIFFERS, NOT_RUN)]
    shown = sum(line.startswith("| ") and line.count("|") == 7 for line in lines)
    headers = sum(line.startswith("| claim") for line in lines)
    ran = int((table["verdict"] != NOT_RUN).sum())
    assert shown == ran + 2 * headers
    assert sum(line.startswith("- ") for line in lines) == len(table) - ran


def test_the_script_writes_both(tmp_path, table):
    saturation, fit = make_saturation(LARGE)
    frames = {"metrics": make_metrics(LARGE), "fit": fit, "saturation": saturation}
    frames["differences"] = pd.DataFrame(columns=COLUMNS["differences"].split())
    inputs = {"paper": RESOURCES + "paper_table1.csv"}
    inputs["published"] = RESOURCES + "published_pass1.csv"
    for name, frame in frames.items():
        inputs[name] = tmp_path / f"{name}.csv"
        frame.to_csv(inputs[name], index=False)
    output = SimpleNamespace(claims=tmp_path / "claims.csv", page=tmp_path / "claims.md")
    job = Job(SimpleNamespace(**inputs), output, SimpleNamespace(), store=None)
    claims_script.main(job)
    written = pd.read_csv(output.claims, keep_default_na=True).fillna({"note": ""})
    pd.testing.assert_frame_equal(written, table)
    first = output.claims.read_bytes(), output.page.read_bytes()
    claims_script.main(job)
    assert (output.claims.read_bytes(), output.page.read_bytes()) == first
    assert output.page.read_text().startswith("# The paper's claims\n")

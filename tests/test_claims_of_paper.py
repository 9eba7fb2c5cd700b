"""The paper against itself: every computed value worked out again, every verdict turned."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from synthetic_frames import PAPER

import claims_page
from ttspm.claims.consistency import (
    above_guessing,
    against_published,
    as_printed,
    by_definition,
    ceiling_at_a_tie,
    estimate_in_words,
    improvements_as_printed,
    jensen_bound,
    on_the_grid,
    standard_error,
    within_bound,
)
from ttspm.claims.decision import AGREES, DIFFERS, NOT_RUN, UNDECIDED, Row
from ttspm.claims.evidence import PROBLEMS, on_grid, paper_evidence
from ttspm.claims.ledger import paper_ledger
from ttspm.claims.measured import exactly

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = pd.read_csv(ROOT / "resources" / "published_pass1.csv")
COLUMN_PROBLEMS = {"aime24": 30, "aime25": 30, "math500": 500, "gpqa": 198}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return paper_ledger(PAPER, PUBLISHED)


def changed(model: str, method: str, n: int, **values: float) -> pd.DataFrame:
    """Table 1 with other values in one row."""
    paper = PAPER.copy()
    row = (paper["model"] == model) & (paper["method"] == method) & (paper["n"] == n)
    assert row.sum() == 1
    for column, value in values.items():
        paper.loc[row, column] = value
    return paper


def differing(rows: list[Row]) -> set[str]:
    return {row.claim for row in rows if row.decision.verdict == DIFFERS}


def printed(model: str, method: str, n: int, column: str) -> float:
    row = (PAPER["model"] == model) & (PAPER["method"] == method) & (PAPER["n"] == n)
    return float(PAPER.loc[row, column].item())


# --- the grid of k/n ---


def rounded_shares(n: int) -> set[str]:
    """Every k/n in percent with one decimal, ties rounded both ways, by decimal arithmetic."""
    return {
        str((Decimal(100 * k) / n).quantize(Decimal("0.1"), rounding))
        for k in range(n + 1)
        for rounding in (ROUND_HALF_UP, ROUND_HALF_DOWN)
    }


@pytest.mark.parametrize("n", [30, 198, 500])
def test_on_grid_knows_every_share_and_no_other(n):
    shares = rounded_shares(n)
    for tenths in range(1001):
        exact = on_grid(tenths / 10, n)
        assert (exact is not None) == (f"{tenths / 10:.1f}" in shares), tenths
        if exact is not None:
            assert exact == pytest.approx(100 * round(exact * n / 100) / n)


def test_all_112_values_are_checked():
    off = []
    for column in PAPER.columns[3:]:
        shares = rounded_shares(COLUMN_PROBLEMS[column.split("_")[0]])
        off += [(column, value) for value in PAPER[column] if f"{value:.1f}" not in shares]
    assert sorted(off) == [
        *[("gpqa_acc", 21.3), ("gpqa_hit", 21.3), ("gpqa_hit", 85.5), ("math500_acc", 76.9)]
    ]
    rows = on_the_grid(PAPER)
    assert [row.paper for row in rows] == [28.0] * 4
    assert [row.decision.ours for row in rows] == [28.0, 28.0, 27.0, 25.0]
    assert [row.decision.verdict for row in rows] == [AGREES, AGREES, DIFFERS, DIFFERS]
    assert "76.9 (between 76.80 and 77.00)" in rows[2].decision.note
    assert "85.5 (between 85.35 and 85.86)" in rows[3].decision.note


def test_the_grid_verdict_turns():
    mended = changed("R1-1.5B", "sequential", 8, math500_acc=76.8)
    assert on_the_grid(mended)[2].decision.verdict == AGREES
    broken = changed("R1-7B", "parallel", 4, aime24_acc=73.4)
    assert on_the_grid(broken)[0].decision.verdict == DIFFERS


# --- bounds ---


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 40))
def test_no_independent_samples_exceed_the_bound(p, n):
    hit = 100 * np.mean(1 - (1 - np.array(p)) ** n)
    assert hit <= jensen_bound(100 * float(np.mean(p)), n) + 1e-9


def test_the_bound_is_reached_by_equal_problems():
    assert jensen_bound(30.0, 2) == pytest.approx(51.0)


def test_gpqa_is_above_the_bound_of_its_vanilla():
    rows = within_bound(paper_evidence(PAPER))
    assert len(rows) == 2 * 4 * 3
    expected = {}
    for model in ("R1-1.5B", "R1-7B"):
        for column, n in ((c, n) for c in COLUMN_PROBLEMS for n in (4, 8, 32)):
            m = printed(model, "vanilla", 1, f"{column}_acc") / 100
            hit = printed(model, "parallel", n, f"{column}_hit")
            expected[model, column, n] = (hit, 100 * (1 - (1 - m) ** n))
    for row, (hit, bound) in zip(rows, expected.values(), strict=True):
        assert row.paper == hit
        assert row.decision.ours == pytest.approx(bound, abs=0.12)  # m is k/n, not the rounded one
    above = [key for key, (hit, bound) in expected.items() if hit > bound]
    assert above == [("R1-1.5B", "gpqa", 4), ("R1-1.5B", "gpqa", 8)]
    wrong = [row for row in rows if row.decision.verdict == DIFFERS]
    assert [row.paper for row in wrong] == [71.7, 85.4]
    assert wrong[0].decision.ours == pytest.approx(61.64, abs=0.005)
    # Vanilla is one run: at the upper end of its interval the bound is not exceeded.
    top = binomtest(42, 198).proportion_ci(method="wilson").high
    assert 100 * (1 - (1 - top) ** 4) > 71.7
    assert all(UNDECIDED in row.decision.note for row in wrong)


def test_the_bound_turns():
    mended = paper_evidence(changed("R1-1.5B", "vanilla", 1, gpqa_acc=34.8))
    assert not differing(within_bound(mended))
    broken = paper_evidence(changed("R1-7B", "vanilla", 1, aime25_acc=3.3))
    sure = [row for row in within_bound(broken) if row.decision.verdict == DIFFERS]
    assert any(UNDECIDED not in row.decision.note for row in sure)


def test_guessing_levels():
    rows = {row.claim.split(":")[0]: row for row in above_guessing(paper_evidence(PAPER))}
    assert len(rows) == 14
    for n, level in ((4, 68.4), (8, 90.0), (32, 99.99)):
        row = rows[f"R1-1.5B GPQA-Diamond Par. N={n}"]
        by_hand = 100 * float(1 - Fraction(3, 4) ** n)
        assert row.decision.ours == pytest.approx(by_hand)
        assert row.decision.ours == pytest.approx(level, abs=0.06)
    vanilla = rows["R1-1.5B GPQA-Diamond Vanilla"]
    assert (vanilla.paper, vanilla.decision.ours) == (21.3, 25.0)
    agreeing = {name for name, row in rows.items() if row.decision.verdict == AGREES}
    assert agreeing == {
        "R1-7B GPQA-Diamond Vanilla",
        "R1-7B GPQA-Diamond Par. N=4",
        "R1-1.5B GPQA-Diamond Par. N=4",
    }
    mended = paper_evidence(changed("R1-1.5B", "vanilla", 1, gpqa_hit=33.8))
    assert above_guessing(mended)[0].decision.verdict == AGREES


def test_definitions_hold_and_turn():
    assert not differing(by_definition(paper_evidence(PAPER)))
    breaks = [
        changed("R1-7B", "vanilla", 1, math500_hit=83.0),
        changed("R1-7B", "parallel", 4, math500_acc=90.0),
        changed("R1-7B", "sequential", 8, math500_hit=88.0),
    ]
    for i, paper in enumerate(breaks):
        verdicts = [row.decision.verdict for row in by_definition(paper_evidence(paper))]
        assert verdicts[i] == DIFFERS


# --- numbers in the text and in the figures ---


def test_fig_2_does_not_have_table_1s_gpqa():
    rows = as_printed(paper_evidence(PAPER))
    wrong = [row for row in rows if row.decision.verdict == DIFFERS]
    assert {row.where for row in wrong} == {"Fig. 2 against Table 1"}
    assert [(row.paper, row.decision.ours) for row in wrong] == [
        (20.1, 21.3),
        (38.5, pytest.approx(100 * 83 / 198)),
    ]
    assert all(row.decision.note == "the printed value is no k/198" for row in wrong)
    where = [row.where.split(" against")[0] for row in rows]
    assert {w: where.count(w) for w in set(where)} == {
        "Sec. 4.2": 9,
        "Sec. 4.3": 2,
        "Fig. 2": 6,
        "Fig. 5": 8,
    }
    mended = as_printed(paper_evidence(changed("R1-1.5B", "vanilla", 1, gpqa_hit=20.1)))
    assert len(differing(mended)) == 1
    broken = as_printed(paper_evidence(changed("R1-1.5B", "parallel", 32, math500_acc=83.8)))
    assert "R1-1.5B MATH-500 Par. N=32: accuracy (%)" in differing(broken)


def test_improvements_of_the_text():
    rows = improvements_as_printed(paper_evidence(PAPER))
    assert [row.paper for row in rows] == [23.3, pytest.approx(np.nan, nan_ok=True), 20.0, 14.7]
    ends = [(30.0, 53.3), (21.3, 39.4), (56.7, 76.7), (41.9, 56.6)]
    for row, (before, after) in zip(rows, ends, strict=True):
        assert row.decision.ours == pytest.approx(after - before, abs=0.1)
    assert [row.decision.verdict for row in rows] == [AGREES, DIFFERS, AGREES, AGREES]
    assert round(rows[1].decision.ours, 1) == 18.1
    assert "missing" in rows[1].decision.note
    assert "standard errors 8.4 and 9.1" in rows[0].decision.note
    noise = ["the interval includes no improvement" in row.decision.note for row in rows]
    assert noise == [True, False, True, False]  # AIME has 30 problems
    broken = paper_evidence(changed("R1-7B", "parallel", 32, gpqa_acc=57.1))
    assert improvements_as_printed(broken)[3].decision.verdict == DIFFERS


def test_standard_error_of_thirty_problems():
    assert standard_error(exactly(50.0), "aime24") == pytest.approx(100 * np.sqrt(0.25 / 30))
    assert PROBLEMS["aime24"] == 30


def test_published_values():
    rows = against_published(paper_evidence(PAPER), PUBLISHED)
    values = PUBLISHED[list(PROBLEMS)].notna().to_numpy().sum()
    passes = [row for row in rows if "pass@1 of" in row.claim]
    assert len(passes) == values
    for row in passes:
        far = "MATH-500" in row.claim or "GPQA" in row.claim
        assert row.decision.verdict == (DIFFERS if far else AGREES), row.claim
        assert row.decision.note.startswith(f"{row.decision.ours - row.paper:+.1f} points")
    readme = next(row for row in passes if "R1-7B MATH-500" in row.claim)
    low, high = binomtest(410, 500).proportion_ci(method="wilson")
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in readme.decision.note
    assert (readme.paper, readme.decision.ours) == (82.0, 92.8)
    hits = [row for row in rows if "largest published" in row.claim]
    assert {row.claim.split(":")[0] for row in hits if row.decision.verdict == DIFFERS} == {
        "R1-7B MATH-500 Par. N=32"
    }
    mended = changed("R1-7B", "vanilla", 1, math500_acc=92.8)
    first = against_published(paper_evidence(mended), PUBLISHED)
    assert readme.claim not in differing(first)


# --- equations ---


def test_k_over_n_is_not_the_maximum_of_the_likelihood():
    grid = np.arange(1, 100_001) / 100_000
    for k, n in ((1, 32), (5, 32), (32, 32)):
        row = estimate_in_words(k, n)
        best = grid[np.argmax(grid * (1 - grid) ** (k - 1))]
        assert row.decision.ours == pytest.approx(best, abs=2e-5)
        assert row.paper == k / n
        assert row.decision.verdict == DIFFERS
    assert estimate_in_words(2, 4).decision.verdict == AGREES


def test_eq_14_is_one_too_small_at_a_tie():
    def by_counting(p: Fraction, ratio: Fraction) -> int:
        n = 1
        while p * (1 - p) ** n >= ratio:
            n += 1
        return n

    tie = ceiling_at_a_tie(Fraction(1, 2), Fraction(1, 8))
    assert (tie.paper, tie.decision.ours) == (2.0, 3.0)
    assert tie.decision.verdict == DIFFERS
    for ratio in (Fraction(1, 10), Fraction(1, 7), Fraction(1, 100)):
        row = ceiling_at_a_tie(Fraction(1, 2), ratio)
        assert row.decision.verdict == AGREES
        assert row.paper == row.decision.ours == by_counting(Fraction(1, 2), ratio)


# --- sentences against Table 1 ---


def not_above(strategies: tuple[str, str], column: str) -> list[tuple[str, int]]:
    """Cells of Table 1 where the first strategy is not above the second."""
    first, second = (PAPER[PAPER["method"] == s].set_index(["model", "n"]) for s in strategies)
    gap = first[column] - second[column]
    return [index for index, value in gap.items() if value <= 0]


def the_row(table: pd.DataFrame, where: str, words: str) -> pd.Series:
    rows = table[(table["where"] == where) & table["claim"].str.contains(words, regex=False)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_parallel_does_not_always_lead_in_table_1(table):
    losing = {c: not_above(("parallel", "sequential"), f"{c}_acc") for c in COLUMN_PROBLEMS}
    assert losing == {
        "aime24": [("R1-1.5B", 4)],
        "aime25": [("R1-7B", 4)],
        "math500": [("R1-7B", 4)],
        "gpqa": [],
    }
    row = the_row(table, "Sec. 4.2 against Table 1", "parallel scaling consistently outperforms")
    assert row["verdict"] == DIFFERS
    assert row["ours"] == pytest.approx(30.0 - 36.7, abs=0.05)
    assert row["note"].startswith(
        "fails in 3 of 24: R1-1.5B AIME 2024 N=4 (-6.7), R1-7B AIME 2025 N=4 (0.0), "
        "R1-7B MATH-500 N=4 (0.0)"
    )
    final = the_row(table, "App. C against Table 1", "in terms of final accuracy")
    assert final["verdict"] == AGREES


def test_the_dips_of_table_1_are_found_and_are_within_noise(table):
    row = the_row(table, "App. C against Table 1", "sequential, accuracy never falls")
    assert row["verdict"] == DIFFERS
    assert "R1-1.5B AIME 2024 Seq. 4->8 (-10.0)" in row["note"]
    assert UNDECIDED in row["note"]
    row = the_row(table, "Sec. 4.2 against Table 1", "R1-1.5B, accuracy minus vanilla")
    assert row["verdict"] == DIFFERS
    assert "R1-1.5B AIME 2024 Seq. N=8 (-3.3)" in row["note"]


VERDICTS: dict[tuple[str, str], str] = {
    ("Sec. 3.1 against Table 1", "remains correct"): DIFFERS,
    ("Sec. 4.3 against Table 1", "On MATH-500"): AGREES,
    ("Sec. 4.3 against Table 1", "parallel, hit@N from N=1 to 4"): AGREES,
    ("Sec. 4.3 against Table 1", "sequential, hit@N from N=1 to 4"): DIFFERS,
    ("Sec. 4.4 against Fig. 4", "stronger correlation"): AGREES,
    ("Sec. 4.4 against Fig. 4", "highest correlation"): AGREES,
    ("Fig. 4 against its own r", "p=0.000"): AGREES,
}


@pytest.mark.parametrize("key", VERDICTS, ids=" ".join)
def test_other_sentences_against_the_papers_own_numbers(table, key):
    assert the_row(table, *key)["verdict"] == VERDICTS[key]


# --- the page ---


def test_without_a_run_only_the_paper_is_decided(table):
    itself = table["where"].str.contains(" against ")
    assert set(table.loc[~itself, "verdict"]) == {NOT_RUN}
    assert NOT_RUN not in set(table.loc[itself, "verdict"])
    assert (~itself).sum() > 112


def test_the_committed_page_is_up_to_date():
    committed = (ROOT / "docs" / "claims.md").read_text()
    assert committed == claims_page.page(), "run: python scripts/claims_page.py > docs/claims.md"

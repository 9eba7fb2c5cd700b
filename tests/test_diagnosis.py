"""The same units under every grader, against values that can be worked out by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import job_of

from ttspm.cell import Cell
from ttspm.diagnosis import GRADERS, cell_diagnosis, unboxed_share
from ttspm.diagnosis_table import diagnosis_table, to_markdown
from ttspm.errors import UserError
from ttspm.grader import REFERENCE, Grader
from ttspm.grading import grade
from ttspm.tables import BENCHMARK, RECORDS, UNITS, read_parquet, write_csv, write_parquet

RESOURCES = Path(__file__).resolve().parents[1] / "resources"
PAPER = pd.read_csv(RESOURCES / "paper_table1.csv")
PUBLISHED = pd.read_csv(RESOURCES / "published_pass1.csv")

# Gold answers 1/2 and 3. What each unit is worth under (equality, extraction):
TEXTS = {
    "half": [
        r"\boxed{\frac{1}{2}}",  # as the gold answer is written: right under all four
        r"\boxed{0.5}",  # right only where answers are compared as mathematics
        r"first \boxed{7}, no: \boxed{\frac{1}{2}}",  # right only by the last box
        "The answer is 0.5",  # right only by mathematics and with fallbacks
    ],
    "three": [
        r"\boxed{3}",
        r"\boxed{3.0}",
        r"\boxed{4} and then \boxed{5}",  # wrong under all
        "I do not",  # truncated, and no answer under any
    ],
}
RIGHT = {
    ("math-verify", "last_boxed"): (4, 2),
    ("math-verify", "first_boxed"): (2, 2),
    ("string", "last_boxed"): (2, 1),
    ("string", "first_boxed"): (1, 1),
}


def make_problems() -> list[dict[str, object]]:
    golds = {"half": r"\frac{1}{2}", "three": "3"}
    return [
        {"problem_id": name, "question": "?", "gold": gold, "kind": "math", "choices": None}
        for name, gold in golds.items()
    ]


def make_units() -> list[dict[str, object]]:
    return [
        {
            "problem_id": problem,
            "unit": unit,
            "seed": unit,
            "text": text,
            "finish_reason": "length" if text == "I do not" else "stop",
            "prompt_tokens": 1,
            "completion_tokens": 10,
            "mean_logprob": None,
        }
        for problem, texts in TEXTS.items()
        for unit, text in enumerate(texts, start=1)
    ]


def run_script(
    folder: Path, strategy: str = "parallel", grader: Grader = REFERENCE, model: str = "m"
) -> pd.DataFrame:
    """`diagnose.py` on the units above, with the records that the run would have."""
    write_parquet(make_units(), folder / "units.parquet", UNITS)
    write_parquet(make_problems(), folder / "problems.parquet", BENCHMARK)
    units = read_parquet(folder / "units.parquet", UNITS)
    problems = read_parquet(folder / "problems.parquet", BENCHMARK)
    records, _ = grade(units, problems, thinking=False, **grader._asdict())
    write_parquet(records, folder / "records.parquet", RECORDS)
    job = job_of(
        folder,
        {name: folder / f"{name}.parquet" for name in ("units", "problems", "records")},
        {"diagnosis": "diagnosis.csv"},
        {
            "grading": {**grader._asdict(), "timeout_seconds": 5},
            "thinking": False,
            "budget": 4,
            "analysis": {"resamples": 500, "confidence": 0.95},
            "seed": 1,
        },
        {"model": model, "benchmark": "math500", "strategy": strategy},
    )
    importlib.import_module("diagnose").main(job)
    return pd.read_csv(job.output.diagnosis)


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return run_script(tmp_path_factory.mktemp("parallel"))


def by_grader(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(["equality", "extraction"])


def test_every_grader_has_a_row_with_its_accuracy(parallel: pd.DataFrame) -> None:
    rows = by_grader(parallel)
    assert list(rows.index) == list(RIGHT) == [tuple(grader) for grader in GRADERS]
    for grader, right in RIGHT.items():
        assert rows.loc[grader, "acc_1"] == 100 * sum(right) / 8
        assert rows.loc[grader, "hit_n"] == 100.0
        assert rows.loc[grader, "change"] == 100 * (sum(right) - 6) / 8
        assert rows.loc[grader, "acc_1_low"] <= rows.loc[grader, "acc_1"]
        assert rows.loc[grader, "acc_1_high"] >= rows.loc[grader, "acc_1"]
    # Votes by hand, ties sharing the credit. math-verify, last: 1/2 has all; 3 has 2 of 3.
    assert rows.loc[("math-verify", "last_boxed"), "acc_n"] == 100.0
    # string, first: 1/2, 0.5, 7 have one vote each; 3, 3.0, 4 as well.
    assert rows.loc[("string", "first_boxed"), "acc_n"] == pytest.approx(100 / 3, abs=0.01)


def test_the_shares_beside_it(parallel: pd.DataFrame) -> None:
    rows = by_grader(parallel)
    assert set(rows["truncated"]) == {12.5}
    assert set(rows["unboxed"]) == {25.0}, "the phrase and the silent one are in no box"
    for equality in ("math-verify", "string"):
        assert rows.loc[(equality, "last_boxed"), "unanswered"] == 12.5
        assert rows.loc[(equality, "first_boxed"), "unanswered"] == 25.0, "no fallback"


def test_a_chain_is_judged_by_its_rounds(tmp_path: Path) -> None:
    rows = by_grader(run_script(tmp_path, "sequential"))
    assert set(rows["estimator"]) == {"prefix"}
    assert set(rows["acc_1"]) == {100.0}, "round 1 is right under every grader"
    assert rows.loc[tuple(REFERENCE), "acc_n"] == 50.0, "the last round: by phrase, and none"
    assert rows.loc[("string", "first_boxed"), "acc_n"] == 0.0


def test_what_was_graded_before_is_taken_and_not_graded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: pd.DataFrame
) -> None:
    """With another configured grader the table is the same, and that one is not asked again."""
    script = importlib.import_module("diagnose")
    asked = []
    monkeypatch.setattr(
        script,
        "grade",
        lambda *tables, **how: (
            asked.append(Grader(how["equality"], how["extraction"])) or grade(*tables, **how)
        ),
    )
    configured = Grader("string", "first_boxed")
    table = run_script(tmp_path, grader=configured)
    assert asked == [grader for grader in GRADERS if grader != configured]
    pd.testing.assert_frame_equal(table, parallel)


def test_a_choice_in_words_is_unboxed() -> None:
    problems = pd.DataFrame(
        [
            {
                "problem_id": "half",
                "kind": "choice",
                "gold": "B",
                "choices": np.array(["one", "two", "three", "four"]),
            }
        ]
    )
    texts = [r"\boxed{B}", "The answer is (B).", r"<think>\boxed{A}", r"\boxed{two}"]
    units = pd.DataFrame({"problem_id": "half", "text": texts})
    share: Callable[[str], float] = lambda extraction: unboxed_share(  # noqa: E731
        units, problems, thinking=False, extraction=extraction
    )
    assert share("last_boxed") == 50.0, "unfinished thinking has no answer, boxed or not"
    assert share("first_boxed") == 25.0


@given(st.data())
@settings(max_examples=40, derandomize=True, deadline=None)
def test_change_is_the_difference_of_accuracies(data: st.DataObject) -> None:
    """On random records: values by counting, and the paired interval around the change."""
    sizes = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=6, max_size=6)
    drawn = {grader: np.array(data.draw(sizes)) for grader in GRADERS}
    records = {
        grader: pd.DataFrame(
            {
                "problem_id": np.repeat([f"p{i}" for i in range(6)], 3),
                "unit": np.tile([1, 2, 3], 6),
                "answer_class": np.where(correct, 0, 1).ravel(),
                "correct": correct.ravel(),
                "truncated": False,
                "completion_tokens": 5,
            }
        )
        for grader, correct in drawn.items()
    }
    unboxed = {"last_boxed": 10.0, "first_boxed": 20.0}
    table = by_grader(
        cell_diagnosis(records, unboxed, "parallel", 3, np.random.default_rng(0), 200)
    )
    for grader, correct in drawn.items():
        row = table.loc[tuple(grader)]
        assert row["acc_1"] == pytest.approx(100 * correct.mean(), abs=0.006)
        assert row["hit_n"] == pytest.approx(100 * correct.any(axis=1).mean(), abs=0.006)
        assert row["acc_n"] == pytest.approx(100 * (correct.sum(axis=1) >= 2).mean(), abs=0.006)
        change = 100 * (correct.mean() - drawn[REFERENCE].mean())
        assert row["change"] == pytest.approx(change, abs=0.006)
        assert row["change_low"] - 0.01 <= row["change"] <= row["change_high"] + 0.01
        assert row["unboxed"] == unboxed[grader.extraction]


# ---- beside the paper ----------------------------------------------------------------------------


def cell_rows(change: dict[Grader, tuple[float, float, float]], n_problems: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                **grader._asdict(),
                "n": 32,
                "estimator": "exact",
                "n_problems": n_problems,
                **{
                    f"{name}{end}": 50.0
                    for name in ("acc_1", "acc_n", "hit_n")
                    for end in ("", "_low", "_high")
                },
                "change": change[grader][0],
                "change_low": change[grader][1],
                "change_high": change[grader][2],
                "truncated": 1.0,
                "unboxed": 2.0,
                "unanswered": 3.0,
            }
            for grader in GRADERS
        ]
    )


CHANGES = {
    grader: change
    for grader, change in zip(
        GRADERS, [(0, 0, 0), (-2, -3, -1), (-4.75, -6, -4), (-9.5, -11, -8)], strict=True
    )
}


def test_what_of_the_papers_distance_is_explained() -> None:
    """R1-1.5B on MATH-500: the paper has 74.2, others 83.9, 83.1, 84.9 and 83.0."""
    cells = {
        Cell("deepseek-r1-distill-qwen-1.5b", "math500", strategy): cell_rows(CHANGES, 500)
        for strategy in ("parallel", "sequential")
    }
    table = diagnosis_table(cells, PAPER, PUBLISHED)
    rows = table[table["strategy"] == "parallel"].set_index(["equality", "extraction"])
    published = (83.9 + 83.1 + 84.9 + 83.0) / 4
    assert set(rows["paper_acc_1"]) == {74.2}
    assert set(rows["published_acc_1"]) == {round(published, 2)}
    for grader, (change, low, high) in CHANGES.items():
        explained = rows.loc[tuple(grader), ["explained", "explained_low", "explained_high"]]
        expected = [-100 * c / (published - 74.2) for c in (change, high, low)]
        assert explained.tolist() == pytest.approx(expected, abs=0.051)
    assert set(rows["paper_acc_n"]) == {83.6}
    assert set(rows["paper_hit_n"]) == {91.8}
    chain = table[table["strategy"] == "sequential"]
    assert set(chain["paper_acc_n"]) == {80.6}
    assert chain[["paper_acc_1", "published_acc_1", "explained"]].isna().all(axis=None)
    text = to_markdown(table)
    assert "The paper's vanilla accuracy is 74.2, the mean of published values 83.7." in text
    assert "string with first_boxed 100 [84, 116] % is explained." in text


@pytest.mark.parametrize(
    ("cell", "n_problems", "explained"),
    [
        (Cell("deepseek-r1-distill-qwen-1.5b", "aime24", "parallel"), 30, False),
        (Cell("deepseek-r1-distill-qwen-1.5b", "gpqa_diamond", "parallel"), 198, True),
        (Cell("deepseek-r1-distill-qwen-7b", "math500", "parallel"), 500, True),
        (Cell("my-model", "math500", "parallel"), 500, False),
        (Cell("deepseek-r1-distill-qwen-7b", "my-benchmark", "parallel"), 500, False),
    ],
)
def test_only_a_real_distance_is_explained(cell: Cell, n_problems: int, explained: bool) -> None:
    """The paper's 30.0 on AIME is within its own error of the published 28.4."""
    table = diagnosis_table({cell: cell_rows(CHANGES, n_problems)}, PAPER, PUBLISHED)
    assert table["explained"].notna().all() == explained
    assert table["explained"].notna().any() == explained
    text = to_markdown(table)
    assert ("is explained" in text) == explained
    assert ("nothing is to be explained" in text) == (cell.benchmark == "aime24")
    assert ("The paper" in text) == ("my-" not in cell.model + cell.benchmark)


def test_the_script_writes_both_forms(tmp_path: Path, parallel: pd.DataFrame) -> None:
    write_csv(parallel, tmp_path / "cell.csv")
    cell = Cell("m|x", "math500", "parallel")
    job = job_of(
        tmp_path,
        {
            "cells": [tmp_path / "cell.csv"],
            "paper": RESOURCES / "paper_table1.csv",
            "published": RESOURCES / "published_pass1.csv",
        },
        {"csv": "diagnosis.csv", "markdown": "diagnosis.md"},
        {"cells": [list(cell)]},
    )
    importlib.import_module("write_diagnosis").main(job)
    table = pd.read_csv(job.output.csv)
    assert list(table.columns[:3]) == ["model", "benchmark", "strategy"]
    pd.testing.assert_frame_equal(table[parallel.columns], parallel)
    lines = [line for line in job.output.markdown.read_text().splitlines() if line[:1] == "|"]
    assert len(lines) == 2 + len(GRADERS)
    assert {line.count("|") for line in lines} == {10}
    assert "12.5 | 25.0 | 12.5 |" in lines[2]


def test_without_a_grid_there_is_nothing_to_grade(tmp_path: Path) -> None:
    job = job_of(tmp_path, {"cells": []}, {"csv": "d.csv"}, {"cells": []})
    with pytest.raises(UserError, match="the grid is empty"):
        importlib.import_module("write_diagnosis").main(job)

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.errors import UserError
from ttspm.grading import grade
from ttspm.tables import RECORDS, UNITS

MATH500 = Path(__file__).resolve().parents[2] / "shared" / "data" / "benchmarks" / "math500.jsonl"


def make_benchmark(
    *golds: str, kind: str = "math", choices: list[str] | None = None
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "problem_id": [f"p{i}" for i in range(len(golds))],
            "question": "?",
            "gold": list(golds),
            "kind": kind,
            "choices": [choices] * len(golds),
        }
    )


def make_units(*texts_of_problems: list[str], finish_reason: str = "stop") -> pd.DataFrame:
    rows = [
        {
            "problem_id": f"p{problem}",
            "unit": unit,
            "seed": 0,
            "text": text,
            "finish_reason": finish_reason,
            "prompt_tokens": 1,
            "completion_tokens": len(text),
            "mean_logprob": None,
        }
        for problem, texts in enumerate(texts_of_problems)
        for unit, text in enumerate(texts, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=UNITS).to_pandas()


def in_boxes(*answers: str) -> list[str]:
    return [rf"so \boxed{{{answer}}}" for answer in answers]


def test_votes_and_grades_share_one_equality() -> None:
    units = make_units(in_boxes("0.6", "0.5", r"\frac12", "3/5", r"$\dfrac{1}{2}$", "1"))
    records, counts = grade(units, make_benchmark("1/2"), thinking=False)
    assert records["answer_class"].tolist() == [0, 1, 1, 0, 1, 2]
    assert records["correct"].tolist() == [False, True, True, False, True, False]
    assert records["answer"].tolist() == ["0.6", "1/2", "1/2", "0.6", "1/2", "1"]
    assert counts["boxed_share"] == 1.0
    assert counts["timeouts"] == 0
    assert list(records.columns) == RECORDS.names
    assert pa.Table.from_pandas(records, schema=RECORDS, preserve_index=False).num_rows == 6


@pytest.mark.parametrize(
    ("gold", "correct"),
    [("1/3", [True, True, False]), ("0.333333", [True, True, True])],
)
def test_where_equality_is_not_transitive_the_gold_answer_decides(
    gold: str, correct: list[bool]
) -> None:
    units = make_units(in_boxes(r"\frac{1}{3}", "0.333333", "333333/1000000"))
    records, _ = grade(units, make_benchmark(gold), thinking=False)
    assert records["correct"].tolist() == correct
    assert records.groupby("answer_class")["correct"].nunique().max() == 1


def test_answers_join_the_class_first_opened() -> None:
    # 0.333333 equals both others, which differ.
    first_opened = in_boxes("333333/1000000", "1/3", "0.333333")
    records, _ = grade(make_units(first_opened), make_benchmark("7"), thinking=False)
    assert records["answer_class"].tolist() == [0, 1, 0]
    assert records["answer"].tolist() == ["333333/1000000", "1/3", "333333/1000000"]


def test_string_equality_splits_what_math_verify_joins() -> None:
    units = make_units(in_boxes("0.5", "1/2", " 1/2 ", "$1/2$"))
    records, counts = grade(units, make_benchmark("1/2"), thinking=False, equality="string")
    assert records["correct"].tolist() == [False, True, True, False]
    assert records["answer"].tolist() == ["0.5", "1/2", "1/2", "$1/2$"]
    assert counts["comparisons"] == 0


def test_first_boxed_reads_the_thinking() -> None:
    units = make_units([r"\boxed{1}</think> \boxed{2}", "a</think> it is 2"])
    benchmark = make_benchmark("2")
    usual, _ = grade(units, benchmark, thinking=True)
    naive, counts = grade(units, benchmark, thinking=True, extraction="first_boxed")
    assert usual["correct"].tolist() == [True, True]
    assert naive["correct"].tolist() == [False, False]
    assert naive["answer"].tolist() == ["1", None]
    assert (counts["boxed"], counts["unanswered"]) == (1, 1)


def test_choices_are_compared_by_letter() -> None:
    texts = [r"\boxed{\text{B}}", "(B)", "The answer is A.", r"\boxed{20}", "no idea"]
    benchmark = make_benchmark("B", kind="choice", choices=["10", "20"])
    records, counts = grade(make_units(texts), benchmark, thinking=False)
    assert records["answer"].tolist() == ["B", "B", "A", "B", None]
    assert records["answer_class"].tolist() == [0, 0, 1, 0, -1]
    assert records["correct"].tolist() == [True, True, False, True, False]
    assert counts["comparisons"] == 0


def test_truncated_and_unanswered_units_are_counted() -> None:
    cut_off = make_units(["I think \\boxed{5}, or", "a</think> 5"], finish_reason="length")
    records, counts = grade(cut_off, make_benchmark("5"), thinking=True)
    assert records["truncated"].tolist() == [True, True]
    assert records["answer"].tolist() == [None, "5"]
    assert records["answer_class"].tolist() == [-1, 0]
    assert records["correct"].tolist() == [False, True]
    assert counts["rules"] == {"last_number": 1, "unfinished_thinking": 1}
    assert (counts["units"], counts["truncated"], counts["unanswered"]) == (2, 2, 1)


def test_a_hung_answer_costs_one_time_limit() -> None:
    answers = in_boxes("9^{9^{9^{9}}}", "1/2", "0.5", "9^{9^{9^{9}}}", "3/4", "0.75")
    records, counts = grade(
        make_units(answers), make_benchmark("0.75"), thinking=False, timeout_seconds=0.5, workers=2
    )
    assert records["answer_class"].tolist() == [0, 1, 1, 0, 2, 2]
    assert records["correct"].tolist() == [False] * 4 + [True] * 2
    assert counts["timeouts"] == 1


def random_case(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame, list[Fraction]]:
    """Problems whose answers are fractions, each written in one of several ways."""
    values = [Fraction(n, d) for n, d in [(1, 2), (3, 4), (-1, 4), (5, 2), (2, 1), (1, 8)]]
    ways = [
        lambda v: f"{v.numerator}/{v.denominator}",
        lambda v: rf"\frac{{{2 * v.numerator}}}{{{2 * v.denominator}}}",
        lambda v: f"${float(v)}$",
        lambda v: rf"{v.numerator} \div {v.denominator}",
    ]
    golds = [str(float(values[rng.integers(len(values))])) for _ in range(12)]
    drawn = rng.integers(len(values), size=(12, 10))
    texts = [
        in_boxes(*(ways[rng.integers(len(ways))](values[i]) for i in problem)) for problem in drawn
    ]
    return make_units(*texts), make_benchmark(*golds), [values[i] for i in drawn.ravel()]


def test_classes_equal_those_of_exact_values_for_any_number_of_workers() -> None:
    units, benchmark, values = random_case(np.random.default_rng(5))
    records, counts = grade(units, benchmark, thinking=False, workers=2)
    gold = benchmark.set_index("problem_id")["gold"]
    seen: dict[str, dict[Fraction, int]] = {}
    for row, value in zip(records.itertuples(), values, strict=True):
        classes = seen.setdefault(row.problem_id, {})
        assert row.answer_class == classes.setdefault(value, len(classes))
        assert row.correct == (value == Fraction(gold[row.problem_id]))
    for _, members in records.groupby(["problem_id", "answer_class"]):
        assert members["correct"].nunique() == 1
        assert members["answer"].nunique() == 1
    assert counts["comparisons"] > 0

    # Neither the workers nor the order of rows matter.
    shuffled = units.sample(frac=1, random_state=np.random.default_rng(1))
    again, counts_again = grade(shuffled, benchmark, thinking=False, workers=1)
    pd.testing.assert_frame_equal(records, again)
    assert counts == counts_again


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    gold=st.integers(-3, 3),
    answers=st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=12),
    budget=st.integers(1, 12),
)
def test_a_larger_budget_extends_the_classes(
    gold: int, answers: list[int | None], budget: int
) -> None:
    texts = ["no answer" if answer is None else rf"\boxed{{{answer}}}" for answer in answers]
    benchmark = make_benchmark(str(gold))
    records, counts = grade(make_units(texts), benchmark, thinking=False)
    fewer, _ = grade(make_units(texts[:budget]), benchmark, thinking=False)
    pd.testing.assert_frame_equal(records.head(budget), fewer)

    distinct = list(dict.fromkeys(answer for answer in answers if answer is not None))
    expected = [-1 if answer is None else distinct.index(answer) for answer in answers]
    assert records["answer_class"].tolist() == expected
    assert records["correct"].tolist() == [answer == gold for answer in answers]
    assert counts["unanswered"] == answers.count(None)


def test_rows_come_in_the_order_of_the_benchmark() -> None:
    benchmark = make_benchmark("1", "2", "3").iloc[[2, 0, 1]]
    units = make_units(["1", "1"], ["2"], ["3", "3"]).iloc[::-1]
    records, _ = grade(units, benchmark, thinking=False)
    pairs = list(zip(records["problem_id"], records["unit"], strict=True))
    assert pairs == [("p2", 1), ("p2", 2), ("p0", 1), ("p0", 2), ("p1", 1)]
    assert records["correct"].all()


def test_wrong_input_gets_one_line() -> None:
    benchmark = make_benchmark("1")
    with pytest.raises(UserError, match="'p1' is not in the benchmark"):
        grade(make_units(["1"], ["1"]), benchmark, thinking=False)
    twice = pd.concat([make_units(["1"])] * 2, ignore_index=True)
    with pytest.raises(UserError, match="'p0' has unit 1 twice"):
        grade(twice, benchmark, thinking=False)
    with pytest.raises(UserError, match="math-verify, string"):
        grade(make_units(["1"]), benchmark, thinking=False, equality="sympy")
    with pytest.raises(UserError, match="last_boxed, first_boxed"):
        grade(make_units(["1"]), benchmark, thinking=False, extraction="boxed")


def test_no_units_give_no_records() -> None:
    records, counts = grade(make_units([]), make_benchmark("1"), thinking=False)
    assert len(records) == 0
    assert counts["boxed_share"] == 0.0


@pytest.mark.skipif(not MATH500.exists(), reason="MATH-500 is not beside this checkout")
def test_every_gold_answer_of_math500_is_right() -> None:
    golds = [json.loads(line)["answer"] for line in MATH500.read_text().splitlines()]
    # Boxed as it stands, and in the dress that other models give it.
    texts = [
        [
            rf"The answer is $\boxed{{{gold}}}$.",
            "\\[ \\boxed{" + gold.replace(r"\frac", r"\dfrac").replace(" ", "") + "} \\]",
        ]
        for gold in golds
    ]
    records, counts = grade(make_units(*texts), make_benchmark(*golds), thinking=False, workers=2)
    correct = records.pivot_table(index="problem_id", columns="unit", values="correct").mean()
    assert correct[1] == 1.0
    assert correct[2] >= 0.99
    assert (counts["timeouts"], counts["failures"]) == (0, 0)

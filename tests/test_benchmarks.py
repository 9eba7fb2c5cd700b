"""Benchmarks: from a source's rows to the common table, and the mistakes in them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import job_of

import prepare_benchmark as script
from ttspm.benchmarks.arithmetic import LEVELS, arithmetic_rows
from ttspm.benchmarks.prepare import LETTERS, prepare_benchmark
from ttspm.benchmarks.sources import file_rows, source_rows
from ttspm.config import check_config, load_schema
from ttspm.errors import UserError
from ttspm.tables import BENCHMARK

SCHEMA = load_schema(Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml")
ROW = {"question": "1+1?", "answer": "2"}


def described(**settings: object) -> dict:
    """A benchmark's description with the schema's defaults."""
    benchmark = {"source": {"type": "file", "path": "p.jsonl"}} | settings
    config = {
        "models": {"m": {"source": {"type": "folder", "path": "m"}}},
        "benchmarks": {"b": benchmark},
        "grid": {"models": ["m"], "benchmarks": ["b"]},
    }
    return check_config(config, SCHEMA)["benchmarks"]["b"]


def prepared(rows: list[dict], seed: int = 1, **settings: object) -> list[dict]:
    return prepare_benchmark(rows, "b", described(**settings), seed)


def message(action, *arguments: object, **settings: object) -> str:
    with pytest.raises(UserError) as raised:
        action(*arguments, **settings)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- columns, ids, gold answers --------------------------------------------------------------------


def test_a_row_becomes_a_row_of_the_common_table():
    expected = {"problem_id": "1", "question": "1+1?", "gold": "2", "kind": "math", "choices": None}
    assert prepared([ROW | {"question": " 1+1? "}]) == [expected]


def test_columns_go_by_the_names_they_have_in_the_source():
    rows = [{"q": "1+1?", "a": 2, "key": "x/7", "answer": "not this"}]
    columns = {"question": "q", "gold": "a", "problem_id": "key"}
    (row,) = prepared(rows, columns=columns)
    assert (row["problem_id"], row["question"], row["gold"]) == ("x/7", "1+1?", "2")


def test_a_column_called_problem_id_is_used_without_being_named():
    assert [row["problem_id"] for row in prepared([ROW | {"problem_id": 60}])] == ["60"]


@pytest.mark.parametrize(
    ("value", "gold"),
    [(70.0, "70"), (0.5, "0.5"), (np.float64(3), "3"), (np.float32(3), "3"), (np.int64(12), "12"),
     (" \\frac12 ", "\\frac12"), (True, "True")],
)  # fmt: skip
def test_gold_answers_of_any_type_become_text(value, gold):
    assert prepared([ROW | {"answer": value}])[0]["gold"] == gold


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", float("nan"), np.float32("nan"), pd.NA, pd.NaT]
)
def test_a_row_without_gold_answer_is_refused_by_its_number(nothing):
    text = message(prepared, [ROW, ROW | {"answer": nothing}])
    assert text == "benchmark b: row 2: column 'answer' has no gold answer"


def test_a_benchmark_without_gold_column_is_refused_with_the_columns_it_has():
    text = message(prepared, [{"question": "1+1?", "solution": "2"}])
    assert text == (
        "benchmark b: row 1: no column 'answer' for the gold answer; there are: question, solution"
    )


def test_a_repeated_id_is_refused_with_both_rows():
    rows = [ROW | {"problem_id": name} for name in ("a", "b", "a")]
    text = message(prepared, rows)
    assert text.startswith("benchmark b: row 3: problem_id 'a' stands in row 1 already")


def test_an_empty_question_or_benchmark_is_refused():
    assert "column 'question' has no question" in message(prepared, [ROW | {"question": " "}])
    assert message(prepared, []) == "benchmark b: it has no problems"


def test_the_gold_may_stand_after_a_marker():
    solution = "2 and 2 #### is not it\nso\n#### 4"
    assert prepared([ROW | {"answer": solution}], gold_after="####")[0]["gold"] == "4"
    text = message(prepared, [ROW], gold_after="####")
    assert text == "benchmark b: row 1: no gold answer: '####' does not stand in its column"
    text = message(prepared, [ROW | {"answer": "####  "}], gold_after="####")
    assert text == "benchmark b: row 1: no gold answer after '####'"


# -- choices ---------------------------------------------------------------------------------------

CHOICE = {"question": "Which?", "answer": "right", "w1": "wrong", "w2": "worse", "w3": "worst"}
SHUFFLED = {"kind": "choice", "columns": {"distractors": ["w1", "w2", "w3"]}}


@settings(max_examples=50, derandomize=True)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 8))
def test_choices_are_shuffled_and_the_gold_is_the_letter_of_the_right_one(seed, count):
    rows = [CHOICE | {"question": f"Which, {n}?"} for n in range(count)]
    made = prepared(rows, seed, **SHUFFLED)
    assert made == prepared(rows, seed, **SHUFFLED)
    for row in made:
        assert sorted(row["choices"]) == ["right", "worse", "worst", "wrong"]
        assert row["choices"][LETTERS.index(row["gold"])] == "right"
    # Each problem has a seed of its own: more problems leave the earlier ones as they were.
    assert prepared(rows[:-1] or rows, seed, **SHUFFLED) == (made[:-1] or made)


def test_over_many_problems_every_letter_is_as_likely():
    made = prepared([CHOICE | {"question": f"{n}?"} for n in range(400)], **SHUFFLED)
    counts = pd.Series([row["gold"] for row in made]).value_counts()
    assert set(counts.index) == set("ABCD")
    assert counts.between(70, 130).all()


def test_two_equal_choices_are_refused():
    text = message(prepared, [CHOICE | {"w2": "right"}], **SHUFFLED)
    assert text == "benchmark b: row 1: the text of the gold answer stands twice among the choices"


def test_a_missing_distractor_is_refused():
    text = message(prepared, [CHOICE | {"w3": ""}], **SHUFFLED)
    assert text == "benchmark b: row 1: column 'w3' has no choice"


def test_distractors_make_a_benchmark_of_choices_only_if_it_is_one():
    """Else letters would be graded as mathematics."""
    text = message(prepared, [CHOICE], columns=SHUFFLED["columns"])
    assert text == "benchmark b: columns.distractors are choices: set kind: choice"


@pytest.mark.parametrize("choices", [["x", "y", "z"], np.array(["x", "y", "z"]), ("x", "y", "z")])
@pytest.mark.parametrize("gold", ["B", "b", "y"])
def test_choices_that_the_source_has_stay_in_their_order(choices, gold):
    (row,) = prepared([{"question": "Which?", "answer": gold, "choices": choices}], kind="choice")
    assert (row["choices"], row["gold"]) == (["x", "y", "z"], "B")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (["x", "y"], "the gold answer 'C' is neither a letter nor one of the choices"),
        (None, "kind 'choice' needs columns.distractors, or a column 'choices' with a list"),
        ("x y", "column 'choices' must be a list of texts"),
        ({"text": ["x"], "label": ["C"]}, "column 'choices' must be a list of texts"),
        (["x", "y", "C", "C"], "the text of the gold answer stands twice among the choices"),
        ([str(n) for n in range(27)], "27 choices are more than there are letters"),
    ],
)
def test_choices_that_cannot_be_right_are_refused(choices, expected):
    rows = [{"question": "Which?", "answer": "C", "choices": choices}]
    assert message(prepared, rows, kind="choice") == f"benchmark b: row 1: {expected}"


# -- files -----------------------------------------------------------------------------------------

ROWS = [{"question": 'a "b", c', "answer": "1"}, {"question": "two\nlines, é", "answer": "02"}]


def write_file(path: Path) -> Path:
    frame = pd.DataFrame(ROWS)
    if ".csv" in path.name:
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        path.write_text("\n\n".join(json.dumps(row) for row in ROWS))
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv", "p.csv.gz", "p.parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, name):
    assert file_rows(write_file(tmp_path / name)) == ROWS


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "p.csv").write_text("question,answer\n1+1?,2\n", encoding="utf-8-sig")
    assert file_rows(tmp_path / "p.csv") == [ROW]


def test_a_file_with_the_digest_asked_for_is_read_and_another_refused(tmp_path):
    path = write_file(tmp_path / "p.csv")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert file_rows(path, digest) == ROWS
    text = message(file_rows, path, "0" * 64)
    assert text == f"{path}: has SHA-256 {digest}, the configuration asks for {'0' * 64}"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("p.jsonl", b'{"question": "a"}\n{"question":\n', "line 2 is not JSON"),
        ("p.jsonl", b'["question"]\n', "line 1 is not a JSON object"),
        ("p.jsonl", b'{"question": "\xff"}\n', "is not text in UTF-8"),
        ("p.csv", b"question,answer\n1+1?,2\nwhat, then?,3\n", "line 3 has more fields than"),
        # Every row too long: a reader that guesses takes the first column for row names.
        ("p.csv", b"question,answer\nwhat, then?,3\n", "line 2 has more fields than"),
        ("p.csv", b'question,answer\n"never closed,3\n', "after line 1: unexpected end"),
        ("p.csv", b"question,answer\n\xff,3\n", "is not text in UTF-8"),
        ("p.csv.gz", b"not compressed", "cannot be read"),
        ("p.parquet", b"not Parquet", "cannot be read"),
        ("p.txt", b"", "a benchmark file ends in .jsonl, .csv, .csv.gz, .parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert message(file_rows, tmp_path / name).startswith(f"{tmp_path / name}: {expected}")


def test_a_csv_row_that_is_too_short_has_no_gold_answer(tmp_path):
    (tmp_path / "p.csv").write_text("question,answer\n1+1?,2\n2+2?\n")
    text = message(prepared, file_rows(tmp_path / "p.csv"))
    assert text == "benchmark b: row 2: column 'answer' has no gold answer"


def test_an_empty_file_has_no_problems(tmp_path):
    for name in ("p.csv", "p.jsonl"):
        (tmp_path / name).write_bytes(b"")
        assert message(prepared, file_rows(tmp_path / name)) == "benchmark b: it has no problems"


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert message(file_rows, tmp_path / "p.csv") == f"{tmp_path / 'p.csv'}: no such file"
    assert message(source_rows, {"type": "file", "path": "p.csv"}) == "p.csv: no such file"


# -- arithmetic ------------------------------------------------------------------------------------


def by_level(rows: list[dict]) -> dict[str, list[dict]]:
    levels: dict[str, list[dict]] = {}
    for row in rows:
        levels.setdefault(row["problem_id"].partition("/")[0], []).append(row)
    return levels


def test_the_default_has_enough_problems_over_enough_levels():
    levels = by_level(arithmetic_rows(4, seed=1))
    assert len(levels) >= 6
    assert sum(map(len, levels.values())) >= 24
    questions = [row["question"] for row in arithmetic_rows(4, seed=1)]
    assert len(set(questions)) == len(questions)


@settings(max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_gold_answers_follow_from_the_question_alone(seed):
    """Worked out anew from the words, by another way than the levels' own functions."""
    rows = by_level(arithmetic_rows(3, seed))
    for name, problems in rows.items():
        for row in problems:
            numbers = [int(number) for number in re.findall(r"\d+", row["question"])]
            if match := re.fullmatch(r"What is (\d+ [-+*] \d+)\?", row["question"]):
                expected = eval(match.group(1))  # digits and one sign, as just matched
            elif name == "word-sum":
                expected = sum(numbers)
            else:
                expected = len([None for _ in range(numbers[0]) for _ in range(numbers[1])])
                expected -= sum(numbers[2:])
            assert row["answer"] == str(expected)
            assert expected >= 0


@settings(max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10**6), few=st.integers(1, 4), more=st.integers(0, 12))
def test_more_problems_leave_the_earlier_ones_as_they_were(seed, few, more):
    small, large = by_level(arithmetic_rows(few, seed)), by_level(arithmetic_rows(few + more, seed))
    for name, problems in small.items():
        assert large[name][:few] == problems
        assert len({row["question"] for row in large[name]}) == few + more


def test_numbers_stay_in_the_ranges_of_their_level():
    rows = by_level(arithmetic_rows(20, seed=3))
    for level in LEVELS:
        for row in rows[level.name]:
            numbers = [int(number) for number in re.findall(r"\d+", row["question"])]
            for number, (low, high) in zip(numbers, level.ranges, strict=True):
                assert low <= number <= high


def test_more_problems_than_a_level_has_are_refused_in_one_line():
    source = {"type": "arithmetic", "problems_per_level": 21, "seed": 1}
    text = message(source_rows, source)
    assert text == "problems_per_level: level difference-1 has 20 different problems, not 21"


# -- the script ------------------------------------------------------------------------------------


def test_the_script_writes_the_common_table_with_equal_bytes(tmp_path):
    with gzip.open(tmp_path / "p.csv.gz", "wt") as handle:
        handle.write("question,answer,w1,w2,w3\nWhich?,right,wrong,worse,worst\n")
    params = {"description": described(**SHUFFLED), "seed": 1}
    made = []
    for name in ("one", "two"):
        inputs = {"files": [tmp_path / "p.csv.gz"]}
        job = job_of(tmp_path, inputs, {"problems": name}, params, {"benchmark": "b"})
        assert script.main(job) == {"problems": 1}
        made.append(job.output.problems)
    assert pq.read_schema(made[0]) == BENCHMARK
    assert made[0].read_bytes() == made[1].read_bytes()
    (row,) = pq.read_table(made[0]).to_pylist()
    assert row["choices"][LETTERS.index(row["gold"])] == "right"


def test_the_script_makes_arithmetic_without_a_file(tmp_path):
    source = {"type": "arithmetic", "problems_per_level": 2}
    params = {"description": described(source=source), "seed": 1}
    job = job_of(tmp_path, {"files": []}, {"problems": "made"}, params, {"benchmark": "b"})
    assert script.main(job) == {"problems": 2 * len(LEVELS)}
    table = pq.read_table(job.output.problems).to_pylist()
    assert [row["gold"] for row in table] == [row["answer"] for row in arithmetic_rows(2, 1)]

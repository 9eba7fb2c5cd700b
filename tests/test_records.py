"""The package's own format of graded samples, and what is said of wrong ones."""

from __future__ import annotations

import gzip
import json
from itertools import permutations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_samples import DATA, only, row, written

from ttspm.errors import UserError
from ttspm.metrics import cell_values
from ttspm.records.build import build_records
from ttspm.records.groups import GroupName, load_groups
from ttspm.records.samples import Sample
from ttspm.tables import RECORDS, read_parquet, write_parquet

# ---- what is read --------------------------------------------------------------------------------


def test_one_file_of_two_models():
    small, large = load_groups([DATA / "native.jsonl"])
    assert small.name == GroupName("org/small [t=0.6]", "arithmetic", "parallel")
    assert large.name == GroupName("org/large", "arithmetic", "parallel")
    assert list(small.records.columns) == RECORDS.names
    assert not small.counts_only
    assert small.warnings == ()
    product = small.records[small.records["problem_id"] == "product"]
    assert product["unit"].tolist() == [1, 2, 3, 4]
    # "$12$" and "12" were graded alike: one class; so were both 24.
    assert product["answer_class"].tolist() == [0, 1, 0, 1]
    assert product["answer"].tolist() == ["12", "24", "12", "24"]
    assert product["correct"].tolist() == [True, False, True, False]
    total = small.records[small.records["problem_id"] == "sum"]
    assert total["answer_class"].tolist() == [0, 0, 1, -1]
    assert total["answer"].isna().tolist() == [False, False, False, True]
    assert total["completion_tokens"].tolist() == [23, 26, 29, 32]
    assert not small.records["truncated"].any()


def test_records_are_what_the_metrics_take(tmp_path):
    for group in load_groups([DATA / "native.jsonl"]):
        path = tmp_path / "records.parquet"
        write_parquet(pa.Table.from_pandas(group.records, preserve_index=False), path, RECORDS)
        pd.testing.assert_frame_equal(read_parquet(path, RECORDS), group.records)
        cell = cell_values(group.records, "parallel", [1, 4])
        share = group.records["correct"].mean()
        assert cell.values["acc", "exact", 1].mean() == pytest.approx(share)
    # The large model's half: 4.5, 4.5 and 9/2 are right, so the vote of all four is.
    assert cell.values.loc["half", ("acc", "exact", 4)] == 1.0


def as_csv(frame, path):
    frame.to_csv(path, index=False)


def as_gz(frame, path):
    with gzip.open(path, "wt") as file:
        file.write((DATA / "native.jsonl").read_text())


def as_parquet(frame, path):
    pq.write_table(pa.Table.from_pandas(frame.assign(text="long"), preserve_index=False), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("runs.csv", as_csv), ("runs.jsonl.gz", as_gz), ("runs.parquet", as_parquet)],
)
def test_every_container_gives_the_same_records(tmp_path, name, write):
    frame = pd.DataFrame(
        [json.loads(line) for line in (DATA / "native.jsonl").read_text().splitlines()]
    )
    write(frame, tmp_path / name)
    for expected, found in zip(
        load_groups([DATA / "native.jsonl"]), load_groups([tmp_path / name]), strict=True
    ):
        assert found.name == expected.name
        pd.testing.assert_frame_equal(found.records, expected.records)


def test_a_csv_may_write_grades_and_numbers_in_its_ways(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(
        "\ufeffproblem_id,unit,correct,tokens,truncated,note\n"
        '007,1,True,12.0,false,"a, ""b""\nc"\n007,2,0,,1,\n\n007,3,false,14,,\n007,4,1,15,0,x\n'
    )
    group = only(path, model="m", benchmark="b")
    assert group.name == GroupName("m", "b", "parallel")
    assert group.records["problem_id"].unique().tolist() == ["007"]
    assert group.records["correct"].tolist() == [True, False, False, True]
    assert group.records["truncated"].tolist() == [False, True, False, False]
    assert group.records["completion_tokens"].fillna(-1).tolist() == [12, -1, 14, 15]


def test_a_strategy_named_by_the_file_is_kept(tmp_path):
    rows = [row(unit=unit, strategy="sequential") for unit in (1, 2)]
    assert only(written(tmp_path, rows)).name == GroupName("m", "b", "sequential")
    rows[1]["strategy"] = "beam"
    with pytest.raises(UserError, match="line 2: strategy 'beam' is unknown"):
        load_groups([written(tmp_path, rows)])


def test_counts():
    group = only(DATA / "counts.csv")
    assert group.counts_only
    assert len(group.records) == 24
    assert group.records.groupby("problem_id")["correct"].sum().tolist() == [5, 0, 8]
    assert (group.records["answer_class"] == -1).all()
    cell = cell_values(group.records, "parallel", [1, 8], counts_only=True)
    assert cell.values["hit", "exact", 1].tolist() == [5 / 8, 0, 1]
    assert cell.values["hit", "exact", 8].tolist() == [1, 0, 1]


# ---- answers and their classes -------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["7", "8", "9", None]), min_size=1, max_size=6), st.randoms())
def test_classes_are_those_of_the_texts_in_any_order_of_rows(answers, random):
    samples = [
        Sample("f", f"line {n}", "p", n, answer == "7", answer=answer)
        for n, answer in enumerate(answers, start=1)
    ]
    table, warnings = build_records(samples, "parallel")
    found = table.to_pylist()
    assert warnings == []
    for one in found:
        for other in found:
            if one["answer_class"] >= 0 and other["answer_class"] >= 0:
                same = answers[one["unit"] - 1] == answers[other["unit"] - 1]
                assert (one["answer_class"] == other["answer_class"]) == same
    assert [one["answer_class"] < 0 for one in found] == [answer is None for answer in answers]
    shuffled = samples.copy()
    random.shuffle(shuffled)
    assert build_records(shuffled, "parallel")[0].equals(table)


def test_texts_graded_otherwise_stay_apart_even_where_they_mean_the_same(tmp_path):
    # A tool that asks for the bare letter: "(A)" is wrong there, and that is no contradiction.
    rows = [row(answer="A"), row(unit=2, answer="(A)", correct=False), row(unit=3, answer=" A ")]
    records = only(written(tmp_path, rows)).records
    assert records["answer_class"].tolist() == [0, 1, 0]
    assert records["correct"].tolist() == [True, False, True]


def test_equality_by_mathematics_grades_by_the_gold(tmp_path):
    answers = [("1/2", True), ("0.5", False), (r"\frac{1}{2}", True), ("2", True), (None, True)]
    rows = [
        row(unit=n, answer=answer, correct=correct, gold="0.5")
        for n, (answer, correct) in enumerate(answers, start=1)
    ]
    group = only(written(tmp_path, rows), equality="math-verify")
    assert group.records["answer_class"].tolist() == [0, 0, 0, 1, -1]
    assert group.records["correct"].tolist() == [True, True, True, False, False]
    assert len(group.warnings) == 1
    assert "3 of 5 samples are graded otherwise than in the file" in group.warnings[0]
    assert "line 2 (wrong there)" in group.warnings[0]


def test_a_gold_of_one_letter_is_a_choice(tmp_path):
    rows = [row(unit=n, answer=a, gold="B", correct=a == "B") for n, a in enumerate("BbA", start=1)]
    records = only(written(tmp_path, rows), equality="math-verify").records
    assert records["correct"].tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("golds", "message"),
    [
        (["7", None], "line 2: 'gold' is missing"),
        (["7", "8"], "line 2: problem 'p' has the gold answer '8' here and '7' in .*line 1"),
    ],
)
def test_grading_anew_needs_one_gold_answer(tmp_path, golds, message):
    rows = [row(unit=n, answer="7", gold=gold) for n, gold in enumerate(golds, start=1)]
    with pytest.raises(UserError, match=message):
        load_groups([written(tmp_path, rows)], equality="math-verify")


def test_counts_cannot_be_graded_anew():
    with pytest.raises(UserError, match=r"counts\.csv, line 2: counts have no answers"):
        load_groups([DATA / "counts.csv"], equality="math-verify")


# ---- wrong records -------------------------------------------------------------------------------

WRONG_ROWS = {
    "unit twice": ([row(), row(unit=2), row()], "line 3: problem 'p' has unit 1 twice, .*line 1"),
    "grade of text": ([row(correct="true")], "line 1: 'correct' is 'true'; it must be true or"),
    "grade of a share": ([row(), row(unit=2, correct=0.5)], "line 2: 'correct' is 0.5; it must be"),
    "no grade": ([row(correct=None)], "line 1: 'correct' is empty; it must be true or false"),
    "right and wrong": (
        [row(answer="7"), row(unit=2, answer=" 7", correct=False)],
        "line 2: problem 'p', answer '7' is wrong here and correct in .*line 1; equal answers",
    ),
    "no correct": ([{"problem_id": "p", "unit": 1}], "line 1: 'correct' is missing; a row needs"),
    "no unit": ([{"problem_id": "p", "correct": True}], "line 1: 'sample_index' is missing"),
    "no problem": ([{"unit": 1, "correct": True}], "line 1: 'problem_id' is missing"),
    "empty problem": ([row(problem="")], "line 1: 'problem_id' is empty"),
    "units from 0": ([row(unit=0)], "line 1: 'unit' is 0, but units count from 1; name the column"),
    "half a unit": ([row(unit=1.5)], "line 1: 'unit' is 1.5; it must be a whole number"),
    "negative tokens": ([row(tokens=-1)], "line 1: 'tokens' is -1; it must be a whole number"),
    "list of answers": ([row(answer=["7"])], r"line 1: 'answer' is \['7'\]; it must be a text"),
    "missing round": (
        [row(unit=n, strategy="sequential") for n in (1, 2, 4)],
        "line 3: problem 'p' has no unit 3 before unit 4; a chain needs every round",
    ),
    "count among samples": (
        [
            row(),
            {"problem_id": "q", "n_samples": 2, "n_correct": 1, "model": "m", "benchmark": "b"},
        ],
        "line 2: a count among graded samples .*line 1",
    ),
    "no model": ([{"problem_id": "p", "unit": 1, "correct": True}], "line 1: which model this is"),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_wrong_rows_get_one_line_with_file_and_row(tmp_path, case):
    rows, message = WRONG_ROWS[case]
    with pytest.raises(UserError, match=message) as caught:
        load_groups([written(tmp_path, rows)])
    assert "runs.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_may_stand_for_a_grade(tmp_path):
    rows = [row(correct=1), row(unit=2, correct=0), row(unit=3, correct=1.0)]
    assert only(written(tmp_path, rows)).records["correct"].tolist() == [True, False, True]


GOOD = json.dumps(row()) + "\n"
WRONG_FILES = {
    "empty": ("runs.jsonl", b"", "the file is empty"),
    "only blank lines": ("runs.jsonl", b"\n\n", "the file is empty"),
    "empty gz": ("runs.jsonl.gz", gzip.compress(b""), "the file is empty"),
    "only a header": ("runs.csv", b"problem_id,unit,correct\n", "the file is empty"),
    "empty parquet": ("runs.parquet", b"", "the file is empty"),
    "no parquet": ("runs.parquet", b"PAR1 but not really", "not a Parquet file"),
    "bad line": ("runs.jsonl", GOOD.encode() + b'{"problem_id": \n', "line 2: not valid JSON"),
    "cut line": ("runs.jsonl", GOOD.encode() + GOOD.encode()[:30], "line 2: not valid JSON"),
    "no object": ("runs.jsonl", b"[1, 2]\n", "line 1: not a JSON object"),
    "truncated gz": (
        "runs.jsonl.gz",
        gzip.compress("".join(GOOD.replace('"p"', f'"p{n}"') for n in range(4000)).encode())[
            :-2000
        ],
        r"after line \d+: the gzip file is cut off or damaged .*; copy it again",
    ),
    "no gz": ("runs.jsonl.gz", b"plain text", "after line 0: the gzip file is cut off or damaged"),
    "not text": ("runs.jsonl", b'{"problem_id": "\xff\xfe"}\n', "not UTF-8 text"),
    "short row": (
        "runs.csv",
        b"problem_id,unit,correct\np,1\n",
        "line 2: 2 values under 3 columns",
    ),
    "no column": ("runs.csv", b"problem_id,unit\np,1\n", "line 2: 'correct' is missing"),
    "column twice": ("runs.csv", b"unit,unit\n1,2\n", "line 1: column 'unit' is there twice"),
    "other grade": (
        "runs.csv",
        b"problem_id,unit,correct\np,1,yes\n",
        "line 2: 'correct' is 'yes'",
    ),
    "open quote": ("runs.csv", b'problem_id,unit,correct\n"p,1,1\n', "line 2: not valid CSV"),
    "count above": ("runs.csv", b"problem_id,n_samples,n_correct\np,4,5\n", "line 2: n_correct 5"),
    "count of none": ("runs.csv", b"problem_id,n_samples,n_correct\np,0,0\n", "'n_samples' is '0'"),
    "count twice": (
        "runs.csv",
        b"problem_id,n_samples,n_correct,model,benchmark\np,4,1,m,b\np,4,2,m,b\n",
        "line 3: problem 'p' has unit 1 twice, also in .*line 2",
    ),
    "other ending": ("runs.txt", b"p 1 true\n", "the name of a table ends in one of .jsonl"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_get_one_line_with_their_name(tmp_path, case):
    name, content, message = WRONG_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_groups([tmp_path / name])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_one_line(tmp_path):
    with pytest.raises(UserError, match=r"runs\.jsonl: cannot be read \(No such file"):
        load_groups([tmp_path / "runs.jsonl"])


def test_a_wrong_row_of_parquet_is_named(tmp_path):
    table = pa.table({"problem_id": ["p", "q"], "unit": [1, 1], "correct": [True, None]})
    pq.write_table(table, tmp_path / "runs.parquet")
    with pytest.raises(UserError, match=r"runs\.parquet, row 2: 'correct' is empty"):
        load_groups([tmp_path / "runs.parquet"])


def test_unequal_units_are_said_and_never_padded(tmp_path):
    rows = [row(unit=n) for n in (1, 2, 3)] + [row("q", unit=1)]
    group = only(written(tmp_path, rows))
    assert len(group.records) == 4
    assert group.records["correct"].all()
    assert len(group.warnings) == 1
    assert "differ, 1 (problem 'q') to 3: budgets go up to 1" in group.warnings[0]
    cell = cell_values(group.records, "parallel", [1, 2, 3])
    assert sorted(set(cell.values.columns.get_level_values("n"))) == [1]


def test_gaps_between_independent_samples_are_closed_and_said(tmp_path):
    rows = [row(unit=n, correct=n == 4) for n in (4, 2)]
    group = only(written(tmp_path, rows))
    assert group.records["unit"].tolist() == [1, 2]
    assert group.records["correct"].tolist() == [False, True]
    assert "line 2: problem 'p' has no unit 1" in group.warnings[0]


def test_samples_without_a_grade_are_left_out_not_wrong():
    samples = [Sample("f", f"line {n}", "p", n, True if n != 2 else None) for n in (1, 2, 3)]
    table, warnings = build_records(samples, "parallel")
    assert table["correct"].to_pylist() == [True, True]
    assert warnings[0] == "1 of 3 samples are not graded and left out, the first: f, line 2"
    with pytest.raises(UserError, match="line 2: not one sample of this group is graded"):
        build_records(samples[1:2], "parallel")


def test_order_of_rows_does_not_matter(tmp_path):
    rows = [row(p, unit=n, answer=str(n % 2), correct=n % 2 == 0) for p in "qp" for n in (2, 1, 3)]
    tables = [
        only(written(tmp_path, [rows[i] for i in order])).records
        for order in list(permutations(range(6)))[::97]
    ]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])

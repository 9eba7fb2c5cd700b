"""The tables between stages: fixed columns, equal bytes, nothing missing unnoticed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ttspm.errors import UserError
from ttspm.tables import RECORDS, UNITS, read_parquet, recorded_units, write_csv, write_parquet

ROWS: list[dict[str, object]] = [
    {"problem_id": "p/1", "unit": 1, "answer": "1/2", "answer_class": 0, "correct": True,
     "truncated": False, "completion_tokens": 12},
    {"problem_id": "p/1", "unit": 2, "answer": None, "answer_class": -1, "correct": False,
     "truncated": True, "completion_tokens": None},
]  # fmt: skip


def test_rows_come_back_with_the_types_of_the_table(tmp_path):
    write_parquet(ROWS, tmp_path / "records.parquet", RECORDS)
    assert pq.read_schema(tmp_path / "records.parquet") == RECORDS
    frame = read_parquet(tmp_path / "records.parquet", RECORDS)
    assert list(frame.columns) == RECORDS.names
    assert frame["answer"][0] == "1/2"
    assert frame["answer"].isna().tolist() == [False, True]
    assert list(frame["correct"]) == [True, False]
    assert frame["completion_tokens"].isna().tolist() == [False, True]


def test_rows_and_a_frame_of_them_give_the_same_bytes(tmp_path):
    frame = pd.DataFrame(ROWS)[RECORDS.names[::-1]].set_index(np.array([7, 3]))
    write_parquet(ROWS, tmp_path / "rows", RECORDS)
    write_parquet(frame, tmp_path / "frame", RECORDS)
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "frame").read_bytes()


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    write_parquet([], tmp_path / "none", UNITS)
    assert list(read_parquet(tmp_path / "none", UNITS).columns) == UNITS.names


def test_a_null_where_there_must_be_a_value_is_refused(tmp_path):
    with pytest.raises(pa.ArrowInvalid, match="correct"):
        write_parquet([ROWS[0] | {"correct": None}], tmp_path / "records", RECORDS)


def test_a_missing_column_is_named(tmp_path):
    pd.DataFrame(ROWS).drop(columns="truncated").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet: column 'truncated' is missing"):
        read_parquet(tmp_path / "other.parquet", RECORDS)


def test_more_columns_than_needed_are_left_aside(tmp_path):
    pd.DataFrame(ROWS).assign(note="x").to_parquet(tmp_path / "wide.parquet")
    assert list(read_parquet(tmp_path / "wide.parquet", RECORDS).columns) == RECORDS.names


def test_recorded_units_are_those_that_every_problem_has():
    frame = pd.DataFrame({"problem_id": ["a", "a", "b", "a", "b"], "unit": [1, 2, 1, 3, 2]})
    assert recorded_units(frame) == 2


def test_csv_carries_floats_exactly_and_leaves_the_undefined_empty(tmp_path):
    values = [0.1 + 0.2, 1e-5, 1 / 3, np.nan]
    write_csv(pd.DataFrame({"name": list("abcd"), "value": values}), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_bytes().decode()
    assert text == f"name,value\na,{0.1 + 0.2!r}\nb,1e-05\nc,{1 / 3!r}\nd,\n"
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "t.csv")["value"], values)

"""The tables that pass between stages: their columns, and how they are read and written.

Every Parquet table is written with a fixed schema, zstd, and no pandas metadata, so that equal
rows give equal bytes. CSV tables carry floats in their shortest exact form for the same reason.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ttspm.errors import UserError

BENCHMARK = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("gold", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # math | choice
        pa.field("choices", pa.list_(pa.string())),
    ]
)

UNITS = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("unit", pa.int32(), nullable=False),  # from 1
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),  # stop | length
        pa.field("prompt_tokens", pa.int32(), nullable=False),
        pa.field("completion_tokens", pa.int32(), nullable=False),
        pa.field("mean_logprob", pa.float32()),
    ]
)

RECORDS = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("unit", pa.int32(), nullable=False),
        pa.field("answer", pa.string()),  # canonical, null where none was found
        pa.field("answer_class", pa.int32(), nullable=False),  # within the problem, -1 none
        pa.field("correct", pa.bool_(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("completion_tokens", pa.int32()),
    ]
)


def write_parquet(
    rows: list[dict[str, object]] | pd.DataFrame | pa.Table, path: str | Path, schema: pa.Schema
) -> None:
    """Write rows as Parquet under a fixed schema; equal rows give equal bytes.

    Parameters
    ----------
    rows : list of dict, DataFrame or pyarrow.Table
        One dict a row, or a frame or table with the schema's columns.
    path : path-like
        File to write.
    schema : pyarrow.Schema
        One of `BENCHMARK`, `UNITS`, `RECORDS`.
    """
    if isinstance(rows, pd.DataFrame):
        table = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    elif isinstance(rows, pa.Table):
        table = rows.select(schema.names).cast(schema)
    else:
        table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_parquet(path: str | Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a table between stages, checking that it has the columns it should have.

    Raises
    ------
    UserError
        If a column is missing.
    """
    table = pq.read_table(path)
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: column '{missing[0]}' is missing; needed are {schema.names}")
    return table.select(schema.names).cast(schema).to_pandas()


def recorded_units(records: pd.DataFrame) -> int:
    """Units that every problem of a records table has: the smallest number over its problems."""
    return int(records.groupby("problem_id").size().min())


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table that people read; an undefined value is an empty cell."""
    frame.to_csv(path, index=False, lineterminator="\n")

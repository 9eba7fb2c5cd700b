"""Rows of JSON lines, CSV and Parquet files; what is wrong with a file is told in one line."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from ttspm.errors import UserError
from ttspm.records.samples import INT32_MAX

Row = tuple[str, dict[str, Any]]  # ("line 12", its values by column)

TABLE_ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")


def rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of a table with the place of each, as the ending of the file's name says.

    Parameters
    ----------
    path : Path
        A file that ends in one of `TABLE_ENDINGS`.
    columns : sequence of str, optional
        The columns of a Parquet file that are read, where they exist; all where not given.

    Yields
    ------
    place : str
        ``line 12`` (counted from 1, the header of a CSV included) or, in Parquet, ``row 12``.
    values : dict
        By column. Values of a CSV are texts.

    Raises
    ------
    UserError
        If the file is missing, empty, damaged, or not of this kind.
    """
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz")):
        found = json_lines(path)
    elif name.endswith((".csv", ".csv.gz")):
        found = csv_lines(path)
    elif name.endswith(".parquet"):
        found = parquet_rows(path, columns)
    else:
        raise UserError(f"{path}: the name of a table ends in one of {', '.join(TABLE_ENDINGS)}")
    some = False
    for row in found:
        some = True
        yield row
    if not some:
        raise UserError(f"{path}: the file is empty; at least one row is needed")


def is_csv(path: Path) -> bool:
    """Whether the values of the file's rows are texts."""
    return path.name.lower().endswith((".csv", ".csv.gz"))


def json_lines(path: Path) -> Iterator[Row]:
    """JSON objects of a file, one a line; empty lines are passed over."""
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"line {number}"
            try:
                value = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(
                    f"{path}, {place}: not valid JSON ({error}); each line must be one JSON object"
                ) from None
            if not isinstance(value, dict):
                raise UserError(f"{path}, {place}: not a JSON object; each line must be one")
            yield place, value


def csv_lines(path: Path) -> Iterator[Row]:
    """Rows of a CSV file with a header."""
    csv.field_size_limit(INT32_MAX)  # a column may hold the text of a whole generation
    with _opened(path) as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        try:
            for values in reader:
                place = f"line {reader.line_num}"
                if not values:
                    continue
                if header is None:
                    header = _checked_header(values, path)
                elif len(values) != len(header):
                    raise UserError(
                        f"{path}, {place}: {len(values)} values under {len(header)} columns"
                    )
                else:
                    yield place, dict(zip(header, values, strict=True))
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None


def parquet_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of a Parquet file."""
    _require(path)
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            known = file.schema_arrow.names
            wanted = None if columns is None else [name for name in columns if name in known]
            for batch in file.iter_batches(batch_size=4096, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield f"row {number}", values
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}, after row {number}: not a whole Parquet file ({reason})"
        ) from None


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns of a Parquet file."""
    _require(path)
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _checked_header(header: list[str], path: Path) -> list[str]:
    names = [name.strip() for name in header]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}, line 1: column '{name}' is there twice")
    return names


def _require(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if size == 0:
        raise UserError(f"{path}: the file is empty; at least one row is needed")


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, unpacked where it is packed; follows how far reading came."""
    _require(path)
    packed = path.name.lower().endswith(".gz")
    opener = gzip.open if packed else open
    at = _Counter()
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield at.following(file)  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path}, after line {at.lines}: the gzip file is cut off or damaged ({error}); copy it"
            " again"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, after line {at.lines}: not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


class _Counter:
    """Counts the lines that were read, to say where a damaged file breaks off."""

    def __init__(self) -> None:
        self.lines = 0

    def following(self, file: Any) -> Iterator[str]:
        for line in file:
            self.lines += 1
            yield line

"""Rows of a benchmark as its source has them: made here, from the hub, or from a local file."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from ttspm.benchmarks.arithmetic import arithmetic_rows
from ttspm.errors import UserError
from ttspm.store import file_digest

Rows = list[dict[Any, Any]]


def source_rows(source: dict[str, Any], file: Path | None = None) -> Rows:
    """Rows of a source as described in the configuration.

    Parameters
    ----------
    source : dict
        The ``source`` of a benchmark; its ``type`` decides.
    file : path, optional
        The local file, for ``type: file``.

    Raises
    ------
    UserError
        If the source cannot be read, or a digest differs.
    """
    if source["type"] == "arithmetic":
        try:
            return arithmetic_rows(source["problems_per_level"], source["seed"])
        except ValueError as error:
            raise UserError(f"problems_per_level: {error}") from error
    if source["type"] == "hub":
        return _hub_rows(source)
    if file is None:
        raise UserError(f"{source['path']}: no such file")
    return file_rows(file, source.get("sha256"))


def file_rows(path: Path, sha256: str | None = None) -> Rows:
    """Rows of a JSON-lines, CSV or Parquet file; the suffix decides.

    Raises
    ------
    UserError
        Naming the file, and the line where one cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if sha256 and (found := file_digest(path)) != sha256:
        raise UserError(f"{path}: has SHA-256 {found}, the configuration asks for {sha256}")
    for suffix, read in READERS.items():
        if path.name.endswith(suffix):
            try:
                return read(path)
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: is not text in UTF-8") from error
            except (OSError, EOFError, ValueError, zlib.error) as error:
                first = str(error).splitlines()[0]
                raise UserError(f"{path}: cannot be read ({first})") from error
    raise UserError(f"{path}: a benchmark file ends in {', '.join(READERS)}")


def _parquet(path: Path) -> Rows:
    return pd.read_parquet(path).to_dict(orient="records")


def _csv(path: Path) -> Rows:
    # pandas would take the first column of rows that are too long for names of the rows.
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, strict=True)
        rows = []
        try:
            for row in reader:
                if None in row:
                    raise UserError(
                        f"{path}: line {reader.line_num} has more fields than the first line; a"
                        ' text with a comma stands in "quotes"'
                    )
                rows.append(row)
        except csv.Error as error:
            raise UserError(f"{path}: after line {reader.line_num}: {error}") from error
    return rows


def _json_lines(path: Path) -> Rows:
    rows = []
    with open(path, encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{path}: line {number} is not JSON ({error.msg})") from error
            if not isinstance(row, dict):
                raise UserError(f"{path}: line {number} is not a JSON object")
            rows.append(row)
    return rows


READERS = {".jsonl": _json_lines, ".csv": _csv, ".csv.gz": _csv, ".parquet": _parquet}


def _hub_rows(source: dict[str, Any]) -> Rows:
    from datasets import load_dataset

    where = f"{source['repo']} at {source['revision'][:12]}"
    try:
        dataset = load_dataset(
            source["repo"], source["config"], split=source["split"], revision=source["revision"]
        )
    except Exception as error:  # the hub's client raises a dozen kinds; all mean the same here
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"dataset {where}: cannot be had from the hub ({first}); if it is gated, accept its"
            " terms on its page and run `hf auth login`; if there is no network, use source type"
            " 'file' with a local copy"
        ) from error
    return [dict(row) for row in dataset]

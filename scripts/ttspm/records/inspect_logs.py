"""Inspect logs: ``*.eval`` (a zip of JSON files) and ``*.json``.

The log names the ``task`` and the ``model`` under ``eval``. Each sample has ``id``, ``epoch`` (the
unit), ``target``, ``scores`` by scorer (``value`` C, I, P or N or a number, ``answer``),
``output`` with its stop reason, and the tokens of each model used. In an ``.eval`` file it is
``samples/{id}_epoch_{epoch}.json``, deflated or, in newer logs, packed by Zstandard.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ttspm.errors import UserError
from ttspm.records.samples import (
    Choice,
    Sample,
    as_grade,
    as_name,
    as_text,
    as_tokens,
    as_whole,
    chosen,
    extracted,
    needed,
)

FORM = "a sample of an inspect log has id, epoch and scores"
HEADERS = ("header.json", "_journal/start.json")  # the second in a log that was cut short
GRADES = {"C": True, "I": False, "N": False}  # correct, incorrect, no answer
CUT_OFF = ("max_tokens", "model_length")
ZSTANDARD = 93  # method number in a zip, which the standard library reads from Python 3.14 on
LOCAL_HEADER = 30  # bytes before the name of a zip's member, the lengths of what follows at 26, 28


def read_inspect(paths: Sequence[Path], choice: Choice) -> Iterator[Sample]:
    """Samples of inspect logs; an epoch is a unit.

    A sample without a score (it failed, or its scorer gave none) is not graded. `choice.metric`
    names the scorer where there are several.

    Raises
    ------
    UserError
        As every importer does, with file and sample.
    """
    for path in paths:
        log, samples = _opened(path)
        spec = log.get("eval")
        if not isinstance(spec, dict):
            raise UserError(f"{path}: not an inspect log; 'eval' is missing")
        read = [_sample(str(path), member, sample, spec, choice) for member, sample in samples]
        answered = extracted([sample.answer for sample, _ in read], [text for _, text in read])
        for sample, _ in read:
            yield sample if answered else replace(sample, answer=None)


def _sample(
    file: str, member: str, sample: Any, spec: Mapping[str, Any], choice: Choice
) -> tuple[Sample, str | None]:
    """A sample and the text that the model wrote last."""
    where = f"{file}, {member}"
    if not isinstance(sample, dict):
        raise UserError(f"{where}: {FORM}")
    scores = sample.get("scores") or {}
    name = chosen(list(scores), choice.metric, "metric", where) if scores else ""
    score = scores.get(name) or {}
    output = sample.get("output") or {}
    last = (output.get("choices") or [{}])[0]
    found = Sample(
        file=file,
        place=member,
        problem_id=as_name(needed(sample, "id", where, FORM), "id", where),
        unit=as_whole(needed(sample, "epoch", where, FORM), "epoch", where, least=1),
        correct=_grade(score.get("value"), name, where),
        model=as_text(spec.get("model"), "model", where),
        benchmark=as_text(spec.get("task"), "task", where),
        answer=as_text(score.get("answer"), "answer", where),
        gold=_gold(sample.get("target"), where),
        tokens=_tokens(sample, output, spec.get("model"), where),
        truncated=last.get("stop_reason") in CUT_OFF,
    )
    return found, _text((last.get("message") or {}).get("content"))


def _opened(path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, Any]]]:
    """The log without its samples, and its samples with the name of each."""
    if path.suffix == ".eval":
        names = _reading(path, "the zip", lambda: zipfile.ZipFile(path).namelist())
        header = next((name for name in HEADERS if name in names), None)
        if header is None:
            raise UserError(f"{path}: not an inspect log; it has no {HEADERS[0]}")
        members = sorted(
            {name for name in names if name.startswith("samples/") and name.endswith(".json")}
        )
        if not members:
            raise UserError(f"{path}: the log has no samples; at least one is needed")
        return _member(path, header), ((name, _member(path, name)) for name in members)
    log = _reading(path, "the log", lambda: json.loads(path.read_bytes()))
    samples = log.get("samples") if isinstance(log, dict) else None
    if not samples:
        raise UserError(f"{path}: no samples; an inspect log has 'eval' and 'samples'")
    return log, ((f"sample {number}", sample) for number, sample in enumerate(samples, start=1))


def _member(path: Path, name: str) -> Any:
    def read() -> Any:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            info = archive.getinfo(name)
            if info.compress_type != ZSTANDARD:
                return json.loads(archive.read(info))
            return json.loads(_zstandard(file, info))

    return _reading(path, name, read)


def _zstandard(file: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    """Bytes of a zip's member that is packed by Zstandard."""
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    packed = pa.BufferReader(file.read(info.compress_size))
    try:
        unpacked: bytes = pa.CompressedInputStream(packed, "zstd").read()
    except OSError as error:  # pyarrow's word for damaged bytes
        raise zipfile.BadZipFile(str(error)) from None
    if len(unpacked) != info.file_size or zlib.crc32(unpacked) != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")
    return unpacked


def _reading(path: Path, what: str, read: Any) -> Any:
    """What `read` returns, its failures in one line."""
    try:
        return read()
    except (zipfile.BadZipFile, zlib.error, pa.ArrowException, EOFError) as error:
        raise UserError(f"{path}: {what} is cut off or damaged ({error}); copy it again") from None
    except ValueError as error:  # of the JSON, or of its encoding
        raise UserError(f"{path}: {what} is not valid JSON ({error})") from None
    except (OSError, NotImplementedError) as error:
        raise UserError(f"{path}: {what} cannot be read ({error})") from None


def _grade(value: Any, name: str, where: str) -> bool | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return as_grade(GRADES.get(value, value) if isinstance(value, str) else value, name, where)


def _gold(target: Any, where: str) -> str | None:
    if isinstance(target, list):
        target = target[0] if len(target) == 1 else None  # several are alternatives
    return as_text(target, "target", where)


def _tokens(
    sample: Mapping[str, Any], output: Mapping[str, Any], model: Any, where: str
) -> int | None:
    """Output tokens of the model over all its turns; not those of a grader."""
    usage = (sample.get("model_usage") or {}).get(model) or output.get("usage") or {}
    return as_tokens(usage.get("output_tokens"), "output_tokens", where)


def _text(content: Any) -> str | None:
    """Text of a message, which is a text or a list of parts; thinking is a part of its own."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "".join(str(part.get("text", "")) for part in parts)
    return content.strip() if isinstance(content, str) else None

"""The journal: every finished unit is on disk before the next one is waited for.

A journal is a file of JSON lines, appended and flushed to disk one unit at a time. A job that is
killed leaves whole lines and at most one torn one; the next run reads the whole ones. When a job
has sealed its units in the store, its journal has done its work and is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from ttspm.errors import UserError
from ttspm.store import disk_errors_in_one_line


@dataclass(frozen=True)
class Unit:
    """One finished unit: a row of the units table, and the digest of what was asked.

    Attributes
    ----------
    prompt_digest : str
        Of the user's turn. A unit counts as made only for the same question asked in the same
        words: in a chain, those depend on the answer of the round before.
    """

    problem_id: str
    unit: int
    seed: int
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    mean_logprob: float | None
    prompt_digest: str


def read_journals(folder: Path) -> Iterator[Unit]:
    """Every whole unit in the journals of a folder."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from read_journal(path)


def read_journal(path: Path) -> Iterator[Unit]:
    """Every whole unit in a journal; a line cut off by a crash is passed over."""
    with open(path, encoding="utf-8", errors="replace") as handle:
        for line in handle:
            try:
                yield Unit(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue


class Journal:
    """A job's own journal, open for appending; one writer at a time.

    Raises
    ------
    UserError
        If another running job writes the same journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab")  # noqa: SIM115 - closed by __exit__
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError(
                f"{path}: another running job writes these units; wait for it to end, or stop it"
            ) from error
        self._end_torn_line()

    def append(self, unit: Unit) -> None:
        """Write one unit and wait until it is on disk."""
        line = json.dumps(asdict(unit), ensure_ascii=True) + "\n"
        with disk_errors_in_one_line(self.path):
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Delete the journal: its units are sealed in the store."""
        self.path.unlink(missing_ok=True)

    def _end_torn_line(self) -> None:
        size = self.path.stat().st_size
        if size:
            with open(self.path, "rb") as handle:
                handle.seek(size - 1)
                if handle.read(1) != b"\n":
                    self._file.write(b"\n")
                    self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with disk_errors_in_one_line(self.path):  # closing writes what append could not
            self._file.close()

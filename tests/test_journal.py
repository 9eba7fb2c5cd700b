"""Journals: every finished unit survives, whatever the moment at which the job dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttspm.errors import UserError
from ttspm.journal import Journal, Unit, read_journals

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def unit(number: int, text: str = "a text", problem_id: str = "p/1") -> Unit:
    return Unit(problem_id, number, 7 * number, text, "stop", 10, 20, -0.5, "ab12")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal" / "1-of-1.jsonl"


def test_units_come_back_as_they_were(path):
    units = [unit(1), unit(2, 'quoted "\n\r\u2028 é \x00'), unit(3, "")]
    with Journal(path) as journal:
        for made in units:
            journal.append(made)
            assert list(read_journals(path.parent))[-1] == made  # on disk at once
    assert list(read_journals(path.parent)) == units
    journal.remove()
    assert list(read_journals(path.parent)) == []
    journal.remove()  # a second time does no harm


def test_every_journal_of_a_folder_is_read_and_nothing_else(path):
    for shard, number in (("1-of-2", 1), ("2-of-2", 2)):
        with Journal(path.with_name(f"{shard}.jsonl")) as journal:
            journal.append(unit(number))
    path.with_name("notes.txt").write_text("not a journal")
    assert [made.unit for made in read_journals(path.parent)] == [1, 2]
    assert list(read_journals(path.parent / "none")) == []


@given(cut=st.integers(min_value=1), filler=st.sampled_from([b"", b"\0" * 100]))
def test_a_torn_line_is_passed_over_and_the_next_one_is_whole(tmp_path_factory, cut, filler):
    """A crash cuts the last line anywhere; one of the machine may leave zeros in its place."""
    path = tmp_path_factory.mktemp("journal") / "1-of-1.jsonl"
    with Journal(path) as journal:
        journal.append(unit(1))
        whole = path.stat().st_size
        journal.append(unit(2))
    length = path.stat().st_size - whole
    with open(path, "r+b") as handle:
        handle.truncate(whole + cut % (length - 1))
        handle.seek(0, os.SEEK_END)
        handle.write(filler)
    assert list(read_journals(path.parent)) == [unit(1)]
    with Journal(path) as journal:
        journal.append(unit(3))
        journal.append(unit(4))
    assert list(read_journals(path.parent)) == [unit(1), unit(3), unit(4)]


@pytest.mark.parametrize("line", ["7", "[1]", '"text"', "{}", '{"unit": 1}', "null"])
def test_a_line_that_is_json_but_no_unit_is_passed_over(path, line):
    with Journal(path) as journal:
        journal.append(unit(1))
    path.write_text(line + "\n" + path.read_text())
    assert list(read_journals(path.parent)) == [unit(1)]


def test_two_writers_of_one_journal_are_refused(path):
    with Journal(path) as journal:
        with pytest.raises(UserError, match="another running job writes these units") as raised:
            Journal(path)
        assert str(path) in str(raised.value)
        journal.append(unit(1))
    with Journal(path) as journal:  # the first has ended
        journal.append(unit(2))
    assert [made.unit for made in read_journals(path.parent)] == [1, 2]


ENDLESS = """
import sys
from pathlib import Path
from ttspm.journal import Journal, Unit

with Journal(Path(sys.argv[1])) as journal:
    for number in range(1, 10**6):
        journal.append(Unit("p", number, number, "text " * 200, "stop", 1, 1, None, "d"))
        print(number, flush=True)
"""


def test_every_unit_that_was_told_finished_survives_kill_9(path):
    job = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    told = [int(job.stdout.readline()) for _ in range(20)]
    job.send_signal(signal.SIGKILL)
    told += [int(line) for line in job.stdout.read().split()]
    assert job.wait() == -signal.SIGKILL
    numbers = [made.unit for made in read_journals(path.parent)]
    assert numbers[: len(told)] == told
    assert len(numbers) <= len(told) + 1
    Journal(path).append(unit(1))  # its lock died with it


def test_a_full_disk_is_told_in_one_line(path):
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    with (
        pytest.raises(
            UserError, match="no space left on the disk; finished work is kept"
        ) as raised,
        Journal(path) as journal,
    ):
        journal.append(unit(1))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_unit_has_what_a_row_of_the_units_table_has():
    from ttspm.tables import UNITS

    assert set(asdict(unit(1))) == {*UNITS.names, "prompt_digest"}

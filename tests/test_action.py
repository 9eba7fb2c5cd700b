"""`run_action`: look up, compute, store, link; and what a user sees when it cannot."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from stand_in import snakemake_of

from ttspm.action import Job, results_folder, run_action
from ttspm.errors import UserError
from ttspm.store import Store, file_digest

pytestmark = pytest.mark.usefixtures("quiet_afterwards")


class Upper:
    """A script that counts how often it computes."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, job: Job) -> dict[str, object]:
        self.runs += 1
        text = job.input.text.read_text()
        job.output.upper.write_text(text.upper() * job.params.times)
        job.output.length.write_text(f"{len(text)}\n")
        return {"characters": len(text)}


@pytest.fixture
def upper() -> Upper:
    return Upper()


@pytest.fixture
def call(tmp_path):
    """What Snakemake would hand over; a changed argument is a changed rule or run."""
    (tmp_path / "text").write_text("some text")

    def make(rule="upper", times=2, inputs=None, log=None):
        outputs = {
            "upper": tmp_path / "results" / "upper.txt",
            "length": tmp_path / "results" / "length.txt",
        }
        inputs = inputs or {"text": tmp_path / "text"}
        return snakemake_of(rule, inputs, outputs, {"times": times, "code": "c1"}, log=log)

    return make


def outputs_of(tmp_path: Path) -> list[str]:
    return [(tmp_path / "results" / name).read_text() for name in ("upper.txt", "length.txt")]


def test_outputs_are_names_of_objects_with_a_record_beside(tmp_path, call, upper):
    run_action(call(), upper)
    assert outputs_of(tmp_path) == ["SOME TEXTSOME TEXT", "9\n"]
    store = Store(tmp_path / "results")
    (record,) = store.records_of("upper")
    assert record["outputs"] == {
        "upper": file_digest(tmp_path / "results" / "upper.txt"),
        "length": file_digest(tmp_path / "results" / "length.txt"),
    }
    assert record["facts"] == {"characters": 9}
    assert record["params"] == {"times": 2, "code": "c1"}
    assert len(list(store.names())) == 2


def test_an_equal_run_is_linked_and_not_computed(tmp_path, call, upper):
    run_action(call(), upper)
    before = outputs_of(tmp_path)
    for path in (tmp_path / "results").glob("*.txt"):
        path.unlink()
    os.utime(tmp_path / "text")
    run_action(call(), upper)
    assert upper.runs == 1
    assert outputs_of(tmp_path) == before


@pytest.mark.parametrize("change", ["rule", "params", "bytes"])
def test_whatever_decides_the_content_is_part_of_the_key(tmp_path, call, upper, change):
    run_action(call(), upper)
    if change == "bytes":
        (tmp_path / "text").write_text("other text")
    changed = {"rule": call("another"), "params": call(times=3), "bytes": call()}
    run_action(changed[change], upper)
    assert upper.runs == 2
    # And back again: both are kept.
    (tmp_path / "text").write_text("some text")
    run_action(call(), upper)
    assert upper.runs == 2
    assert outputs_of(tmp_path) == ["SOME TEXTSOME TEXT", "9\n"]


def test_an_input_that_only_orders_jobs_is_not_part_of_the_key(tmp_path, call, upper):
    for content in ("first", "second"):
        (tmp_path / "order").write_text(content)
        inputs = {"text": tmp_path / "text", "after": tmp_path / "order"}
        run_action(call(inputs=inputs), upper)
    assert upper.runs == 1


def test_the_name_of_a_file_of_the_users_own_is_part_of_the_key(tmp_path, call):
    """A local model whose tokenizer.model is renamed to vocab.json is another model."""
    names = []

    def main(job: Job) -> None:
        names.append([path.name for path in job.input.files])
        job.output.upper.write_text(" ".join(names[-1]))
        job.output.length.write_text("")

    for name in ("tokenizer.model", "vocab.json"):
        (tmp_path / name).write_text("the same bytes")
        run_action(call(inputs={"files": [tmp_path / name]}), main)
    assert names == [["tokenizer.model"], ["vocab.json"]]
    assert (tmp_path / "results" / "upper.txt").read_text() == "vocab.json"


def test_the_name_of_an_artifact_is_not_part_of_the_key(tmp_path, call, upper):
    run_action(call(), upper)
    store = Store(tmp_path / "results")
    digest = store.digest_of(tmp_path / "results" / "upper.txt")
    for name in ("one", "another"):
        store.link(store.root / name, digest)
        run_action(call(inputs={"text": store.root / name}), upper)
    assert upper.runs == 2


def test_a_lost_object_is_computed_again(tmp_path, call, upper):
    run_action(call(), upper)
    (tmp_path / "results" / "length.txt").resolve().unlink()
    run_action(call(), upper)
    assert upper.runs == 2
    assert outputs_of(tmp_path) == ["SOME TEXTSOME TEXT", "9\n"]


def test_the_store_moves_with_its_folder(tmp_path, call, upper):
    run_action(call(), upper)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "results").rename(moved / "results")
    (tmp_path / "text").rename(moved / "text")
    snakemake = call()
    snakemake.input = {"text": str(moved / "text")}
    snakemake.output = {
        name: value.replace(str(tmp_path), str(moved)) for name, value in snakemake.output.items()
    }
    run_action(snakemake, upper)
    assert upper.runs == 1


def test_what_is_to_happen_afterwards_happens_once_all_is_safe(tmp_path, call, upper):
    seen = []

    def main(job: Job) -> None:
        upper(job)
        job.when_stored.append(lambda: seen.append(job.store.find_action("upper", key())))

    def key() -> str:
        (path,) = (tmp_path / "results" / "actions" / "upper").glob("*.json")
        return path.stem

    run_action(call(), main)
    assert len(seen) == 1
    assert seen[0]["outputs"].keys() == {"upper", "length"}


# -- what goes wrong -------------------------------------------------------------------------------


def lines_of(capsys) -> list[str]:
    return capsys.readouterr().err.strip().splitlines()


def test_a_mistake_of_the_user_is_one_line_and_nothing_is_kept(tmp_path, call, capsys):
    def main(job: Job) -> None:
        job.output.upper.write_text("half")
        raise UserError("units.csv: row 3 has no answer; each row needs one")

    with pytest.raises(SystemExit) as raised:
        run_action(call(log=tmp_path / "log"), main)
    assert raised.value.code == 1
    line = "error: units.csv: row 3 has no answer; each row needs one"
    assert lines_of(capsys) == [line]
    assert (tmp_path / "log").read_text() == line + "\n"
    store = Store(tmp_path / "results")
    assert list(store.names()) == []
    assert list(store.records_of("upper")) == []
    assert not any((store.root / "objects" / "tmp").iterdir())


def test_a_fault_of_the_package_shows_its_traceback(call, capsys):
    with pytest.raises(SystemExit):
        run_action(call(), lambda job: {}["no such key"])
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "no such key" in text


def test_a_script_that_leaves_an_output_out_is_found_out(tmp_path, call, capsys):
    with pytest.raises(SystemExit):
        run_action(call(), lambda job: job.output.upper.write_text("x") and None)
    assert "did not write its output 'length'" in capsys.readouterr().err
    assert not (tmp_path / "results" / "upper.txt").exists()


def full_disk(*arguments: object, **settings: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "where", ["ttspm.store.tempfile.mkdtemp", "ttspm.store.os.fsync", "pathlib.Path.symlink_to"]
)
def test_a_full_disk_is_one_line_wherever_it_is_met(
    tmp_path, call, upper, monkeypatch, capsys, where
):
    monkeypatch.setattr(where, full_disk)
    with pytest.raises(SystemExit):
        run_action(call(), upper)
    (line,) = lines_of(capsys)
    assert line.startswith(f"error: {tmp_path / 'results'}: no space left on the disk")
    assert list(Store(tmp_path / "results").names()) == []


def test_a_log_that_cannot_be_written_adds_nothing_to_the_message(tmp_path, call, capsys):
    def main(job: Job) -> None:
        raise UserError("one line")

    (tmp_path / "log").symlink_to("/dev/full")
    with pytest.raises(SystemExit):
        run_action(call(log=tmp_path / "log"), main)
    assert lines_of(capsys) == ["error: one line"]


def test_the_results_folder_is_found_in_an_outputs_path():
    assert results_folder(Path("results/tables/metrics.csv")) == Path("results")
    assert results_folder(Path("/a/results/units/results/x.parquet")) == Path("/a/results")
    with pytest.raises(RuntimeError, match="not under a folder named 'results'"):
        results_folder(Path("elsewhere/metrics.csv"))


def test_records_are_json_that_a_person_can_read(tmp_path, call, upper):
    run_action(call(), upper)
    (path,) = (tmp_path / "results" / "actions" / "upper").glob("*.json")
    assert json.loads(path.read_text())["rule"] == "upper"
    assert len(path.read_text().splitlines()) > 5

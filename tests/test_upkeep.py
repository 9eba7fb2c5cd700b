"""verify and gc: what is damaged and whom it concerns; what no name reaches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stand_in import snakemake_of

import store as command
from ttspm.action import Job, run_action
from ttspm.errors import UserError
from ttspm.journal import Journal, Unit
from ttspm.store import Store
from ttspm.upkeep import find_garbage, object_digests, refuse_while_running, remove, size, verify

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "store.py"
FILES = {"config.json": b"{}", "deep/weights": b"\x00" * 1000, "tokenizer.json": b"{}"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def run_rule(store: Store, rule: str, output: str, main, inputs=None, **params: object) -> Path:
    """One action of a rule with one output."""
    path = store.root / output
    run_action(snakemake_of(rule, inputs or {}, {"made": path}, params), main)
    return path


@pytest.fixture
def names(store) -> dict[str, Path]:
    """A model (a folder), a table made from it, and the same table under another name."""

    def fetch(job: Job) -> None:
        with job.store.workspace() as scratch:
            for name, content in FILES.items():
                (scratch / "m" / name).parent.mkdir(parents=True, exist_ok=True)
                (scratch / "m" / name).write_bytes(content)
            job.store.put_tree(scratch / "m", job.output.made)

    def table(job: Job) -> None:
        job.output.made.write_text(f"a table with the number {job.params.number}\n")

    model = run_rule(store, "model", "models/m.json", fetch)
    store.tree_directory(model)
    made = run_rule(store, "table", "tables/t.csv", table, {"model": model}, number=1)
    store.link(store.root / "copy.csv", store.digest_of(made))
    return {"model": model, "table": made, "copy": store.root / "copy.csv"}


def damage(path: Path, offset: int = -1) -> None:
    """Change one byte of an object, as a failing disk does; it stays read-only."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def record_path(store: Store, rule: str) -> str:
    (path,) = (store.actions / rule).glob("*.json")
    return str(path)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


# -- verify ----------------------------------------------------------------------------------------


def test_a_whole_store_has_no_fault(store, names):
    counted: list[int] = []
    before = snapshot(store.root)
    assert verify(store, counted.append) == []
    assert sum(counted) == sum(size(store.object_path(digest)) for digest in object_digests(store))
    assert snapshot(store.root) == before


def test_a_changed_byte_gives_the_object_and_every_name_that_reaches_it(store, names):
    digest = store.digest_of(names["table"])
    damage(store.object_path(digest))
    (fault,) = verify(store)
    assert fault.digest == digest
    assert fault.path == store.object_path(digest)
    assert fault.problem.startswith("is damaged: its bytes have SHA-256 ")
    assert fault.reached_by == [
        str(names["copy"]),
        str(names["table"]),
        f"{record_path(store, 'table')}: output 'made'",
    ]


def test_a_damaged_file_of_a_folder_is_reached_by_the_folders_name(store, names):
    link = store.tree_directory(names["model"]) / "deep" / "weights"
    damage(link.resolve())
    (fault,) = verify(store)
    assert fault.path.samefile(link)
    assert fault.reached_by == [f"{names['model']}: deep/weights"]


def test_a_file_that_is_in_a_folder_twice_is_named_twice(store, names):
    damage((store.tree_directory(names["model"]) / "config.json").resolve())
    (fault,) = verify(store)
    assert fault.reached_by == [
        f"{names['model']}: config.json",
        f"{names['model']}: tokenizer.json",
    ]


@pytest.mark.parametrize("offset", [0, 5, -1, -20])
def test_a_damaged_list_of_a_folder_is_told(store, names, offset):
    digest = store.digest_of(names["model"])
    damage(store.object_path(digest), offset)
    faults = {fault.digest: fault for fault in verify(store)}
    assert faults[digest].reached_by == [
        str(names["model"]),
        f"{record_path(store, 'model')}: output 'made'",
        f"{record_path(store, 'table')}: input 'model'",
    ]


def test_a_folder_without_a_name_is_given_by_its_lists_path(store, names):
    digest = store.digest_of(names["model"])
    damage((store.tree_directory(names["model"]) / "deep" / "weights").resolve())
    names["model"].unlink()
    (fault,) = verify(store)
    assert fault.reached_by == [f"{store.object_path(digest)} (has no name): deep/weights"]


def test_a_name_without_its_object_is_told(store, names):
    digest = store.digest_of(names["table"])
    store.object_path(digest).unlink()
    (fault,) = verify(store)
    assert (fault.digest, fault.problem) == (digest, "is missing")
    assert str(names["table"]) in fault.reached_by


def test_a_folder_that_lacks_a_file_is_told(store, names):
    (store.tree_directory(names["model"]) / "deep" / "weights").resolve().unlink()
    (fault,) = verify(store)
    assert fault.problem == "is missing"
    assert fault.reached_by == [f"{names['model']}: deep/weights"]


def test_a_damaged_object_that_nothing_reaches_is_told_as_well(store, names):
    with store.workspace() as scratch:
        (scratch / "x").write_bytes(b"nobody's")
        digest = store.put(scratch / "x")
    damage(store.object_path(digest))
    (fault,) = verify(store)
    assert (fault.digest, fault.reached_by) == (digest, [])


def test_deleting_what_is_damaged_and_running_again_mends_it(store, names):
    before = names["table"].read_bytes()
    damage(names["table"].resolve())
    (fault,) = verify(store)
    fault.path.unlink()
    run_rule(
        store, "table", "tables/t.csv",
        lambda job: job.output.made.write_bytes(before) and None,
        {"model": names["model"]}, number=1,
    )  # fmt: skip
    assert verify(store) == []
    assert names["copy"].read_bytes() == before


# -- gc --------------------------------------------------------------------------------------------


def forget(store: Store, *names: Path) -> None:
    for name in names:
        name.unlink()


def test_nothing_is_garbage_where_all_is_named(store, names):
    assert find_garbage(store).paths() == []


def test_what_no_name_reaches_is_removed_with_its_record(store, names):
    digest = store.digest_of(names["table"])
    forget(store, names["table"])
    assert find_garbage(store).paths() == []  # there is the copy still
    forget(store, names["copy"])
    garbage = find_garbage(store)
    assert garbage.objects == [store.object_path(digest)]
    assert list(map(str, garbage.records)) == [record_path(store, "table")]
    assert garbage.folders == garbage.leftovers == []

    length = len("a table with the number 1\n") + garbage.records[0].stat().st_size
    assert remove(garbage.paths()) == length
    assert find_garbage(store).paths() == []
    assert verify(store) == []
    assert (store.tree_directory(names["model"]) / "deep" / "weights").read_bytes() == b"\0" * 1000


def test_a_folder_without_a_name_goes_with_its_files_and_links(store, names):
    digest = store.digest_of(names["model"])
    links = store.tree_directory(names["model"])
    forget(store, names["model"])
    garbage = find_garbage(store)
    assert len(garbage.objects) == 1 + len(set(FILES.values()))
    assert store.object_path(digest) in garbage.objects
    assert garbage.folders == [links]
    assert list(map(str, garbage.records)) == [record_path(store, "model")]
    remove(garbage.paths())
    assert object_digests(store) == [store.digest_of(names["table"])]
    assert not links.exists()


def test_a_file_of_two_folders_stays_with_the_one_that_has_a_name(store, names):
    with store.workspace() as scratch:
        (scratch / "m").mkdir()
        (scratch / "m" / "config.json").write_bytes(FILES["config.json"])
        (scratch / "m" / "own").write_bytes(b"of its own")
        store.put_tree(scratch / "m", scratch / "manifest")
        store.put(scratch / "manifest")
    garbage = find_garbage(store)
    assert len(garbage.objects) == 2  # the list and the file of its own
    remove(garbage.paths())
    assert verify(store) == []


def test_what_is_removed_can_be_made_again(store, names):
    digest = store.digest_of(names["table"])
    forget(store, names["table"], names["copy"])
    remove(find_garbage(store).paths())
    run_rule(
        store, "table", "tables/t.csv",
        lambda job: job.output.made.write_text("a table with the number 1\n") and None,
        {"model": names["model"]}, number=1,
    )  # fmt: skip
    assert store.digest_of(names["table"]) == digest
    assert verify(store) == []


def test_leftovers_go_after_a_day_and_journals_never(store, names):
    old = [
        store.root / "objects" / "tmp" / "tmpabc",
        store.trees / "tmpdef",
        store.actions / "table" / f"{'k' * 64}.12.tmp",
        store.root / "tables" / ".t.csv.12.link",
    ]
    for folder in old[:2]:
        folder.mkdir()
        (folder / "half").write_bytes(b"half of it")
    old[2].write_text("{")
    old[3].symlink_to("../objects/sha256/ab/cdef")
    with Journal(store.root / "journal" / "cell" / "1-of-1.jsonl") as journal:
        journal.append(Unit("p", 1, 1, "text", "stop", 1, 1, None, "d"))
    now = time.time()
    assert find_garbage(store, now).leftovers == []
    assert find_garbage(store, now + 23 * 3600).leftovers == []
    garbage = find_garbage(store, now + 25 * 3600)
    assert garbage.leftovers == sorted(old)
    assert garbage.paths() == garbage.leftovers
    remove(garbage.paths())
    assert not any(os.path.lexists(path) for path in old)
    assert journal.path.stat().st_size > 0


def test_with_every_name_gone_nothing_is_garbage(store, names):
    """A run would link it all back; the generations in it may have cost days."""
    forget(store, *names.values())
    with pytest.raises(UserError, match="no name reaches any object; run snakemake to link"):
        find_garbage(store)


@pytest.mark.parametrize("offset", [0, 2, 30, -3])
def test_nothing_is_garbage_while_the_list_of_a_folder_is_damaged(store, names, offset):
    damage(names["model"].resolve(), offset)
    with pytest.raises(UserError, match=r"is damaged: .*: mend it first") as raised:
        find_garbage(store)
    assert str(raised.value).startswith(str(names["model"].resolve()))


# -- the command -----------------------------------------------------------------------------------


def run_command(store: Store, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=store.root.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_verify_says_all_is_well_or_exits_with_1(store, names):
    code, told, _ = run_command(store, "verify")
    assert code == 0
    assert told == "4 objects, 1.3 KiB: no damaged or missing\n"

    digest = store.digest_of(names["table"])
    damage(store.object_path(digest))
    code, told, _ = run_command(store, "verify")
    assert code == 1
    lines = told.splitlines()
    relative = f"results/objects/sha256/{digest[:2]}/{digest[2:]}"
    assert lines[0].startswith(f"{relative} is damaged: its bytes have SHA-256 ")
    assert lines[1:4] == [
        f"    digest {digest}",
        "    reached by results/copy.csv",
        "    reached by results/tables/t.csv",
    ]
    assert lines[4].startswith("    reached by results/actions/table/")
    assert lines[5] == "4 objects, 1.3 KiB: 1 damaged or missing"


def test_gc_lists_then_removes_and_says_what_it_freed(store, names, capsys):
    digest = store.digest_of(names["table"])
    forget(store, names["table"], names["copy"])
    before = snapshot(store.root)
    arguments = ["--results", str(store.root)]
    assert command.main(["gc", "--dry-run", *arguments]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert f"{store.object_path(digest)}: 26 bytes, made by table" in listed
    assert listed[-1].startswith("1 objects, 0 folders of links, 1 action records, 0 leftovers: ")
    assert listed[-1].endswith(" would be freed")
    assert snapshot(store.root) == before

    assert command.main(["gc", *arguments]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [*listed[:-1], listed[-1].replace("would be freed", "freed")]
    assert not store.object_path(digest).exists()


def test_gc_refuses_while_a_run_is_under_way(store, names):
    locks = store.root.parent / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    refuse_while_running(store)
    (locks / "0.output.lock").write_text("")
    forget(store, names["table"], names["copy"])
    before = snapshot(store.root)
    code, told, error = run_command(store, "gc")
    assert (code, told) == (1, "")
    assert error.startswith(f"error: {locks}: another run is under way")
    assert len(error.splitlines()) == 1
    assert snapshot(store.root) == before


def test_a_folder_without_a_store_is_told(tmp_path, capsys):
    assert command.main(["verify", "--results", str(tmp_path)]) == 1
    told = f"error: {tmp_path}: there is no store (objects/sha256) in it\n"
    assert capsys.readouterr().err == told


def test_progress_is_told_at_intervals(monkeypatch, capsys):
    seconds = iter([0.0, 4.0, 6.0, 7.0])
    monkeypatch.setattr(command.time, "monotonic", lambda: next(seconds))
    count = command.BytesHashed(3 * 2**30)
    for _ in range(3):
        count(2**30)
    assert capsys.readouterr().err == "2.0 GiB of 3.0 GiB hashed\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (3 * 2**29, "1.5 GiB"),
     (2**40, "1.0 TiB"), (2**60, "1048576.0 TiB")],
)  # fmt: skip
def test_bytes_as_people_read_them(count, text):
    assert command.in_units(count) == text

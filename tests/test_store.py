"""The store: bytes by digest, names as links, folders, records; and what a crash leaves behind."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttspm.errors import UserError
from ttspm.store import (
    OBJECT_MTIME,
    Store,
    canonical_json,
    file_digest,
    json_digest,
    tree_entries,
)

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def put_bytes(store: Store, content: bytes) -> str:
    """Put some bytes, as a script does: written in a workspace, then moved in."""
    with store.workspace() as scratch:
        (scratch / "file").write_bytes(content)
        return store.put(scratch / "file")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put_folder(store: Store, files: dict[str, bytes]) -> str:
    """Put a folder and return the digest of its manifest."""
    with store.workspace() as scratch:
        for name, content in files.items():
            (scratch / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / "folder" / name).write_bytes(content)
        store.put_tree(scratch / "folder", scratch / "manifest")
        return store.put(scratch / "manifest")


# -- objects and names -----------------------------------------------------------------------------


def test_an_object_lives_under_the_digest_of_its_bytes(store):
    digest = put_bytes(store, b"some bytes")
    assert digest == hashlib.sha256(b"some bytes").hexdigest()
    path = store.root / "objects" / "sha256" / digest[:2] / digest[2:]
    assert path.read_bytes() == b"some bytes"
    assert path == store.object_path(digest)
    assert path.stat().st_mode & 0o777 == 0o444
    assert path.stat().st_mtime == OBJECT_MTIME
    assert not any((store.root / "objects" / "tmp").iterdir())


def test_a_name_is_a_relative_link_that_moves_with_its_folder(store, tmp_path):
    name = store.root / "tables" / "deep" / "metrics.csv"
    store.link(name, put_bytes(store, b"first"))
    store.link(name, put_bytes(store, b"second"))
    assert name.is_symlink()
    assert not name.readlink().is_absolute()
    shutil.move(store.root, tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "tables" / "deep" / "metrics.csv").read_bytes() == b"second"
    assert names_in(tmp_path / "elsewhere" / "tables" / "deep") == ["metrics.csv"]


def test_a_name_replaces_a_file_of_ones_own(store):
    name = store.root / "units.parquet"
    name.parent.mkdir()
    name.write_bytes(b"copied here by hand")
    store.link(name, put_bytes(store, b"made"))
    assert name.read_bytes() == b"made"


def test_the_digest_of_a_name_is_read_off_its_link(store, monkeypatch):
    digest = put_bytes(store, b"large")
    store.link(store.root / "name", digest)
    monkeypatch.setattr("ttspm.store.file_digest", lambda path: pytest.fail("bytes were read"))
    assert store.digest_of(store.root / "name") == digest


def test_the_digest_of_any_other_file_is_that_of_its_bytes(store, tmp_path):
    (tmp_path / "file").write_bytes(b"outside")
    (tmp_path / "link").symlink_to("file")
    for path in (tmp_path / "file", tmp_path / "link"):
        assert store.digest_of(path) == hashlib.sha256(b"outside").hexdigest()


def test_names_are_the_links_to_objects_wherever_they_are(store):
    digest = put_bytes(store, b"content")
    names = [store.root / "b", store.root / "a" / "c"]
    for name in names:
        store.link(name, digest)
    (store.root / "foreign").symlink_to("/etc/hostname")
    (store.root / "file").write_text("no link")
    assert sorted(store.names()) == sorted(names)
    assert {store.digest_of_link(name) for name in names} == {digest}
    assert store.digest_of_link(store.root / "foreign") is None


def test_names_are_found_however_the_folder_is_written(store):
    digest = put_bytes(store, b"content")
    store.link(store.root / "name", digest)
    (store.root / "absolute").symlink_to(store.object_path(digest).absolute())
    (store.root / "loose").symlink_to("nowhere")
    roundabout = Store(store.root / "objects" / ".." / ".." / "results")
    assert {path.name for path in roundabout.names()} == {"name", "absolute"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_canonical_json_keeps_the_value_and_ignores_order(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    if isinstance(value, dict):
        backwards = dict(reversed(value.items()))
        assert canonical_json(backwards) == text
        assert json_digest(backwards) == json_digest(value)


# -- folders ---------------------------------------------------------------------------------------

FILES = {"config.json": b"{}", "a/weights": b"\x00\x01", "a/b/same": b"{}"}


def test_a_folder_comes_back_as_it_was(store):
    digest = put_folder(store, FILES)
    name = store.root / "models" / "m.json"
    store.link(name, digest)
    folder = store.tree_directory(name)
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if not p.is_dir()}
    assert {path: file.read_bytes() for path, file in there.items()} == FILES
    assert all(not file.readlink().is_absolute() for file in there.values())
    assert store.tree_directory(name) == folder
    assert names_in(store.trees) == [digest]


def test_equal_folders_have_one_manifest(store):
    assert put_folder(store, FILES) == put_folder(store, dict(reversed(FILES.items())))
    assert put_folder(store, FILES) != put_folder(store, FILES | {"one more": b""})


def test_only_a_manifest_describes_a_folder(store):
    entries = tree_entries(store.object_path(put_folder(store, FILES)))
    assert entries == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    for content in (b"", b"{", b'{"files": {"a": "b"}}', b'{"a": "ttspm-tree-1"}', b"PAR1"):
        assert tree_entries(store.object_path(put_bytes(store, content))) == {}


# -- action records --------------------------------------------------------------------------------


def record_of(rule: str, **outputs: str) -> dict:
    return {"rule": rule, "key": "k" * 64, "outputs": outputs, "facts": {}}


def test_an_action_is_found_as_long_as_its_outputs_are_there(store):
    digest = put_bytes(store, b"output")
    assert store.find_action("rule", "k" * 64) is None
    store.save_action(record_of("rule", table=digest))
    assert store.find_action("rule", "k" * 64) == record_of("rule", table=digest)
    assert list(store.records_of("rule")) == [record_of("rule", table=digest)]
    assert list(store.records_of("another")) == []
    store.object_path(digest).unlink()
    assert store.find_action("rule", "k" * 64) is None


def test_an_action_is_gone_with_any_file_of_its_folder(store):
    digest = put_folder(store, FILES)
    store.save_action(record_of("model", manifest=digest))
    assert store.find_action("model", "k" * 64) is not None
    store.object_path(hashlib.sha256(FILES["a/weights"]).hexdigest()).unlink()
    assert store.find_action("model", "k" * 64) is None


def test_a_record_cut_off_by_a_crash_is_passed_over(store):
    store.save_action(record_of("rule", table=put_bytes(store, b"output")))
    path = store.action_path("rule", "k" * 64)
    path.write_text(path.read_text()[:20])
    assert store.find_action("rule", "k" * 64) is None
    assert list(store.records_of("rule")) == []


# -- damage ----------------------------------------------------------------------------------------


def damage(path: Path) -> None:
    """Change one byte of an object, as a failing disk does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def test_putting_the_right_bytes_mends_a_damaged_object(store):
    digest = put_bytes(store, b"precious")
    damage(store.object_path(digest))
    assert file_digest(store.object_path(digest)) != digest
    assert put_bytes(store, b"precious") == digest
    assert store.object_path(digest).read_bytes() == b"precious"


@pytest.mark.parametrize("wrong", ["{", "\x00", "]"])
def test_a_damaged_manifest_is_as_good_as_none(store, wrong):
    digest = put_folder(store, FILES)
    store.save_action(record_of("model", manifest=digest))
    path = store.object_path(digest)
    content = path.read_text().replace('"}', wrong + "}", 1)
    path.unlink()
    path.write_text(content)
    assert store.find_action("model", "k" * 64) is None
    assert put_folder(store, FILES) == digest
    assert store.find_action("model", "k" * 64) is not None


def test_a_record_is_on_disk_before_it_has_its_name(store, monkeypatch):
    """Journals are removed once their units have a record, so that one must survive a power cut."""
    digest, synced = put_bytes(store, b"output"), []
    path = store.action_path("rule", "k" * 64)
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    store.save_action(record_of("rule", table=digest))
    assert synced == [(path.stat().st_size, False)]


# -- several writers, and a killed one -------------------------------------------------------------


def _put_and_link(root: Path, content: bytes, barrier) -> None:
    store = Store(root)
    barrier.wait()
    for _ in range(2):
        digest = put_bytes(store, content)
        store.link(root / "shared-name", digest)
        manifest = put_folder(store, FILES)
        store.link(root / "model.json", manifest)
        folder = store.tree_directory(root / "model.json")
        assert (folder / "a" / "weights").read_bytes() == FILES["a/weights"]


def test_eight_processes_put_the_same_content(store):
    fork = multiprocessing.get_context("fork")
    barrier, content = fork.Barrier(8), b"the same" * 50_000
    jobs = [
        fork.Process(target=_put_and_link, args=(store.root, content, barrier)) for _ in range(8)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 8
    assert (store.root / "shared-name").read_bytes() == content
    objects = [path for path in store.objects.rglob("*") if path.is_file()]
    assert all(file_digest(path) == path.parent.name + path.name for path in objects)
    assert len(objects) == 1 + len(set(FILES.values())) + 1
    assert not any((store.root / "objects" / "tmp").iterdir())
    assert names_in(store.trees) == [store.digest_of(store.root / "model.json")]


KILLED = """
import os, signal, sys
from pathlib import Path
from ttspm.store import Store

store, moment = Store(sys.argv[1]), sys.argv[2]
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with store.workspace() as scratch:
    with open(scratch / "units", "wb") as handle:
        handle.write(b"half of it")
        handle.flush()
        if moment == "while writing":
            die()
    if moment == "before the object has its place":
        Path.replace = die
    digest = store.put(scratch / "units")
    if moment == "before the name has its place":
        Path.replace = die
    store.link(Path(sys.argv[1]) / "units", digest)
"""


@pytest.mark.parametrize(
    "moment",
    ["while writing", "before the object has its place", "before the name has its place"],
)
def test_a_killed_writer_leaves_no_name(store, moment):
    command = [sys.executable, "-c", KILLED, str(store.root), moment]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not os.path.lexists(store.root / "units")
    assert list(store.names()) == []
    objects = [path for path in store.objects.rglob("*") if path.is_file()]
    assert len(objects) == (moment == "before the name has its place")
    # The same command again finds nothing in its way.
    store.link(store.root / "units", put_bytes(store, b"all of it"))
    assert (store.root / "units").read_bytes() == b"all of it"


# -- no space --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_in_one_line_and_leaves_no_object(store, monkeypatch, code):
    def full(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="no space left on the disk") as raised:
        put_bytes(store, b"too much")
    assert str(store.root) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [path for path in store.objects.rglob("*") if path.is_file()] == []
    assert not any((store.root / "objects" / "tmp").iterdir())


def test_a_full_disk_is_told_when_a_script_writes(store):
    with pytest.raises(UserError, match="no space left"), store.workspace():
        Path("/dev/full").write_bytes(b"x")


def test_other_faults_of_a_disk_stay_what_they_are(store):
    with pytest.raises(OSError, match="Input/output error"), store.workspace():
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_too_little_free_space_is_refused_with_both_numbers(store, monkeypatch):
    usage = type(shutil.disk_usage("/"))(total=2**40, used=0, free=3 * 2**29)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    store.require_free_space(1.5)
    with pytest.raises(UserError, match=r"1\.5 GiB free .* store\.free_gib asks for 2:"):
        store.require_free_space(2)

"""The artifact store: bytes by digest, names as links, and a record of every action.

Layout under the results folder (DESIGN, section 4)::

    objects/sha256/ab/cdef...   the bytes, read-only, one constant mtime
    objects/trees/<digest>/     a folder of links, for artifacts that are folders (a model)
    actions/<rule>/<key>.json   what a run of a rule made: digests of outputs, and facts beside them
    <any other name>            a relative link to an object

Only `Store` writes here. Files get their place by an atomic rename, so what has a name is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ttspm.errors import UserError

# One constant mtime: Snakemake compares mtimes, and zip (in --report) refuses years before 1980.
OBJECT_MTIME = 946_684_800  # 2000-01-01T00:00:00Z

TREE_FORMAT = "ttspm-tree-1"

# A link on its way to its name; one that stays behind is of a job that was killed.
LINK_ON_ITS_WAY = re.compile(r"\..+\.\d+\.link")


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal characters."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def json_digest(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@contextmanager
def disk_errors_in_one_line(where: Path) -> Iterator[None]:
    """Turn a full disk into a message; nothing half-written has a name at that point."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{where}: no space left on the disk; finished work is kept: free some space and"
                " run the same command again"
            ) from error
        raise


class Store:
    """Objects, names and action records under one results folder.

    Parameters
    ----------
    root : path-like
        The results folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.objects = self.root / "objects" / "sha256"
        self.trees = self.root / "objects" / "trees"
        self.actions = self.root / "actions"

    # -- objects -------------------------------------------------------------------------------

    def object_path(self, digest: str) -> Path:
        """Where the bytes with this digest live, whether or not they are there."""
        return self.objects / digest[:2] / digest[2:]

    def digest_of(self, path: str | Path) -> str:
        """Digest of a file: read off its link where it is a name in this store, else hashed."""
        target = Path(path).resolve()
        if target.is_relative_to(self.objects.resolve()):
            return target.parent.name + target.name
        return file_digest(target)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A scratch folder on the store's own disk, removed on leaving."""
        scratch = self.root / "objects" / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            with disk_errors_in_one_line(self.root):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def put(self, path: Path) -> str:
        """Move a file of the workspace into the store and return its digest.

        Safe with several writers of the same bytes: the last rename wins, over equal content. What
        is there already is replaced as well: should its bytes be damaged, these are not.
        """
        digest = file_digest(path)
        target = self.object_path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "rb") as handle:
            os.fsync(handle.fileno())
        path.chmod(0o444)
        os.utime(path, (OBJECT_MTIME, OBJECT_MTIME))
        path.replace(target)
        return digest

    def link(self, name: Path, digest: str) -> None:
        """Make `name` a relative link to an object, replacing what was there in one step."""
        name.parent.mkdir(parents=True, exist_ok=True)
        target = os.path.relpath(self.object_path(digest), name.parent)
        fresh = name.with_name(f".{name.name}.{os.getpid()}.link")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(name)

    def names(self) -> Iterator[Path]:
        """Every link in the results folder that names an object, sorted."""
        inside = self.root / "objects"
        for path in sorted(self.root.rglob("*")):
            if path.is_relative_to(inside) or LINK_ON_ITS_WAY.fullmatch(path.name):
                continue
            if path.is_symlink() and self.digest_of_link(path):
                yield path

    def digest_of_link(self, name: Path) -> str | None:
        """Digest that a link names, whether or not its object is there; None for other links."""
        target = name.resolve()
        inside = target.parent.parent == self.objects.resolve()
        return target.parent.name + target.name if inside else None

    # -- folders -------------------------------------------------------------------------------

    def put_tree(self, folder: Path, manifest: Path) -> None:
        """Move every file of a folder into the store and write the list of them to `manifest`."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        entries = {path.relative_to(folder).as_posix(): self.put(path) for path in files}
        manifest.write_text(canonical_json({"format": TREE_FORMAT, "files": entries}))

    def tree_directory(self, manifest: Path) -> Path:
        """The folder that a manifest describes, as links to its objects; made where missing."""
        digest = self.digest_of(manifest)
        folder = self.trees / digest
        if not folder.is_dir():
            self.trees.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(dir=self.trees))
            for name, entry in tree_entries(manifest).items():
                link = fresh / name
                link.parent.mkdir(parents=True, exist_ok=True)
                final = folder / name  # links are relative to where the folder will be
                link.symlink_to(os.path.relpath(self.object_path(entry), final.parent))
            try:
                fresh.rename(folder)
            except OSError:  # another job made it meanwhile
                shutil.rmtree(fresh)
        return folder

    # -- actions -------------------------------------------------------------------------------

    def action_path(self, rule: str, key: str) -> Path:
        """Where the record of an action is kept."""
        return self.actions / rule / f"{key}.json"

    def find_action(self, rule: str, key: str) -> dict[str, Any] | None:
        """The record of an action, or None where there is none or its outputs are gone."""
        try:
            record = json.loads(self.action_path(rule, key).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        present = all(self.object_present(digest) for digest in record["outputs"].values())
        return record if present else None

    def object_present(self, digest: str) -> bool:
        """Whether an object is there, and with it every object of the folder it may describe."""
        path = self.object_path(digest)
        if not path.is_file():
            return False
        try:
            entries = tree_entries(path)
        except (ValueError, KeyError):  # a damaged list: putting it anew mends it
            return False
        return all(self.object_path(entry).is_file() for entry in entries.values())

    def save_action(self, record: dict[str, Any]) -> None:
        """Write an action record, whole or not at all."""
        path = self.action_path(record["rule"], record["key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        with open(fresh, "w", encoding="utf-8") as handle:
            json.dump(record, handle, sort_keys=True, indent=1, ensure_ascii=False)
            handle.write("\n")
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(path)

    def records_of(self, rule: str) -> Iterator[dict[str, Any]]:
        """Every readable action record of one rule, in the order of their keys."""
        for path in sorted((self.actions / rule).glob("*.json")):
            try:
                yield json.loads(path.read_text())
            except json.JSONDecodeError:
                continue  # cut off by a crash of the machine: as if it had never been written

    def require_free_space(self, gib: float) -> None:
        """Refuse to start where the disk of the store has less than `gib` GiB left.

        Raises
        ------
        UserError
            Naming the folder, what is free and what is needed.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free / 2**30
        if free < gib:
            raise UserError(
                f"{self.root}: {free:.1f} GiB free on the disk of the store, store.free_gib asks"
                f" for {gib:g}: free some space, or lower store.free_gib in the configuration"
            )


def tree_entries(manifest: Path) -> dict[str, str]:
    """Files of the folder that an object describes, path -> digest; empty for other objects."""
    with open(manifest, "rb") as handle:
        if handle.read(1) != b"{":
            return {}
        handle.seek(0)
        if TREE_FORMAT.encode() not in handle.read(2**20):
            return {}
    described = json.loads(manifest.read_text())
    return described["files"] if described.get("format") == TREE_FORMAT else {}

"""Upkeep of the store: which objects are damaged, which names they reach, what no name reaches.

A name reaches an object directly, or through the manifest of a folder (a model) that lists it.
Action records name objects too, but keep none alive: they say how something was made, not that
anybody wants it.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttspm.errors import UserError
from ttspm.store import LINK_ON_ITS_WAY, Store, tree_entries

CHUNK = 2**23  # bytes read at once
LEFTOVER_SECONDS = 24 * 3600.0  # younger ones may belong to a job that runs elsewhere

Hashed = Callable[[int], None]  # called with the number of bytes just hashed


@dataclass(frozen=True)
class Fault:
    """One object that is not what its names promise.

    Attributes
    ----------
    digest : str
        What the names promise.
    path : path
        Where the object is, or should be.
    problem : str
        Its bytes have another digest, cannot be read, or are not there.
    reached_by : list of str
        Every name that reaches it, and every action record that lists it.
    """

    digest: str
    path: Path
    problem: str
    reached_by: list[str]


@dataclass
class Garbage:
    """What no name reaches.

    Attributes
    ----------
    objects : list of path
        Objects.
    folders : list of path
        Folders of links, made from manifests that no name reaches.
    records : list of path
        Action records whose outputs are gone, or go now.
    leftovers : list of path
        What killed jobs left half-made, older than a day.
    """

    objects: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)

    def paths(self) -> list[Path]:
        """Everything, in an order that is safe to be interrupted in."""
        return [*self.records, *self.folders, *self.objects, *self.leftovers]


def object_digests(store: Store) -> list[str]:
    """Digest under which each object of the store is kept, sorted."""
    return sorted(path.parent.name + path.name for path in store.objects.glob("??/*"))


def verify(store: Store, hashed: Hashed = lambda _: None) -> list[Fault]:
    """Hash every object again and look for every object that something names.

    Parameters
    ----------
    store : Store
        Read only.
    hashed : callable
        Called with the number of bytes just hashed, for progress.

    Returns
    -------
    list of Fault
        Damaged objects, then missing ones; empty where all is well.
    """
    present = object_digests(store)
    reached = names_of_objects(store)
    records = records_of_objects(store)
    faults = []
    for digest in [*present, *sorted(reached.keys() - set(present))]:
        problem = _problem(store.object_path(digest), digest, hashed)
        if problem:
            by = [*reached.get(digest, []), *records.get(digest, [])]
            faults.append(Fault(digest, store.object_path(digest), problem, by))
    return faults


def _problem(path: Path, digest: str, hashed: Hashed) -> str | None:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as handle:
            while chunk := handle.read(CHUNK):
                found.update(chunk)
                hashed(len(chunk))
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if found.hexdigest() == digest:
        return None
    return f"is damaged: its bytes have SHA-256 {found.hexdigest()}"


def names_of_objects(store: Store) -> dict[str, list[str]]:
    """Every name that reaches an object, by the object's digest.

    The files of a folder are reached as ``name of the folder: path inside it``; where a folder has
    no name, its manifest's own path stands in the name's place.
    """
    names: dict[str, list[str]] = {}
    for digest, name in _links(store):
        names.setdefault(digest, []).append(str(name))
    reached = {digest: list(by) for digest, by in names.items()}
    for manifest in object_digests(store):
        folder_names = names.get(manifest, [f"{store.object_path(manifest)} (has no name)"])
        for inside, digest in _entries(store, manifest).items():
            reached.setdefault(digest, []).extend(f"{name}: {inside}" for name in folder_names)
    return reached


def records_of_objects(store: Store) -> dict[str, list[str]]:
    """Every action record that lists an object as output or input, by the object's digest."""
    listed: dict[str, list[str]] = {}
    for record in _records(store):
        path = store.action_path(record["rule"], record["key"])
        for name, digest in record["outputs"].items():
            listed.setdefault(digest, []).append(f"{path}: output '{name}'")
        for name, digests in record["inputs"].items():
            for digest in digests:
                listed.setdefault(digest, []).append(f"{path}: input '{name}'")
    return listed


def makers(store: Store) -> dict[Path, str]:
    """The rule that made an object, by the object's path; not every object has a record."""
    return {
        store.object_path(digest): record["rule"]
        for record in _records(store)
        for digest in record["outputs"].values()
    }


def find_garbage(store: Store, now: float | None = None) -> Garbage:
    """What no name reaches, and what killed jobs left behind; journals are never part of it.

    Parameters
    ----------
    store : Store
        Read only.
    now : float, optional
        Seconds since 1970, for the age of leftovers.

    Raises
    ------
    UserError
        If there are objects and not one name, as after ``results/`` was emptied by hand: a run
        would link everything back, so nothing is called garbage. If a named object is damaged: it
        may be the list of a folder.
    """
    wanted = {digest for digest, _ in _links(store)}
    present = object_digests(store)
    if present and not wanted:
        raise UserError(
            f"{store.root}: no name reaches any object; run snakemake to link them back first, or"
            f" delete {store.root} if none is needed"
        )
    for digest in sorted(wanted.intersection(present)):
        path = store.object_path(digest)
        # A folder's list with a changed byte would make garbage of the files that it names.
        if problem := _problem(path, digest, lambda _: None):
            raise UserError(
                f"{path} {problem}: mend it first (`python scripts/store.py verify` names what it"
                " concerns)"
            )
        wanted.update(tree_entries(path).values())
    kept = wanted.intersection(present)
    return Garbage(
        objects=[store.object_path(digest) for digest in present if digest not in kept],
        folders=[path for path in _folders(store) if path.name not in kept],
        records=[
            store.action_path(record["rule"], record["key"])
            for record in _records(store)
            if not kept.issuperset(record["outputs"].values())
        ],
        leftovers=_leftovers(store, (time.time() if now is None else now) - LEFTOVER_SECONDS),
    )


def remove(paths: Iterable[Path]) -> int:
    """Delete files, links and folders; how many bytes that frees."""
    freed = 0
    for path in paths:
        freed += size(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return freed


def size(path: Path) -> int:
    """Bytes of a file, a link or all that is in a folder."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(item.lstat().st_size for item in inside if item.is_symlink() or item.is_file())


def refuse_while_running(store: Store) -> None:
    """Refuse where Snakemake holds its lock beside the results folder.

    Raises
    ------
    UserError
        Naming the lock.
    """
    locks = store.root.absolute().parent / ".snakemake" / "locks"
    if any(locks.glob("*")):
        raise UserError(
            f"{locks}: another run is under way; wait for it to end (a run that was killed leaves"
            " its lock behind: `snakemake --unlock` removes it)"
        )


def _links(store: Store) -> Iterator[tuple[str, Path]]:
    for name in store.names():
        digest = store.digest_of_link(name)
        if digest:
            yield digest, name


def _entries(store: Store, manifest: str) -> dict[str, str]:
    try:
        return tree_entries(store.object_path(manifest))
    except (OSError, ValueError, KeyError):  # damaged, which is told of the manifest itself
        return {}


def _records(store: Store) -> Iterator[dict[str, Any]]:
    for rule in sorted(store.actions.glob("*")):
        yield from store.records_of(rule.name)


def _folders(store: Store) -> list[Path]:
    return [path for path in sorted(store.trees.glob("*")) if len(path.name) == 64]


def _leftovers(store: Store, before: float) -> list[Path]:
    inside = store.root / "objects"
    found = [
        *(inside / "tmp").glob("*"),
        *(path for path in store.trees.glob("*") if len(path.name) != 64),
        *store.actions.glob("*/*.tmp"),
        *(path for path in store.root.rglob(".*.link") if LINK_ON_ITS_WAY.fullmatch(path.name)),
    ]
    return sorted(path for path in found if path.lstat().st_mtime < before)

"""After a crash, or with Snakemake's memory gone: what a run mends before it starts."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import IO

from ttspm.store import Store


def release_stale_lock(memory: Path) -> IO[str] | None:
    """Remove the lock that a killed run left behind, so that the same command continues.

    Snakemake's lock is a file that says nothing of its owner and outlives a ``kill -9``. The
    operating system's lock taken here ends with its process: where it can be had, no other run is
    alive in this folder, and whatever Snakemake's lock says is old.

    Parameters
    ----------
    memory : path
        Snakemake's folder ``.snakemake``.

    Returns
    -------
    file or None
        To be held open while the run lasts; None where another run is alive, whose lock stays.
    """
    memory.mkdir(exist_ok=True)
    handle = open(memory / "ttspm.lock", "w")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    for stale in (memory / "locks").glob("*.lock"):
        stale.unlink(missing_ok=True)
    return handle


def forget_unremembered_names(store: Store, memory: Path) -> int:
    """Drop the names of artifacts when Snakemake no longer knows how they were made.

    With ``.snakemake`` deleted, Snakemake takes every name as up to date, whatever the
    configuration says now. The names are links to what is in the store, so those that an action
    record vouches for are dropped, and come back from the records in milliseconds where nothing
    has changed. A name without a record stays: it may be all there is.

    Returns
    -------
    int
        How many names were dropped.
    """
    if any((memory / "metadata").glob("*")) or not store.actions.is_dir():
        return 0
    vouched = {
        digest
        for rule in store.actions.iterdir()
        for record in store.records_of(rule.name)
        for digest in record["outputs"].values()
    }
    dropped = 0
    for name in store.names():
        if store.digest_of_link(name) in vouched:
            name.unlink()
            dropped += 1
    if dropped:
        print(
            f"Snakemake's memory (.snakemake) is gone: {dropped} names in {store.root} are linked"
            " anew from the store.",
            file=sys.stderr,
        )
    return dropped

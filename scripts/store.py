"""Look after the artifact store.

    python scripts/store.py verify          hash every object again, name what is damaged
    python scripts/store.py gc --dry-run    list what no name reaches
    python scripts/store.py gc              remove it

docs/store.md says how the store works and what to do with what these find.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ttspm.errors import UserError
from ttspm.store import Store
from ttspm.upkeep import (
    find_garbage,
    makers,
    object_digests,
    refuse_while_running,
    remove,
    size,
    verify,
)

SECONDS_BETWEEN_LINES = 5.0


class BytesHashed:
    """Says on standard error how far the hashing is."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.said = total, 0, time.monotonic()

    def __call__(self, count: int) -> None:
        """Count some bytes."""
        self.done += count
        now = time.monotonic()
        if now - self.said >= SECONDS_BETWEEN_LINES:
            self.said = now
            print(f"{in_units(self.done)} of {in_units(self.total)} hashed", file=sys.stderr)


def in_units(count: int) -> str:
    """Bytes as people read them: ``512 bytes``, ``1.5 GiB``."""
    if count < 1024:
        return f"{count} bytes"
    exponent = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**exponent:.1f} {['KiB', 'MiB', 'GiB', 'TiB'][exponent - 1]}"


def report_faults(store: Store) -> int:
    """Print every fault with all that reaches it; 1 where there is one."""
    paths = [store.object_path(digest) for digest in object_digests(store)]
    total = sum(map(size, paths))
    faults = verify(store, BytesHashed(total))
    for fault in faults:
        print(f"{fault.path} {fault.problem}")
        print(f"    digest {fault.digest}")
        for name in fault.reached_by or ["nothing"]:
            print(f"    reached by {name}")
    print(f"{len(paths)} objects, {in_units(total)}: {len(faults) or 'no'} damaged or missing")
    if faults:
        print("docs/store.md says how to mend them.")
    return 1 if faults else 0


def collect(store: Store, dry_run: bool) -> int:
    """Remove what no name reaches, or list it."""
    refuse_while_running(store)
    garbage = find_garbage(store)
    made_by = makers(store)
    for path in garbage.paths():
        maker = f", made by {made_by[path]}" if path in made_by else ""
        print(f"{path}: {in_units(size(path))}{maker}")
    freed = sum(map(size, garbage.paths())) if dry_run else remove(garbage.paths())
    print(
        f"{len(garbage.objects)} objects, {len(garbage.folders)} folders of links,"
        f" {len(garbage.records)} action records, {len(garbage.leftovers)} leftovers:"
        f" {in_units(freed)} {'would be freed' if dry_run else 'freed'}"
    )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("verify", parents=[folder], help="hash every object again")
    gc = commands.add_parser("gc", parents=[folder], help="remove what no name reaches")
    gc.add_argument("--dry-run", action="store_true", help="list only")
    settings = parser.parse_args(arguments)

    store = Store(settings.results)
    try:
        if not store.objects.is_dir():
            raise UserError(f"{store.root}: there is no store (objects/sha256) in it")
        if settings.command == "verify":
            return report_faults(store)
        return collect(store, settings.dry_run)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

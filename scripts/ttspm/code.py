"""Digest of the code that a rule runs: its script and every module of the package it imports.

Snakemake notices a changed script but not a changed module. With this digest among a rule's
parameters, an edit of a library module schedules just the rules that import it.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


def code_digest(script: str | Path) -> str:
    """SHA-256 over a script and the closure of its imports inside the package.

    Parameters
    ----------
    script : path-like
        A Python file.

    Returns
    -------
    str
        The digest; equal files at another place give the same one.
    """
    closure: dict[str, Path] = {}
    waiting = [Path(script)]
    while waiting:
        path = waiting.pop()
        name = _name(path)
        if name not in closure:
            closure[name] = path
            waiting.extend(imported_modules(path))
    digest = hashlib.sha256()
    for name in sorted(closure):
        digest.update(f"{name}\0".encode())
        digest.update(closure[name].read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


@cache
def imported_modules(path: Path) -> tuple[Path, ...]:
    """Files of the package that a file imports, at its top or inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    files = {file for name in names for file in _files(name)}
    return tuple(sorted(files))


def _files(name: str) -> list[Path]:
    """The module's file and the ``__init__`` of every package above it."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return []
    found = []
    for depth in range(1, len(parts) + 1):
        place = PACKAGE.joinpath(*parts[1:depth])
        for candidate in (place / "__init__.py", place.with_suffix(".py")):
            if candidate.is_file():
                found.append(candidate)
    return found


def _name(path: Path) -> str:
    return (
        path.relative_to(PACKAGE.parent).as_posix() if path.is_relative_to(PACKAGE) else path.name
    )

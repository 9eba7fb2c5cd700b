"""What Snakemake hands to a script, for running one without Snakemake."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ttspm.action import Job, run_action
from ttspm.store import Store

Paths = dict[str, Path | list[Path]]


def job_of(
    folder: Path,
    inputs: Paths,
    outputs: dict[str, str],
    params: dict[str, Any],
    wildcards: dict[str, str] | None = None,
    threads: int = 1,
) -> Job:
    """A `Job` as `run_action` makes one; outputs are names of files in `folder`."""
    return Job(
        input=SimpleNamespace(**inputs),
        output=SimpleNamespace(**{key: folder / name for key, name in outputs.items()}),
        params=SimpleNamespace(**params),
        wildcards=SimpleNamespace(**(wildcards or {})),
        threads=threads,
        store=Store(folder / "results"),
    )


def snakemake_of(
    rule: str,
    inputs: Paths,
    outputs: dict[str, Path],
    params: dict[str, Any],
    wildcards: dict[str, str] | None = None,
    threads: int = 1,
    log: Path | None = None,
) -> SimpleNamespace:
    """The object ``snakemake`` of a script, with everything that `run_action` reads."""

    def text(value: Path | list[Path]) -> str | list[str]:
        return [str(item) for item in value] if isinstance(value, list) else str(value)

    return SimpleNamespace(
        rule=rule,
        input={name: text(value) for name, value in inputs.items()},
        output={name: str(path) for name, path in outputs.items()},
        params=params,
        wildcards=wildcards or {},
        threads=threads,
        resources={},
        log=[str(log)] if log else [],
    )


def run_script(script: str, snakemake: SimpleNamespace) -> None:
    """Run a script of ``scripts/`` as its closing lines do."""
    rule = "generate" if script == "generate" else None
    run_action(snakemake, importlib.import_module(script).main, rule)

"""The one way in which a script runs: `run_action` looks up, computes, stores, links.

A script is a docstring, a function ``main(job)`` and two closing lines::

    if __name__ == "__main__":
        run_action(globals()["snakemake"], main)

`main` reads ``job.input``, writes the files named in ``job.output`` and may return *facts*: what is
worth keeping beside the artifacts but is not content (versions, throughput). Snakemake gives the
digests of the code and of the environment's lock as ``params.code`` and ``params.lock``, so that
it schedules the rules whose code changed, and so that they are part of the action's key here.
"""

from __future__ import annotations

import logging
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ttspm.errors import UserError
from ttspm.store import Store, disk_errors_in_one_line, file_digest, json_digest

log = logging.getLogger("ttspm")

# An input of this name only orders jobs: it must exist, but its bytes are not part of the action.
ORDER_ONLY = "after"


@dataclass
class Job:
    """What a script is given: files in, files out, parameters.

    Attributes
    ----------
    input, output : SimpleNamespace
        Paths, or lists of paths, under the names the rule gives them.
    params, wildcards : SimpleNamespace
        Values of the rule.
    threads : int
        Cores the job may use.
    rule : str
        The rule that runs the script.
    gpus : int
        GPUs the job was given.
    store : Store
        The store its outputs go to; most scripts have no need of it.
    when_stored : list of callable
        Called once the outputs and their record are safe.
    """

    input: SimpleNamespace
    output: SimpleNamespace
    params: SimpleNamespace
    wildcards: SimpleNamespace = field(default_factory=SimpleNamespace)
    threads: int = 1
    rule: str = ""
    gpus: int = 0
    store: Store = field(default_factory=lambda: Store("results"))
    when_stored: list[Callable[[], None]] = field(default_factory=list)


def run_action(
    snakemake: Any, main: Callable[[Job], dict[str, Any] | None], rule: str | None = None
) -> None:
    """Run a script's `main`, or link what an equal run has made before.

    Parameters
    ----------
    snakemake : object
        What Snakemake hands to a script.
    main : callable
        Takes a `Job`, writes every file of ``job.output``, returns facts or None.
    rule : str or None
        Name under which actions are recorded, where several rules run the script.

    Notes
    -----
    Exits with 1 and one line on standard error for a `UserError`; any other exception is a fault
    of the package and shows its traceback. Both are in the rule's log as well.
    """
    start_logging(str(snakemake.log[0]) if snakemake.log else None)
    try:
        _run(snakemake, main, rule or snakemake.rule)
    except UserError as error:
        log.error("error: %s", error)
        sys.exit(1)
    except Exception:
        log.error("%s", traceback.format_exc())
        sys.exit(1)


def start_logging(path: str | None) -> None:
    """Send messages to standard error and, where a rule has a log, to that file."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers, log.propagate = handlers, False
    log.setLevel(logging.INFO)
    # A log that cannot be written (a full disk) must not bury the message on standard error.
    logging.raiseExceptions = False


def _run(snakemake: Any, main: Callable[[Job], dict[str, Any] | None], rule: str) -> None:
    inputs = {name: _paths(value) for name, value in snakemake.input.items()}
    outputs = {name: Path(value) for name, value in snakemake.output.items()}
    params = dict(snakemake.params.items())
    store = Store(results_folder(next(iter(outputs.values()))))

    described = {
        "rule": rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "params": params,
        "inputs": {
            name: [_identity(store, path) for path in _listed(value)]
            for name, value in inputs.items()
            if name != ORDER_ONLY
        },
    }
    key = json_digest(described)
    with disk_errors_in_one_line(store.root):
        record = store.find_action(rule, key)
        if record is None:
            record = _compute(snakemake, main, store, inputs, outputs, described, key)
        else:
            log.info("%s: made before, linked", rule)
        for name, path in outputs.items():
            store.link(path, record["outputs"][name])


def _compute(
    snakemake: Any,
    main: Callable[[Job], dict[str, Any] | None],
    store: Store,
    inputs: dict[str, Path | list[Path]],
    outputs: dict[str, Path],
    described: dict[str, Any],
    key: str,
) -> dict[str, Any]:
    started = time.monotonic()
    with store.workspace() as scratch:
        fresh = {name: scratch / name / path.name for name, path in outputs.items()}
        for path in fresh.values():
            path.parent.mkdir()
        job = Job(
            input=SimpleNamespace(**inputs),
            output=SimpleNamespace(**fresh),
            params=SimpleNamespace(**described["params"]),
            wildcards=SimpleNamespace(**described["wildcards"]),
            threads=snakemake.threads,
            rule=snakemake.rule,
            gpus=snakemake.resources.get("gpu", 0),
            store=store,
        )
        facts = main(job) or {}
        missing = [name for name, path in fresh.items() if not path.is_file()]
        if missing:
            raise RuntimeError(f"{snakemake.rule}: did not write its output '{missing[0]}'")
        digests = {name: store.put(path) for name, path in fresh.items()}
    record = {
        **described,
        "key": key,
        "outputs": digests,
        "facts": facts,
        "elapsed_seconds": round(time.monotonic() - started, 3),
        "host": platform.node(),
    }
    store.save_action(record)
    for call in job.when_stored:
        call()
    return record


def results_folder(output: Path) -> Path:
    """The results folder that an output lies in: everything up to its part named ``results``."""
    parts = output.parts
    if "results" not in parts:
        raise RuntimeError(f"{output} is not under a folder named 'results'")
    return Path(*parts[: parts.index("results") + 1])


def _identity(store: Store, path: Path) -> str:
    """What of an input decides the outputs: its bytes, and its file name where a user gave it one.

    The names of artifacts follow from the rule; those of a local model's files are content.
    """
    return store.digest_of_link(path) or f"{file_digest(path)} {path.name}"


def _listed(value: Path | list[Path]) -> list[Path]:
    return value if isinstance(value, list) else [value]


def _paths(value: Any) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]

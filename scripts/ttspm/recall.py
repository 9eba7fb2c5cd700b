"""Which shards' units are all there, known before a run is planned: for those no job is submitted.

Snakemake learns what a job needs when it runs; whether it is sent to a cluster follows from its
rule. So the question is put to the store first: what will the run's models and benchmarks be, and
have the units of this shard been made? Where that cannot be told for certain the answer is no, and
the job, once it runs, finds them itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from snakemake.io import apply_wildcards

from ttspm.generation import KnownUnits, Plan, describe_cell, of_shard, sealed_units
from ttspm.store import Store, canonical_json, json_digest

# An edit of the code that fetches a model seldom changes the model.
NOT_CONTENT = ("code", "lock")


class Foresight:
    """What a run's light rules will make, and which shards have all their units.

    Parameters
    ----------
    store : Store
        Of the results folder.

    Notes
    -----
    The rules are Snakemake's (``workflow.get_rule``): their names, parameters and paths are read
    as they stand in the rule, so that nothing is written down twice.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.expected: dict[str, str] = {}  # path -> digest
        self.cells: dict[str, KnownUnits] = {}

    def expect(self, rule: Any, wildcards: dict[str, str]) -> None:
        """Note what a rule of one output made last, where it would make the same again."""
        names = _Wildcards(wildcards)
        described = canonical_json(_without_code(_params(rule, names)))
        (output,) = (apply_wildcards(str(path), wildcards) for path in rule.output)
        made = [
            (self._when(record, output), record["outputs"])
            for record in self.store.records_of(rule.name)
            if record["wildcards"] == wildcards
            and canonical_json(_without_code(record["params"])) == described
        ]
        if not made:
            return
        when, outputs = max(made, key=lambda entry: entry[0])
        (digest,) = outputs.values()
        files = [Path(file) for value in _inputs(rule, names).values() for file in value]
        untouched = all(file.is_file() and file.stat().st_mtime <= when for file in files)
        if untouched and self.store.object_present(digest):
            self.expected[output] = digest

    def units_there(self, rule: Any, wildcards: dict[str, str]) -> bool:
        """Whether a job of the rule ``generate`` would find every unit made.

        Parameters
        ----------
        rule : snakemake rule
            Its inputs are ``model`` and ``problems``.
        wildcards : dict
            Of the job.
        """
        names = _Wildcards(wildcards)
        params = _params(rule, names)
        inputs = {
            name: self.expected.get(_inputs(rule, names)[name][0]) for name in ("model", "problems")
        }
        if inputs["model"] is None or inputs["problems"] is None:
            return False
        described = {
            "rule": rule.name,
            "wildcards": wildcards,
            "params": params,
            "inputs": {name: [digest] for name, digest in inputs.items()},
        }
        if self.store.find_action(rule.name, json_digest(described)):
            return True
        cell = describe_cell(wildcards, inputs["model"], params)
        table = pq.read_table(self.store.object_path(inputs["problems"])).to_pylist()
        problems = of_shard(table, wildcards["shard"], wildcards["shards"])
        ids = {row["problem_id"] for row in problems}
        if not ids <= self._covered(rule.name, cell.digest(), params["budget"]):
            return False  # told without reading a single text
        plan = Plan(
            problems,
            params["prompt"],
            cell,
            params["budget"],
            params["model"]["thinking"],
            self._units(cell.digest()),
            keep=lambda _: None,
        )
        return not plan.requests()

    def _when(self, record: dict[str, Any], output: str) -> float:
        """When a record's output was last what the name stood for, in seconds."""
        name = Path(output)
        path = self.store.action_path(record["rule"], record["key"])
        made = path.stat().st_mtime
        if name.is_symlink() and self.store.digest_of_link(name) in record["outputs"].values():
            return max(made, name.lstat().st_mtime)
        return made

    def _covered(self, rule: str, cell: str, budget: int) -> set[str]:
        """Problems of a cell of which some finished job had as many units."""
        return {
            problem_id
            for record in self.store.records_of(rule)
            if record["facts"].get("cell") == cell and record["params"]["budget"] >= budget
            for problem_id in record["facts"]["prompts"]
        }

    def _units(self, cell: str) -> KnownUnits:
        if cell not in self.cells:
            self.cells = {cell: sealed_units(self.store, cell)}  # one at a time: they are large
        return self.cells[cell]


class _Wildcards(dict[str, str]):
    """Wildcards as a rule's functions read them."""

    __getattr__ = dict.__getitem__


def _params(rule: Any, wildcards: _Wildcards) -> dict[str, Any]:
    return {
        name: value(wildcards) if callable(value) else value for name, value in rule.params.items()
    }


def _without_code(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in NOT_CONTENT}


def _inputs(rule: Any, wildcards: _Wildcards) -> dict[str, list[str]]:
    inputs = {}
    for name, value in rule.input.items():
        found = value(wildcards) if callable(value) else apply_wildcards(str(value), wildcards)
        paths = [found] if isinstance(found, str | Path) else found
        inputs[name] = [str(path) for path in paths]
    return inputs

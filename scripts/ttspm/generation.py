"""Generate the units of one cell: what is there already, what is missing, what comes next.

A unit that was ever finished is not made again, whatever scheduled the job: those of an unfinished
run are in the journal, those of finished ones in the store. Both count where the cell (model,
engine, sampling, seed) and the words of the question are the same.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ttspm.answers import final_answer
from ttspm.engines import Completion, Request, Settings
from ttspm.journal import Unit, read_journals
from ttspm.prompts import first_prompt, rethink_prompt
from ttspm.seeds import unit_seed
from ttspm.store import Store, json_digest

log = logging.getLogger("ttspm")

Units = dict[tuple[str, int], Unit]

LOGPROB_DECIMALS = 2

# Finished units of a cell by problem, unit and digest of what was asked: after a change of the
# prompt there are units for the old words and the new.
KnownUnits = dict[tuple[str, int, str], Unit]


@dataclass(frozen=True)
class CellDescription:
    """All that decides what a unit's text will be, beside the problem itself.

    Attributes
    ----------
    names : dict
        Of the model, the benchmark and the strategy: they are part of each unit's seed.
    seed : int
        The run's seed.
    model_digest : str
        Of the model's files.
    engine, dtype : str
        What generates, in which precision.
    sampling : dict
        Temperature, top-p, longest completion, context.
    """

    names: dict[str, str]
    seed: int
    model_digest: str
    engine: str
    dtype: str
    sampling: dict[str, Any]

    def digest(self) -> str:
        """Identity of the cell: equal for jobs whose units are interchangeable."""
        return json_digest(self.__dict__)


def describe_cell(
    names: dict[str, str], model_digest: str, params: dict[str, Any]
) -> CellDescription:
    """The cell of a job of the rule ``generate``, from what the rule gives it.

    Parameters
    ----------
    names : dict
        Model, benchmark, strategy; more is left aside.
    model_digest : str
        Of the model's files.
    params : dict
        The rule's.
    """
    model, generation = params["model"], params["generation"]
    sampling = {key: generation[key] for key in ("temperature", "top_p", "max_tokens")}
    return CellDescription(
        names={key: names[key] for key in ("model", "benchmark", "strategy")},
        seed=params["seed"],
        model_digest=model_digest,
        engine=model["engine"],
        dtype=model["dtype"],
        sampling=sampling | {"context": model["context"]},
    )


def settings_of(
    name: str, model: dict[str, Any], generation: dict[str, Any], threads: int
) -> Settings:
    """What an engine is told, from a model's description and the section ``generation``.

    Parameters
    ----------
    name : str
        The model's name in the configuration.
    model, generation : dict
        Checked and filled.
    threads : int
        CPU cores of the job.
    """
    return Settings(
        temperature=generation["temperature"],
        top_p=generation["top_p"],
        max_tokens=generation["max_tokens"],
        dtype=model["dtype"],
        context=model["context"],
        batch=generation["batch"],
        threads=threads,
        name=name,
        gpus=model["gpus"],
        gpu_memory_utilization=model["gpu_memory_utilization"],
        key_variable=model["source"].get("key_variable"),
        timeout_seconds=model["source"].get("timeout_seconds"),
    )


def of_shard(problems: list[Any], shard: str | int, shards: str | int) -> list[Any]:
    """The problems of one shard, numbered from 1: every so-many-th, so that shards are alike."""
    return problems[int(shard) - 1 :: int(shards)]


def prompt_digest(prompt: str) -> str:
    """Short digest of a user's turn."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def known_units(store: Store, cell: str) -> KnownUnits:
    """Every finished unit of a cell: from earlier artifacts, then from journals.

    Parameters
    ----------
    store : Store
        Its action records of the rule ``generate`` name the artifacts.
    cell : str
        `CellDescription.digest`.
    """
    journalled = read_journals(journal_folder(store, cell))
    return sealed_units(store, cell) | _by_question(journalled)


def sealed_units(store: Store, cell: str) -> KnownUnits:
    """Every unit of a cell in the artifacts of finished jobs."""
    known: KnownUnits = {}
    for record in store.records_of("generate"):
        if record["facts"].get("cell") == cell:
            artifact = store.object_path(record["outputs"]["units"])
            if artifact.is_file():
                known |= _by_question(_sealed(artifact, record["facts"]["prompts"]))
    return known


def _by_question(units: Iterable[Unit]) -> KnownUnits:
    return {(unit.problem_id, unit.unit, unit.prompt_digest): unit for unit in units}


def _sealed(artifact: Path, prompts: dict[str, list[str]]) -> Iterator[Unit]:
    for row in pq.read_table(artifact).to_pylist():
        asked = prompts[row["problem_id"]]
        # One digest stands for all units where each was asked the same.
        digest = asked[0] if len(asked) == 1 else asked[row["unit"] - 1]
        yield Unit(**row, prompt_digest=digest)


def journal_folder(store: Store, cell: str) -> Path:
    """Where the jobs of a cell keep their journals."""
    return store.root / "journal" / cell[:16]


class Plan:
    """The units to be had for some problems: which are there, which to ask for next.

    Parameters
    ----------
    problems : list of dict
        Rows of the benchmark table.
    template : str
        The benchmark's prompt.
    cell : CellDescription
        Names and seed.
    budget : int
        Units wanted of each problem.
    thinking : bool
        Whether the chat template opens the thinking (`final_answer`).
    known : dict
        Finished units of the cell; those that do not fit the plan are left aside.
    keep : callable
        Called with each newly finished unit before anything else happens.
    """

    def __init__(
        self,
        problems: list[dict[str, Any]],
        template: str,
        cell: CellDescription,
        budget: int,
        thinking: bool,
        known: KnownUnits,
        keep: Callable[[Unit], None],
    ) -> None:
        self.problems = {row["problem_id"]: row for row in problems}
        self.template = template
        self.cell = cell
        self.budget = budget
        self.thinking = thinking
        self.keep = keep
        self.sequential = cell.names["strategy"] == "sequential"
        self.units: Units = {}
        for problem_id in self.problems:
            self.units.update(self._usable(problem_id, known))
        self.reused = len(self.units)

    @property
    def size(self) -> int:
        """How many units there will be."""
        return len(self.problems) * self.budget

    def requests(self) -> list[Request]:
        """What can be asked for now: every missing sample, or the next round of each chain."""
        missing = [key for key in self._keys() if key not in self.units]
        if self.sequential:
            first_gap: dict[str, int] = {}
            for problem_id, unit in missing:
                first_gap.setdefault(problem_id, unit)
            missing = list(first_gap.items())
        # Unit by unit rather than problem by problem, so that what is finished early is a smaller
        # budget of every problem.
        missing.sort(key=lambda key: key[1])
        return [self._request(problem_id, unit) for problem_id, unit in missing]

    def finished(self, request: Request, completion: Completion) -> Request | None:
        """Keep a finished unit; in a chain, ask for the next round."""
        unit = Unit(
            problem_id=request.problem_id,
            unit=request.unit,
            seed=request.seed,
            text=completion.text,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            mean_logprob=self._kept_digits(completion.mean_logprob),
            prompt_digest=prompt_digest(request.prompt),
        )
        self.keep(unit)
        self.units[unit.problem_id, unit.unit] = unit
        if self.sequential and unit.unit < self.budget:
            return self._request(unit.problem_id, unit.unit + 1)
        return None

    def _kept_digits(self, mean_logprob: float | None) -> float | None:
        """In float32, the digits that do not depend on what else was in the batch.

        There a unit's text is the same in any batch, so that an interrupted run ends with the same
        bytes; its log-probability moves by up to some 1e-6. Other precisions promise neither.
        """
        if mean_logprob is None or self.cell.dtype != "float32":
            return mean_logprob
        return round(mean_logprob, LOGPROB_DECIMALS)

    def rows(self) -> list[dict[str, Any]]:
        """The units table: problems in the benchmark's order, units from 1."""
        rows = []
        for key in self._keys():
            row = dict(self.units[key].__dict__)
            del row["prompt_digest"]
            rows.append(row)
        return rows

    def prompts(self) -> dict[str, list[str]]:
        """Digest of what was asked for each unit; a single one where all were asked the same."""
        asked = {
            problem_id: [
                self.units[problem_id, unit].prompt_digest for unit in range(1, self.budget + 1)
            ]
            for problem_id in self.problems
        }
        return {key: value[:1] if len(set(value)) == 1 else value for key, value in asked.items()}

    def _keys(self) -> Iterable[tuple[str, int]]:
        return ((p, unit) for p in self.problems for unit in range(1, self.budget + 1))

    def _usable(self, problem_id: str, known: KnownUnits) -> Units:
        """Known units that answer what this plan asks; of a chain, what is before the first gap."""
        usable: Units = {}
        for number in range(1, self.budget + 1):
            asked = prompt_digest(self._prompt(problem_id, number, usable))
            unit = known.get((problem_id, number, asked))
            if unit is not None:
                usable[problem_id, number] = unit
            elif self.sequential:
                break
        return usable

    def _request(self, problem_id: str, unit: int) -> Request:
        names = self.cell.names
        seed = unit_seed(
            self.cell.seed, names["model"], names["benchmark"], names["strategy"], problem_id, unit
        )
        return Request(problem_id, unit, seed, self._prompt(problem_id, unit, self.units))

    def _prompt(self, problem_id: str, unit: int, before: Units) -> str:
        row = self.problems[problem_id]
        prompt = first_prompt(self.template, row["question"], row["choices"])
        if not self.sequential or unit == 1:
            return prompt
        last = before[problem_id, unit - 1].text
        answer = final_answer(last, row["kind"], thinking=self.thinking, choices=row["choices"])
        return rethink_prompt(prompt, answer)

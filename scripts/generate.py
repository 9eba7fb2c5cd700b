"""Generate the units of one shard of a cell."""

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from ttspm.action import Job, run_action
from ttspm.engines import Completion, Request, load_engine
from ttspm.engines.devices import claim_gpus
from ttspm.errors import UserError
from ttspm.generation import (
    Plan,
    describe_cell,
    journal_folder,
    known_units,
    log,
    of_shard,
    settings_of,
)
from ttspm.journal import Journal, read_journal
from ttspm.progress import Progress
from ttspm.tables import UNITS, write_parquet

# The rule that runs this script where no unit is missing: it never starts an engine.
RECALL = "recall"


def main(job: Job) -> dict[str, Any]:
    """Write the shard's units; what is generated on the way is journalled unit by unit."""
    model, generation, names = job.params.model, job.params.generation, job.wildcards
    cell = describe_cell(vars(names), job.store.digest_of(job.input.model), vars(job.params))
    shard = of_shard(pq.read_table(job.input.problems).to_pylist(), names.shard, names.shards)
    path = journal_folder(job.store, cell.digest()) / f"{names.shard}-of-{names.shards}.jsonl"
    facts: dict[str, Any] = {}

    with Journal(path) as journal:
        known = known_units(job.store, cell.digest())
        plan = Plan(
            shard,
            job.params.prompt,
            cell,
            job.params.budget,
            model["thinking"],
            known,
            journal.append,
        )
        label = f"{names.model}/{names.benchmark}/{names.strategy}"
        progress = Progress(label, plan.size, plan.reused)
        log.info("%s: %d of %d units were made before", label, plan.reused, plan.size)

        def requests() -> Iterator[Request]:
            progress.start()  # the engine asks when it has loaded
            yield from plan.requests()

        def finished(request: Request, completion: Completion) -> Request | None:
            following = plan.finished(request, completion)
            progress.add(completion.completion_tokens)
            return following

        if plan.requests() and job.rule == RECALL:
            raise UserError(
                f"{label}: {plan.size - plan.reused} units are missing after all, as the model or"
                " the benchmark has changed: run the same command again"
            )
        if plan.requests():
            gpus = claim_gpus(names.model, model["gpus"]) if job.gpus else []
            settings = settings_of(names.model, model, generation, job.threads)
            engine = load_engine(model["engine"])
            facts = engine(
                job.store.tree_directory(job.input.model), settings, requests(), finished
            )
            facts |= progress.facts()
            for gpu in gpus:
                gpu.close()

    write_parquet(plan.rows(), job.output.units, UNITS)
    if set(read_journal(path)) <= set(plan.units.values()):
        job.when_stored.append(journal.remove)  # else it holds units that another run asked for
    return facts | {"cell": cell.digest(), "prompts": plan.prompts(), "reused": plan.reused}


if __name__ == "__main__":
    run_action(globals()["snakemake"], main, rule="generate")

"""What a generation job asks of its machine or cluster, and which shards need no job at all."""

import itertools

from ttspm.demand import niceness, problems_of_shard, run_time, seconds_to_generate
from ttspm.engines.devices import visible_gpus

SHARDS = config["generation"]["shards"]
RESOURCES = config["resources"]
ON_CLUSTER = workflow.nodes is not None  # --jobs rather than --cores

# What a machine has limits how many jobs run there at once; a cluster knows its own GPUs.
GPUS_HERE = 0
if RESOURCES["device"] == "cuda" and workflow.is_main_process and not ON_CLUSTER:
    if "gpu" not in workflow.global_resources:  # --resources gpu=4
        workflow.register_resource("gpu", max(len(visible_gpus()), 1))
    GPUS_HERE = workflow.global_resources["gpu"].value


def gpus_of(wildcards):
    """GPUs of one generation job."""
    model = config["models"][wildcards.model]
    return model["gpus"] if RESOURCES["device"] == "cuda" and model["engine"] != "openai" else 0


def cores_of(wildcards):
    """Cores of one generation job: where GPUs limit the jobs, as many as go with its GPUs."""
    cores = config["generation"]["threads"]
    if GPUS_HERE and gpus_of(wildcards):
        cores = min(cores, max(workflow.cores * gpus_of(wildcards) // GPUS_HERE, 1))
    return cores


def longest(wildcards, problems):
    """Seconds that a generation job takes at most."""
    return seconds_to_generate(
        problems,
        wildcards.strategy,
        max(GRID["budgets"]),
        config["generation"],
        RESOURCES,
    )


def longest_with(wildcards, input):
    """The same, once the benchmark is there to be counted."""
    shard = problems_of_shard(input.problems, int(wildcards.shard), int(wildcards.shards))
    return longest(wildcards, shard)


def shards_that_are_there():
    """Paths, below results/shards/, of those whose units have all been made."""
    from ttspm.recall import Foresight

    foresight = Foresight(Store("results"))
    for model in GRID["models"]:
        foresight.expect(workflow.get_rule("model"), {"model": model})
    for benchmark in GRID["benchmarks"]:
        foresight.expect(workflow.get_rule("benchmark"), {"benchmark": benchmark})
    there = []
    for cell, shard in itertools.product(CELLS, range(1, SHARDS + 1)):
        wildcards = {**cell._asdict(), "shard": str(shard), "shards": str(SHARDS)}
        if foresight.units_there(workflow.get_rule("generate"), wildcards):
            there.append("{model}/{benchmark}/{strategy}/{shard}-of-{shards}".format(**wildcards))
    return there

"""Generation: the only stage that needs an accelerator, and the only expensive one.

In:  results/models/{model}.json, results/benchmarks/{benchmark}.parquet
Out: results/shards/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.parquet
     results/units/{model}/{benchmark}/{strategy}.parquet   the shards, in the benchmark's order
"""

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


rule generate:
    """Generate the units of one shard that no earlier run has finished."""
    input:
        model="results/models/{model}.json",
        problems="results/benchmarks/{benchmark}.parquet",
        after=ancient("results/inputs.json"),
    output:
        units="results/shards/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.parquet",
    log:
        "results/logs/generate/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.log",
    conda:
        f"../envs/generation-{RESOURCES['device']}.yaml"
    threads: cores_of
    # Longest first, as far as that is known before the benchmarks are: chains before samples.
    priority: lambda wildcards: longest(wildcards, problems=1)
    resources:
        gpu=gpus_of,
        mem_mb=lambda wildcards, attempt: RESOURCES["mem_mb"] * attempt,
        runtime=lambda wildcards, input, attempt: run_time(
            longest_with(wildcards, input), attempt, RESOURCES["longest_minutes"]
        ),
        slurm_extra=lambda wildcards, input: f"--nice={niceness(longest_with(wildcards, input))}",
    params:
        model=lambda wildcards: config["models"][wildcards.model],
        prompt=lambda wildcards: config["benchmarks"][wildcards.benchmark]["prompt"],
        generation=config["generation"],
        budget=max(GRID["budgets"]),
        seed=config["seed"],
        code=code("generate.py"),
        lock=lock("generation-cpu", "generation-cuda"),
    script:
        "../scripts/generate.py"


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


# A job's rule decides where it runs. Where units go to a cluster to be made, those that need not be
# are linked, or put together, right here: no job waits for a GPU only to find its work done. Jobs
# parse this file as well, with a rule given to them: for them there is nothing to be decided.
if ON_CLUSTER or not workflow.is_main_process:
    THERE = shards_that_are_there() if workflow.is_main_process else None
    # Of the wildcards it is the first that looks ahead, over the whole of the path.
    AHEAD = "" if THERE is None else rf"(?=(?:{'|'.join(map(re.escape, THERE))})\.parquet$)"

    use rule generate as recall with:
        log:
            "results/logs/recall/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.log",
        wildcard_constraints:
            model=AHEAD + MODEL,
        threads: 1
        resources:
            gpu=0,

    localrules:
        recall,

    ruleorder: recall > generate


rule units:
    """Gather a cell's shards in the benchmark's order: the same table for any number of shards."""
    input:
        problems="results/benchmarks/{benchmark}.parquet",
        shards=expand(
            "results/shards/{{model}}/{{benchmark}}/{{strategy}}/{shard}-of-{shards}.parquet",
            shard=range(1, SHARDS + 1),
            shards=SHARDS,
        ),
    output:
        units="results/units/{model}/{benchmark}/{strategy}.parquet",
    log:
        "results/logs/units/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("gather_units.py"),
        lock=lock("analysis"),
    script:
        "../scripts/gather_units.py"

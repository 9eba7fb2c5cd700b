"""Analysis: from graded units to the tables that everything else is drawn from.

In:  results/records/{model}/{benchmark}/{strategy}.parquet of every cell
Out: results/p_x/{model}/{benchmark}/{strategy}.csv            chance of one unit, per problem
     results/tables/metrics.csv, differences.csv               acc@N, hit@N, cost; paired differences
     results/tables/fit.csv, saturation.csv                    epsilon/F_max; N* against first hit
"""

RECORDS = of_cells("results/records/{model}/{benchmark}/{strategy}.parquet")


rule p_x:
    """Estimate p_sample or p_rethink of every problem, and observe its first hit."""
    input:
        records="results/records/{model}/{benchmark}/{strategy}.parquet",
    output:
        p_x="results/p_x/{model}/{benchmark}/{strategy}.csv",
    log:
        "results/logs/p_x/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        budget=max(GRID["budgets"]),
        code=code("estimate_p_x.py"),
        lock=lock("analysis"),
    script:
        "../scripts/estimate_p_x.py"


rule metrics:
    """Estimate acc@N, hit@N, tokens and shares of every cell, and paired differences between cells."""
    input:
        records=RECORDS,
    output:
        metrics="results/tables/metrics.csv",
        differences="results/tables/differences.csv",
    log:
        "results/logs/metrics.log",
    conda:
        "../envs/analysis.yaml"
    params:
        cells=CELLS,
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
        records=RECORDS,
    output:
        fit="results/tables/fit.csv",
        saturation="results/tables/saturation.csv",
    log:
        "results/logs/fit.log",
    conda:
        "../envs/analysis.yaml"
    params:
        cells=CELLS,
        budget=max(GRID["budgets"]),
        analysis=config["analysis"],
        seed=config["seed"],
        code=code("fit_saturation.py"),
        lock=lock("analysis"),
    script:
        "../scripts/fit_saturation.py"

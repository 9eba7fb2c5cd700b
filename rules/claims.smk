"""The ledger: each checkable number and sentence of the paper beside what was measured.

In:  results/tables/{metrics,fit,saturation,differences}.csv; the paper's and published values
Out: results/tables/claims.csv   a row a claim: agrees, differs, or not run
     results/tables/claims.md    the same to read
"""


rule claims:
    """Decide every claim of the paper that can be checked."""
    input:
        metrics="results/tables/metrics.csv",
        fit="results/tables/fit.csv",
        saturation="results/tables/saturation.csv",
        differences="results/tables/differences.csv",
        paper=resource("paper_table1.csv"),
        published=resource("published_pass1.csv"),
    output:
        claims="results/tables/claims.csv",
        page="results/tables/claims.md",
    log:
        "results/logs/claims.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("claims.py"),
        lock=lock("analysis"),
    script:
        "../scripts/claims.py"

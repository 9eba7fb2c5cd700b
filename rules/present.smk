"""Presentation: the paper's table and figures, from the tables of the analysis alone.

In:  results/tables/metrics.csv, fit.csv, saturation.csv; the paper's own Table 1
Out: results/tables/table1.csv, .md, .tex
     results/figures/figure2_hit, figure3_saturation, figure4_agreement, figure5_accuracy (.pdf, .png)
"""

OF_THE_FIT = ["figure3_saturation", "figure4_agreement"]


rule table1:
    """Set our numbers beside the paper's Table 1, in its layout."""
    input:
        metrics=rules.metrics.output.metrics,
        paper=resource("paper_table1.csv"),
    output:
        csv="results/tables/table1.csv",
        markdown="results/tables/table1.md",
        latex="results/tables/table1.tex",
    log:
        "results/logs/table1.log",
    conda:
        "../envs/analysis.yaml"
    params:
        budgets=GRID["budgets"],
        code=code("write_table1.py"),
        lock=lock("analysis"),
    script:
        "../scripts/write_table1.py"


rule figure:
    """Draw one of the paper's figures, with the intervals it leaves out."""
    input:
        metrics=rules.metrics.output.metrics,
        points=lambda wildcards: (rules.fit.output if wildcards.figure in OF_THE_FIT else []),
        paper=resource("paper_table1.csv"),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            category="Figures",
            caption="../docs/report/figure.rst",
        ),
    log:
        "results/logs/figures/{figure}.log",
    wildcard_constraints:
        figure=r"figure\d_\w+",
    conda:
        "../envs/analysis.yaml"
    params:
        budgets=GRID["budgets"],
        code=code("draw_figure.py"),
        lock=lock("analysis"),
    script:
        "../scripts/draw_figure.py"


FIGURES = ["figure2_hit"]
if ORDERED:
    FIGURES += ["figure3_saturation", "figure4_agreement", "figure5_accuracy"]


rule tables:
    """Every table of the analysis."""
    input:
        of_cells("results/p_x/{model}/{benchmark}/{strategy}.csv", ALL_CELLS),
        rules.metrics.output,
        [rules.fit.output, rules.table1.output, rules.claims.output] if ORDERED else [],
        rules.diagnosis.output if CELLS else [],


rule figures:
    """Every figure."""
    input:
        expand("results/figures/{figure}.{suffix}", figure=FIGURES, suffix=["pdf", "png"]),

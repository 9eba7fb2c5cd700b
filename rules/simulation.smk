"""The simulation study: what the estimators and protocols say where the truth is known.

In:  nothing but the configuration (seed, simulation)
Out: results/simulation/{scenario}.parquet        every estimate of every replication
     results/tables/simulation.csv, .md           bias, spread, coverage, r by protocol
     results/figures/simulation.pdf, .png

`snakemake --cores 8 simulation` makes all of it; no model is run.
"""

from ttspm.simulation.scenarios import SCENARIOS


rule simulate:
    """Draw the benchmarks of one scenario and run every estimator on them."""
    output:
        replications="results/simulation/{scenario}.parquet",
    log:
        "results/logs/simulate/{scenario}.log",
    wildcard_constraints:
        scenario="|".join(SCENARIOS),
    conda:
        "../envs/analysis.yaml"
    params:
        simulation=config["simulation"],
        seed=config["seed"],
        code=code("simulate.py"),
        lock=lock("analysis"),
    script:
        "../scripts/simulate.py"


rule simulation_table:
    """Bias, spread and coverage of every estimator, and the distribution of r by protocol."""
    input:
        replications=expand("results/simulation/{scenario}.parquet", scenario=SCENARIOS),
    output:
        table="results/tables/simulation.csv",
        markdown="results/tables/simulation.md",
    log:
        "results/logs/simulation_table.log",
    conda:
        "../envs/analysis.yaml"
    params:
        scenarios=list(SCENARIOS),
        code=code("summarise_simulation.py"),
        lock=lock("analysis"),
    script:
        "../scripts/summarise_simulation.py"


rule simulation_figure:
    """Coverage by estimator and size of benchmark; r by protocol and scenario."""
    input:
        table="results/tables/simulation.csv",
    output:
        pdf="results/figures/simulation.pdf",
        png="results/figures/simulation.png",
    log:
        "results/logs/simulation_figure.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("draw_simulation.py"),
        lock=lock("analysis"),
    script:
        "../scripts/draw_simulation.py"


rule simulation:
    """The whole study."""
    input:
        rules.simulation_table.output,
        rules.simulation_figure.output,

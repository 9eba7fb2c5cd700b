"""Scaling over Scaling: from a benchmark to the paper's table and figures.

    benchmark -> units -> grades -> records -> p_x -> split+fit -> saturation -> tables, figures

`snakemake --cores 8 all` makes everything that the configuration's grid asks for.
"""

import time

STARTED = time.time()


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/demand.smk"
include: "rules/generate.smk"
include: "rules/grade.smk"
include: "rules/records.smk"
include: "rules/analyse.smk"
include: "rules/claims.smk"
include: "rules/diagnosis.smk"
include: "rules/present.smk"
include: "rules/simulation.smk"


onerror:
    # Last of all, so that it is not lost in what Snakemake says of a failed job.
    print(*errors_in_logs(Path("results/logs"), STARTED), sep="\n", file=sys.stderr)


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,

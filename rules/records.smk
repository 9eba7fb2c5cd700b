"""Records from elsewhere: graded samples of other tools, as cells beside those of the grid.

In:  the files that the configuration names under `records`
Out: results/imported/{model}/{benchmark}/{strategy}.parquet

Which cells there are is read from the files when the configuration is read.
"""


rule import_records:
    """Bring one group of samples recorded elsewhere into the records table."""
    input:
        files=lambda wildcards: files_of(
            imported(wildcards).entry, config["records"][imported(wildcards).entry]
        ),
    output:
        records="results/imported/{model}/{benchmark}/{strategy}.parquet",
    log:
        "results/logs/import_records/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    threads: 2
    params:
        name=lambda wildcards: imported(wildcards).entry,
        entry=entry_of,
        group=lambda wildcards: list(imported(wildcards).group),
        timeout_seconds=config["grading"]["timeout_seconds"],
        code=code("import_records.py"),
        lock=lock("analysis"),
    script:
        "../scripts/import_records.py"

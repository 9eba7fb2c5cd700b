"""Records from elsewhere: graded samples of other tools, as cells beside those of the grid.

In:  the files that the configuration names under `records`
Out: results/imported/{model}/{benchmark}/{strategy}.parquet

Which cells there are is read from the files when the configuration is read.
"""

from ttspm.records.entries import files_of, records_cells

try:
    IMPORTED = {
        (cell.model, cell.benchmark, cell.strategy): cell
        for cell in records_cells(config, Path(".snakemake/ttspm-records.json"))
    }
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)


def imported(wildcards):
    """The cell that an imported file is of; an error where the configuration has no such cell."""
    return IMPORTED[wildcards.model, wildcards.benchmark, wildcards.strategy]


def entry_of(wildcards):
    """What is made of the files, without their paths: the same files elsewhere give the same."""
    entry = config["records"][imported(wildcards).entry]
    return {key: value for key, value in entry.items() if key != "path"}


def records_of(cell):
    """Path of a cell's records, whether they were graded here or imported."""
    names = (cell.model, cell.benchmark, cell.strategy)
    folder = "imported" if names in IMPORTED else "records"
    return f"results/{folder}/{'/'.join(names)}.parquet"


rule import_records:
    """Bring one group of samples recorded elsewhere into the records table."""
    input:
        files=lambda wildcards: files_of(
            imported(wildcards).entry, config["records"][imported(wildcards).entry]
        ),
    output:
        records="results/imported/{model}/{benchmark}/{strategy}.parquet",
    params:
        name=lambda wildcards: imported(wildcards).entry,
        entry=entry_of,
        group=lambda wildcards: list(imported(wildcards).group),
        timeout_seconds=config["grading"]["timeout_seconds"],
        code=code("import_records.py"),
        lock=lock("analysis"),
    threads: 2
    log:
        "results/logs/import_records/{model}/{benchmark}/{strategy}.log",
    conda:
        "../envs/analysis.yaml"
    script:
        "../scripts/import_records.py"

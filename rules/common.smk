"""Configuration and what the rules share: checks before anything runs, names, digests of code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from ttspm.cell import Cell
from ttspm.code import code_digest
from ttspm.config import cells, check_config, load_schema
from ttspm.errors import UserError
from ttspm.logs import errors_in_logs
from ttspm.models import files_of_source
from ttspm.preflight import check_before_running
from ttspm.recovery import forget_unremembered_names, release_stale_lock
from ttspm.store import Store, file_digest

BASE = Path(workflow.basedir)

try:
    config = check_config(
        config, load_schema(BASE / "schemas/config.schema.yaml"), workflow.configfiles
    )
    check_before_running(config, Store("results"))
    IMPORTED = {}
    if config["records"]:  # reading them takes libraries that take a second to load
        from ttspm.records.entries import files_of, records_cells

        IMPORTED = {
            (cell.model, cell.benchmark, cell.strategy): cell
            for cell in records_cells(config, Path(".snakemake/ttspm-records.json"))
        }
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)

# Jobs parse this file as well; only the command that a person gave may tidy up.
if workflow.is_main_process:
    lock_of_this_run = release_stale_lock(Path(".snakemake"))
    forget_unremembered_names(Store("results"), Path(".snakemake"))

GRID = config["grid"]
CELLS = cells(config)
MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]*"


wildcard_constraints:
    model=MODEL,
    benchmark=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    strategy="parallel|sequential",


# Where a cluster does the work, these are done where snakemake runs: seconds each, and models and
# benchmarks come from the network, which the nodes of a cluster often do not reach.
localrules:
    model,
    benchmark,
    inputs,
    units,
    import_records,
    p_x,
    metrics,
    fit,
    claims,
    diagnose,
    diagnosis,
    table1,
    figure,
    simulation_table,
    simulation_figure,


def code(script):
    """Digest of a script and the modules it imports: a change of either reruns the rule."""
    return code_digest(BASE / "scripts" / script)


def lock(*names):
    """Digests of the pinned environments a rule runs in."""
    return [file_digest(BASE / "envs" / f"{name}.txt") for name in names]


def resource(name):
    """A file of the package that a rule reads."""
    return str(BASE / "resources" / name)


def of_cells(pattern, of):
    """One file for each cell, in their order."""
    return [
        pattern.format(model=cell.model, benchmark=cell.benchmark, strategy=cell.strategy)
        for cell in of
    ]


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

"""The rule that imports records, run by Snakemake."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from ttspm.tables import RECORDS

REPOSITORY = Path(__file__).parents[1]

SNAKEFILE = """
configfile: "config.yaml"

include: "rules/common.smk"
include: "rules/records.smk"

rule all:
    input:
        [records_of(cell) for cell in [*CELLS, *IMPORTED.values()]],
"""


@pytest.fixture
def checkout(tmp_path):
    """The package in a folder of its own, with a Snakefile that only imports."""
    for name in ("config.yaml", "envs", "rules", "schemas", "scripts", "tests"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def snakemake(folder, config, *options):
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "run.yaml"]
    return subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)


def test_records_are_imported_once_and_again_after_a_change(checkout):
    config = yaml.safe_load((REPOSITORY / "configs" / "records.yaml").read_text())
    first = snakemake(checkout, config)
    assert first.returncode == 0, first.stderr
    made = sorted(
        path.relative_to(checkout).as_posix()
        for path in checkout.glob("results/imported/**/*.parquet")
    )
    assert made == [
        "results/imported/org-base/arithmetic/parallel.parquet",
        "results/imported/org-large/arithmetic/parallel.parquet",
        "results/imported/org-other/sums/parallel.parquet",
        "results/imported/org-small-t-0.6/arithmetic/parallel.parquet",
    ]
    assert pq.read_schema(checkout / made[0]).equals(RECORDS)
    assert (checkout / made[0]).is_symlink()

    # The same file in another folder: looked up, not worked out anew; the others are left alone.
    (checkout / "moved").mkdir()
    shutil.copy(checkout / config["records"]["counts"]["path"], checkout / "moved")
    config["records"]["counts"]["path"] = "moved/counts.csv"
    records = list(checkout.glob("results/actions/import_records/*.json"))
    again = snakemake(checkout, config)
    assert again.returncode == 0, again.stderr
    assert "import_records: made before, linked" in again.stderr
    assert again.stderr.count("rule import_records:") == 1
    assert list(checkout.glob("results/actions/import_records/*.json")) == records

    # Wrong rows of one group stop that group alone, in one line.
    rows = [
        {"model": model, "benchmark": "b", "problem_id": "p", "unit": unit, "correct": True}
        for model in ("good", "bad")
        for unit in (1, 1 if model == "bad" else 2)
    ]
    (checkout / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config["records"] = {"mixed": {"path": "runs.jsonl"}}
    failed = snakemake(checkout, config, "--keep-going")
    assert failed.returncode != 0
    assert "error: runs.jsonl, line 4: problem 'p' has unit 1 twice" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (checkout / "results/imported/good/b/parallel.parquet").exists()
    assert not (checkout / "results/imported/bad/b/parallel.parquet").exists()


def test_files_that_cannot_be_read_stop_the_run_before_it_starts(checkout):
    config = yaml.safe_load((REPOSITORY / "configs" / "records.yaml").read_text())
    (checkout / "runs.csv").write_text("problem_id,unit,correct\np,1,maybe\n")
    config["records"] = {"mine": {"path": "runs.csv"}}
    run = snakemake(checkout, config)
    assert run.returncode == 1
    lines = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert lines == [
        "error: records.mine: runs.csv, line 2: 'correct' is 'maybe'; it must be true or false (or"
        " 1 or 0)"
    ]
    assert "Traceback" not in run.stderr

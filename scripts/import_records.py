"""Bring one group of samples recorded elsewhere into the records table."""

import logging

from ttspm.action import Job, run_action
from ttspm.errors import UserError
from ttspm.records.build import build_records
from ttspm.records.entries import read_entry
from ttspm.records.groups import GroupName
from ttspm.tables import RECORDS, write_parquet

log = logging.getLogger("ttspm")


def main(job: Job) -> dict[str, object]:
    """Write the group's records."""
    name, entry, group = job.params.name, job.params.entry, GroupName(*job.params.group)
    groups = read_entry(name, entry, job.input.files)
    if group not in groups:
        raise UserError(f"records.{name}: the files changed meanwhile; run the same command again")
    records, warnings = build_records(
        groups[group],
        group.strategy,
        equality=entry["equality"],
        timeout_seconds=job.params.timeout_seconds,
        workers=job.threads,
    )
    for warning in warnings:
        log.warning("records.%s: %s", name, warning)
    write_parquet(records, job.output.records, RECORDS)
    return {"units": records.num_rows, "warnings": warnings}


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

"""Estimate the chance that one unit solves the problem, for every problem of a cell."""

from ttspm.action import Job, run_action
from ttspm.saturation import estimate_p_x
from ttspm.tables import RECORDS, read_parquet, recorded_units, write_csv


def main(job: Job) -> None:
    """Write p_x by every estimator of the strategy."""
    records = read_parquet(job.input.records, RECORDS)
    units = min(job.params.budget, recorded_units(records))
    p_x = estimate_p_x(records, job.wildcards.strategy, units)
    if job.params.counts_only:
        p_x["first_hit"] = None  # counts have no order
    write_csv(p_x, job.output.p_x)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

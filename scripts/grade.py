"""Grade the units of one cell."""

from ttspm.action import Job, run_action
from ttspm.grading import grade
from ttspm.tables import BENCHMARK, RECORDS, UNITS, read_parquet, write_parquet


def main(job: Job) -> dict[str, object]:
    """Write the cell's records; what was counted on the way goes beside them."""
    records, counts = grade(
        read_parquet(job.input.units, UNITS),
        read_parquet(job.input.problems, BENCHMARK),
        thinking=job.params.thinking,
        equality=job.params.grading["equality"],
        extraction=job.params.grading["extraction"],
        timeout_seconds=job.params.grading["timeout_seconds"],
        workers=job.threads,
    )
    write_parquet(records, job.output.records, RECORDS)
    return counts


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

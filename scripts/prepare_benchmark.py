"""Bring one benchmark into the common table."""

from ttspm.action import Job, run_action
from ttspm.benchmarks.prepare import prepare_benchmark
from ttspm.benchmarks.sources import source_rows
from ttspm.tables import BENCHMARK, write_parquet


def main(job: Job) -> dict[str, object]:
    """Write the benchmark table."""
    description, name = job.params.description, job.wildcards.benchmark
    rows = source_rows(description["source"], job.input.files[0] if job.input.files else None)
    problems = prepare_benchmark(rows, name, description, job.params.seed)
    write_parquet(problems, job.output.problems, BENCHMARK)
    return {"problems": len(problems)}


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

"""Grade the units of one cell in every way, to show what the grader decides."""

from ttspm.action import Job, run_action
from ttspm.diagnosis import GRADERS, cell_diagnosis, unboxed_share
from ttspm.grader import Grader
from ttspm.grading import grade
from ttspm.seeds import generator
from ttspm.tables import BENCHMARK, RECORDS, UNITS, read_parquet, write_csv


def main(job: Job) -> None:
    """Write one row for each grader; the configured one has graded before, and is not run again."""
    names, grading, analysis = job.wildcards, job.params.grading, job.params.analysis
    units, problems = (
        read_parquet(job.input.units, UNITS),
        read_parquet(job.input.problems, BENCHMARK),
    )
    before = Grader(grading["equality"], grading["extraction"])
    records = {}
    for grader in GRADERS:
        if grader == before:
            records[grader] = read_parquet(job.input.records, RECORDS)
        else:
            records[grader], _ = grade(
                units,
                problems,
                thinking=job.params.thinking,
                **grader._asdict(),
                timeout_seconds=grading["timeout_seconds"],
                workers=job.threads,
            )
    unboxed = {
        extraction: unboxed_share(
            units, problems, thinking=job.params.thinking, extraction=extraction
        )
        for extraction in dict.fromkeys(grader.extraction for grader in GRADERS)
    }
    table = cell_diagnosis(
        records,
        unboxed,
        names.strategy,
        job.params.budget,
        generator(job.params.seed, "diagnosis", names.model, names.benchmark, names.strategy),
        analysis["resamples"],
        analysis["confidence"],
    )
    write_csv(table, job.output.diagnosis)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

"""Estimate every metric of every cell, and the differences between cells."""

from ttspm.action import Job, log, run_action
from ttspm.cell import Cell
from ttspm.differences import differences_table
from ttspm.metrics import cell_values, metrics_table
from ttspm.seeds import generator
from ttspm.tables import RECORDS, read_parquet, write_csv


def main(job: Job) -> None:
    """Write metrics.csv and differences.csv."""
    analysis, values = job.params.analysis, {}
    counted = [Cell(*cell) for cell in job.params.counts_only]
    for cell, path in zip(job.params.cells, job.input.records, strict=True):
        cell = Cell(*cell)
        values[cell] = cell_values(
            read_parquet(path, RECORDS), cell.strategy, job.params.budgets, cell in counted
        )
        for warning in values[cell].warnings:
            log.warning("%s: %s", "/".join(cell), warning)
    settings = {"resamples": analysis["resamples"], "confidence": analysis["confidence"]}
    metrics = metrics_table(values, generator(job.params.seed, "metrics"), **settings)
    write_csv(metrics, job.output.metrics)
    differences = differences_table(values, generator(job.params.seed, "differences"), **settings)
    write_csv(differences, job.output.differences)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

"""Fit epsilon/F_max on validation problems and predict N* on test problems, cell by cell."""

import pandas as pd

from ttspm.action import Job, log, run_action
from ttspm.cell import Cell
from ttspm.fit import split_problems
from ttspm.protocols import fit_table, saturation_table
from ttspm.seeds import generator
from ttspm.tables import RECORDS, read_parquet, recorded_units, write_csv


def main(job: Job) -> None:
    """Write fit.csv and saturation.csv."""
    fits, points = [], []
    for cell, path in zip(job.params.cells, job.input.records, strict=True):
        cell = Cell(*cell)
        records = read_parquet(path, RECORDS)
        units = min(job.params.budget, recorded_units(records))
        # Cells of one benchmark share the split, so that their test sets are the same problems.
        split = split_problems(
            sorted(set(records["problem_id"])),
            generator(job.params.seed, "split", cell.benchmark),
            job.params.analysis["validation_share"],
        )
        fit = fit_table(
            records,
            cell.strategy,
            units,
            split,
            generator(job.params.seed, "fit", *cell),
            model=cell.model,
            benchmark=cell.benchmark,
        )
        for note in fit.notes:
            log.info("%s: %s", "/".join(cell), note)
        fits.append(fit.rows)
        points.append(
            saturation_table(
                records, cell.strategy, units, split, model=cell.model, benchmark=cell.benchmark
            )
        )
    write_csv(pd.concat(fits, ignore_index=True), job.output.fit)
    write_csv(pd.concat(points, ignore_index=True), job.output.saturation)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

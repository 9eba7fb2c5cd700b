"""Draw the simulation study: coverage of the intervals, and r of every protocol."""

import pandas as pd

from ttspm.action import Job, run_action
from ttspm.figures import simulation
from ttspm.figures.style import save


def main(job: Job) -> None:
    """Write the figure."""
    table = pd.read_csv(job.input.table, keep_default_na=False, na_values=[""])
    save(simulation.draw(table), job.output.pdf, job.output.png)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

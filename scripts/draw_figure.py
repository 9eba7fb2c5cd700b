"""Draw one of the paper's figures from the tables."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ttspm.action import Job, run_action
from ttspm.figures import accuracy, agreement, histogram, hit
from ttspm.figures.style import save


def saturation(job: Job) -> Path:
    """The table of saturation points, which stands after that of the fits."""
    return job.input.points[1]


FIGURES: dict[str, Callable[[Job], Figure]] = {
    "figure2_hit": lambda job: hit.draw(
        pd.read_csv(job.input.metrics), pd.read_csv(job.input.paper), job.params.budgets
    ),
    "figure3_saturation": lambda job: histogram.draw(pd.read_csv(saturation(job))),
    "figure4_agreement": lambda job: agreement.draw(
        pd.read_csv(saturation(job)), pd.read_csv(job.input.points[0])
    ),
    "figure5_accuracy": lambda job: accuracy.draw(
        pd.read_csv(job.input.metrics), pd.read_csv(job.input.paper), job.params.budgets
    ),
}


def main(job: Job) -> None:
    """Write the figure as PDF and PNG."""
    save(FIGURES[job.wildcards.figure](job), job.output.pdf, job.output.png)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

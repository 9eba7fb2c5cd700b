"""Write the paper's Table 1 with our numbers, as CSV, Markdown and LaTeX."""

import pandas as pd

from ttspm.action import Job, run_action
from ttspm.table1 import shares_note, table1, to_latex, to_markdown
from ttspm.tables import write_csv


def main(job: Job) -> None:
    """Write the table in its three forms."""
    metrics, paper = pd.read_csv(job.input.metrics), pd.read_csv(job.input.paper)
    table = table1(metrics, paper, job.params.budgets)
    write_csv(table, job.output.csv)
    shares = shares_note(metrics, job.params.budgets)
    job.output.markdown.write_text(to_markdown(table, shares))
    job.output.latex.write_text(to_latex(table, shares))


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

"""Set every checkable number and sentence of the paper beside what the run measured."""

import pandas as pd

from ttspm.action import Job, run_action
from ttspm.claims.ledger import ledger
from ttspm.claims.page import to_markdown
from ttspm.tables import write_csv


def main(job: Job) -> None:
    """Write the ledger as a table and as a page."""
    table = ledger(
        metrics=pd.read_csv(job.input.metrics),
        fit=pd.read_csv(job.input.fit),
        saturation=pd.read_csv(job.input.saturation),
        differences=pd.read_csv(job.input.differences),
        paper=pd.read_csv(job.input.paper),
        published=pd.read_csv(job.input.published),
    )
    write_csv(table, job.output.claims)
    job.output.page.write_text(f"# The paper's claims\n\n{to_markdown(table)}")


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

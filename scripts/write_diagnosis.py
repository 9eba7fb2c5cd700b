"""Put the diagnoses of all cells together, beside the paper's and published values."""

import pandas as pd

from ttspm.action import Job, run_action
from ttspm.cell import Cell
from ttspm.diagnosis_table import diagnosis_table, to_markdown
from ttspm.errors import UserError
from ttspm.tables import write_csv


def main(job: Job) -> None:
    """Write the table as CSV and as Markdown."""
    if not job.params.cells:
        raise UserError("diagnosis: the grid is empty; only units generated here have their texts")
    cells = [Cell(*cell) for cell in job.params.cells]
    tables = [pd.read_csv(path) for path in job.input.cells]
    table = diagnosis_table(
        dict(zip(cells, tables, strict=True)),
        pd.read_csv(job.input.paper),
        pd.read_csv(job.input.published),
    )
    write_csv(table, job.output.csv)
    job.output.markdown.write_text(to_markdown(table))


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

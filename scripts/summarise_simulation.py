"""Summarise the simulation study: bias, spread, coverage, and how r is distributed."""

from ttspm.action import Job, run_action
from ttspm.simulation.report import to_markdown
from ttspm.simulation.scenarios import SCENARIOS
from ttspm.simulation.study import REPLICATIONS
from ttspm.simulation.summary import summarise
from ttspm.tables import read_parquet, write_csv


def main(job: Job) -> None:
    """Write the table, and the parts of it that the docs show."""
    found = {
        name: (SCENARIOS[name], read_parquet(path, REPLICATIONS))
        for name, path in zip(job.params.scenarios, job.input.replications, strict=True)
    }
    table = summarise(found)
    write_csv(table, job.output.table)
    job.output.markdown.write_text(to_markdown(table))


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

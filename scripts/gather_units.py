"""Gather the shards of a cell into one table, in the benchmark's order."""

import pyarrow as pa
import pyarrow.parquet as pq

from ttspm.action import Job, run_action
from ttspm.tables import UNITS, write_parquet


def main(job: Job) -> None:
    """Write all units of the cell."""
    order = pq.read_table(job.input.problems, columns=["problem_id"])["problem_id"].to_pylist()
    place = {problem_id: index for index, problem_id in enumerate(order)}
    rows = pa.concat_tables([pq.read_table(path) for path in job.input.shards]).to_pylist()
    rows.sort(key=lambda row: (place[row["problem_id"]], row["unit"]))
    write_parquet(rows, job.output.units, UNITS)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

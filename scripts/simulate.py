"""Draw the benchmarks of one scenario of known truth and run every estimator on them."""

import pyarrow as pa

from ttspm.action import Job, run_action
from ttspm.simulation.scenarios import SCENARIOS
from ttspm.simulation.study import REPLICATIONS, run_scenario
from ttspm.tables import write_parquet


def main(job: Job) -> None:
    """Write what every estimator said in every replication."""
    name, settings = job.wildcards.scenario, job.params.simulation
    replications = run_scenario(
        name,
        SCENARIOS[name],
        settings["replications"],
        settings["resamples"],
        job.params.seed,
    )
    table = pa.Table.from_pandas(replications, schema=REPLICATIONS, preserve_index=False)
    write_parquet(table, job.output.replications, REPLICATIONS)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)

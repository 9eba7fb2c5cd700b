"""What a generation job asks of its machine, before it is known how long texts will be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

# Loading a large model from a shared disk takes minutes.
START_SECONDS = 900


def problems_of_shard(benchmark: str | Path, shard: int, shards: int) -> int:
    """Problems of one shard, from the benchmark table's footer alone.

    Raises
    ------
    FileNotFoundError
        If the table is not there; Snakemake then asks again when it is.
    """
    import pyarrow.parquet as pq  # not with the rules, which every job reads

    with open(benchmark, "rb") as table:
        return len(range(shard - 1, pq.read_metadata(table).num_rows, shards))


def seconds_to_generate(
    problems: int, strategy: str, budget: int, generation: dict[str, Any], resources: dict[str, Any]
) -> float:
    """Seconds that one job needs if every unit is as long as it may be.

    Parameters
    ----------
    problems : int
        Of the shard.
    strategy : str
        ``parallel`` or ``sequential``.
    budget : int
        Units of each problem.
    generation, resources : dict
        The configuration's sections of these names.

    Notes
    -----
    Bound by what the engine does in all, or by its longest succession of units: a chain's rounds
    come one after another, independent units as many at a time as the batch holds.
    """
    units = problems * budget
    tokens = generation["max_tokens"]
    in_succession = budget if strategy == "sequential" else 1
    in_succession = max(in_succession, math.ceil(units / generation["batch"]))
    return max(
        units * tokens / resources["tokens_per_second"],
        in_succession * tokens / resources["tokens_per_second_of_one"],
    )


def run_time(seconds: float, attempt: int, longest: int) -> int:
    """Minutes to ask for: more with each attempt, never more than the cluster grants.

    A job that is stopped at its end keeps its journal, so that the next attempt has less to do.
    """
    return min(math.ceil((START_SECONDS + seconds) / 60) * attempt, longest)


def niceness(seconds: float) -> int:
    """How far a job steps back behind longer ones of the same run: SLURM's ``--nice``, 0 to 100.

    A quarter more time is one step. The longest jobs start first, so that none of them is left over
    when all else is done. The numbers are small, as they also count against other users' jobs.
    """
    return max(0, 100 - round(4 * math.log2(max(seconds, 1))))

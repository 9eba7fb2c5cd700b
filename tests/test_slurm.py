"""`snakemake --profile slurm` as typed, on a real cluster that loses a job and a node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from checkout import ROOT, Checkout, kill_group, wait_for
from slurm_cluster import Cluster, why_not

from ttspm.seeds import unit_seed

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.model,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(why_not() is not None, reason=why_not() or ""),
]

BUDGET = 12

# Chains of some rounds, so that there is something to interrupt.
GRID = {
    "grid": {"budgets": [1, BUDGET]},
    "generation": {"max_tokens": 24},
    "benchmarks": {"arithmetic": {"source": {"type": "arithmetic", "problems_per_level": 1}}},
    "analysis": {"resamples": 200},
}
# The nodes' GPUs are none, but SLURM deals them out: a job must ask for one and be shown one.
ON_CLUSTER = {**GRID, "resources": {"device": "cuda"}}


def sharded(shards: int) -> dict[str, object]:
    return {**ON_CLUSTER, "generation": {"max_tokens": 24, "threads": 1, "shards": shards}}


CONFIGURED = ["--configfile", "small.yaml"]
# As typed, but for how often the cluster is asked: a test has no time for every 20 seconds.
TYPED = ["--profile", "slurm", *CONFIGURED, "--slurm-init-seconds-before-status-checks", "2"]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as cluster:
        for name, value in cluster.environment().items():
            monkeypatch.setenv(name, value)
        yield cluster


def generation_jobs(cluster: Cluster) -> list[dict[str, str]]:
    return [job for job in cluster.jobs() if job["Comment"].startswith("rule_generate")]


def units_made(checkout: Checkout, strategy: str, shard: str) -> int:
    """Units of a shard in its journal; whose a journal is, a unit's seed tells."""
    seed = yaml.safe_load((ROOT / "config.yaml").read_text())["seed"]
    for path in checkout.results.glob(f"journal/*/{shard}-of-2.jsonl"):
        lines = path.read_text().splitlines()
        if lines:
            unit = json.loads(lines[0])
            of = (strategy, unit["problem_id"], unit["unit"])
            if unit["seed"] == unit_seed(seed, "smollm2-135m", "arithmetic", *of):
                return len(lines)
    return 0


def in_the_middle(cluster: Cluster, checkout: Checkout) -> dict[str, str] | None:
    """A running job that has finished some rounds of its chains, and not all."""
    for job in generation_jobs(cluster):
        strategy, shard, _ = job["Comment"].rsplit("_", 3)[1:]
        if job["State"] == "RUNNING" and strategy == "sequential":
            made = units_made(checkout, strategy, shard)
            if 2 <= made <= 4 * BUDGET - 4:
                return job
    return None


def state_of(cluster: Cluster, number: str) -> str:
    return next(job["State"] for job in cluster.jobs() if job["JobID"] == number)


def artifacts(checkout: Checkout) -> dict[str, str]:
    """Names and digests, but for the shards: how many there are is the only difference."""
    names = checkout.names().items()
    return {name: digest for name, digest in names if not name.startswith("shards/")}


def test_a_cluster_that_loses_a_job_and_a_node_ends_as_a_local_run(
    tmp_path: Path, cluster: Cluster
) -> None:
    local = Checkout(tmp_path / "local")
    local.configure(GRID)
    local.run("--cores", "8", *CONFIGURED)

    checkout = Checkout(tmp_path / "clone")
    checkout.configure(sharded(2))
    log = tmp_path / "log"
    process = checkout.start(*TYPED, log=log)
    try:
        found: list[dict[str, str]] = []

        def another() -> bool:
            assert process.poll() is None, log.read_text()[-8000:]
            job = in_the_middle(cluster, checkout)
            found[:] = [job] if job else []
            return bool(job)

        wait_for(another, 300, "a job in the middle of its chains")
        cancelled = found[0]["JobID"]
        cluster.ask("scancel", cancelled)
        wait_for(lambda: state_of(cluster, cancelled) == "CANCELLED", 60, "the end of the job")

        wait_for(another, 300, "another job in the middle of its chains")
        lost, node = found[0]["JobID"], found[0]["NodeList"]
        cluster.lose(node)
        wait_for(lambda: state_of(cluster, lost) == "NODE_FAIL", 120, "the loss of the node")
        cluster.bring_back(node)
        assert process.wait(timeout=600) == 0, log.read_text()[-8000:]
    finally:
        if process.poll() is None:
            kill_group(process)

    jobs = generation_jobs(cluster)
    assert sorted(job["State"] for job in jobs) == ["CANCELLED", *["COMPLETED"] * 4, "NODE_FAIL"]
    assert {job["tres-per-job"] for job in jobs} == {"gres:gpu:1"}
    attempts: dict[str, list[str]] = {}
    for job in jobs:
        attempts.setdefault(job["Comment"], []).append(job["MinMemory"])
    for memory in attempts.values():
        asked = [f"{8000 * attempt}M" for attempt in range(1, len(memory) + 1)]
        assert memory == asked, "more with each attempt"
    others = {job["Comment"].split("_wild")[0] for job in cluster.jobs()} - {"rule_generate"}
    assert others == {"rule_grade"}, "all else runs where snakemake does"
    logs = [path.read_text() for path in (checkout.results / "logs/generate").rglob("*.log")]
    tried_again = sum(len(memory) > 1 for memory in attempts.values())
    assert sum(": 0 of " not in log for log in logs) == tried_again, "they went on from the journal"
    assert artifacts(checkout) == artifacts(local)
    assert "Nothing to be done" in checkout.run(*TYPED)

    # With the names lost no GPU is asked for, neither by the same jobs nor by others that would
    # find every unit made.
    for path in checkout.results.iterdir():
        if path.name not in ("objects", "actions"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    rules = checkout.scheduled(*TYPED)
    assert "recall" in rules
    assert "generate" not in rules
    checkout.configure(sharded(3))
    checkout.run(*TYPED)
    assert generation_jobs(cluster) == jobs
    assert artifacts(checkout) == artifacts(local)

"""What a generation job asks for: problems of a shard, run time, order of the jobs, GPUs."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.demand import niceness, problems_of_shard, run_time, seconds_to_generate
from ttspm.engines.devices import claim_gpus, visible_gpus
from ttspm.errors import UserError
from ttspm.generation import of_shard
from ttspm.tables import BENCHMARK, write_parquet

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
FAST = {"tokens_per_second": 1000, "tokens_per_second_of_one": 10}


@pytest.mark.parametrize("rows", [1, 5, 9])
def test_shards_are_counted_as_they_are_divided(tmp_path, rows):
    table = [
        {"problem_id": str(n), "question": "q", "gold": "1", "kind": "math", "choices": None}
        for n in range(rows)
    ]
    write_parquet(table, tmp_path / "problems", BENCHMARK)
    for shards in (1, 2, 4):
        for shard in range(1, shards + 1):
            counted = problems_of_shard(tmp_path / "problems", shard, shards)
            assert counted == len(of_shard(table, shard, shards))


def test_a_benchmark_that_is_not_there_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):  # by which Snakemake knows to ask again
        problems_of_shard(tmp_path / "none", 1, 1)


@pytest.mark.parametrize(
    ("strategy", "batch", "expected"),
    [
        ("parallel", 100, 10 * 4 * 50 / 1000),  # all that is to be made, 2 s; one unit alone, 5 s
        ("sequential", 100, 4 * 50 / 10),
        ("parallel", 10, 4 * 50 / 10),
        ("sequential", 5, 8 * 50 / 10),
    ],
)
def test_time_is_that_of_all_tokens_or_of_the_longest_succession(strategy, batch, expected):
    generation = {"max_tokens": 50, "batch": batch}
    seconds = seconds_to_generate(10, strategy, 4, generation, FAST)
    assert seconds == max(expected, 5)


def test_the_run_time_grows_with_each_attempt_and_ends_at_the_longest():
    assert [run_time(3600, attempt, 200) for attempt in (1, 2, 3)] == [75, 150, 200]


@given(st.floats(1, 1e9), st.floats(1, 1e9))
@settings(derandomize=True)
def test_a_longer_job_is_never_put_behind_a_shorter_one(one, other):
    short, long = sorted((one, other))
    assert 0 <= niceness(long) <= niceness(short) <= 100


def test_what_goes_to_a_cluster_is_chosen_rule_by_rule():
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    local = set(re.findall(r"\w+", " ".join(re.findall(r"localrules:\n((?:\s+\w+,\n)+)", text))))
    bodies = re.findall(r"^rule (\w+):\n((?:[ \t].*\n|\n)+)", text, re.MULTILINE)
    working = {name: body for name, body in bodies if "script:" in body}
    assert local - {"recall"} <= set(working)
    assert set(working) - local == {"generate", "grade", "simulate"}


def nvidia_smi(folder: Path, count: int) -> str:
    """A PATH with an nvidia-smi that lists so many GPUs."""
    program = folder / "nvidia-smi"
    lines = "\n".join(f"echo 'GPU {n}: NVIDIA (UUID: GPU-{n})'" for n in range(count))
    program.write_text(f"#!/bin/sh\n{lines}\n")
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine with two GPUs, whose locks are the test's own."""
    monkeypatch.setenv("PATH", nvidia_smi(tmp_path, 2))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that it is put back, whoever sets it
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_gpus_are_those_that_the_job_is_shown(two_gpus, monkeypatch):
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert visible_gpus() == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_jobs_on_one_machine_take_different_gpus(two_gpus, monkeypatch):
    first = claim_gpus("m", 1)
    assert visible_gpus() == ["0"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    second = claim_gpus("m", 1)
    assert visible_gpus() == ["1"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(UserError, match=r"other jobs have 2 of this machine's 2 GPUs"):
        claim_gpus("m", 1)
    for lock in itertools.chain(first, second):
        lock.close()
    assert len(claim_gpus("m", 2)) == 2
    assert visible_gpus() == ["0", "1"]


def test_a_gpu_is_free_again_when_its_job_is_killed(two_gpus, tmp_path):
    taker = (
        "import os, signal, tempfile; tempfile.tempdir = os.environ['LOCKS']\n"
        "from ttspm.engines.devices import claim_gpus\n"
        "held = claim_gpus('m', 2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "LOCKS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", taker], env=environment, check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.glob("ttspm-gpu-*"))) == 2, "it had them"
    assert len(claim_gpus("m", 2)) == 2


def test_too_few_gpus_are_said_in_one_line(two_gpus):
    with pytest.raises(UserError, match=r"^models\.m\.gpus: 4, but the job sees 2: .*$"):
        claim_gpus("m", 4)


def test_jobs_of_a_cluster_may_all_call_their_gpu_0(two_gpus, monkeypatch):
    held = []
    for job in ("7", "8"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        held += claim_gpus("m", 1)
        assert visible_gpus() == ["0"]
    assert len(held) == 2

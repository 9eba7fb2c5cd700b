"""The whole way on the real model, few problems: what a person types, and what must hold after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT, SMALL, Checkout, kill_group, wait_for

pytestmark = [pytest.mark.model, pytest.mark.timeout(1800)]

TABLES = ["metrics", "differences", "fit", "saturation", "table1"]
FIGURES = ["figure2_hit", "figure3_saturation", "figure4_agreement", "figure5_accuracy"]
ALL = ["--cores", "8", "all", "--configfile", "small.yaml"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the small run has gone through."""
    checkout = Checkout(tmp_path_factory.mktemp("first") / "clone")
    checkout.configure(SMALL)
    output = checkout.run(*ALL)
    assert "36/36 units (100 %)" in output, "progress is shown while generating"
    return checkout


@pytest.fixture
def kept(finished: Checkout) -> Iterator[Checkout]:
    """The finished checkout, with whatever a test edits in it put back."""
    names = finished.names()
    before = {path: path.read_bytes() for path in (finished.folder / "scripts").rglob("*.py")}
    yield finished
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)
    finished.configure(SMALL)
    finished.run(*ALL)
    for name in finished.names().keys() - names.keys():
        (finished.results / name).unlink()


def made_units(checkout: Checkout) -> int:
    """Units that were really generated, over all generation jobs so far."""
    records = (checkout.results / "actions/generate").glob("*.json")
    return sum(json.loads(path.read_text())["facts"].get("units", 0) for path in records)


def test_everything_comes_out(finished: Checkout) -> None:
    for name in TABLES:
        assert len(pd.read_csv(finished.results / f"tables/{name}.csv")) > 0
    for name in FIGURES:
        assert (finished.results / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (finished.results / f"figures/{name}.png").read_bytes()[1:4] == b"PNG"
    units = pd.read_parquet(finished.results / "units/smollm2-135m/arithmetic/parallel.parquet")
    assert len(units) == 9 * 4
    assert units.groupby("problem_id").text.nunique().min() > 1, "units of a problem differ"
    assert (units.mean_logprob < 0).all()
    metrics = pd.read_csv(finished.results / "tables/metrics.csv")
    hit = metrics[(metrics.metric == "hit") & (metrics.n == 4)]
    assert (hit.value > 0).all(), "the model solves something"
    assert (hit.value < 1).all(), "and not everything"


def test_a_second_run_finds_nothing_to_do(finished: Checkout) -> None:
    assert "Nothing to be done" in finished.run(*ALL)


@pytest.mark.parametrize("loss", ["names", "names and memory", "touched"])
def test_what_was_made_is_linked_back(finished: Checkout, loss: str) -> None:
    before, units = finished.names(), made_units(finished)
    if loss == "touched":
        for path in finished.folder.rglob("*"):
            if path.is_file():
                os.utime(path)
    else:
        for path in finished.results.iterdir():
            if path.name not in ("objects", "actions"):
                subprocess.run(["rm", "-rf", str(path)], check=True)
        if loss == "names and memory":
            subprocess.run(["rm", "-rf", str(finished.folder / ".snakemake")], check=True)
    output = finished.run(*ALL)
    assert finished.names() == before
    assert made_units(finished) == units
    assert "Loading safetensors" not in output, "no engine was even started"
    assert "Nothing to be done" in finished.run(*ALL)


def test_a_changed_parameter_is_noticed_without_memory(kept: Checkout) -> None:
    before = kept.names()
    subprocess.run(["rm", "-rf", str(kept.folder / ".snakemake")], check=True)
    kept.configure({**SMALL, "analysis": {"resamples": 300}})
    kept.run(*ALL)
    after = kept.names()
    assert after["tables/metrics.csv"] != before["tables/metrics.csv"]
    assert after["tables/fit.csv"] == before["tables/fit.csv"]


def test_an_edit_of_the_grading_reruns_grading_but_never_generation(kept: Checkout) -> None:
    before = kept.names()
    actions = len(list((kept.results / "actions/metrics").glob("*.json")))
    module = kept.folder / "scripts/ttspm/grading.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    rules = kept.scheduled(*ALL)
    assert "grade" in rules
    assert "metrics" in rules
    assert not rules & {"generate", "units", "model", "benchmark"}
    output = kept.run(*ALL)
    assert "metrics: made before, linked" in output, "equal records stop the work downstream"
    assert len(list((kept.results / "actions/metrics").glob("*.json"))) == actions
    assert kept.names() == before


def test_a_larger_budget_generates_only_what_is_missing(kept: Checkout) -> None:
    before = pd.read_parquet(kept.results / "units/smollm2-135m/arithmetic/sequential.parquet")
    units = made_units(kept)
    kept.configure({**SMALL, "grid": {"budgets": [1, 2, 4, 5]}})
    kept.run(*ALL)
    after = pd.read_parquet(kept.results / "units/smollm2-135m/arithmetic/sequential.parquet")
    assert made_units(kept) - units == 2 * 9, "one more unit of each problem and strategy"
    pd.testing.assert_frame_equal(after[after.unit <= 4].reset_index(drop=True), before)


def test_shards_change_nothing(kept: Checkout) -> None:
    before, units = kept.names(), made_units(kept)
    kept.configure({**SMALL, "generation": {"max_tokens": 32, "shards": 2}})
    kept.run(*ALL)
    name = "units/smollm2-135m/arithmetic/parallel.parquet"
    assert kept.names()[name] == before[name]
    assert made_units(kept) == units


def generation_process(checkout: Checkout) -> int | None:
    """Process id of the running generation script, once it has journalled some units."""
    journals = list((checkout.results / "journal").glob("*/*.jsonl"))
    if not any(path.read_bytes().count(b"\n") >= 5 for path in journals):
        return None
    found = subprocess.run(["pgrep", "-f", f"{checkout.folder}.*generate.py"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    pids = [int(pid) for pid in found.stdout.split()]
    return max(pids) if pids else None


def kill_the_job(checkout: Checkout, process: subprocess.Popen[bytes]) -> None:
    pid = generation_process(checkout)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert process.wait(timeout=120) != 0


def kill_everything(checkout: Checkout, process: subprocess.Popen[bytes]) -> None:
    kill_group(process)


@pytest.mark.parametrize("kill", [kill_the_job, kill_everything])
def test_a_killed_run_continues_and_ends_with_the_same_digests(
    finished: Checkout,
    tmp_path: Path,
    kill: Callable[[Checkout, subprocess.Popen[bytes]], None],
) -> None:
    checkout = Checkout(tmp_path / "clone")
    checkout.configure(SMALL)
    log = tmp_path / "log"
    process = checkout.start(*ALL, log=log)
    wait_for(lambda: generation_process(checkout) is not None, 300, "the first units")
    kill(checkout, process)
    journals = {path: path.read_bytes() for path in checkout.results.glob("journal/*/*.jsonl")}
    kept = sum(content.count(b"\n") for content in journals.values())
    assert 5 <= kept < 72
    output = checkout.run(*ALL)
    assert f"{kept} of 36 units were made before" in output or kept >= 36
    assert checkout.names() == finished.names(), "two folders, one of them interrupted"
    assert not list(checkout.results.glob("journal/*/*.jsonl"))


def test_one_changed_byte_is_found(tmp_path: Path, finished: Checkout) -> None:
    name = finished.results / "tables/metrics.csv"
    target = name.resolve()
    content = target.read_bytes()
    store = [str(ROOT / "scripts/store.py")]
    python = finished.command()[0]
    target.chmod(0o644)
    try:
        target.write_bytes(content.replace(b"0.", b"1.", 1))
        found = subprocess.run([python, *store, "verify"], cwd=finished.folder,
                               capture_output=True, text=True, check=False)  # fmt: skip
        assert found.returncode == 1
        assert target.parent.name + target.name in found.stdout + found.stderr
        assert "tables/metrics.csv" in found.stdout + found.stderr
    finally:
        target.write_bytes(content)
        target.chmod(0o444)
    clean = subprocess.run([python, *store, "verify"], cwd=finished.folder, check=False)
    assert clean.returncode == 0

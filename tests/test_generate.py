"""The scripts generate and gather_units: nothing is made twice, whatever happens in between.

The units come from the bigram model of ``bigram_engine.py``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import bigram_engine
import pyarrow.parquet as pq
import pytest
from stand_in import run_script, snakemake_of

from ttspm import engines
from ttspm.journal import read_journals
from ttspm.store import Store
from ttspm.tables import BENCHMARK, UNITS, write_parquet

pytestmark = pytest.mark.usefixtures("quiet_afterwards")

TESTS = Path(__file__).resolve().parent
SCRIPTS = TESTS.parent / "scripts"
STRATEGIES = ("parallel", "sequential")
PROMPT = "{question} Put it into a box . so"
PROBLEMS = 4


class Run:
    """A results folder with a model and a benchmark, and the rules up to the units table."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        self.store = Store(self.results)
        self.asked: list[tuple[str, int]] = []
        self.die_after: int | None = None
        self.model = self.results / "models" / "bigram.json"
        self.problems = self.results / "benchmarks" / "sums.parquet"
        with self.store.workspace() as scratch:
            bigram_engine.write_model(scratch / "model")
            self.store.put_tree(scratch / "model", scratch / "manifest")
            self.store.link(self.model, self.store.put(scratch / "manifest"))
            rows = [
                {"problem_id": f"p/{9 - n}", "question": f"what is 2 and {n}", "gold": f"{2 + n}",
                 "kind": "math", "choices": None}
                for n in range(PROBLEMS)
            ]  # fmt: skip
            write_parquet(rows, scratch / "problems", BENCHMARK)
            self.store.link(self.problems, self.store.put(scratch / "problems"))

    def engine(self, model, settings, requests, finished):
        """The bigram engine, with a note of each unit; it may die by ``kill -9`` half way."""

        def noted(request, completion):
            following = finished(request, completion)
            self.asked.append((request.problem_id, request.unit))
            if len(self.asked) == self.die_after:
                os.kill(os.getpid(), signal.SIGKILL)
            return following

        return bigram_engine.run(model, settings, requests, noted)

    def shard(self, strategy, shard, shards, budget, prompt=PROMPT, temperature=1.0, batch=3):
        """Run the rule ``generate`` for one shard."""
        generation = {
            "temperature": temperature, "top_p": 1.0, "max_tokens": 12, "batch": batch,
            "shards": shards, "threads": 1,
        }  # fmt: skip
        place = self.results / "shards" / "bigram" / "sums" / strategy
        output = place / f"{shard}-of-{shards}.parquet"
        names = {"model": "bigram", "benchmark": "sums", "strategy": strategy}
        snakemake = snakemake_of(
            "generate",
            {"model": self.model, "problems": self.problems},
            {"units": output},
            {
                "model": {
                    "engine": "bigram",
                    "dtype": "float32",
                    "context": None,
                    "thinking": False,
                    "source": {"type": "folder"},
                    "gpus": 1,
                    "gpu_memory_utilization": 0.9,
                },
                "prompt": prompt,
                "generation": generation,
                "budget": budget,
                "seed": 1,
            },
            names | {"shard": str(shard), "shards": str(shards)},
        )
        run_script("generate", snakemake)
        return output

    def units(self, strategy, budget, shards=1, **settings) -> list[dict]:
        """Run ``generate`` for every shard, then ``gather_units``; the rows of the units table."""
        parts = [
            self.shard(strategy, shard, shards, budget, **settings)
            for shard in range(1, shards + 1)
        ]
        output = self.results / "units" / "bigram" / "sums" / f"{strategy}.parquet"
        inputs = {"problems": self.problems, "shards": parts}
        run_script("gather_units", snakemake_of("units", inputs, {"units": output}, {}))
        return pq.read_table(output).to_pylist()

    def digest(self, strategy) -> str:
        return self.store.digest_of(
            self.results / "units" / "bigram" / "sums" / f"{strategy}.parquet"
        )

    def new(self) -> int:
        """How many units were generated since this was last asked."""
        count = len(self.asked)
        self.asked.clear()
        return count

    def journals(self) -> list[Path]:
        return sorted((self.results / "journal").rglob("*.jsonl"))


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs in folders of their own, each by its name."""

    def run_in(name: str) -> Run:
        run = Run(tmp_path / name)
        monkeypatch.setattr("generate.load_engine", lambda name: run.engine)
        return run

    return run_in


@pytest.fixture
def run(make) -> Run:
    return make("a")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_units_table_is_whole_and_in_the_benchmarks_order(run, strategy):
    rows = run.units(strategy, budget=3)
    order = pq.read_table(run.problems)["problem_id"].to_pylist()
    assert [(row["problem_id"], row["unit"]) for row in rows] == [
        (problem_id, unit) for problem_id in order for unit in (1, 2, 3)
    ]
    assert len({row["seed"] for row in rows}) == len(rows)
    assert all((row["finish_reason"] == "stop") == row["text"].endswith(".") for row in rows)
    assert pq.read_schema(run.results / "units/bigram/sums" / f"{strategy}.parquet") == UNITS
    assert run.new() == PROBLEMS * 3
    assert run.journals() == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_table_does_not_depend_on_shards_or_batch(make, strategy):
    one = make("one")
    one.units(strategy, budget=4, batch=1)
    for shards, batch in ((2, 1), (PROBLEMS + 2, 128)):
        other = make(f"{shards} shards")
        other.units(strategy, budget=4, shards=shards, batch=batch)
        assert other.digest(strategy) == one.digest(strategy)
        assert other.new() == PROBLEMS * 4
        assert other.journals() == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_another_number_of_shards_generates_nothing(run, strategy):
    run.units(strategy, budget=4)
    before, _ = run.digest(strategy), run.new()
    run.units(strategy, budget=4, shards=3)
    assert run.digest(strategy) == before
    assert run.new() == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_larger_budget_extends_and_a_smaller_one_generates_nothing(make, run, strategy):
    small = run.units(strategy, budget=2)
    assert run.new() == PROBLEMS * 2
    large = run.units(strategy, budget=5)
    assert run.new() == PROBLEMS * 3
    assert [row for row in large if row["unit"] <= 2] == small
    large_digest = run.digest(strategy)
    assert run.units(strategy, budget=2) == small
    assert run.units(strategy, budget=3) == [row for row in large if row["unit"] <= 3]
    assert run.new() == 0

    at_once = make("at once")
    at_once.units(strategy, budget=5)
    assert at_once.digest(strategy) == large_digest


def test_with_its_names_gone_everything_is_linked_back(run):
    run.units("sequential", budget=3)
    before, _ = run.digest("sequential"), run.new()
    for name in ("shards", "units"):
        shutil.rmtree(run.results / name)
    run.units("sequential", budget=3)
    assert run.digest("sequential") == before
    assert run.new() == 0


def test_with_the_actions_key_changed_units_are_used_again(run):
    """As after an edit of the code: the action is another, the units are the same."""
    run.units("sequential", budget=3)
    before, _ = run.digest("sequential"), run.new()
    (path,) = (run.results / "actions" / "generate").glob("*.json")
    path.rename(path.with_name("0" * 64 + ".json"))
    run.units("sequential", budget=3)
    assert run.digest("sequential") == before
    assert run.new() == 0
    (record,) = [r for r in run.store.records_of("generate") if r["facts"]["reused"]]
    assert record["facts"]["reused"] == PROBLEMS * 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_other_words_and_back_generate_each_unit_once(run, strategy):
    first = run.units(strategy, budget=2)
    assert run.new() == PROBLEMS * 2
    second = run.units(strategy, budget=2, prompt="{question} so")
    assert run.new() == PROBLEMS * 2
    assert second != first
    assert [row for row in run.units(strategy, budget=3) if row["unit"] <= 2] == first
    assert run.new() == PROBLEMS


def test_an_engine_is_an_entry_in_a_dictionary(make, monkeypatch):
    run = make("through the dictionary")
    run.units("parallel", budget=2)
    monkeypatch.setitem(engines.ENGINES, "bigram", lambda: bigram_engine.run)
    monkeypatch.setattr("generate.load_engine", engines.load_engine)
    plugged_in = Run(run.folder / "plugged in")
    plugged_in.units("parallel", budget=2)
    assert plugged_in.digest("parallel") == run.digest("parallel")


def test_another_temperature_is_another_cell(run):
    run.units("parallel", budget=2)
    run.units("parallel", budget=2, temperature=0.5)
    assert run.new() == 2 * PROBLEMS * 2


def test_facts_say_what_was_made_and_how_fast(run):
    run.units("parallel", budget=2)
    (record,) = run.store.records_of("generate")
    facts = record["facts"]
    rows = pq.read_table(run.store.object_path(record["outputs"]["units"])).to_pylist()
    assert facts["engine"] == "bigram 1"
    assert facts["units"] == len(rows)
    assert facts["tokens"] == sum(row["completion_tokens"] for row in rows)
    assert facts["tokens_per_second"] > 0
    assert facts["reused"] == 0


def test_progress_is_told_in_the_rules_messages(run, capsys):
    run.units("parallel", budget=2)
    told = capsys.readouterr().err
    assert "bigram/sums/parallel: 0 of 8 units were made before" in told
    assert "bigram/sums/parallel: 8/8 units (100 %)" in told
    assert "tokens/s" in told


KILLED = """
import sys
from pathlib import Path

import generate
from test_generate import Run

run = Run(Path(sys.argv[1]))
run.die_after = int(sys.argv[4])
generate.load_engine = lambda engine: run.engine
run.shard(sys.argv[2], 1, 1, budget=4, prompt=sys.argv[3])
"""


def killed_run(folder: Path, strategy: str, after: int, prompt: str = PROMPT) -> None:
    """The same rule in a process of its own, which dies by ``kill -9`` after some units."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), strategy, prompt, str(after)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(TESTS)])},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_killed_job_continues_and_ends_as_if_it_had_not_been(make, run, strategy):
    whole = make("whole")
    whole.units(strategy, budget=4)

    killed_run(run.folder, strategy, after=7)
    run = make("a")
    assert not (run.results / "shards").exists()
    (journal,) = run.journals()
    kept = list(read_journals(journal.parent))
    assert len(kept) == 7
    with open(journal, "ab") as handle:
        handle.write(b'{"problem_id": "p/9", "unit": 2, "te')  # torn, as a crash may leave it

    rows = run.units(strategy, budget=4)
    assert run.new() == PROBLEMS * 4 - 7
    assert run.digest(strategy) == whole.digest(strategy)
    texts = {(row["problem_id"], row["unit"]): row["text"] for row in rows}
    assert all(texts[unit.problem_id, unit.unit] == unit.text for unit in kept)
    assert run.journals() == []


def test_what_a_killed_job_made_survives_a_run_with_other_words(make, run):
    killed_run(run.folder, "parallel", after=5)
    run = make("a")
    run.units("parallel", budget=4, prompt="{question} so")
    assert run.new() == PROBLEMS * 4
    run.units("parallel", budget=4)
    assert run.new() == PROBLEMS * 4 - 5


def test_a_second_job_for_the_same_shard_is_refused(run, capsys):
    run.shard("parallel", 1, 1, budget=1)
    capsys.readouterr()
    other, nested = run.engine, []

    def engine(model, settings, requests, finished):
        if not nested:
            nested.append(True)
            with pytest.raises(SystemExit):
                run.shard("parallel", 1, 1, budget=3)
        return other(model, settings, requests, finished)

    run.engine = engine
    run.shard("parallel", 1, 1, budget=2)
    assert "another running job writes these units" in capsys.readouterr().err
    assert run.new() == PROBLEMS * 2

"""Which shards need no job: never one of which a unit is missing, whatever has changed."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from stand_in import run_script, snakemake_of
from test_generate import PROMPT, Run

from ttspm.recall import Foresight

pytestmark = pytest.mark.usefixtures("quiet_afterwards")

BUDGET = 3
STRATEGIES = ("parallel", "sequential")


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """Model and benchmark made by recorded actions, as a run leaves them."""
    run = Run(tmp_path)
    monkeypatch.setattr("generate.load_engine", lambda name: run.engine)
    monkeypatch.chdir(tmp_path)
    for rule, path in (("model", run.model), ("benchmark", run.problems)):
        run.store.save_action(
            {
                "rule": rule,
                "key": f"key-of-{rule}",
                "wildcards": {rule: path.stem},
                "params": {"source": "s", "code": "c1"},
                "inputs": {},
                "outputs": {"made": run.store.digest_of(path)},
                "facts": {},
            }
        )
    return run


def rule(name: str, output: str, inputs: dict[str, Any], params: dict[str, Any]) -> Any:
    """As much of a Snakemake rule as is read."""
    return SimpleNamespace(name=name, output=[output], input=inputs, params=params)


def generate_rule(budget: int = BUDGET, code: str = "c1", **generation: Any) -> Any:
    sampling = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 12, "batch": 3}
    model = {
        "engine": "bigram", "dtype": "float32", "context": None, "thinking": False,
        "source": {"type": "folder"}, "gpus": 1, "gpu_memory_utilization": 0.9,
    }  # fmt: skip
    return rule(
        "generate",
        "results/shards/{model}/{benchmark}/{strategy}/{shard}-of-{shards}.parquet",
        {
            "model": "results/models/{model}.json",
            "problems": "results/benchmarks/{benchmark}.parquet",
            "after": "results/inputs.json",
        },
        {
            "model": lambda wildcards: model,
            "prompt": lambda wildcards: PROMPT,
            "generation": sampling | generation,
            "budget": budget,
            "seed": 1,
            "code": code,
        },
    )


def wildcards(strategy: str, shard: int, shards: int) -> dict[str, str]:
    names = {"model": "bigram", "benchmark": "sums", "strategy": strategy}
    return names | {"shard": str(shard), "shards": str(shards)}


def generate(run: Run, strategy: str, shard: int, shards: int, rule_name: str = "generate",
             **settings: Any) -> None:  # fmt: skip
    """Run the job itself."""
    of = generate_rule(**settings)
    names = wildcards(strategy, shard, shards)
    params = {key: value(names) if callable(value) else value for key, value in of.params.items()}
    snakemake = snakemake_of(
        rule_name,
        {"model": run.model, "problems": run.problems},
        {"units": run.results / "shards" / f"{strategy}-{shard}-of-{shards}.parquet"},
        params,
        names,
    )
    run_script("generate", snakemake)


def foresee(run: Run, source: str = "s", code: str = "c1", files: tuple[str, ...] = ()):
    """Foresight of a run in which models and benchmarks are described so."""
    foresight = Foresight(run.store)
    for name, folder, suffix in (("model", "models", "json"),
                                 ("benchmark", "benchmarks", "parquet")):  # fmt: skip
        inputs = {"files": lambda wildcards: list(files)}
        of = rule(name, f"results/{folder}/{{{name}}}.{suffix}", inputs,
                  {"source": lambda wildcards: source, "code": code})  # fmt: skip
        foresight.expect(of, {name: "bigram" if name == "model" else "sums"})
    return foresight


def there(foresight: Foresight, strategy: str, shard: int, shards: int, **settings: Any) -> bool:
    return foresight.units_there(generate_rule(**settings), wildcards(strategy, shard, shards))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_shards_that_were_made_are_there(run, strategy):
    assert not there(foresee(run), strategy, 1, 2)
    generate(run, strategy, 1, 2)
    assert there(foresee(run), strategy, 1, 2)
    assert not there(foresee(run), strategy, 2, 2)
    other = STRATEGIES[1 - STRATEGIES.index(strategy)]
    assert not there(foresee(run), other, 1, 2)


def test_lost_names_change_nothing(run):
    generate(run, "parallel", 1, 1)
    for name in ("models", "benchmarks", "shards"):
        shutil.rmtree(run.results / name)
    assert there(foresee(run), "parallel", 1, 1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_units_that_other_jobs_made_count(run, strategy):
    for shard in (1, 2):
        generate(run, strategy, shard, 2)
    foresight = foresee(run)
    assert all(there(foresight, strategy, shard, 3) for shard in (1, 2, 3))
    assert there(foresight, strategy, 1, 1, budget=BUDGET - 1), "a smaller budget is part of it"
    assert there(foresight, strategy, 1, 1, code="c2"), "an edit of the code makes no unit anew"
    assert there(foresee(run, code="c2"), strategy, 1, 1), "of the code that fetches neither"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_missing_unit_is_enough(run, strategy):
    generate(run, strategy, 1, 1)
    foresight = foresee(run)
    assert not there(foresight, strategy, 1, 1, budget=BUDGET + 1)
    assert not there(foresight, strategy, 1, 1, temperature=0.5)
    assert not there(foresight, strategy, 1, 1, max_tokens=13)


def test_nothing_is_foreseen_of_another_source(run):
    generate(run, "parallel", 1, 1)
    assert not there(foresee(run, source="t"), "parallel", 1, 1)


def test_nothing_is_foreseen_of_files_changed_since(run):
    file = run.folder / "problems.jsonl"
    file.write_text("{}\n")
    generate(run, "parallel", 1, 1)
    os.utime(file, (1, 1))
    assert there(foresee(run, files=(str(file),)), "parallel", 1, 1)
    os.utime(file, None)
    later = file.stat().st_mtime + 60
    os.utime(file, (later, later))
    assert not there(foresee(run, files=(str(file),)), "parallel", 1, 1)
    file.unlink()
    assert not there(foresee(run, files=(str(file),)), "parallel", 1, 1)


def test_lost_bytes_are_not_there(run):
    generate(run, "parallel", 1, 1)
    (record,) = run.store.records_of("generate")
    run.store.object_path(record["outputs"]["units"]).unlink()
    assert not there(foresee(run), "parallel", 1, 1)


def test_recall_never_starts_an_engine(run, capsys):
    with pytest.raises(SystemExit):
        generate(run, "parallel", 1, 1, rule_name="recall")
    assert "run the same command again" in capsys.readouterr().err
    assert run.asked == []


def test_recall_gathers_what_is_there_under_the_name_of_generate(run):
    for shard in (1, 2):
        generate(run, "sequential", shard, 2)
    run.asked.clear()
    for shard in (1, 2, 3):
        generate(run, "sequential", shard, 3, rule_name="recall")
    assert run.asked == []
    kept = [record["wildcards"]["shards"] for record in run.store.records_of("generate")]
    assert sorted(kept) == ["2", "2", "3", "3", "3"]
    assert not list(run.store.records_of("recall"))

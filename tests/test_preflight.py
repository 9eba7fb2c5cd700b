"""What is refused before anything runs, beyond the form of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttspm.config import check_config, load_schema
from ttspm.errors import UserError
from ttspm.preflight import check_before_running
from ttspm.store import Store

SCHEMA = load_schema(Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml")


@pytest.fixture
def model(tmp_path) -> Path:
    """A folder with what an engine asks for, by name."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def run(tmp_path, model):
    """Check a run of the model on a local benchmark."""
    (tmp_path / "problems.csv").write_text("question,answer\n1+1?,2\n")

    def check(free_gib: float = 0, benchmark: str = "problems.csv") -> None:
        description = {
            "models": {"m": {"source": {"type": "folder", "path": str(model)}}},
            "benchmarks": {"b": {"source": {"type": "file", "path": str(tmp_path / benchmark)}}},
            "grid": {"models": ["m"], "benchmarks": ["b"]},
            "store": {"free_gib": free_gib},
        }
        check_before_running(check_config(description, SCHEMA), Store(tmp_path / "results"))

    return check


def message(run, **settings: object) -> str:
    with pytest.raises(UserError) as raised:
        run(**settings)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_run_that_has_all_it_needs_passes(run):
    run()


@pytest.mark.parametrize("name", ["tokenizer.model", "vocab.json"])
def test_any_form_of_tokenizer_will_do(run, model, name):
    (model / "tokenizer.json").rename(model / name)
    run()


def test_a_model_folder_without_tokenizer_is_refused(run, model):
    (model / "tokenizer.json").unlink()
    text = message(run)
    assert str(model) in text
    assert "no tokenizer in it; one of tokenizer.json" in text


def test_a_model_folder_without_weights_or_configuration_is_refused(run, model):
    (model / "model.safetensors").unlink()
    assert message(run) == f"model {model}: no weights (*.safetensors) in it"
    (model / "config.json").unlink()
    assert message(run) == f"model {model}: no config.json in it"


def test_a_model_folder_that_is_not_there_is_refused(run, model):
    model.rename(model.with_name("elsewhere"))
    assert message(run) == f"model {model}: there is no such folder"


def test_a_benchmark_file_that_is_not_there_is_refused(run, tmp_path):
    expected = f"benchmarks.b.source.path: there is no file {tmp_path / 'nowhere.csv'}"
    assert message(run, benchmark="nowhere.csv") == expected


def test_more_free_space_than_there_is_is_refused(run, tmp_path):
    text = message(run, free_gib=10**9)
    assert str(tmp_path / "results") in text
    assert "store.free_gib asks for 1e+09" in text


def test_what_the_grid_does_not_name_is_not_looked_at(tmp_path, model):
    description = {
        "models": {
            "m": {"source": {"type": "folder", "path": str(model)}},
            "absent": {"source": {"type": "folder", "path": "/nowhere"}},
        },
        "benchmarks": {
            "b": {"source": {"type": "arithmetic"}},
            "absent": {"source": {"type": "file", "path": "/nowhere.csv"}},
        },
        "grid": {"models": ["m"], "benchmarks": ["b"]},
        "store": {"free_gib": 0},
    }
    check_before_running(check_config(description, SCHEMA), Store(tmp_path / "results"))

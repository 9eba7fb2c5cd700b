"""Engines, sources and chat templates: what fits together, and what is stored as the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ttspm.config import check_config, load_schema
from ttspm.errors import UserError
from ttspm.models import fetch_model
from ttspm.preflight import check_before_running
from ttspm.store import Store

SCHEMA = load_schema(Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml")
ENDPOINT = {"type": "endpoint", "base_url": "http://localhost:8000/v1", "model": "m"}
HUB = {"type": "hub", "repo": "a/b", "revision": "0" * 40}


def check(tmp_path, **model):
    config = {
        "models": {"mine": model},
        "benchmarks": {"sums": {"source": {"type": "arithmetic"}}},
        "grid": {"models": ["mine"], "benchmarks": ["sums"]},
        "store": {"free_gib": 0},
    }
    filled = check_config(config, SCHEMA)
    check_before_running(filled, Store(tmp_path / "results"))
    return filled["models"]["mine"]


def refused(tmp_path, **model) -> str:
    with pytest.raises(UserError) as error:
        check(tmp_path, **model)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_engines_and_sources_that_fit(tmp_path):
    assert check(tmp_path, source=HUB)["engine"] == "vllm"
    check(tmp_path, source=HUB, engine="transformers")
    filled = check(tmp_path, source=ENDPOINT, engine="openai")
    assert filled["source"]["key_variable"] == "OPENAI_API_KEY"
    assert filled["gpus"] == 1


@pytest.mark.parametrize(
    ("source", "engine"), [(HUB, "openai"), (ENDPOINT, "vllm"), (ENDPOINT, "transformers")]
)
def test_engines_and_sources_that_do_not_fit(tmp_path, source, engine):
    message = refused(tmp_path, source=source, engine=engine)
    assert message.startswith(f"models.mine.engine: '{engine}' does not work")


def test_an_endpoint_elsewhere_needs_its_key_before_the_run(tmp_path, monkeypatch):
    source = ENDPOINT | {"base_url": "https://example.org/v1"}
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    message = refused(tmp_path, source=source, engine="openai")
    assert "the environment variable OPENAI_API_KEY is not set" in message
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    check(tmp_path, source=source, engine="openai")


def test_a_chat_template_must_be_there_and_is_not_for_an_endpoint(tmp_path):
    missing = str(tmp_path / "no.jinja")
    message = refused(tmp_path, source=HUB, chat_template=missing)
    assert message == f"models.mine.chat_template: there is no file {missing}"
    message = refused(tmp_path, source=ENDPOINT, engine="openai", chat_template=missing)
    assert message.startswith("models.mine.chat_template: an endpoint applies its own")


def test_an_endpoint_is_stored_as_its_address_and_model_alone(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    source = ENDPOINT | {"key_variable": "K", "timeout_seconds": 5}
    fetch_model(source, folder, tmp_path / "scratch")
    assert [path.name for path in folder.iterdir()] == ["endpoint.json"]
    stored = json.loads((folder / "endpoint.json").read_text())
    assert stored == {"base_url": "http://localhost:8000/v1", "model": "m"}


def test_a_chat_template_becomes_part_of_the_model_and_is_the_one_used(tmp_path, tiny_model):
    from transformers import AutoTokenizer

    template = tmp_path / "mine.jinja"
    template.write_text("<user>{{ messages[0]['content'] }}!<assistant>")
    digests = set()
    for name, given in (("own", None), ("given", template)):
        folder = tmp_path / name
        folder.mkdir()
        fetch_model({"type": "folder", "path": str(tiny_model)}, folder, tmp_path, given)
        manifest = tmp_path / f"{name}.json"
        tokenizer = AutoTokenizer.from_pretrained(folder)
        store = Store(tmp_path / "results")
        store.put_tree(folder, manifest)
        digests.add(store.digest_of(manifest))
    assert len(digests) == 2
    turn = [{"role": "user", "content": "1+1"}]
    assert tokenizer.apply_chat_template(turn, tokenize=False) == "<user>1+1!<assistant>"


def test_the_template_in_the_tokenizers_configuration_gives_way_to_the_one_given(
    tmp_path, tiny_model
):
    """Older models keep theirs in tokenizer_config.json."""
    from transformers import AutoTokenizer

    model = tmp_path / "old"
    fetched = tmp_path / "fetched"
    model.mkdir()
    fetched.mkdir()
    for file in tiny_model.iterdir():
        if file.name != "chat_template.jinja":
            (model / file.name).write_bytes(file.read_bytes())
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings["chat_template"] = "old"
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    template = tmp_path / "new.jinja"
    template.write_text("new")
    fetch_model({"type": "folder", "path": str(model)}, fetched, tmp_path, template)
    turn = [{"role": "user", "content": "1+1"}]
    assert AutoTokenizer.from_pretrained(model).apply_chat_template(turn, tokenize=False) == "old"
    assert AutoTokenizer.from_pretrained(fetched).apply_chat_template(turn, tokenize=False) == "new"

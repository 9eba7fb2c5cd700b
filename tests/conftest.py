"""Models that several test files load: the real small one of the default run, and a tiny one."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ttspm.models import fetch_model
from ttspm.store import json_digest

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fast first, what runs the model after it, the cluster last."""
    slow = ("model", "slurm")
    items.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in slow[::-1]])


@pytest.fixture
def quiet_afterwards() -> Iterator[None]:
    """Leave the package's log as a script's run in this process found it."""
    yield
    logging.getLogger("ttspm").handlers.clear()
    logging.getLogger("ttspm").propagate = True


@pytest.fixture(scope="session")
def small_model(request, tmp_path_factory) -> Path:
    """The default run's model, fetched as the package does it; kept between runs of the tests."""
    source = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]["smollm2-135m"]["source"]
    kept = Path(request.config.cache.mkdir("models")) / json_digest(source)[:16]
    if not kept.is_dir():
        scratch = tmp_path_factory.mktemp("fetch")
        download = scratch / "download"
        download.mkdir()
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        fresh.mkdir()
        fetch_model(source, fresh, download)
        fresh.rename(kept)
        shutil.rmtree(scratch)
    return kept


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A Llama of 20,000 random weights that reads and writes bytes: all of a model but its wits."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<end>", "<user>", "<assistant>", *letters]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<end>",
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template="{% for m in messages %}<user>{{ m['content'] }}{% endfor %}<assistant>",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=0,
        initializer_range=0.3,  # sharp enough that temperature and top-p have something to do
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder

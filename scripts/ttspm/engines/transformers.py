"""transformers, for models that vLLM does not run; on one GPU, several, or the CPU.

Plain batches: up to ``generation.batch`` prompts, padded on the left, go forward together, one
token a step. A row that ends is handed over and leaves; the requests that follow, and those that
had no room, make up the next batch. Every row draws from a generator with its unit's seed.
"""

from __future__ import annotations

import inspect
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ttspm.engines import Completion, Finished, Request, Settings
from ttspm.engines.chat import prompt_tokens, refuse_longer_context
from ttspm.engines.devices import gpu_facts, require_gpus
from ttspm.engines.faults import faults_in_one_line
from ttspm.engines.sampling import choose_tokens
from ttspm.errors import UserError


@dataclass
class Row:
    """A unit on its way: its prompt, its own random stream, and what it has so far."""

    request: Request
    prompt: list[int]
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish_reason: str | None = None


def run(
    model: Path, settings: Settings, requests: Iterable[Request], finished: Finished
) -> dict[str, Any]:
    """Generate; see `ttspm.engines` for the contract."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the model is a local folder
    import transformers

    started = time.monotonic()
    gpus = torch.cuda.device_count()
    require_gpus(settings, gpus)
    torch.set_num_threads(settings.threads)
    with faults_in_one_line(settings):
        network, tokenizer, longest = _load(model, settings, on_gpu=gpus > 0)
    loaded = time.monotonic()

    def row(request: Request) -> Row:
        prompt = prompt_tokens(tokenizer, request, settings, longest)
        return Row(request, prompt, torch.Generator().manual_seed(request.seed))

    # All at once: a prompt that does not fit is refused before any is generated.
    waiting = deque([row(request) for request in requests])
    ends = _end_tokens(network, tokenizer)
    first = None
    with faults_in_one_line(settings):
        while waiting:
            size = min(settings.batch, len(waiting))
            batch = Batch(network, [waiting.popleft() for _ in range(size)], settings, ends)
            while batch.rows:
                for done in batch.step():
                    first = first or time.monotonic()
                    following = finished(done.request, _completion(done, tokenizer))
                    if following is not None:
                        waiting.append(row(following))
    return {
        "engine": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "device": torch.cuda.get_device_name() if gpus else "cpu",
        "load_seconds": round(loaded - started, 3),
        "first_unit_seconds": round((first or loaded) - loaded, 3),
        "generate_seconds": round(time.monotonic() - loaded, 3),
    } | gpu_facts(min(gpus, settings.gpus))


class Batch:
    """Rows that go forward together, with their cache of keys and values.

    Parameters
    ----------
    network : transformers model
        With a language-modelling head and a cache of keys and values.
    rows : sequence of Row
        Nothing generated yet.
    settings : Settings
        Sampling.
    ends : frozenset of int
        Tokens that end a completion.
    """

    def __init__(
        self, network: Any, rows: Sequence[Row], settings: Settings, ends: frozenset[int]
    ) -> None:
        from transformers import DynamicCache

        self.network, self.rows, self.settings, self.ends = network, list(rows), settings, ends
        width = max(len(row.prompt) for row in self.rows)
        padding = [width - len(row.prompt) for row in self.rows]
        pairs = list(zip(self.rows, padding, strict=True))
        self.tokens = self._tensor([[0] * pad + row.prompt for row, pad in pairs])
        self.mask = self._tensor([[0] * pad + [1] * len(row.prompt) for row, pad in pairs])
        self.positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.cache = DynamicCache(config=network.config)

    def step(self) -> list[Row]:
        """Generate one token for each row; return the rows that ended with it, which leave."""
        with torch.inference_mode():
            logits = self._forward()
            draws = [
                torch.rand((), generator=row.generator, dtype=torch.float64) for row in self.rows
            ]
            chosen, logprobs = choose_tokens(
                logits,
                self.settings.temperature,
                self.settings.top_p,
                torch.stack(draws).to(logits.device),
            )
            for row, token, logprob in zip(
                self.rows, chosen.tolist(), logprobs.tolist(), strict=True
            ):
                row.tokens.append(token)
                row.logprob += logprob
                if token in self.ends:
                    row.finish_reason = "stop"
                elif len(row.tokens) == self.settings.max_tokens:
                    row.finish_reason = "length"
            ended = [row for row in self.rows if row.finish_reason is not None]
            self._advance(chosen)
        return ended

    def _forward(self) -> torch.Tensor:
        """Logits of the next token, shape (rows, vocabulary)."""
        inputs = {
            "input_ids": self.tokens,
            "attention_mask": self.mask,
            "position_ids": self.positions,
            "past_key_values": self.cache,
            "use_cache": True,
            "logits_to_keep": 1,
        }
        known = inspect.signature(self.network.forward).parameters  # not all take them all
        given = {name: value for name, value in inputs.items() if name in known}
        return self.network(**given).logits[:, -1]

    def _advance(self, chosen: torch.Tensor) -> None:
        """Make the chosen tokens the next input, and let the rows that ended leave."""
        staying = [i for i, row in enumerate(self.rows) if row.finish_reason is None]
        if len(staying) < len(self.rows):
            self.rows = [self.rows[i] for i in staying]
            if not self.rows:
                return
            index = self._tensor(staying)
            self.cache.reorder_cache(index)
            self.mask, self.positions = self.mask[index], self.positions[index]
            chosen = chosen[index]
        self.tokens = chosen[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(self.tokens)], dim=-1)
        self.positions = self.positions[:, -1:] + 1

    def _tensor(self, values: list[Any]) -> torch.Tensor:
        return torch.tensor(values, device=self.network.device)


def _load(model: Path, settings: Settings, on_gpu: bool) -> tuple[Any, Any, int | None]:
    """The model, its tokenizer, and the longest prompt and completion together."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(model)
    own = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    refuse_longer_context(settings, own)
    tokenizer = AutoTokenizer.from_pretrained(model)
    place = {} if not on_gpu else {"device_map": "auto" if settings.gpus > 1 else "cuda:0"}
    network = AutoModelForCausalLM.from_pretrained(
        model, dtype=getattr(torch, settings.dtype), **place
    ).eval()
    if "past_key_values" not in inspect.signature(network.forward).parameters:
        raise UserError(
            f"models.{settings.name}: models of type '{config.model_type}' keep no cache of keys"
            " and values, which the engine transformers needs: serve it elsewhere and take the"
            " engine openai"
        )
    return network, tokenizer, settings.context or own


def _end_tokens(network: Any, tokenizer: Any) -> frozenset[int]:
    told = network.generation_config.eos_token_id
    ends = told if isinstance(told, list) else [told]
    return frozenset(end for end in [*ends, tokenizer.eos_token_id] if end is not None)


def _completion(row: Row, tokenizer: Any) -> Completion:
    assert row.finish_reason is not None
    return Completion(
        text=tokenizer.decode(
            row.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        ),
        finish_reason=row.finish_reason,
        prompt_tokens=len(row.prompt),
        completion_tokens=len(row.tokens),
        mean_logprob=row.logprob / len(row.tokens),
    )

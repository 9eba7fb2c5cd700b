"""Engines: what generates. One small module each, behind one function signature.

An engine is a function ``run(model, settings, requests, finished) -> facts``. It takes the requests
when it has loaded, and works on them all at once, in any order; for each one done it calls
``finished(request, completion)``, which keeps the unit and may return another request (the next
round of a chain), to be worked on from that moment. It returns when nothing is left. Facts are
what is worth knowing but is not content: versions, device, throughput.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One unit to be generated.

    Attributes
    ----------
    problem_id : str
        The problem it belongs to.
    unit : int
        Number of the sample or round, from 1.
    seed : int
        The unit's own seed, in [0, 2**63).
    prompt : str
        The user's turn.
    """

    problem_id: str
    unit: int
    seed: int
    prompt: str


@dataclass(frozen=True)
class Completion:
    """What an engine made of a request.

    Attributes
    ----------
    text : str
        The completion.
    finish_reason : str
        ``stop``, or ``length`` where it was cut off.
    prompt_tokens, completion_tokens : int
        Counted by the engine.
    mean_logprob : float or None
        Mean log-probability of the completion's tokens under the model, in nats.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    mean_logprob: float | None


@dataclass(frozen=True)
class Settings:
    """How to generate.

    Attributes
    ----------
    temperature, top_p, max_tokens
        Sampling.
    dtype : str
        Precision of weights and activations.
    context : int or None
        Longest prompt and completion together, in tokens; None takes the model's own.
    batch : int
        Units worked on at the same time.
    threads : int
        CPU cores the engine may use.
    name : str
        The model's name in the configuration, for messages.
    gpus : int
        GPUs the model is spread over.
    gpu_memory_utilization : float
        Share of each GPU's memory that vLLM takes.
    key_variable : str or None
        Environment variable that holds an endpoint's key.
    timeout_seconds : float or None
        Longest wait for one answer of an endpoint; None waits for ever.
    """

    temperature: float
    top_p: float
    max_tokens: int
    dtype: str
    context: int | None
    batch: int
    threads: int
    name: str = "*"
    gpus: int = 1
    gpu_memory_utilization: float = 0.92
    key_variable: str | None = None
    timeout_seconds: float | None = None


Finished = Callable[[Request, Completion], Request | None]
Engine = Callable[[Path, Settings, Iterable[Request], Finished], dict[str, Any]]


def _vllm() -> Engine:
    from ttspm.engines.vllm import run

    return run


def _transformers() -> Engine:
    from ttspm.engines.transformers import run

    return run


def _openai() -> Engine:
    from ttspm.engines.openai import run

    return run


# Each is imported when it is used, as each needs packages of its own; and by a statement, so that
# the digest of the code sees it.
ENGINES: dict[str, Callable[[], Engine]] = {
    "vllm": _vllm,
    "transformers": _transformers,
    "openai": _openai,
}


def load_engine(name: str) -> Engine:
    """The ``run`` function of an engine."""
    return ENGINES[name]()

"""What vLLM, transformers and torch raise, in one line that names the setting to change.

Their exceptions are told apart by their texts, which is all they offer; ``tests/test_faults.py``
looks the texts up in the installed versions. What is not known here stays as it is, with its
traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ttspm.engines import Settings
from ttspm.errors import UserError

# Text of an exception -> what to say. {name}, {batch}, ... are `Settings`, {0} and on the groups.
# The first that fits is taken.
FAULTS = [
    (
        r"User-specified max_model_len .* is greater than the derived max_model_len \(\w+=(\d+)",
        "models.{name}.context: {context} is longer than the model's own context of {0} tokens:"
        " lower it, or leave it out to take the model's own",
    ),
    (
        r"max seq len \((\d+)\).* is larger than the available KV cache",
        "models.{name}: the memory left beside the weights holds less than one unit of {0} tokens:"
        " lower models.{name}.context, or raise models.{name}.gpus (without a GPU:"
        " VLLM_CPU_KVCACHE_SPACE, in GiB)",
    ),
    (
        r"No available memory for the cache blocks",
        "models.{name}: its weights leave no memory for anything else: raise models.{name}.gpus or"
        " models.{name}.gpu_memory_utilization (now {gpu_memory_utilization}), or lower"
        " generation.batch (now {batch}) or models.{name}.context (now {context})",
    ),
    (
        r"\(([\d.]+/[\d.]+) GiB\) on startup is less than",
        "models.{name}: only {0} GiB of memory are free, others use the rest: end them, or lower"
        " models.{name}.gpu_memory_utilization (now {gpu_memory_utilization})",
    ),
    (
        r"OutOfMemoryError|out of memory|can't allocate memory|Cannot allocate memory|MemoryError",
        "models.{name}: out of memory: lower generation.batch (now {batch}) or"
        " models.{name}.context (now {context}), or raise models.{name}.gpus (now {gpus})",
    ),
    (
        r"Bfloat16 is only supported on GPUs|does not support float16"
        r"|not implemented for '(?:Half|BFloat16)'|No valid attention backend.*dtype not supported",
        "models.{name}.dtype: this model on this device does not work in {dtype}: take another of"
        " bfloat16, float16, float32",
    ),
    (
        r"Model architectures \[?(.*?)\]? are not supported for now",
        "models.{name}.engine: vllm does not run {0}: take the engine transformers",
    ),
    (
        r"model type `(.*?)` but Transformers does not recognize this architecture",
        "models.{name}: the pinned version of transformers does not know models of type '{0}': take"
        " another model, or serve it elsewhere and take the engine openai",
    ),
    (
        r"Engine core initialization failed|WorkerProc initialization failed"
        r"|EngineCore encountered an issue",
        "models.{name}: a worker of vLLM ended, and says why in the lines above; where it is"
        " memory: lower generation.batch (now {batch}) or models.{name}.context (now {context})",
    ),
]


@contextmanager
def faults_in_one_line(settings: Settings) -> Iterator[None]:
    """Turn a known exception into a `UserError`; every other one passes through.

    Raises
    ------
    UserError
        One line naming the setting to change.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        message = explain(error, settings)
        if message is None:
            raise
        raise UserError(message) from error


def explain(error: BaseException, settings: Settings) -> str | None:
    """What to say of an exception or of what caused it; None where it is not known."""
    values = asdict(settings)
    values["context"] = settings.context or "the model's own"
    texts = [f"{type(cause).__name__}: {cause}" for cause in _causes(error)]
    for pattern, message in FAULTS:
        for text in texts:
            if found := re.search(pattern, text, re.DOTALL):
                return message.format(*found.groups(), **values)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

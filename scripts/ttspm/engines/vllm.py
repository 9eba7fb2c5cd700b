"""vLLM, on CUDA or on the CPU, fed through its own request loop.

Each unit is a request with a seed of its own. (An engine that makes n children of one request
seeds them seed, seed + 1, ..., so neighbouring seeds overlap.) Nothing waits for a batch to end:
a finished unit is handed over at once and the request that follows it joins the running batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ttspm.engines import Completion, Finished, Request, Settings
from ttspm.engines.chat import prompt_tokens
from ttspm.engines.devices import gpu_facts, require_gpus, require_numa_library
from ttspm.engines.faults import faults_in_one_line


def run(
    model: Path, settings: Settings, requests: Iterable[Request], finished: Finished
) -> dict[str, Any]:
    """Generate; see `ttspm.engines` for the contract."""
    set_environment(settings)
    import vllm
    from vllm.platforms import current_platform

    started = time.monotonic()
    on_cpu = current_platform.is_cpu()
    if on_cpu:
        require_numa_library()
    require_gpus(settings, 0 if on_cpu else current_platform.device_count())
    with faults_in_one_line(settings):
        engine = _engine(model, settings, on_cpu)
    tokenizer = engine.get_tokenizer()
    loaded = time.monotonic()

    waiting: dict[str, Request] = {}

    def submit(request: Request) -> None:
        tokens = prompt_tokens(tokenizer, request, settings, engine.model_config.max_model_len)
        key = f"{len(request.problem_id)}:{request.problem_id}:{request.unit}"
        waiting[key] = request
        engine.add_request(
            key,
            {"prompt_token_ids": tokens},
            sampling_parameters(request, settings),
        )

    for request in requests:  # a prompt that does not fit is refused before any is generated
        submit(request)
    first = None
    with faults_in_one_line(settings):
        while engine.has_unfinished_requests():
            for output in engine.step():
                if not output.finished:
                    continue
                first = first or time.monotonic()
                following = finished(waiting.pop(output.request_id), completion_of(output))
                if following is not None:
                    submit(following)
    return {
        "engine": f"vllm {vllm.__version__}",
        "device": current_platform.get_device_name() or "cpu",
        "load_seconds": round(loaded - started, 3),
        "first_unit_seconds": round((first or loaded) - loaded, 3),
        "generate_seconds": round(time.monotonic() - loaded, 3),
    } | gpu_facts(0 if on_cpu else settings.gpus)


def sampling_parameters(request: Request, settings: Settings) -> Any:
    """How vLLM is to sample one unit."""
    from vllm import SamplingParams

    return SamplingParams(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        seed=request.seed,
        logprobs=0,  # of the sampled token alone
    )


def set_environment(settings: Settings) -> None:
    """Set what vLLM reads from the environment, before it is imported; the user's own stays."""
    cores = sorted(os.sched_getaffinity(0))[: settings.threads]
    defaults = {
        "HF_HUB_OFFLINE": "1",  # the model is a local folder; nothing is to be looked up
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # an error then arrives here as it is
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
        # Its own default keeps a core back.
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _engine(model: Path, settings: Settings, on_cpu: bool) -> Any:
    from vllm import EngineArgs, LLMEngine

    if on_cpu:
        compile_nothing()
    return LLMEngine.from_engine_args(EngineArgs(**engine_arguments(model, settings, on_cpu)))


def compile_nothing() -> None:
    """Run as they are the few functions of the sampler that vLLM compiles even when told not to.

    On the CPU, compiling takes ten seconds a job and a C++ compiler, and gains nothing.
    """
    import torch

    torch.compiler.set_stance("force_eager")


def engine_arguments(model: Path, settings: Settings, on_cpu: bool) -> dict[str, Any]:
    """Arguments of vLLM's engine for a model under these settings."""
    arguments: dict[str, Any] = {
        "model": str(model),
        "dtype": settings.dtype,
        "max_model_len": settings.context,
        "max_num_seqs": settings.batch,
        "enable_prefix_caching": True,
        "seed": 0,  # each request has its own
        "disable_log_stats": True,
    }
    if on_cpu:
        # Compiling costs a minute and gains nothing there; a seeded request whose prefill is
        # chunked dies ("CPU Generator does not use offset"). Prefixes are shared by whole blocks,
        # and the default of 128 tokens is longer than a short problem.
        arguments |= {"enforce_eager": True, "enable_chunked_prefill": False, "block_size": 32}
    else:
        arguments |= {
            "tensor_parallel_size": settings.gpus,
            "gpu_memory_utilization": settings.gpu_memory_utilization,
        }
    return arguments


def completion_of(output: Any) -> Completion:
    """What vLLM's output says of a finished request."""
    (made,) = output.outputs
    count = len(made.token_ids)
    return Completion(
        text=made.text,
        finish_reason="length" if made.finish_reason == "length" else "stop",
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=count,
        mean_logprob=made.cumulative_logprob / count if count else None,
    )

"""The openai engine against a real vLLM server on loopback: the units of the vllm engine."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ttspm.endpoint import write_endpoint
from ttspm.engines import Completion, Engine, Request, Settings, load_engine
from ttspm.errors import UserError
from ttspm.seeds import unit_seed

SETTINGS = Settings(
    temperature=0.6,
    top_p=0.95,
    max_tokens=24,
    dtype="float32",
    context=1024,
    batch=6,
    threads=2,
    name="served",
    timeout_seconds=120,
)


def small_requests() -> list[Request]:
    return [
        Request(f"p{i}", unit, unit_seed(1, "m", "b", "parallel", f"p{i}", unit), question)
        for i, question in enumerate(["What is 3 + 4?", "Tom has 3 apples and buys 2. How many?"])
        for unit in (1, 2, 3)
    ]


def units(run: Engine, model: Path, settings: Settings) -> dict[tuple[str, int], Completion]:
    """What an engine makes of the small requests."""
    made: dict[tuple[str, int], Completion] = {}

    def finished(request: Request, completion: Completion) -> None:
        made[request.problem_id, request.unit] = completion

    run(model, settings, small_requests(), finished)
    return made


def units_of_vllm(model: Path, settings: Settings) -> dict[tuple[str, int], Completion]:
    """In a process of its own, as that engine settles the environment."""
    return units(load_engine("vllm"), model, settings)


@contextmanager
def vllm_server(model: Path, log: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": cores,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "TORCH_COMPILE_DISABLE": "1",  # else a C++ compiler is needed
    }
    options = "--dtype float32 --enforce-eager --no-enable-chunked-prefill --max-model-len 1024"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "m", "--host", "127.0.0.1", "--port", str(port)]
    with open(log, "wb") as out:
        server = subprocess.Popen(
            [*command, *options.split()], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline:
                if server.poll() is not None:
                    pytest.fail(f"the vLLM server ended:\n{log.read_text()[-3000:]}")
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.mark.model
def test_a_vllm_server_gives_the_units_of_the_vllm_engine(small_model, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as apart:
        expected = apart.submit(units_of_vllm, small_model, SETTINGS).result()
    endpoint = tmp_path / "endpoint"
    endpoint.mkdir()
    with vllm_server(small_model, tmp_path / "server.log") as base_url:
        write_endpoint({"base_url": base_url, "model": "m"}, endpoint)
        made = units(load_engine("openai"), endpoint, SETTINGS)
        with pytest.raises(UserError, match=r"lower generation\.max_tokens"):
            units(load_engine("openai"), endpoint, replace(SETTINGS, max_tokens=2000))
    assert made.keys() == expected.keys()
    for key, unit in made.items():
        assert replace(unit, mean_logprob=None) == replace(expected[key], mean_logprob=None)
        assert unit.mean_logprob == pytest.approx(expected[key].mean_logprob, abs=1e-4)

"""Exceptions of vLLM, torch and the hub become one line; their texts are the installed ones."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ttspm.engines import Settings
from ttspm.engines.devices import require_numa_library
from ttspm.engines.faults import explain, faults_in_one_line
from ttspm.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = Settings(
    temperature=0.6,
    top_p=0.95,
    max_tokens=64,
    dtype="bfloat16",
    context=9000,
    batch=128,
    threads=1,
    name="big",
)

# What is raised (pieces of it stand in the source of vLLM 0.32), and words the line must hold.
VLLM = [
    (
        "User-specified max_model_len (9000) is greater than the derived max_model_len"
        " (max_position_embeddings=8192 or model_max_length=None in model's config.json).",
        ["models.big.context: 9000", "8192"],
        "config/model.py",
        ["User-specified max_model_len (", "than the derived max_model_len ("],
    ),
    (
        "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        ["models.big.gpus", "generation.batch (now 128)"],
        "v1/core/kv_cache_utils.py",
        ["No available memory for the cache blocks. "],
    ),
    (
        "To serve at least one request with the model's max seq len (9000), (4.5 GiB KV cache is"
        " needed, which is larger than the available KV cache memory (1.2 GiB). Based on",
        ["lower models.big.context"],
        "v1/core/kv_cache_utils.py",
        ["model's max seq len ", "cache is needed, which is larger than the available KV cache "],
    ),
    (
        "Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired GPU memory"
        " utilization (0.92, 72.9 GiB).",
        ["3.1/79.2 GiB", "models.big.gpu_memory_utilization"],
        "v1/worker/utils.py",
        [" GiB) on startup ", "is less than desired GPU memory utilization "],
    ),
    (
        "CUDA out of memory occurred when warming up sampler with 128 dummy requests.",
        ["out of memory", "generation.batch (now 128)", "models.big.context (now 9000)"],
        "v1/worker/gpu_model_runner.py",
        ["CUDA out of memory occurred when warming up sampler"],
    ),
    (
        "Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4"
        " GPU has compute capability 7.5.",
        ["models.big.dtype", "bfloat16"],
        "platforms/cuda.py",
        ["Bfloat16 is only supported on GPUs "],
    ),
    (
        "The model type 'gemma2' does not support float16. Reason: Numerical instability.",
        ["models.big.dtype"],
        "config/model.py",
        ["does not support float16. Reason:"],
    ),
    (
        "Model architectures ['MarianMTModel'] are not supported for now. Supported architectures:",
        ["'MarianMTModel'", "transformers"],
        "model_executor/models/registry.py",
        ["Model architectures {architectures} are not supported for now."],
    ),
    (
        "Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        ["lines above"],
        "v1/engine/utils.py",
        ["Engine core initialization failed. "],
    ),
    (
        "WorkerProc initialization failed due to an exception in a background process.",
        ["lines above"],
        "v1/executor/multiproc_executor.py",
        ["WorkerProc initialization failed due to an exception"],
    ),
]


@pytest.mark.parametrize(("raised", "words", "file", "pieces"), VLLM)
def test_a_fault_of_vllm_is_one_line(raised, words, file, pieces):
    message = explain(RuntimeError(raised), SETTINGS)
    assert message is not None
    assert message.startswith("models.big")
    assert "\n" not in message
    assert "{" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(("raised", "words", "file", "pieces"), VLLM)
def test_the_texts_are_those_of_the_installed_vllm(raised, words, file, pieces):
    found = importlib.util.find_spec("vllm")
    if found is None or not found.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    source = (Path(found.submodule_search_locations[0]) / file).read_text()
    for piece in pieces:
        assert piece in source
        if "{" not in piece:
            assert piece.strip() in raised


def test_torch_running_out_of_memory_names_what_to_lower():
    import torch

    with pytest.raises(UserError) as error, faults_in_one_line(SETTINGS):
        torch.empty(2**60)
    assert "out of memory: lower generation.batch (now 128)" in str(error.value)
    raised = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert explain(raised, SETTINGS) == str(error.value)


def test_the_cause_counts_and_without_a_context_none_is_named():
    try:
        try:
            raise MemoryError
        except MemoryError as cause:
            raise ValueError("step failed") from cause
    except ValueError as error:
        message = explain(error, replace(SETTINGS, context=None))
    assert message is not None
    assert "models.big.context (now the model's own)" in message


def test_a_library_that_no_wheel_brings_is_asked_for_by_its_package():
    require_numa_library("libc.so.6")
    with pytest.raises(UserError, match="apt-get install libnuma1"):
        require_numa_library("libnuma-that-is-not-there.so.1")


def test_what_is_not_known_passes_through_as_it_is():
    with pytest.raises(ZeroDivisionError), faults_in_one_line(SETTINGS):
        _ = 1 / 0
    own = UserError("results: out of memory cards")
    with pytest.raises(UserError) as error, faults_in_one_line(SETTINGS):
        raise own
    assert error.value is own


def test_a_type_that_transformers_does_not_know_is_told(tmp_path):
    from transformers import AutoConfig

    (tmp_path / "config.json").write_text('{"model_type": "unheard_of"}')
    with pytest.raises(UserError) as error, faults_in_one_line(SETTINGS):
        AutoConfig.from_pretrained(tmp_path)
    assert "does not know models of type 'unheard_of'" in str(error.value)


# ---- the hub -----------------------------------------------------------------------------------

FETCH = """
import sys
from pathlib import Path
from ttspm.errors import UserError
from ttspm.models import fetch_model
source = {"type": "hub", "repo": "meta/closed", "revision": "0" * 40}
try:
    fetch_model(source, Path(sys.argv[1]), Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "GatedRepo", "is gated: accept its terms on https://huggingface.co/meta/closed"),
        (404, "RevisionNotFound", "the hub has no revision 0000"),
        (404, "RepoNotFound", "cannot be had from the hub"),
    ],
)
def test_a_refusal_of_the_hub_says_what_to_do(tmp_path, status, code, said):
    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hub"),
        "PYTHONPATH": str(ROOT / "scripts"),
        "NO_PROXY": "127.0.0.1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", FETCH, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        server.shutdown()
        server.server_close()
    (line,) = done.stdout.splitlines()
    assert line.startswith("model meta/closed: ")
    assert said in line


# ---- a real vLLM -------------------------------------------------------------------------------

TOO_LONG = """
import sys
from pathlib import Path
from ttspm.engines import Settings
from ttspm.engines.vllm import run
from ttspm.errors import UserError
settings = Settings(0.6, 0.95, 8, "float32", 9000, 4, 2, name="small")
try:
    run(Path(sys.argv[1]), settings, iter(()), print)
except UserError as error:
    print("told:", error)
"""


@pytest.mark.model
def test_vllm_refuses_a_context_beyond_the_models(small_model):
    done = subprocess.run(
        [sys.executable, "-c", TOO_LONG, str(small_model)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("told:")]
    assert "models.small.context: 9000 is longer than the model's own context of 8192" in told

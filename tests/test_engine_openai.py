"""The openai engine against a server on loopback that plays faults, and against a real vLLM."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from fault_server import FaultServer, completion
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.endpoint import check_endpoint, on_this_machine, write_endpoint
from ttspm.engines import Completion, Request, Settings
from ttspm.engines import openai as engine
from ttspm.engines.patience import Patience, told_wait
from ttspm.errors import UserError
from ttspm.seeds import unit_seed

KEY = "sk-secret-0123456789abcdef"
SETTINGS = Settings(
    temperature=0.6,
    top_p=0.95,
    max_tokens=64,
    dtype="float32",
    context=None,
    batch=4,
    threads=1,
    name="served",
    key_variable="TEST_KEY",
    timeout_seconds=20,
)
OK = (200, {}, completion())


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", Patience(tries=4, tries_at_limit=6, first_wait=0.01))
    monkeypatch.setenv("TEST_KEY", KEY)


@pytest.fixture
def serve():
    servers = []

    def start(reply) -> FaultServer:
        servers.append(FaultServer(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def questions(n: int = 3) -> list[Request]:
    return [Request(f"p{i}", 1, 2**62 + i, f"question {i}") for i in range(n)]


@pytest.fixture
def generate(tmp_path):
    def start(base_url, requests=None, settings=SETTINGS, follow=lambda request, made: None):
        write_endpoint({"base_url": base_url, "model": "m"}, tmp_path)
        made = {}

        def finished(request, completion):
            made[request.problem_id, request.unit] = completion
            return follow(request, completion)

        try:
            facts = engine.run(tmp_path, settings, iter(requests or questions()), finished)
        except UserError as error:
            messages.append(str(error))
            return made, str(error)
        return made, facts

    messages = []
    yield start
    assert not any("\n" in message or KEY in message for message in messages)


# ---- what is asked and what is kept ------------------------------------------------------------


def test_one_request_a_unit_with_its_seed(serve, generate):
    server = serve(lambda body, before: OK)
    made, facts = generate(server.base_url + "/")
    assert made == {(f"p{i}", 1): Completion("seven", "stop", 5, 2, -1.5) for i in range(3)}
    assert sorted(body["seed"] for body in server.asked) == [2**62, 2**62 + 1, 2**62 + 2]
    body = min(server.asked, key=lambda body: body["seed"])
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "question 0"}],
        "temperature": 0.6,
        "top_p": 0.95,
        "max_tokens": 64,
        "seed": 2**62,
        "logprobs": True,
    }
    assert set(server.authorization) == {f"Bearer {KEY}"}
    assert facts["served"] == ["served fp"]
    assert facts["retries"] == 0
    assert KEY not in str(facts)


@pytest.mark.parametrize(
    ("told", "kept"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "stop"), (None, "stop")],
)
def test_finish_reasons(serve, generate, told, kept):
    server = serve(lambda body, before: (200, {}, completion(finish_reason=told)))
    made, _ = generate(server.base_url)
    assert {unit.finish_reason for unit in made.values()} == {kept}


@pytest.mark.parametrize(
    ("message", "finish_reason", "text"),
    [
        ({"content": "7", "reasoning_content": "3+4"}, "stop", "<think>3+4</think>7"),
        ({"content": "7", "reasoning": "3+4"}, "stop", "<think>3+4</think>7"),
        ({"content": None, "reasoning_content": "3+"}, "length", "<think>3+"),
        ({"content": None}, "length", ""),
        ({"content": "half \ud83d"}, "stop", "half ?"),
    ],
)
def test_thinking_handed_over_apart_is_put_back(serve, generate, message, finish_reason, text):
    answer = completion(message=message, finish_reason=finish_reason)
    server = serve(lambda body, before: (200, {}, answer))
    made, _ = generate(server.base_url)
    assert {unit.text for unit in made.values()} == {text}


def test_concurrency_is_bounded_and_used(serve, generate):
    def reply(body, before):
        time.sleep(0.05)
        return OK

    server = serve(reply)
    made, _ = generate(server.base_url, questions(20))
    assert len(made) == 20
    assert server.most_at_once == 4


def test_a_chain_goes_on_while_another_unit_is_waited_for(serve, generate):
    """Rounds 2 and 3 of p0 are asked and answered before p1's first round is."""
    done = []

    def reply(body, before):
        if body["messages"][0]["content"] == "question 1":
            deadline = time.monotonic() + 10
            while ("p0", 3) not in done and time.monotonic() < deadline:
                time.sleep(0.005)
        return OK

    def follow(request, made):
        done.append((request.problem_id, request.unit))
        if request.unit == 3:
            return None
        return replace(request, unit=request.unit + 1, prompt=f"{request.prompt} again")

    made, _ = generate(serve(reply).base_url, questions(2), follow=follow)
    assert done[:3] == [("p0", 1), ("p0", 2), ("p0", 3)]
    assert len(made) == 6


# ---- faults that pass --------------------------------------------------------------------------


def test_too_many_requests_waits_as_long_as_it_is_told(serve, generate):
    limited = (429, {"Retry-After": "0.3"}, {"error": {"message": "slow down"}})
    server = serve(lambda body, before: limited if before == 0 else OK)
    made, facts = generate(server.base_url, questions(1))
    assert len(made) == 1
    assert facts["retries"] == 1
    assert server.times[1] - server.times[0] >= 0.3


def test_a_servers_errors_are_tried_again(serve, generate):
    server = serve(lambda body, before: (500, {}, "oops") if before < 2 else OK)
    made, facts = generate(server.base_url)
    assert len(made) == 3
    assert facts["retries"] == 6
    assert len(server.asked) == 9


def test_no_answer_in_time_is_tried_again(serve, generate):
    def reply(body, before):
        if before == 0:
            time.sleep(1)
        return OK

    server = serve(reply)
    made, facts = generate(server.base_url, settings=replace(SETTINGS, timeout_seconds=0.3))
    assert len(made) == 3
    assert facts["retries"] == 3


@pytest.mark.parametrize("answer", ["<html>not now</html>", {"error": {"message": "upstream"}}])
def test_an_answer_without_a_completion_is_tried_again(serve, generate, answer):
    server = serve(lambda body, before: (200, {}, answer) if before == 0 else OK)
    made, facts = generate(server.base_url)
    assert len(made) == 3
    assert facts["retries"] == 3


@pytest.mark.parametrize("status", [400, 403, 422])
def test_logprobs_refused_are_left_out_once_and_for_all(serve, generate, status):
    refusal = (status, {}, {"error": {"message": "logprobs are not supported", "code": "x"}})
    without = (200, {}, completion(logprobs=None))
    server = serve(lambda body, before: refusal if "logprobs" in body else without)
    made, facts = generate(server.base_url, questions(9), settings=replace(SETTINGS, batch=1))
    assert len(made) == 9
    assert {unit.mean_logprob for unit in made.values()} == {None}
    assert sum("logprobs" in body for body in server.asked) == 1
    assert facts["logprobs"] is False


def test_the_new_name_of_the_longest_completion(serve, generate):
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refusal = (400, {}, {"error": {"message": said, "param": "max_tokens"}})
    server = serve(lambda body, before: refusal if "max_tokens" in body else OK)
    made, _ = generate(server.base_url, settings=replace(SETTINGS, batch=1))
    assert len(made) == 3
    assert [body.get("max_completion_tokens") for body in server.asked] == [None, 64, 64, 64]


# ---- faults that stay --------------------------------------------------------------------------


def test_a_dead_endpoint_is_one_line_after_the_tries(generate, caplog):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    caplog.set_level(logging.INFO, logger="ttspm")
    logging.getLogger("ttspm").propagate = True
    made, message = generate(f"http://127.0.0.1:{port}/v1")
    assert made == {}
    assert message.startswith(f"models.served: http://127.0.0.1:{port}/v1 cannot be reached")
    assert "after 4 tries" in message
    assert KEY not in caplog.text


def test_a_server_that_stays_ill_is_one_line(serve, generate):
    server = serve(lambda body, before: (503, {}, f"down {KEY}\nsecond line"))
    _, message = generate(server.base_url, questions(1))
    assert "answers 503 (down *** second line), after 4 tries" in message
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "does not accept the key in the environment variable TEST_KEY"),
        (403, "does not let the key in the environment variable TEST_KEY use 'm'"),
        (404, "knows no model 'm'"),
        (400, "refuses problem 'p0' (400:"),
    ],
)
def test_a_refusal_is_one_line_at_once(serve, generate, status, said):
    server = serve(lambda body, before: (status, {}, {"error": {"message": f"no, {KEY}!"}}))
    _, message = generate(server.base_url, questions(1))
    assert message.startswith("models.served")
    assert said in message
    assert "no, ***!" in message
    assert len(server.asked) == 1


def test_no_money_left_is_not_tried_again(serve, generate):
    answer = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    server = serve(lambda body, before: (429, {}, answer))
    _, message = generate(server.base_url, questions(1))
    assert "You exceeded your quota" in message
    assert len(server.asked) == 1


def test_an_answer_without_token_counts_is_refused(serve, generate):
    answer = completion()
    del answer["usage"]
    _, message = generate(serve(lambda body, before: (200, {}, answer)).base_url)
    assert "does not count tokens" in message


def test_what_is_under_way_is_kept_when_another_unit_fails(serve, generate):
    """p0 is refused while p1 is being answered: p1 is kept, and nothing else is asked."""

    def reply(body, before):
        if body["messages"][0]["content"] == "question 0":
            time.sleep(0.1)
            return (400, {}, {"error": {"message": "maximum context length is 8 tokens"}})
        time.sleep(0.4)
        return OK

    server = serve(reply)
    made, message = generate(server.base_url, questions(8), settings=replace(SETTINGS, batch=2))
    assert set(made) == {("p1", 1)}
    assert len(server.asked) == 2
    assert message.endswith("lower generation.max_tokens")


def test_a_fault_of_the_disk_stops_the_run(serve, generate):
    def follow(request, made):
        raise UserError("results: no space left on the disk")

    server = serve(lambda body, before: OK)
    _, message = generate(server.base_url, questions(20), follow=follow)
    assert message == "results: no space left on the disk"
    assert len(server.asked) <= 2 * SETTINGS.batch


# ---- the key -----------------------------------------------------------------------------------


def test_the_key_is_not_in_the_artifact(tmp_path):
    write_endpoint({"base_url": "https://x.org/v1/", "model": "m", "key_variable": "K"}, tmp_path)
    (written,) = tmp_path.iterdir()
    assert written.read_text() == '{\n  "base_url": "https://x.org/v1",\n  "model": "m"\n}\n'


def test_no_key_is_needed_on_this_machine(serve, generate, monkeypatch):
    monkeypatch.delenv("TEST_KEY")
    server = serve(lambda body, before: OK)
    made, _ = generate(server.base_url)
    assert len(made) == 3
    assert set(server.authorization) == {None}


def test_a_missing_key_is_told_before_anything_is_asked(generate, monkeypatch):
    monkeypatch.delenv("TEST_KEY")
    _, message = generate("https://example.org/v1")
    assert message.startswith("models.served: the environment variable TEST_KEY is not set")


def test_a_key_with_a_line_break_inside_is_told_without_it(generate, monkeypatch):
    monkeypatch.setenv("TEST_KEY", f"{KEY}\nsecond")
    _, message = generate("https://example.org/v1")
    assert "TEST_KEY holds blanks" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": f"https://me:{KEY}@x.org/v1"}, "base_url: must be an address"),
        ({"base_url": f"https://x.org/v1?key={KEY}"}, "base_url: must be an address"),
        ({"base_url": "x.org/v1"}, "base_url: must be an address"),
        ({"base_url": "https://[x/v1"}, "base_url: must be an address"),
        ({"key_variable": KEY}, "key_variable: must be the name"),
        ({"key_variable": "UNSET_KEY"}, "the environment variable UNSET_KEY is not set"),
    ],
)
def test_a_description_with_a_secret_in_it_is_refused_without_repeating_it(change, said):
    source = {"base_url": "https://x.org/v1", "model": "m", "key_variable": "TEST_KEY"}
    check_endpoint("served", source)
    with pytest.raises(UserError) as error:
        check_endpoint("served", source | change)
    assert said in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_which_addresses_are_this_machines_own(base_url, local):
    assert on_this_machine(base_url) is local


# ---- patience ----------------------------------------------------------------------------------


@given(
    st.integers(1, 2000), st.none() | st.floats(0, 1e6, allow_nan=False), st.integers(0, 2**63 - 1)
)
@settings(derandomize=True)
def test_waits_double_up_to_a_bound_and_are_never_shorter_than_told(failures, told, seed):
    patience = Patience(first_wait=1, longest_wait=60, longest_told_wait=900)
    wait = patience.wait(failures, told, np.random.default_rng(seed))
    assert wait == patience.wait(failures, told, np.random.default_rng(seed))
    own = min(60, 2 ** (failures - 1))
    if told is None:
        assert own / 2 <= wait <= own
    else:
        assert max(own / 2, min(told, 900)) <= wait <= max(own, min(told, 900))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_as_seconds_or_date(header, seconds):
    assert told_wait(header, datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)) == seconds


# ---- a real vLLM -------------------------------------------------------------------------------


def small_requests() -> list[Request]:
    return [
        Request(f"p{i}", unit, unit_seed(1, "m", "b", "parallel", f"p{i}", unit), question)
        for i, question in enumerate(["What is 3 + 4?", "Tom has 3 apples and buys 2. How many?"])
        for unit in (1, 2, 3)
    ]


def vllm_units(model: Path, settings: Settings) -> dict[tuple[str, int], Completion]:
    """Units of the vllm engine; runs in a process of its own, as it settles the environment."""
    from ttspm.engines.vllm import run

    made = {}
    run(
        model,
        settings,
        small_requests(),
        lambda request, unit: made.__setitem__((request.problem_id, request.unit), unit),
    )
    return made


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
def test_a_vllm_server_gives_the_units_of_the_vllm_engine(small_model, tmp_path, generate):
    settings_ = replace(SETTINGS, max_tokens=24, context=1024, batch=6, threads=2)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as apart:
        expected = apart.submit(vllm_units, small_model, settings_).result()
    settings_ = replace(settings_, timeout_seconds=120)
    with vllm_server(small_model, tmp_path / "server.log") as base_url:
        made, facts = generate(base_url, small_requests(), settings_)
        _, unknown = generate(base_url, small_requests(), replace(settings_, max_tokens=2000))
    assert made.keys() == expected.keys()
    for key, unit in made.items():
        assert replace(unit, mean_logprob=None) == replace(expected[key], mean_logprob=None)
        assert unit.mean_logprob == pytest.approx(expected[key].mean_logprob, abs=1e-4)
    assert facts["logprobs"] is True
    assert facts["retries"] == 0
    assert "lower generation.max_tokens" in unknown

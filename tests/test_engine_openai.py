"""The openai engine against a server on loopback that plays faults."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import replace

import pytest
from fault_server import FaultServer, completion

from ttspm.endpoint import write_endpoint
from ttspm.engines import Completion, Request, Settings
from ttspm.engines import openai as engine
from ttspm.engines.patience import Patience
from ttspm.errors import UserError

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

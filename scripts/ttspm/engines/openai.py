"""Any OpenAI-compatible endpoint: one request a unit, so many at a time, with patience.

Each of ``generation.batch`` workers takes a unit, asks, hands it over, and goes on with the round
that follows it, else with the next unit. What an endpoint does not take (log-probabilities, the
old name of the longest completion) is left out once it has said so.

When a request fails for good, nothing new is asked, but what is under way is waited for and kept:
it is paid for.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from ttspm.endpoint import Endpoint, on_this_machine, read_endpoint, read_key
from ttspm.engines import Completion, Finished, Request, Settings
from ttspm.engines.patience import Patience, told_wait
from ttspm.errors import UserError

log = logging.getLogger("ttspm")

PATIENCE = Patience()
TOO_MANY_REQUESTS = 429
WORTH_ANOTHER_TRY = {408, 409, 425, TOO_MANY_REQUESTS}  # and every 5xx
SECONDS_BETWEEN_MESSAGES = 10


class Failure(Exception):
    """A try that failed and may succeed when made again.

    Parameters
    ----------
    reason : str
        What the endpoint did.
    told_wait : float or None
        Seconds that it asked to wait.
    at_limit : bool
        Whether it only has too many requests.
    """

    def __init__(self, reason: str, told_wait: float | None = None, at_limit: bool = False) -> None:
        super().__init__(reason)
        self.told_wait, self.at_limit = told_wait, at_limit


def run(
    model: Path, settings: Settings, requests: Iterable[Request], finished: Finished
) -> dict[str, Any]:
    """Generate; see `ttspm.engines` for the contract."""
    endpoint = read_endpoint(model)
    key = read_key(settings.name, settings.key_variable or "OPENAI_API_KEY", endpoint.base_url)
    return asyncio.run(_generate(Asker(endpoint, settings, key, PATIENCE), requests, finished))


async def _generate(
    asker: Asker, requests: Iterable[Request], finished: Finished
) -> dict[str, Any]:
    started = time.monotonic()
    first: float | None = None
    failed: list[UserError] = []
    waiting = iter(requests)  # shared: each worker takes the next unit when it is free

    async def work() -> None:
        nonlocal first
        for request in waiting:
            following: Request | None = request
            while following is not None and not failed:
                try:
                    completion = await asker.ask(following)
                    first = first or time.monotonic()
                    following = finished(following, completion)
                except UserError as error:
                    failed.append(error)
                    asker.stop.set()
            if failed:
                return

    async with asker.client:
        await asyncio.gather(*(work() for _ in range(asker.settings.batch)))
    if failed:
        raise failed[0]
    return asker.facts() | {
        "first_unit_seconds": round((first or started) - started, 3),
        "generate_seconds": round(time.monotonic() - started, 3),
    }


class Asker:
    """Asks an endpoint, again where that may help.

    Parameters
    ----------
    endpoint : Endpoint
        Address and model.
    settings : Settings
        Sampling, the longest wait for an answer, the model's name in the configuration.
    key : str or None
        The endpoint's key.
    patience : Patience
        When to give up.
    """

    def __init__(
        self, endpoint: Endpoint, settings: Settings, key: str | None, patience: Patience
    ) -> None:
        self.endpoint, self.settings, self.patience = endpoint, settings, patience
        self.stop = asyncio.Event()
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=30, pool=None),
            limits=httpx.Limits(max_connections=settings.batch),
            # A proxy is for the world outside.
            trust_env=not on_this_machine(endpoint.base_url),
        )
        self._key = key
        self._limit_name = "max_tokens"
        self._with_logprobs = True
        self._retries = 0
        self._served: set[str] = set()
        self._said = -math.inf

    def facts(self) -> dict[str, Any]:
        """What is known of the endpoint and of how it went, for the action record."""
        return {
            "engine": f"openai, httpx {httpx.__version__}",
            "device": self.endpoint.base_url,
            "served": sorted(self._served),
            "logprobs": self._with_logprobs,
            "retries": self._retries,
        }

    async def ask(self, request: Request) -> Completion:
        """One unit's completion.

        Raises
        ------
        UserError
            If the endpoint refuses, or has failed as often as patience allows.
        """
        jitter = np.random.default_rng(request.seed)
        failures = 0
        while True:
            try:
                return self._completion(await self._answer(request))
            except Failure as failure:
                failures += 1
                tries = self.patience.tries_at_limit if failure.at_limit else self.patience.tries
                if failures >= tries or self.stop.is_set():
                    raise UserError(
                        f"models.{self.settings.name}: {self.endpoint.base_url} {failure}, after"
                        f" {failures} tries; finished units are kept: run the same command again"
                        " when it is well"
                    ) from None
                wait = self.patience.wait(failures, failure.told_wait, jitter)
                self._tell(f"{self.endpoint.base_url} {failure}; next try in {wait:.0f} s")
            self._retries += 1
            with suppress(TimeoutError):  # a failure elsewhere ends the wait
                await asyncio.wait_for(self.stop.wait(), wait)

    async def _answer(self, request: Request) -> Any:
        """The endpoint's answer as JSON, to the question it takes."""
        while True:
            body = self._body(request)
            response = await self._post(body)
            if response.is_success:
                try:
                    return response.json()
                except ValueError:
                    raise Failure("answers with something other than JSON") from None
            if not self._adapt(body, response):
                raise self._refusal(request, response)

    async def _post(self, body: dict[str, Any]) -> httpx.Response:
        try:
            return await self.client.post(f"{self.endpoint.base_url}/chat/completions", json=body)
        except httpx.ReadTimeout:
            raise Failure(f"gave no answer in {self.settings.timeout_seconds:g} s") from None
        except httpx.RequestError as error:
            reason = self._one_line(str(error)) or type(error).__name__
            raise Failure(f"cannot be reached ({reason})") from None

    def _body(self, request: Request) -> dict[str, Any]:
        body = {
            "model": self.endpoint.model,
            "messages": [{"role": "user", "content": request.prompt}],
            "temperature": self.settings.temperature,
            "top_p": self.settings.top_p,
            self._limit_name: self.settings.max_tokens,
            "seed": request.seed,
        }
        return body | {"logprobs": True} if self._with_logprobs else body

    def _adapt(self, body: dict[str, Any], response: httpx.Response) -> bool:
        """Leave out what the endpoint says it does not take; whether there is a new question."""
        if not response.is_client_error or response.status_code == TOO_MANY_REQUESTS:
            return False
        if "max_completion_tokens" in response.text and "max_tokens" in body:
            self._limit_name = "max_completion_tokens"
            return True
        if "logprobs" in response.text and "logprobs" in body:
            if self._with_logprobs:
                log.info("%s offers no log-probabilities", self.endpoint.base_url)
            self._with_logprobs = False
            return True
        return False

    def _refusal(self, request: Request, response: httpx.Response) -> Exception:
        """The exception for an answer that holds no completion."""
        status, said = response.status_code, self._one_line(_message(response))
        model, address = f"models.{self.settings.name}", self.endpoint.base_url
        out_of_money = "insufficient_quota" in response.text  # OpenAI says 429 to that
        if (status in WORTH_ANOTHER_TRY or response.is_server_error) and not out_of_money:
            return Failure(
                f"answers {status} ({said})",
                told_wait(response.headers.get("retry-after")),
                at_limit=status == TOO_MANY_REQUESTS,
            )
        key = f"key in the environment variable {self.settings.key_variable}"
        if status == httpx.codes.UNAUTHORIZED:
            does = "does not accept the" if self._key else "asks for a"
            return UserError(f"{model}: {address} {does} {key} (401: {said})")
        if status == httpx.codes.FORBIDDEN:
            return UserError(
                f"{model}: {address} does not let the {key} use '{self.endpoint.model}'"
                f" (403: {said})"
            )
        if status == httpx.codes.NOT_FOUND:
            return UserError(
                f"{model}.source: {address} knows no model '{self.endpoint.model}', or base_url is"
                f" not the address before /chat/completions (404: {said})"
            )
        too_long = "context length" in said or "max_model_len" in said
        hint = "; lower generation.max_tokens" if too_long else ""
        return UserError(
            f"{model}: {address} refuses problem '{request.problem_id}' ({status}: {said}){hint}"
        )

    def _completion(self, answer: Any) -> Completion:
        """The unit in an answer."""
        try:
            choice = answer["choices"][0]
            text = text_of(choice["message"], cut_off=choice.get("finish_reason") == "length")
            tokens = (choice.get("logprobs") or {}).get("content") or []
            logprobs = [token["logprob"] for token in tokens]
            usage = answer.get("usage") or {}
        except (KeyError, IndexError, TypeError, AttributeError):
            raise Failure(f"answers without a completion ({self._one_line(str(answer))})") from None
        if "prompt_tokens" not in usage or "completion_tokens" not in usage:
            raise UserError(
                f"models.{self.settings.name}: {self.endpoint.base_url} does not count tokens: its"
                " answers need 'usage' with prompt_tokens and completion_tokens"
            )
        names = (answer.get("model"), answer.get("system_fingerprint"))
        self._served.add(" ".join(str(name) for name in names if name))
        return Completion(
            text=text,
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
            mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
        )

    def _tell(self, message: str) -> None:
        """Say it, unless something was said a moment ago: all workers meet the same trouble."""
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_MESSAGES:
            self._said = now
            log.info("%s", message)

    def _one_line(self, text: str) -> str:
        """The endpoint's own words, short, without the key should it repeat that."""
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return text if len(text) <= 200 else f"{text[:200]}..."


def text_of(message: dict[str, Any], *, cut_off: bool) -> str:
    """Text of a completion, with the thinking that some endpoints hand over apart from it.

    Parameters
    ----------
    message : dict
        ``content`` and, from some, ``reasoning_content`` or ``reasoning``.
    cut_off : bool
        Whether the longest completion was reached: where nothing follows it, the thinking was
        never closed.
    """
    said = message.get("content") or ""
    thought = message.get("reasoning_content") or message.get("reasoning")
    if thought:
        said = f"<think>{thought}" if cut_off and not said else f"<think>{thought}</think>{said}"
    return said.encode(errors="replace").decode()  # half a surrogate pair cannot be stored


def _message(response: httpx.Response) -> str:
    """What a response says is wrong, out of the forms in use; else its text."""
    try:
        answer = response.json()
        error = answer.get("error") or answer
        found = error if isinstance(error, str) else error.get("message") or error.get("detail")
    except (ValueError, AttributeError):
        found = None
    return str(found or response.text or response.reason_phrase)

"""A small OpenAI-compatible server on loopback that plays faults; it counts what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def completion(text: str = "seven", **changes: Any) -> dict[str, Any]:
    """An answer as OpenAI writes it."""
    return {
        "model": "served",
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": "a", "logprob": -1.0}, {"logprob": -2.0}]},
            }
            | changes
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }


class FaultServer:
    """Answers each question with what `reply` makes of it.

    Parameters
    ----------
    reply : callable
        From the body asked and the number of times this body's prompt was asked before, to status,
        headers and a JSON value (or text).
    """

    def __init__(self, reply: Callable[[dict[str, Any], int], tuple[int, dict[str, str], Any]]):
        self.asked: list[dict[str, Any]] = []
        self.authorization: list[str | None] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][0]["content"]
                with lock:
                    before = sum(b["messages"][0]["content"] == prompt for b in outer.asked)
                    outer.asked.append(body)
                    outer.authorization.append(self.headers["Authorization"])
                    outer.times.append(time.monotonic())
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                try:
                    known = self.path == "/v1/chat/completions"
                    status, headers, answer = reply(body, before) if known else (404, {}, "no page")
                finally:
                    with lock:
                        outer.at_once -= 1
                content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client did not wait

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

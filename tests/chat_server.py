"""A chat-completions server on loopback that misbehaves on demand, for the tests of models and judges behind an API."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Fault:
    """What to send instead of a good answer: ``drip_s`` between bytes, ``hang_s`` before any, ``cut`` closes halfway."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False


def completion(text: Any, finish: Any = "stop", usage: Any = None, first: Any = None) -> bytes:
    """A good answer; ``first`` are the likeliest first tokens with their weights."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2} if usage is None else usage
    top = [{"token": token, "logprob": weight} for token, weight in first or ()]
    said = {"logprobs": {"content": [{"token": "x", "top_logprobs": top}]}} if first is not None else {}
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish, **said}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


Behaviour = Callable[[str, int], "Fault | str"]
"""Takes the last message's text and how often it was asked, 1 at first; returns the reply's text or a fault."""


def question(body: Mapping[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class ChatServer:
    """Serves as long as the ``with`` lasts; remembers what it was asked and what it answered well."""

    def __init__(self, behave: Behaviour = lambda text, asked: "ok") -> None:
        self.behave = behave
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.most_at_once = 0
        self.now = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = question(body)
                with server._lock:
                    server.bodies.append(body)
                    server.headers.append(dict(self.headers))
                    server.times.append(time.monotonic())
                    server.asked[text] += 1
                    server.now += 1
                    server.most_at_once = max(server.most_at_once, server.now)
                    asked = server.asked[text]
                try:
                    self._send(server.behave(text, asked), text)
                finally:
                    with server._lock:
                        server.now -= 1

            def _send(self, said: Fault | str, text: str) -> None:
                fault = said if isinstance(said, Fault) else Fault(body=completion(said))
                time.sleep(fault.hang_s)
                with suppress(OSError):
                    self.send_response(fault.status)
                    for name, value in fault.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(fault.body)))
                    self.end_headers()
                    data = fault.body[: len(fault.body) // 2] if fault.cut else fault.body
                    for at in range(0, len(data), 1 if fault.drip_s else max(1, len(data))):
                        self.wfile.write(data[at : at + (1 if fault.drip_s else len(data))])
                        self.wfile.flush()
                        time.sleep(fault.drip_s)
                    if fault.cut:
                        self.close_connection = True
                    elif not isinstance(said, Fault):
                        with server._lock:
                            server.answered[text] += 1

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

"""A model behind our own chat-completions server: what it answers, refuses and batches, and that scores are the direct run's."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from harness.config import ServeModelConfig
from harness.data.media import open_image
from harness.errors import ConfigError, MediaError
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import FileSource, Generation, Image, Request, Response, Text
from models.openai_chat import OpenAIChat
from models.served.app import application, serve
from tests.harness.fakes import png
from tests.models.specimens import picture

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}


@dataclass
class Teller:
    """Says what it was asked; slow, so that requests pile up; some texts make it fail."""

    name: str = "teller"
    fingerprint: str = field(default_factory=lambda: hash_of(["teller"]))
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(several_images=True))
    slow_s: float = 0.0
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        for request in requests:
            self.asked.append(request)
            time.sleep(self.slow_s)
            text = "|".join(part.text if isinstance(part, Text) else self._seen(part) for part in request.parts)
            if "explode" in text:
                raise RuntimeError("boom")
            yield Response(key=request.key, text=text[: request.generation.max_new_tokens], prompt_tokens=3, completion_tokens=2)

    @staticmethod
    def _seen(part: Any) -> str:
        return "x".join(map(str, open_image(part.source).size))


@pytest.fixture
def ask() -> Iterator[Callable[..., Any]]:
    """Starts a server for a model on a free port; returns a client that gives status, body and headers."""
    import httpx

    running: list[tuple[uvicorn.Server, threading.Thread, httpx.Client]] = []

    def started(model: Any, **settings: Any) -> Any:
        app = application(model, ServeModelConfig(model={}, port=0, **settings))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}/v1/", timeout=20, trust_env=False)
        running.append((server, thread, client))
        client.app = app  # type: ignore[attr-defined]
        return client

    yield started
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join(timeout=10)


def question(*content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "teller", "messages": [{"role": "user", "content": list(content)}], "max_tokens": 100, **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def shown(data: bytes, head: str = "data:image/png;base64,") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": head + base64.b64encode(data).decode()}}


def test_a_question_with_pictures_is_answered_as_the_protocol_has_it(ask: Callable[..., Any]) -> None:
    model = Teller()
    client = ask(model)
    body = question(shown(picture(48, 32, 0).data), text("red?"), temperature=0.5, seed=7, stop="!", top_p=0.9)
    body["messages"].insert(0, {"role": "developer", "content": "be brief"})
    got = client.post("chat/completions", json=body).json()
    assert got["choices"][0]["message"] == {"role": "assistant", "content": "be brief|48x32|red?"}
    assert (got["choices"][0]["finish_reason"], got["object"], got["model"]) == ("stop", "chat.completion", "teller")
    assert got["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert model.asked[0].generation == Generation(100, 0.5, 0.9, ("!",), 7)
    assert model.asked[0].parts[0] == Text("be brief", "system")
    assert client.get("models").json()["data"][0]["id"] == client.get("models/teller").json()["id"] == "teller"


def test_a_stream_of_events_holds_the_same_reply(ask: Callable[..., Any]) -> None:
    body = question(text("red?"), stream=True, stream_options={"include_usage": True})
    lines = [line for line in ask(Teller()).post("chat/completions", json=body).text.split("\n\n") if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    said = "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert lines[-1] == "data: [DONE]" and said == "red?" and events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["choices"] == [] and events[-1]["usage"]["total_tokens"] == 5


def test_what_comes_at_once_goes_through_one_stream_and_equal_requests_are_asked_once(ask: Callable[..., Any]) -> None:
    model = Teller(slow_s=0.02)
    client = ask(model)
    server = OpenAIChat(model="teller", base_url=str(client.base_url), key_env="", concurrency=16)
    wanted = [Request(key=str(n), sample_id="s", parts=(Text(f"q{n // 2}"),), generation=Generation()) for n in range(40)]
    found = {response.key: response.text for response in server.generate(iter(wanted))}
    assert found == {request.key: f"q{int(request.key) // 2}" for request in wanted}
    streams = client.app.state.batcher.streams
    assert max(streams) >= 4 and sum(streams) == len(model.asked) < 40


def test_who_comes_too_many_at_once_waits_and_is_served(ask: Callable[..., Any]) -> None:
    client = ask(Teller(slow_s=0.01), max_waiting=3)
    server = OpenAIChat(model="teller", base_url=str(client.base_url), key_env="", concurrency=12, backoff_s=0.02, retries=20)
    wanted = [Request(key=str(n), sample_id="s", parts=(Text(f"q{n}"),), generation=Generation()) for n in range(24)]
    assert {response.text for response in server.generate(iter(wanted))} == {f"q{n}" for n in range(24)}
    assert server.pace.cuts >= 1


MANY = [shown(png(1)) for _ in range(4)]
BOMB = png(1, claims=20_000)
REFUSED: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"{", 400, "no JSON"),
    "nested too deep": (b"[" * 100_000, 400, "no JSON"),
    "a list": (b"[]", 400, "no JSON object"),
    "another model": (question(text("q"), model="gpt-4o"), 404, "not served here"),
    "no messages": ({"model": "teller"}, 400, "messages"),
    "a turn of the assistant": (question(text("q")) | {"messages": [{"role": "assistant", "content": "x"}]}, 400, "role"),
    "a role that is no text": (question(text("q")) | {"messages": [{"role": ["user"], "content": "x"}]}, 400, "role"),
    "content that is a number": (question(7), 400, "content[0]"),
    "an address": (question(shown(b"", "http://127.0.0.1/x.png,")), 400, "not fetched"),
    "a file": (question({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), 400, "not fetched"),
    "an address that is none": (question({"type": "image_url", "image_url": 7}), 400, "not fetched"),
    "no base64": (question({"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}}), 400, "not base64"),
    "no picture": (question(shown(b"GIF89a nothing")), 400, "not a picture"),
    "a decompression bomb": (question(shown(BOMB)), 400, "pixels"),
    "too many pictures": (question(*MANY), 400, "more than 3 pictures"),
    "too many pixels together": (question(*[shown(picture(64, 64, 0).data)] * 3), 400, "pixels together"),
    "several replies": (question(text("q"), n=2), 400, "n is not supported"),
    "log-probabilities": (question(text("q"), logprobs=True), 400, "logprobs"),
    "tools": (question(text("q"), tools=[{"type": "function"}]), 400, "tools"),
    "JSON wanted": (question(text("q"), response_format={"type": "json_object"}), 400, "response_format"),
    "no tokens": (question(text("q"), max_tokens=0), 400, "max_tokens"),
    "too many tokens": (question(text("q"), max_tokens=10**9), 400, "max_tokens"),
    "true tokens": (question(text("q"), max_tokens=True), 400, "max_tokens"),
    "a hot temperature": (question(text("q"), temperature=float("1e9")), 400, "temperature"),
    "stops of a wrong type": (question(text("q"), stop=[1]), 400, "stop"),
    "half a surrogate pair": (b'{"model":"teller","messages":[{"role":"user","content":"\\ud800"}]}', 400, "surrogate"),
    "a model that raises": (question(text("explode")), 500, "boom"),
    "a body that is too large": (b" " * (1 << 20) + b"{}", 413, "more than"),
}


def test_what_cannot_be_answered_is_refused_in_the_shape_of_openai(ask: Callable[..., Any]) -> None:
    model = Teller()
    client = ask(model, max_images=3, max_megapixels=0.01, max_body_mb=1)
    for name, (body, status, words) in REFUSED.items():
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        got = client.post("chat/completions", content=raw, headers=JSON)
        error = got.json().get("error", {"message": "answered"})
        assert (got.status_code, words in error["message"]) == (status, True), (name, error)
        assert set(error) == {"message", "type", "param", "code"}, name
    assert client.post("chat/completions", content=b"{}").status_code == 415  # what a web page could send unasked
    assert client.get("models", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("models/other").json()["error"]["code"] == "model_not_found"
    assert client.get("nowhere").json()["error"]["type"] == "not_found_error"
    assert (
        client.post("chat/completions", json=question(text("still here"))).json()["choices"][0]["message"]["content"]
        == "still here"
    )


def test_a_damaged_picture_is_the_callers_fault(ask: Callable[..., Any]) -> None:
    cut = picture(48, 32, 0).data
    got = ask(Teller()).post("chat/completions", json=question(shown(cut[:-40]), text("q")))
    assert got.status_code == 400 and got.json()["error"]["code"] == "media"
    with pytest.raises(MediaError):
        open_image(Image(FileSource(Path("nowhere.png"))).source)


def test_with_a_key_only_who_has_it_is_answered(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_KEY", "sk-right")
    client = ask(Teller(), key_env="SERVE_KEY")
    for given in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-rig"}):
        got = client.get("models", headers=given)
        assert (got.status_code, got.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client.get("models", headers={"Authorization": "Bearer sk-right"}).status_code == 200


def test_what_would_be_open_to_others_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVE_KEY", raising=False)
    told: list[str] = []
    for settings, words in (({"host": "0.0.0.0"}, "key_env"), ({"key_env": "SERVE_KEY"}, "export SERVE_KEY")):
        with pytest.raises(ConfigError, match=words):
            serve(Teller(), ServeModelConfig(model={}, **settings), told.append)
    assert not told


@pytest.mark.slow
def test_scores_through_the_server_are_those_of_the_direct_run(tmp_path: Path) -> None:
    """``riddle serve-model`` as a process, asked the mini POPE by ``model=api_chat`` as another."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    riddle = [sys.executable, "-m", "harness.cli"]
    common = ["task=pope", "mini.n=10", f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}", "output=json"]

    def evaluated(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*riddle, "eval", *words, *common], env=here, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (row,) = json.loads(done.stdout)["results"]
        return row

    command = [*riddle, "serve-model", "model=nano", "port=0", "model.max_batch=8", "output=json"]
    with subprocess.Popen(command, env=here, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            (address,) = next(found for line in server.stderr if (found := re.findall(r"http://\S+", line)))
            through = evaluated("model=api_chat", "model.model=nano", f"model.base_url={address}")
        finally:
            server.send_signal(signal.SIGTERM)
            out, _ = server.communicate(timeout=30)
    direct = evaluated("model=nano")
    assert through["metrics"] == direct["metrics"] and through["n"] == direct["n"] > 10 and through["failed"] == 0
    assert through["usage"]["prompt_tokens"] == direct["usage"]["prompt_tokens"] > 0
    served = json.loads(out)
    assert (served["exit"], server.returncode) == (0, 0) and 0 < served["results"][0]["answered"] <= direct["n"]

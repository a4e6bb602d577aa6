"""The HTTP application: a model under ``/v1/models``, its answers under ``/v1/chat/completions``, errors in OpenAI's shape.

It listens on this machine only, unless it is told otherwise and has a key to ask for. Bodies must be JSON by their content type,
and without a key carry a ``Host`` of this machine, so that no web page in a browser here can ask on the sly.
Needs the extra ``serve``. Not here: what a body means (`models.served.reading`), and batching (`models.served.batching`).
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi import Request as Call
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response as Answer

from harness.config import ServeModelConfig
from harness.errors import ConfigError
from harness.model import Model
from harness.types import Response
from models.served.batching import Batcher, Full
from models.served.reading import Asked, Bounds, Refusal, read_body

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def key_of(config: ServeModelConfig) -> str:
    """Return the key that callers must have, read when it is used; empty for none."""
    return os.environ.get(config.key_env, "").strip() if config.key_env else ""


def bounds_of(config: ServeModelConfig) -> Bounds:
    """Return the most that one request may ask."""
    return Bounds(images=config.max_images, pixels=int(config.max_megapixels * 1e6), new_tokens=config.max_new_tokens)


def serve(model: Model, config: ServeModelConfig, told: Callable[[str], None]) -> int:
    """Serve until interrupted; ``told`` gets the address once the port is open. Returns how many requests were answered.

    Raises:
        ConfigError: the port cannot be had, or others could ask without a key.
    """
    if config.key_env and not key_of(config):
        raise ConfigError(f"serve-model: no key; export {config.key_env}=... or leave key_env out")
    if config.host not in LOOPBACK and not config.key_env:
        raise ConfigError(f"serve-model: host={config.host} lets others ask; name a key_env that holds the key they must have")
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        raise ConfigError(f"serve-model: {config.host}:{config.port} cannot be had ({error.strerror or error})") from error
    with listening:
        app = application(model, config)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5))
        shown = f"[{config.host}]" if family == socket.AF_INET6 else config.host
        told(f"http://{shown}:{listening.getsockname()[1]}/v1")
        with suppress(KeyboardInterrupt):  # Ctrl-C and SIGTERM are how a server's work ends
            server.run(sockets=[listening])
    return int(app.state.answered)


def application(model: Model, config: ServeModelConfig) -> FastAPI:
    """Return the application that serves a model."""
    bounds = bounds_of(config)
    batcher = Batcher(model, waiting=config.max_waiting)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        batcher.close()

    app = FastAPI(title="riddle", docs_url=None, redoc_url=None, openapi_url=None, lifespan=living)
    app.state.batcher, app.state.answered = batcher, 0
    started = int(time.time())
    card = {"id": model.name, "object": "model", "created": started, "owned_by": "riddle"}

    async def models(call: Call) -> Answer:
        _admit(call, config)
        return JSONResponse({"object": "list", "data": [card]})

    async def one_model(call: Call) -> Answer:
        _admit(call, config)
        if call.path_params["name"] != model.name:
            raise Refusal(404, f"served here is {model.name!r}", param="model", code="model_not_found")
        return JSONResponse(card)

    async def complete(call: Call) -> Answer:
        _admit(call, config)
        raw = await _body(call, config.max_body_mb << 20)
        asked = read_body(raw, model.name, model.fingerprint, bounds)
        try:
            response = await batcher.answer(asked.request)
        except Full as error:
            raise Refusal(429, f"{config.max_waiting} requests are waiting; try again", code="rate_limit_exceeded") from error
        if response.failure is not None:
            media = response.failure.kind == "media"
            raise Refusal(400 if media else 500, response.failure.message, code=response.failure.kind)
        app.state.answered += 1
        return _answer(model, asked, response)

    app.add_route("/v1/models", models, methods=["GET"])
    app.add_route("/v1/models/{name:path}", one_model, methods=["GET"])
    app.add_route("/v1/chat/completions", complete, methods=["POST"])
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _refused)
    return app


async def _refused(_: Call, error: Exception) -> Answer:
    """Say what went wrong in OpenAI's shape; of a fault of our own only that there was one."""
    if isinstance(error, HTTPException):
        error = Refusal(error.status_code, str(error.detail))
    if not isinstance(error, Refusal):
        error = Refusal(500, "the server failed; its log has the reason")
    headers = {"Retry-After": "1"} if error.status == 429 else {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return JSONResponse(error.body(), error.status, headers)


def _admit(call: Call, config: ServeModelConfig) -> None:
    """Raise `Refusal` for a call without the key, from a page that stands elsewhere, or with a body that is no JSON."""
    if key := key_of(config):
        given = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise Refusal(401, "the key is missing or wrong", code="invalid_api_key")
    elif call.url.hostname not in LOOPBACK:
        raise Refusal(403, "this server answers to names of its own machine only", code="forbidden_host")
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if call.method == "POST" and kind != "application/json":
        raise Refusal(415, "the content type must be application/json")


async def _body(call: Call, most: int) -> bytes:
    """Read a body of at most so many bytes, whatever it claims to have."""
    raw = bytearray()
    async for piece in call.stream():
        raw += piece
        if len(raw) > most:
            raise Refusal(413, f"the body has more than {most} bytes", code="request_too_large")
    return bytes(raw)


def _answer(model: Model, asked: Asked, response: Response) -> Answer:
    head = {
        "id": f"chatcmpl-{response.key}",
        "created": int(time.time()),
        "model": model.name,
        "system_fingerprint": model.fingerprint,
    }
    prompt, said = response.prompt_tokens or 0, response.completion_tokens or 0
    usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
    if asked.stream:
        events = _events(head, asked, response.text, response.finish_reason, usage)
        return StreamingResponse(events, media_type="text/event-stream")
    message = {"role": "assistant", "content": response.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": response.finish_reason}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


async def _events(head: dict[str, Any], asked: Asked, text: str, reason: str, usage: dict[str, int]) -> AsyncIterator[str]:
    """The reply as a stream of events; a model's reply comes whole, so all of its text is in one."""
    steps: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None), ({"content": text}, None)]
    for delta, finished in [*steps, ({}, reason)]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finished}]
        yield f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': choices})}\n\n"
    if asked.usage:
        yield f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"

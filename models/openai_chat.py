"""A model behind any server that speaks OpenAI's chat completions: the service itself, vLLM, llama.cpp, Ollama and others.

Requests run concurrently on an event loop that lives only while `OpenAIChat.generate` is being read. Each is tried again after an
exponential back-off with jitter where that may help, and not before the server says so; how many are on their way follows the
server's refusals (`models.pace`). A limit of requests, tokens or cost (`models.budget`) ends the run cleanly, and so does a
server that refuses the key. The key is read from the environment when it is used, and cut out of every text that comes back.
Not here: the form of requests and replies (`models.chat_protocol`).
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from harness.boxes import Frame
from harness.engine.retry import Backoff
from harness.errors import ConfigError, MediaError, RunStopped
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Failure, Request, Response
from models.budget import Hold, Ledger, Limits, worst_case
from models.chat_protocol import RATE_LIMIT, Reply, Trouble, body_of, read_reply, trouble_of, weighing, weights_of
from models.pace import Pace

LARGEST_ANSWER = 16 << 20
"""Bytes of an answer that are read; a larger one is trouble."""


class OpenAIChat:
    """Asks a chat-completions server.

    Args:
        model: the server's name of the model.
        base_url: up to and without ``/chat/completions``.
        name: how the model appears in tables; the server's name unless given.
        key_env: the environment variable that holds the key; empty sends none.
        concurrency: so many requests are in flight, and as few as the server then lets through.
        timeout_s: for one answer as a whole, however slowly it drips.
        retries: how often a request is tried again; backoff_s: seconds before the first time, doubling.
        limit_field: the body's field of the token limit.
        extra: further fields of the body, such as ``{"top_p": null}`` to leave one out.
        max_requests, max_tokens, max_cost: the most that one command may take; prices are of a million tokens.
        box_frame: what the coordinates count that the model writes (`harness.boxes.Frame`), such as ``thousandths``; None if the
            benchmark's own.
        single_image: whether the server takes no more than one picture, so no clips either, which are sent as frames.
        media: ``data`` sends pictures along; ``file`` names those that are files, for a server that reads the same disk.
        logprobs: whether the server offers the likeliest first tokens, by which closed choices are weighed.

    Raises:
        ConfigError: the URL or a number is none.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        name: str | None = None,
        key_env: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout_s: float = 120.0,
        retries: int = 5,
        backoff_s: float = 1.0,
        limit_field: str = "max_tokens",
        extra: Mapping[str, Any] | None = None,
        max_requests: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        prompt_price: float | None = None,
        completion_price: float | None = None,
        single_image: bool = False,
        box_frame: Frame | None = None,
        media: Literal["data", "file"] = "data",
        logprobs: bool = False,
    ) -> None:
        address = urlsplit(base_url)
        problems = [
            (not model, "model is empty; name the server's model"),
            (address.scheme not in ("http", "https") or not address.hostname, "base_url is no http or https address"),
            (bool(address.username or address.password or address.query), "base_url holds a secret; name a key_env instead"),
            (concurrency < 1, f"concurrency={concurrency} (must be at least 1)"),
            (not 0 < timeout_s < math.inf, f"timeout_s={timeout_s} (must be above 0)"),
            (retries < 0, f"retries={retries} (must not be negative)"),
            (box_frame not in (None, *get_args(Frame)), f"box_frame={box_frame!r} (must be one of {', '.join(get_args(Frame))})"),
            (media not in ("data", "file"), f"media={media!r} (must be data or file)"),
        ]
        if wrong := [message for bad, message in problems if bad]:
            raise ConfigError("; ".join(wrong))
        self.model, self.key_env = model, key_env
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.name = name or model
        self.fingerprint = hash_of(["openai_chat", 1, model, self.url, limit_field, dict(extra or {})], 8)
        self.capabilities = Capabilities(
            images=True,
            several_images=not single_image,
            video=not single_image,
            loglikelihood=logprobs,
            box_frame=box_frame,
        )
        self.files, self.pace = media == "file", Pace(concurrency)
        self.concurrency, self.timeout_s, self.retries = concurrency, timeout_s, retries
        self.backoff = Backoff(retries=retries, base_s=backoff_s)
        self.limit_field, self.extra = limit_field, dict(extra or {})
        self.limits = Limits(
            requests=max_requests,
            tokens=max_tokens,
            cost=max_cost,
            prompt_price=prompt_price,
            completion_price=completion_price,
        )
        self.ledger = Ledger(self.limits)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses as they come.

        Raises:
            RunStopped: a limit is reached or the server refuses the key, after all that was in flight has been yielded.
            ConfigError: no key in the environment, or httpx is not installed.
        """
        return self._asked(requests, weigh=False)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` weigh each request's choices by the likeliest first tokens (`weights_of`).

        Raises: as `generate` does.
        """
        return self._asked(requests, weigh=True)

    def _asked(self, requests: Iterable[Request], *, weigh: bool) -> Iterator[Response]:
        session = _Session(self, self._key(), weigh)
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            try:
                yield from session.drive(loop, iter(requests))
            finally:
                loop.run_until_complete(session.close())
        if session.stop:
            raise RunStopped(session.stop)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what tokens cost; None without prices."""
        return self.limits.cost_of(prompt_tokens, completion_tokens)

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if self.key_env and not key:
            raise RunStopped(f"{self.name}: no key; export {self.key_env}=..., or say key_env='' for a server that needs none")
        if not key.isascii() or not key.isprintable():
            raise RunStopped(f"{self.name}: {self.key_env} holds no key (it must be printable ASCII)")
        return key


class _Session:
    """One reading of `OpenAIChat.generate`: its connections, what is in flight, and why it ends early."""

    def __init__(self, chat: OpenAIChat, key: str, weigh: bool) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise RunStopped("models behind an API need httpx; pip install 'riddle-eval[api]'") from error
        self._chat = chat
        self._key = key
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx.Limits(max_connections=chat.concurrency)
        self._client = httpx.AsyncClient(headers=headers, timeout=chat.timeout_s, limits=limits)
        self._flying: set[asyncio.Task[Response | None]] = set()
        self._not_before = 0.0
        self._weigh = weigh
        self._sent_now = 0
        self._turn = asyncio.Condition()
        self.stop = ""

    def drive(self, loop: asyncio.AbstractEventLoop, source: Iterator[Request]) -> Iterator[Response]:
        """Keep requests in flight and yield what comes; ends when all are answered, or after ``stop`` is set."""
        held: Request | None = None
        while True:
            while len(self._flying) < self._chat.concurrency and not self.stop:
                held = held or next(source, None)
                if held is None:
                    break
                if not self._chat.ledger.reserve(worst_case(held)):
                    if not self._flying:  # nothing in flight that could take less than its worst case
                        self._spent()
                    break
                self._flying.add(loop.create_task(self._answer(held)))
                held = None
            if not self._flying:
                return
            done, self._flying = loop.run_until_complete(asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED))
            yield from (response for one in done if (response := one.result()) is not None)

    async def close(self) -> None:
        """Cancel what is in flight and close the connections."""
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        await self._client.aclose()

    def _spent(self) -> None:
        ledger = self._chat.ledger
        self.stop = self.stop or (
            f"{self._chat.name}: the budget is spent ({ledger.said()} by this command). What was answered is stored; the same "
            "command goes on, with a budget of its own"
        )

    async def _answer(self, request: Request) -> Response | None:
        """Ask one request, again where that may help; None if it stays unasked because the run ends."""
        chat, hold, started = self._chat, worst_case(request), time.monotonic()
        extra = {**chat.extra, **weighing(chat.limit_field)} if self._weigh else chat.extra
        try:
            body = await asyncio.to_thread(body_of, request, chat.model, chat.limit_field, extra, files=chat.files)
        except MediaError as error:
            chat.ledger.settle(hold, 0, 0)
            return self._failed(request, "media", str(error))
        attempt = 1
        while isinstance(outcome := await self._once(body, hold), Trouble):
            if outcome.refused:
                key = chat.key_env or "key_env"
                self.stop = self.stop or f"{chat.name}: {self._clean(outcome.message)}. Is {key} the right key?"
            if self.stop:
                return None
            if not outcome.again or attempt > chat.retries:
                tried = f" (asked {attempt} times)" if attempt > 1 else ""
                return self._failed(request, outcome.kind, self._clean(outcome.message) + tried)
            if not await self._again(request, attempt, outcome.retry_after_s, hold):
                return None
            attempt += 1
        weights = weights_of(request.choices, outcome.first) if self._weigh else ()
        if isinstance(weights, str):
            return self._failed(request, "reply", self._clean(weights))
        return Response(
            key=request.key,
            text=self._clean(outcome.text),
            finish_reason=outcome.finish_reason,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            seconds=time.monotonic() - started,
            logprobs=weights,
        )

    def _failed(self, request: Request, kind: str, message: str) -> Response:
        return Response(key=request.key, finish_reason="error", failure=Failure(kind, message))

    async def _again(self, request: Request, attempt: int, retry_after_s: float | None, hold: Hold) -> bool:
        """Wait out the back-off; whether the budget then lets the request be sent again.

        What a server asks for by Retry-After holds for all requests that are not sent yet.
        """
        wait = self._chat.backoff.delay_s(request.key, attempt, retry_after_s)
        if retry_after_s is not None:
            self._not_before = max(self._not_before, time.monotonic() + wait)
        await asyncio.sleep(wait)
        if self.stop:
            return False
        if not self._chat.ledger.reserve(hold):
            self._spent()
            return False
        return True

    async def _once(self, body: bytes, hold: Hold) -> Reply | Trouble:
        """Send a request once, when the pace lets it go, and settle what it took."""
        pace = self._chat.pace
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        async with self._turn:
            await self._turn.wait_for(lambda: self._sent_now < pace.limit)
            self._sent_now += 1
            sent_at = pace.cuts
        try:
            outcome = await self._whole(body)
        finally:
            async with self._turn:
                self._sent_now -= 1
                self._turn.notify_all()
        if isinstance(outcome, Trouble) and outcome.kind == RATE_LIMIT:
            pace.refused(sent_at)
        else:
            pace.answered()
        if isinstance(outcome, Reply):
            self._chat.ledger.settle(hold, outcome.prompt_tokens, outcome.completion_tokens)
        elif not outcome.billed:
            self._chat.ledger.settle(hold, 0, 0)
        return outcome

    async def _whole(self, body: bytes) -> Reply | Trouble:
        """Send a request and read all of the answer, within the time for it."""
        import httpx

        try:
            async with asyncio.timeout(self._chat.timeout_s):
                return await self._sent(body)
        except (TimeoutError, httpx.TimeoutException):
            return Trouble("timeout", f"no whole answer within {self._chat.timeout_s:g} s", billed=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Trouble("connection", f"{type(error).__name__}: {error}"[:300], billed=isinstance(error, httpx.ReadError))

    async def _sent(self, body: bytes) -> Reply | Trouble:
        async with self._client.stream("POST", self._chat.url, content=body) as answer:
            raw = bytearray()
            async for piece in answer.aiter_bytes():
                raw += piece
                if len(raw) > LARGEST_ANSWER:
                    return Trouble("reply", f"the answer is larger than {LARGEST_ANSWER >> 20} MB", billed=True)
            good = answer.status_code == 200
            return read_reply(bytes(raw)) if good else trouble_of(answer.status_code, answer.headers, bytes(raw))

    def _clean(self, text: str) -> str:
        """Cut the key out of a text: servers echo what they were sent."""
        return text.replace(self._key, "[key]") if self._key else text

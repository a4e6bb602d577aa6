"""Asks a model a stream of requests and settles each of them: with its response, or with the failure that stands in its place.

Whatever a model does, every request ends recorded exactly once: an exception that escapes has the requests in flight asked
again one by one, so that only the culprit fails; too few, too many or malformed replies are noticed; transient failures are
asked again after a back-off. A model that says nothing for too long ends the exchange. Not here: where requests come from and
where responses go (`harness.engine.collect`).
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from harness.engine.retry import Backoff
from harness.engine.watch import Hung, Watch
from harness.errors import MediaError, ModelError, RunStopped
from harness.keys import Kind
from harness.traces import checked_traces
from harness.types import Failure, Request, Response

LONGEST_REPLY = 1_000_000
"""Characters of a reply that are kept; a longer one is cut and counts as a failure of kind ``reply``."""

LARGEST_COUNT = 2**63 - 1
"""Most tokens that a response may claim: what the database's whole numbers hold."""

LONGEST_MESSAGE = 2_000
"""Characters of a failure's message that are kept."""

RETRIES_WAITING = 64
"""So many requests may wait for a retry before the model is offered no new ones."""

_END: Final = object()

_CUT: Final = re.compile(r" \.\.\. \(\d+ characters\)")

_log = logging.getLogger(__name__)


class Feed:
    """The requests as a model pulls them, one at a time and from any thread; knows which are out.

    A model may swallow or wrap what goes wrong while a request is made (a disk that is full, Ctrl-C). So the feed keeps it
    in ``error``, and the engine raises it once the model has returned.
    """

    def __init__(self, requests: Iterable[Request], watch: Watch) -> None:
        self._source = iter(requests)
        self._watch = watch
        self._lock = threading.Lock()
        self.out: dict[str, Request] = {}
        self.pulled = 0
        self.done = False
        self.paused = False
        self.error: BaseException | None = None

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> Request:
        with self._lock:
            if self.done or self.paused:
                raise StopIteration
            self._watch.engine()
            try:
                request = next(self._source)
            except StopIteration:
                self.done = True
                raise
            except BaseException as error:
                self.done, self.error = True, error
                raise
            finally:
                self._watch.model()
            self.out[request.key] = request
            self.pulled += 1
            return request

    def take_back(self) -> list[Request]:
        """Return what is out and unanswered, and count it as out no more."""
        with self._lock:
            left = list(self.out.values())
            self.out.clear()
        return left


@dataclass
class Exchange:
    """Serves a stream of requests by one model.

    Attributes:
        call: the model's ``generate`` or ``loglikelihood``.
        record: takes each request with what settles it; its exceptions end the exchange.
        kind: with ``loglikelihood`` the reply becomes the likeliest choice.
        sleep: waits some seconds.
        timeout_s: so many seconds without a reply or a new request end the exchange; None waits for ever.
        advice: how to go on, for the error when the model hangs.
        forward: record transient failures as they are; somebody else asks them again (`harness.engine.crew`).
    """

    call: Callable[[Iterable[Request]], Iterable[Response]]
    record: Callable[[Request, Response], None]
    kind: Kind = "generate"
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], None] = time.sleep
    timeout_s: float | None = None
    advice: str = ""
    forward: bool = False
    strays: int = 0
    _raised: BaseException | None = None
    _asked: dict[str, Request] = field(default_factory=dict)
    _watch: Watch = field(default_factory=lambda: Watch(None, str))
    _attempts: dict[str, int] = field(default_factory=dict)
    _again: list[tuple[Request, float]] = field(default_factory=list)

    def run(self, requests: Iterable[Request]) -> None:
        """Settle every request. Raises what ``requests`` or ``record`` raise, and nothing else that the model raises.

        Raises:
            RunStopped: the model hangs; what it was asked is recorded as failed, and will be asked again by the next command.
                Or the model says so itself; what it has not answered is not recorded.
        """
        try:
            with Watch(self.timeout_s, self._give_up) as self._watch:
                self._serve(requests)
        except Hung:
            raise RunStopped(self._give_up()) from None

    def _give_up(self) -> str:
        """Record what a hanging model was asked as failed; return what to say of it."""
        failure = Failure("timeout", f"no reply within {self.timeout_s:g} s", transient=True)
        left = list(self._asked.values())
        for request in left:
            with suppress(RunStopped):  # too many have failed: the run stops anyway
                self.record(request, Response(key=request.key, finish_reason="error", failure=failure))
        named = ", ".join(request.sample_id for request in left[:3]) + (", ..." if len(left) > 3 else "")
        return (
            f"the model hangs: for {self.timeout_s:g} s (engine.timeout_s) it has neither replied nor taken a request; the run "
            f"stops.\n{len(left)} samples in flight are recorded as failed ({named or 'none'}) and will be asked again. "
            f"Nothing that was stored is lost. {self.advice}"
        )

    def _serve(self, requests: Iterable[Request]) -> None:
        feed = Feed(requests, self._watch)
        while not feed.done:
            self._pass(feed, pausable=True)
            while self._again:
                waiting, self._again = self._again, []
                self.sleep(max(delay for _, delay in waiting))
                again = Feed((request for request, _ in waiting), self._watch)
                while not again.done:
                    self._pass(again, pausable=False)

    def _pass(self, feed: Feed, *, pausable: bool) -> None:
        """Offer the feed to the model once; then ask one by one what it left without an answer.

        A pausable feed ends early when many requests wait for a retry, and its model's transient exceptions are retried for
        all in flight; otherwise those, too, are asked one by one, to find the request that provokes them.
        """
        before = feed.pulled
        feed.paused = False
        self._asked = feed.out
        with closing(self._replies(feed)) as replies:
            for reply in replies:
                self._receive(reply, feed.out)
                if pausable and len(self._again) >= RETRIES_WAITING:
                    feed.paused = True
        feed.paused = True  # a thread that the model left behind gets nothing more
        if feed.error is not None:
            raise feed.error
        self._follow_up(feed, later=pausable)
        if feed.pulled == before and not feed.done:  # the model takes nothing from a stream
            feed.paused = False
            for request in feed:
                feed.take_back()
                self._alone(request)
                break
            if feed.error is not None:
                raise feed.error

    def _follow_up(self, feed: Feed, *, later: bool) -> None:
        """See to the requests that are still out when the model has returned; ``later`` retries transient trouble."""
        left = feed.take_back()
        if later and self._raised is not None and failure_of(self._raised).transient:
            _log.warning("the backend fails; %d requests in flight are asked again later", len(left), exc_info=self._raised)
            for request in left:
                self._fail(request, failure_of(self._raised))
            left = []
        elif self._raised is not None:
            _log.warning("the model raised; %d requests in flight are asked again one by one", len(left), exc_info=self._raised)
        elif left:
            _log.warning("the model left %d requests without a reply; they are asked again one by one", len(left))
        for request in left:
            self._alone(request)

    def _replies(self, requests: Iterable[Request]) -> Generator[object]:
        """Yield what the model yields and keep what it raises."""
        self._raised = None
        replies = self._said(lambda: iter(self.call(requests)))
        try:
            while (reply := self._said(lambda: next(replies, _END))) is not _END:
                yield reply
        finally:
            self._said(getattr(replies, "close", lambda: None))

    def _said(self, word: Callable[[], Any]) -> Any:
        """Give the model the word; return what comes, `_END` if it raises, or has raised before.

        The one broad catch: a model's code may raise anything, cancellations of an event loop and GeneratorExit too, and no run
        ends for it; but for `RunStopped`, with which a model ends the run on purpose (a budget is spent).
        """
        if self._raised is not None:
            return _END
        self._watch.model()
        try:
            return word()
        except (KeyboardInterrupt, Hung, RunStopped):
            raise
        except BaseException as error:
            self._raised = error
            return _END
        finally:
            self._watch.engine()

    def _receive(self, reply: object, asked: dict[str, Request]) -> None:
        if not isinstance(reply, Response):
            self._stray(f"{type(reply).__name__} instead of a Response")
            return
        request = asked.pop(reply.key, None) if isinstance(reply.key, str) else None
        if request is None:
            self._stray(f"a response under the key {_text(reply.key)[:64]!r}, which is not in flight")
            return
        try:
            response = checked(reply, request, self.kind)
        except Exception as error:  # whatever a value of the model's own does when it is read
            self._fail(request, Failure("reply", _cut(f"a field of the response is malformed: {_text(error)}")))
        else:
            self._settle(request, response)

    def _stray(self, what: str) -> None:
        self.strays += 1
        if self.strays <= 3:
            _log.warning("the model yielded %s; ignored", what)

    def _alone(self, request: Request) -> None:
        """Ask one request by itself, so that what happens is its own doing."""
        asked = self._asked = {request.key: request}
        strays = self.strays
        with closing(self._replies(iter((request,)))) as replies:
            for reply in replies:
                self._receive(reply, asked)
        if not asked:
            return
        if self._raised is not None:
            _log.warning("sample %s: the model raises on it", request.sample_id, exc_info=self._raised)
            failure = failure_of(self._raised)
        else:
            what = "only something that is not its response" if self.strays > strays else "no response"
            failure = Failure("reply", f"the model yielded {what}")
        self._fail(request, failure)

    def _fail(self, request: Request, failure: Failure) -> None:
        self._settle(request, Response(key=request.key, finish_reason="error", failure=failure))

    def _settle(self, request: Request, response: Response) -> None:
        failure = response.failure
        if failure is not None and failure.transient and not self.forward:
            attempt = self._attempts.get(request.key, 0) + 1
            if attempt <= self.backoff.retries:
                self._attempts[request.key] = attempt
                self._again.append((request, self.backoff.delay_s(request.key, attempt, failure.retry_after_s)))
                return
            tried = f"{failure.message} (asked {attempt} times)"
            response = replace(response, failure=replace(failure, message=tried))
        self._attempts.pop(request.key, None)
        self.record(request, response)


def failure_of(error: BaseException) -> Failure:
    """Say what an exception of a model means for the request it was asked."""
    if isinstance(error, MediaError):
        return Failure("media", _cut(_text(error)))
    if isinstance(error, ModelError):
        return Failure("model", _cut(_text(error)), transient=error.transient, retry_after_s=error.retry_after_s)
    message = _cut(f"{type(error).__name__}: {_text(error)}")
    if isinstance(error, TimeoutError):
        return Failure("timeout", message, transient=True)
    return Failure("model", message, transient=isinstance(error, ConnectionError))


def checked(response: Response, request: Request, kind: Kind = "generate") -> Response:
    """Return a response in the form that is stored, with a failure where it is none.

    Text that is no text, a reply above `LONGEST_REPLY` and a stop by a content filter are failures; half surrogate pairs,
    which no file can hold, become the replacement character. Control characters stay: showing them safely is for reports.
    """
    text, failure = response.text, response.failure
    if not isinstance(text, str):
        failure = failure or Failure("reply", f"the reply's text is {type(text).__name__}, not a string")
        text = ""
    elif len(text) > LONGEST_REPLY:
        failure = failure or Failure("reply", f"the reply has {len(text)} characters; the first {LONGEST_REPLY} are kept")
        text = text[:LONGEST_REPLY]
    elif failure is None and kind == "loglikelihood":
        text, failure = _likeliest(response, request)
    if failure is None and response.finish_reason == "filter":
        failure = Failure("filter", "a content filter stopped the reply")
    if failure is not None:
        failure = replace(failure, kind=_cut(str(failure.kind)), message=_cut(str(failure.message)))
    return Response(
        key=request.key,
        text=_storable(text),
        finish_reason="error" if failure is not None else "length" if response.finish_reason == "length" else "stop",
        prompt_tokens=_count(response.prompt_tokens),
        completion_tokens=_count(response.completion_tokens),
        seconds=None if response.seconds is None else float(response.seconds),
        logprobs=tuple(float(value) for value in response.logprobs),
        failure=failure,
        traces=checked_traces(response.traces) if response.traces else {},
    )


def _count(tokens: Any) -> int | None:
    """Return a number of tokens. Raises `ValueError` or `TypeError` if it is none, `OverflowError` if it is no finite one."""
    if tokens is None:
        return None
    if not 0 <= (count := int(tokens)) <= LARGEST_COUNT:
        raise ValueError(f"{count} tokens")
    return count


def _likeliest(response: Response, request: Request) -> tuple[str, Failure | None]:
    """Return the choice with the highest log-probability; the first of equals."""
    if not request.choices or len(response.logprobs) != len(request.choices):
        message = f"{len(response.logprobs)} log-probabilities came for {len(request.choices)} choices"
        return "", Failure("reply", message)
    best = max(range(len(request.choices)), key=lambda index: response.logprobs[index])
    return request.choices[best], None


def _text(value: object) -> str:
    """Return a value of the model's as text, also where its own ``__str__`` raises."""
    try:
        return str(value)
    except Exception as error:
        return f"(no text: {type(value).__name__}.__str__ raises {type(error).__name__})"


def _storable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _cut(message: str) -> str:
    message = _storable(message)
    if _CUT.fullmatch(message, LONGEST_MESSAGE):  # has been cut before, in a worker
        return message
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]} ... ({len(message)} characters)"

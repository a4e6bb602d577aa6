"""The exchange with a model: every request ends settled exactly once, whatever the model does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.ahead import ahead
from harness.engine.retry import Backoff
from harness.engine.stream import LONGEST_MESSAGE, LONGEST_REPLY, RETRIES_WAITING, Exchange, checked, failure_of
from harness.engine.watch import Hung, Watch
from harness.errors import ConfigError, MediaError, ModelError, RunStopped
from harness.types import Failure, Generation, Request, Response, Text

Call = Callable[[Iterable[Request]], Iterable[Response]]


def requests(n: int) -> list[Request]:
    return [
        Request(key=f"k{i}", sample_id=f"s{i}", parts=(Text(str(i)),), generation=Generation(), choices=("A", "B"))
        for i in range(n)
    ]


class Run:
    """What an exchange of ``n`` requests with a model came to."""

    def __init__(self, call: Call, n: int = 10, kind: str = "generate", retries: int = 3) -> None:
        self.settled: list[tuple[str, Response]] = []
        self.slept: list[float] = []
        exchange = Exchange(
            call,
            lambda request, response: self.settled.append((request.key, response)),
            kind=kind,  # type: ignore[arg-type]
            backoff=Backoff(retries=retries),
            sleep=self.slept.append,
        )
        exchange.run(requests(n))
        self.strays = exchange.strays
        assert sorted(key for key, _ in self.settled) == sorted(request.key for request in requests(n)), "each settled once"
        self.responses = dict(self.settled)

    @property
    def failed(self) -> dict[str, Failure]:
        return {key: response.failure for key, response in self.responses.items() if response.failure is not None}


def reply(request: Request) -> Response:
    return Response(key=request.key, text=request.key.upper())


def batched(size: int, asked: Counter[str], answer: Callable[[Request], object] = reply) -> Call:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        waiting: list[Request] = []
        for request in stream:
            asked[request.key] += 1
            waiting.append(request)
            if len(waiting) == size:
                answers, waiting = [answer(one) for one in waiting], []
                yield from answers  # type: ignore[misc]
        yield from [answer(one) for one in waiting]  # type: ignore[misc]

    return generate


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_replies_arrive_in_any_batching(size: int) -> None:
    asked: Counter[str] = Counter()
    run = Run(batched(size, asked))
    assert not run.failed
    assert run.responses["k3"].text == "K3"
    assert set(asked.values()) == {1}


def test_a_model_may_answer_in_any_order() -> None:
    run = Run(lambda stream: (reply(request) for request in sorted(stream, key=lambda one: one.key, reverse=True)))
    assert next(key for key, _ in run.settled) == "k9"


def test_a_model_may_return_a_list() -> None:
    assert not Run(lambda stream: [reply(request) for request in stream]).failed


def test_an_exception_fails_only_its_culprit() -> None:
    asked: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        if request.key == "k4":
            raise RuntimeError("shape mismatch")
        return reply(request)

    run = Run(batched(4, asked, answer))
    assert run.failed == {"k4": Failure("model", "RuntimeError: shape mismatch")}
    assert max(asked.values()) == 2, "those in flight are asked once more, no other is"
    assert all(asked[key] == 1 for key in ("k0", "k1", "k2", "k3", "k8", "k9"))


def test_an_exception_of_the_batch_alone_fails_nobody() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        batch = list(stream)
        if len(batch) > 1:
            raise MemoryError("out of memory")
        return iter([reply(batch[0])])

    assert not Run(generate).failed


def test_a_media_error_of_a_model_counts_as_media() -> None:
    def answer(request: Request) -> Response:
        if request.key == "k1":
            raise MediaError("x.png: cut short")
        return reply(request)

    assert Run(batched(2, Counter(), answer)).failed == {"k1": Failure("media", "x.png: cut short")}


@pytest.mark.parametrize("nothing", [None, 3, "text", Response(key="unknown", text="?")])
def test_what_is_no_response_to_the_request_fails_that_request(nothing: object) -> None:
    asked: Counter[str] = Counter()
    run = Run(batched(5, asked, lambda request: nothing if request.key == "k7" else reply(request)))
    assert run.failed["k7"].kind == "reply"
    assert "only something that is not its response" in run.failed["k7"].message
    assert list(run.failed) == ["k7"]
    assert run.strays == 2


def test_too_few_replies_are_asked_for_again_one_by_one() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        batch = list(stream)
        yield from (reply(request) for request in batch if request.key != "k2")

    assert Run(generate).failed == {"k2": Failure("reply", "the model yielded no response")}


def test_too_many_replies_do_no_harm_and_the_first_stands() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        for request in stream:
            yield reply(request)
            yield Response(key=request.key, text="second thoughts")

    run = Run(generate)
    assert not run.failed
    assert run.strays == 10
    assert run.responses["k0"].text == "K0"


@pytest.mark.parametrize("returned", [None, [], iter(())])
def test_a_model_that_takes_no_stream_ends_with_failures_not_with_a_loop(returned: object) -> None:
    run = Run(lambda stream: returned)  # type: ignore[arg-type,return-value]
    assert len(run.failed) == 10


def test_a_model_that_stops_early_is_called_again() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        for count, request in enumerate(stream, start=1):
            yield reply(request)
            if count == 3:
                return

    assert not Run(generate).failed


def test_a_model_may_pull_from_threads_of_its_own() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        source, replies, lock = iter(stream), [], threading.Lock()

        def work() -> None:
            for request in source:
                time.sleep(0.0005)
                with lock:
                    replies.append(reply(request))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield from replies

    assert not Run(generate, n=50).failed


def test_a_transient_failure_is_asked_again_after_a_growing_wait() -> None:
    asked: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        if request.key == "k1" and asked["k1"] <= 2:
            return Response(key=request.key, failure=Failure("timeout", "busy", transient=True))
        return reply(request)

    run = Run(batched(1, asked, answer))
    assert not run.failed
    assert asked["k1"] == 3
    assert len(run.slept) == 2
    assert 0.5 <= run.slept[0] <= 1.0 <= run.slept[1] <= 2.0


def test_a_transient_failure_that_stays_is_recorded_with_the_number_of_attempts() -> None:
    busy = Failure("timeout", "busy", transient=True)
    run = Run(lambda stream: (Response(key=request.key, failure=busy) for request in stream), n=1, retries=2)
    assert run.failed["k0"].message == "busy (asked 3 times)"
    assert len(run.slept) == 2


def test_the_wait_honours_what_the_server_says() -> None:
    asked: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        if asked[request.key] == 1:
            raise ModelError("429", transient=True, retry_after_s=17.0)
        return reply(request)

    run = Run(batched(1, asked, answer), n=1)
    assert not run.failed
    assert run.slept == [17.0]


def test_a_backend_that_is_down_is_not_offered_the_whole_benchmark() -> None:
    asked: Counter[str] = Counter()
    up = threading.Event()

    def answer(request: Request) -> Response:
        if not up.is_set():
            return Response(key=request.key, failure=Failure("model", "connection refused", transient=True))
        return reply(request)

    settled: list[Response] = []
    exchange = Exchange(batched(1, asked, answer), lambda request, response: settled.append(response), sleep=lambda s: up.set())
    exchange.run(requests(10 * RETRIES_WAITING))
    assert len(settled) == 10 * RETRIES_WAITING
    assert all(response.failure is None for response in settled)
    assert sum(asked.values()) == 11 * RETRIES_WAITING


def test_a_transient_exception_retries_the_whole_batch_later_and_finds_its_culprit() -> None:
    asked: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        if request.key == "k2":
            raise ConnectionError("reset")
        return reply(request)

    run = Run(batched(5, asked, answer), retries=2)
    assert list(run.failed) == ["k2"]
    assert len(run.slept) <= 3


def test_what_the_requests_raise_comes_through_even_if_the_model_swallows_it() -> None:
    def source() -> Iterator[Request]:
        yield from requests(2)
        raise OSError("disk full")

    def swallowing(stream: Iterable[Request]) -> Iterator[Response]:
        try:
            for request in stream:
                yield reply(request)
        except OSError:
            return

    settled: list[str] = []
    with pytest.raises(OSError, match="disk full"):
        Exchange(swallowing, lambda request, response: settled.append(request.key)).run(source())
    assert settled == ["k0", "k1"]


def test_what_recording_raises_comes_through_and_the_model_is_closed() -> None:
    closed: list[bool] = []

    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        try:
            for request in stream:
                yield reply(request)
        finally:
            closed.append(True)

    def full(request: Request, response: Response) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        Exchange(generate, full).run(requests(3))
    assert closed == [True]


def test_ctrl_c_in_a_model_is_not_mistaken_for_a_failure() -> None:
    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        Run(generate)


def test_no_more_is_pulled_than_the_model_holds() -> None:
    made: list[str] = []

    def source() -> Iterator[Request]:
        for request in requests(100):
            made.append(request.key)
            yield request

    most = 0

    def record(request: Request, response: Response) -> None:
        nonlocal most
        settled.append(request.key)
        most = max(most, len(made) - len(settled))

    settled: list[str] = []
    Exchange(batched(8, Counter()), record).run(source())
    assert most <= 8


KINDS = ["ok", "raise", "none", "drop", "twice", "fail", "transient"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12), st.integers(1, 5))
def test_every_request_is_settled_once_whatever_the_model_does(kinds: list[str], size: int) -> None:
    asked: Counter[str] = Counter()

    def generate(stream: Iterable[Request]) -> Iterator[Response]:
        for one in batched(size, asked, lambda request: request)(stream):
            request, kind = one, kinds[int(one.key[1:])]  # type: ignore[attr-defined]
            if kind == "raise":
                raise ValueError(request.key)
            if kind == "none":
                yield None  # type: ignore[misc]
            elif kind == "fail":
                yield Response(key=request.key, failure=Failure("model", "no"))
            elif kind == "transient" and asked[request.key] < 3:
                yield Response(key=request.key, failure=Failure("model", "wait", transient=True))
            elif kind != "drop":
                yield reply(request)  # type: ignore[arg-type]
                if kind == "twice":
                    yield reply(request)  # type: ignore[arg-type]

    run = Run(generate, n=len(kinds))
    assert {int(key[1:]) for key in run.failed} == {
        i for i, kind in enumerate(kinds) if kind in ("raise", "none", "drop", "fail")
    }


def one() -> Request:
    return requests(1)[0]


def test_a_huge_reply_is_cut_and_counts_as_a_failure() -> None:
    response = checked(Response(key="k0", text="x" * 10_000_000), one())
    assert len(response.text) == LONGEST_REPLY
    assert response.failure == Failure("reply", "the reply has 10000000 characters; the first 1000000 are kept")
    assert response.finish_reason == "error"


def test_control_characters_are_kept_and_lone_surrogates_replaced() -> None:
    assert checked(Response(key="k0", text="a\x00\x1b[31m\r\n"), one()).text == "a\x00\x1b[31m\r\n"
    assert checked(Response(key="k0", text="a\ud800b"), one()).text == "a\ufffdb"
    assert checked(Response(key="k0", text="\ud83d\ude00"), one()).text == "\U0001f600"


def test_text_that_is_no_text_is_a_failure() -> None:
    response = checked(Response(key="k0", text=None), one())  # type: ignore[arg-type]
    assert response.text == ""
    assert response.failure == Failure("reply", "the reply's text is NoneType, not a string")


@pytest.mark.parametrize(
    "fields", [{"prompt_tokens": "many"}, {"seconds": "soon"}, {"logprobs": None}, {"failure": "oops"}, {"logprobs": ("x",)}]
)
def test_a_response_with_a_malformed_field_fails_its_request(fields: dict[str, object]) -> None:
    def answer(request: Request) -> object:
        return Response(key=request.key, text="A", **(fields if request.key == "k1" else {}))  # type: ignore[arg-type]

    run = Run(batched(3, Counter(), answer))
    assert list(run.failed) == ["k1"]
    assert run.failed["k1"].message.startswith("a field of the response is malformed: ")


def test_numbers_of_other_libraries_become_plain() -> None:
    numpy = pytest.importorskip("numpy")
    response = checked(Response(key="k0", prompt_tokens=numpy.int64(3), seconds=numpy.float32(0.5), finish_reason=None), one())  # type: ignore[arg-type]
    assert (type(response.prompt_tokens), type(response.seconds), response.finish_reason) == (int, float, "stop")


def test_a_content_filter_is_a_failure_that_keeps_the_text() -> None:
    response = checked(Response(key="k0", text="I can", finish_reason="filter"), one())
    assert (response.text, response.failure and response.failure.kind) == ("I can", "filter")


def test_log_probabilities_become_the_likeliest_choice() -> None:
    response = checked(Response(key="k0", logprobs=(-2.0, -1.0)), one(), "loglikelihood")
    assert (response.text, response.failure) == ("B", None)
    wrong = checked(Response(key="k0", logprobs=(-2.0,)), one(), "loglikelihood")
    assert wrong.failure == Failure("reply", "1 log-probabilities came for 2 choices")


def test_long_messages_are_cut() -> None:
    assert len(failure_of(ValueError("y" * 100_000)).message) < LONGEST_MESSAGE + 50


def test_network_errors_are_transient() -> None:
    assert failure_of(ConnectionResetError("reset")).transient
    assert failure_of(TimeoutError("slow")) == Failure("timeout", "TimeoutError: slow", transient=True)
    assert not failure_of(ValueError("bug")).transient


def test_backoff_is_seeded_bounded_and_patient() -> None:
    backoff = Backoff(base_s=1.0, cap_s=8.0, patience_s=100.0)
    delays = [backoff.delay_s("k", attempt) for attempt in range(1, 9)]
    assert delays == [backoff.delay_s("k", attempt) for attempt in range(1, 9)]
    assert all(0.5 * min(8.0, 2.0**i) <= delay <= min(8.0, 2.0**i) for i, delay in enumerate(delays))
    assert backoff.delay_s("k", 1) != backoff.delay_s("other", 1)
    assert backoff.delay_s("k", 1) != Backoff(seed=1).delay_s("k", 1)
    assert backoff.delay_s("k", 1, retry_after_s=40.0) == 40.0
    assert backoff.delay_s("k", 1, retry_after_s=1e9) == 100.0
    assert backoff.delay_s("k", 10_000) <= 8.0


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_work_ahead_keeps_order_and_stays_in_its_window(workers: int) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    most = 0
    results = []
    for result in ahead(numbers(), lambda number: number * number, workers=workers, window=4):
        results.append(result)
        most = max(most, len(taken) - len(results))
    assert results == [number * number for number in range(50)]
    assert most <= 4


def test_work_ahead_raises_in_its_place() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    seen = []
    with pytest.raises(ValueError, match="three"):
        for number in ahead(range(10), work, workers=2, window=8):
            seen.append(number)
    assert seen == [0, 1, 2]


# --- models that hang ------------------------------------------------------------------------------------------------------


class Sleeper:
    """Replies to ``awake`` requests, takes ``batch`` more and never comes back."""

    def __init__(self, awake: int = 2, batch: int = 1) -> None:
        self.awake, self.batch = awake, batch

    def __call__(self, stream: Iterable[Request]) -> Iterator[Response]:
        for number, request in enumerate(stream):
            if number < self.awake:
                yield reply(request)
            elif number == self.awake + self.batch - 1:
                try:
                    threading.Event().wait()
                except Exception:  # as code does that wants to live for ever
                    threading.Event().wait()


@pytest.mark.parametrize("batch", [1, 3])
def test_what_a_hanging_model_was_asked_is_recorded_as_failed_and_the_run_stops(batch: int) -> None:
    settled: dict[str, Response] = {}
    exchange = Exchange(
        Sleeper(batch=batch), lambda request, response: settled.update({request.key: response}), timeout_s=0.2, advice="Go on."
    )
    with pytest.raises(RunStopped, match=rf"(?s)the model hangs: for 0\.2 s.*{batch} samples in flight.*\(s2.*Go on\."):
        exchange.run(requests(10))
    failed = {key: response.failure for key, response in settled.items() if response.failure}
    assert list(failed) == [f"k{i}" for i in range(2, 2 + batch)]
    assert all(one is not None and one.kind == "timeout" and one.transient for one in failed.values())
    assert sorted(settled) == sorted([*failed, "k0", "k1"]), "nothing else is lost, nothing else is recorded"
    assert not [thread for thread in threading.enumerate() if thread.name == "watch"]


def test_a_slow_disk_and_a_slow_scorer_are_not_the_models_time() -> None:
    def slowly() -> Iterator[Request]:
        for request in requests(3):
            time.sleep(0.25)
            yield request

    settled: list[str] = []

    def record(request: Request, response: Response) -> None:
        time.sleep(0.25)
        settled.append(request.key)

    Exchange(batched(1, Counter()), record, timeout_s=0.2).run(slowly())
    assert settled == ["k0", "k1", "k2"]


def test_one_asked_alone_is_watched_too() -> None:
    def model(stream: Iterable[Request]) -> Iterator[Response]:
        batch = list(stream)
        if len(batch) > 1:
            raise ValueError("one of these")
        threading.Event().wait()
        yield reply(batch[0])

    settled: list[tuple[str, Response]] = []
    with pytest.raises(RunStopped, match="1 samples in flight"):
        Exchange(model, lambda request, response: settled.append((request.key, response)), timeout_s=0.2).run(requests(3))
    assert [(key, response.failure and response.failure.kind) for key, response in settled] == [("k0", "timeout")]


def test_a_watch_ends_the_process_of_a_model_that_cannot_be_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.engine.watch.GRACE_S", 0.05)
    left: list[int] = []
    with Watch(0.1, lambda: "It hangs.", left.append) as watch:
        watch.model()
        deadline = time.monotonic() + 5
        while not left and time.monotonic() < deadline:
            with suppress(Hung):
                time.sleep(0.01)
    assert left == [1]
    assert capsys.readouterr().err == "RunStopped: It hangs. The model could not be interrupted; the process ends.\n"


def test_a_watch_needs_the_main_thread() -> None:
    caught: list[Exception] = []

    def inside() -> None:
        try:
            Exchange(batched(1, Counter()), lambda request, response: None, timeout_s=1.0).run(requests(1))
        except ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


# --- models that raise what nobody expects ---------------------------------------------------------------------------------


class Mute(Exception):
    """Raises also when it is to say what happened."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class MuteKey:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (GeneratorExit, "GeneratorExit: "),
        (asyncio.CancelledError, "CancelledError: "),
        (BaseException, "BaseException: "),
        (Mute, "Mute: (no text: Mute.__str__ raises RuntimeError)"),
    ],
)
@pytest.mark.parametrize("batch", [1, 4])
def test_whatever_a_model_raises_fails_only_the_culprit(raised: type[BaseException], message: str, batch: int) -> None:
    def answer(request: Request) -> Response:
        if request.key == "k3":
            raise raised
        return reply(request)

    run = Run(batched(batch, Counter(), answer))
    assert {key: failure.message for key, failure in run.failed.items()} == {"k3": message}


def test_values_that_cannot_be_printed_are_a_failure_of_their_request() -> None:
    def answer(request: Request) -> object:
        if request.key == "k1":
            return Response(key=request.key, failure=Failure("model", MuteKey()))  # type: ignore[arg-type]
        return Response(key=MuteKey()) if request.key == "k2" else reply(request)  # type: ignore[arg-type]

    run = Run(batched(1, Counter(), answer))
    assert run.failed.keys() == {"k1", "k2"} and "no words" in run.failed["k1"].message


def test_a_model_that_raises_while_it_is_closed_ends_nothing() -> None:
    def model(stream: Iterable[Request]) -> Iterator[Response]:
        try:
            for request in stream:
                yield Response(key=request.key, failure=Failure("model", "busy", transient=True))
        finally:
            raise GeneratorExit

    assert len(Run(model, n=RETRIES_WAITING + 5, retries=1).failed) == RETRIES_WAITING + 5

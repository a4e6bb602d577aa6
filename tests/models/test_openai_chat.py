"""Models behind a chat-completions server, against a real one on loopback that misbehaves on purpose."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from harness import evaluate
from harness.engine.stream import Exchange
from harness.errors import ConfigError, RunStopped
from harness.results import load_result
from harness.types import FileSource, Generation, Image, Request, Response, Text, Video
from models.chat_protocol import Reply, messages_of, read_reply, retry_after_s
from models.openai_chat import OpenAIChat
from models.pace import Pace
from tests.chat_server import Behaviour, ChatServer, Fault, completion
from tests.harness.fakes import png, toy_task, write_toy

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def chat(server: ChatServer, **more: Any) -> OpenAIChat:
    settings = {
        "model": "judge-1",
        "base_url": server.url,
        "key_env": "TEST_KEY",
        "backoff_s": 0.01,
        "timeout_s": 5.0,
        "retries": 3,
    }
    return OpenAIChat(**{**settings, **more})


def request(text: str, **generation: Any) -> Request:
    return Request(key=text, sample_id=text, parts=(Text(text),), generation=Generation(**generation))


def ask(model: OpenAIChat, *texts: str) -> dict[str, Response]:
    return {response.key: response for response in model.generate(iter([request(text) for text in texts]))}


def one(behave: Behaviour, **more: Any) -> tuple[Response, ChatServer]:
    with ChatServer(behave) as server:
        return ask(chat(server, **more), "q")["q"], server


def once(fault: Fault) -> Behaviour:
    return lambda text, asked: fault if asked == 1 else f"re: {text}"


# --- what is sent and read -----------------------------------------------------------------------------------------------


def test_a_request_is_asked_as_the_protocol_has_it_and_answered_with_its_tokens() -> None:
    with ChatServer(lambda text, asked: "Seven.") as server:
        wanted = request("How many?", max_new_tokens=3, temperature=0.5, stop=("\n",), seed=4)
        (response,) = chat(server, extra={"top_p": None, "n": 1}).generate(iter([wanted]))
    (body,) = server.bodies
    assert body == {
        "model": "judge-1",
        "messages": [{"role": "user", "content": "How many?"}],
        "temperature": 0.5,
        "seed": 4,
        "max_tokens": 3,
        "stop": ["\n"],
        "n": 1,
    }
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert (response.text, response.prompt_tokens, response.completion_tokens, response.failure) == ("Seven.", 10, 2, None)


def test_pictures_are_sent_inside_and_system_texts_before(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    parts = (Text("You judge.", "system"), Image(FileSource(tmp_path / "a.png")), Text("What is it?"))
    system, user = messages_of(parts)
    assert system == {"role": "system", "content": "You judge."}
    assert (
        user["content"][0]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
        and user["content"][1]["text"] == "What is it?"
    )


def test_an_unreadable_picture_fails_its_own_request_only(tmp_path: Path) -> None:
    broken = Request(key="b", sample_id="b", parts=(Image(FileSource(tmp_path / "none.png")),), generation=Generation())
    with ChatServer() as server:
        got = {r.key: r for r in chat(server).generate(iter([broken, request("q")]))}
    assert got["b"].failure is not None and got["b"].failure.kind == "media" and got["q"].text == "ok"


def test_so_many_requests_are_in_flight_and_no_more_are_pulled() -> None:
    pulled: list[str] = []

    def stream() -> Iterator[Request]:
        for number in range(12):
            pulled.append(str(number))
            yield request(str(number))

    with ChatServer(lambda text, asked: Fault(body=completion("ok"), hang_s=0.03)) as server:
        replies = chat(server, concurrency=4).generate(stream())
        next(replies)
        assert len(pulled) <= 4
        assert len(list(replies)) == 11
    assert 2 <= server.most_at_once <= 4


def test_frames_are_sent_as_pictures_and_files_by_their_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.png").write_bytes(png(1))
    frames = [Pictures.new("RGB", (4, 4), (shade, 0, 0)) for shade in (0, 200)]
    monkeypatch.setattr("harness.data.video.read_frames", lambda source, plan: frames)
    parts = (Image(FileSource(tmp_path / "a b.png")), Video(FileSource(tmp_path / "clip.mp4")), Text("What?"))
    (message,) = messages_of(parts, files=True)
    urls = [part["image_url"]["url"] for part in message["content"][:3]]
    assert urls[0] == (tmp_path / "a b.png").resolve().as_uri() and "%20" in urls[0]
    assert [url.partition(",")[0] for url in urls[1:]] == ["data:image/png;base64"] * 2 and urls[1] != urls[2]
    with ChatServer() as server:
        wanted = Request(key="q", sample_id="q", parts=parts, generation=Generation())
        (response,) = chat(server, media="file").generate(iter([wanted]))
        assert chat(server).capabilities.video and not chat(server, single_image=True).capabilities.video
    assert response.text == "ok" and server.bodies[0]["messages"] == [message]


# --- log-probabilities ---------------------------------------------------------------------------------------------------


def weighed(first: Any, choices: tuple[str, ...] = ("Yes", "No")) -> tuple[Response, dict[str, Any]]:
    with ChatServer(lambda text, asked: Fault(body=completion("x", first=first))) as server:
        wanted = replace(request("q", max_new_tokens=9, stop=(".",)), choices=choices)
        (response,) = chat(server, logprobs=True).loglikelihood(iter([wanted]))
    return response, server.bodies[0]


def test_choices_are_weighed_by_the_likeliest_first_tokens() -> None:
    response, body = weighed([("Yes", -1.0), (" Yes", -1.0), ("N", -3.0), ("Maybe", -9.0)])
    assert response.logprobs == pytest.approx((-1.0 + math.log(2), -3.0))
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"], "stop" in body) == (True, 20, 1, False)
    missing, _ = weighed([("A", -0.1), ("x", -4.0)], choices=("A", "B"))
    assert missing.logprobs == (-0.1, -4.0)  # at most as likely as the least likely that was sent


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (None, "no log-probabilities"),
        ([], "no log-probabilities"),
        ([("x", -1.0)], "no choice is among"),
        ([("red", -1.0)], "does not tell"),
        ([("A", float("nan")), (7, -1.0), ("B", "x"), ("red circle", 3.0)], "no log-probabilities"),
    ],
)
def test_choices_that_cannot_be_weighed_fail_and_say_why(first: Any, why: str) -> None:
    response, _ = weighed(first, choices=("red circle", "red square"))
    assert response.failure is not None and why in response.failure.message


# --- pace ----------------------------------------------------------------------------------------------------------------


def test_the_pace_halves_once_a_refusal_and_grows_by_one_a_round() -> None:
    pace = Pace(16)
    for _ in range(5):  # all were sent under the same limit
        pace.refused(0)
    assert (pace.limit, pace.cuts) == (8, 1)
    for _ in range(9):
        pace.answered()
    assert pace.limit == 9
    for _ in range(200):
        pace.answered()
    assert pace.limit == 16
    for cut in range(1, 9):
        pace.refused(cut)
    assert pace.limit == 1


def test_requests_slow_down_to_what_a_server_lets_through() -> None:
    def behave(text: str, asked: int) -> Fault | str:
        time.sleep(0.08)  # long beside what a busy machine takes to send the next request
        return Fault(429, b"busy") if server.now > 3 else f"re: {text}"

    with ChatServer(behave) as server:
        model = chat(server, concurrency=16, retries=20)
        got = ask(model, *(str(number) for number in range(40)))
    assert [got[str(number)].text for number in range(40)] == [f"re: {number}" for number in range(40)]
    refused = len(server.bodies) - 40  # about 15; without slowing down 40 to 60
    assert model.pace.cuts >= 2 and model.pace.limit <= 8 and 13 <= refused < 35


# --- faults --------------------------------------------------------------------------------------------------------------


PASSING = {
    "429": Fault(429, b"slow down", {"Retry-After": "0.05"}),
    "500": Fault(500, b"<html>oops</html>"),
    "503": Fault(503, b"", {"Retry-After": "soon"}),
    "truncated JSON": Fault(body=completion("half")[:-9]),
    "cut connection": Fault(body=completion("half"), cut=True),
    "no choices": Fault(body=b'{"choices": []}'),
    "choices of a wrong type": Fault(body=b'{"choices": {"0": 1}}'),
    "a choice of a wrong type": Fault(body=b'{"choices": ["8 7"]}'),
    "content of a wrong type": Fault(body=completion(["8", 7])),
    "content null": Fault(body=completion(None)),
    "a list": Fault(body=b"[]"),
    "nested too deep": Fault(body=b"[" * 100_000),
    "not UTF-8": Fault(body=b"\xff\xfe\x00"),
    "a huge number": Fault(body=b'{"choices": ' + b"9" * 10_000 + b"}"),
    "nothing": Fault(body=b""),
}


@pytest.mark.parametrize("name", PASSING)
def test_after_a_passing_fault_the_request_is_asked_again(name: str) -> None:
    response, server = one(once(PASSING[name]))
    assert response.text == "re: q" and response.failure is None and server.asked["q"] == 2


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_does_not_pass_fails_the_request_after_so_many_times(name: str) -> None:
    response, server = one(lambda text, asked: PASSING[name], retries=1)
    assert response.failure is not None and "asked 2 times" in response.failure.message and server.asked["q"] == 2


def test_silence_and_slow_streams_end_by_the_clock() -> None:
    started = time.monotonic()
    silent, _ = one(once(Fault(body=completion("late"), hang_s=0.6)), timeout_s=0.2)
    dripping, server = one(once(Fault(body=completion("x" * 500), drip_s=0.02)), timeout_s=0.2)
    assert silent.text == dripping.text == "re: q" and server.asked["q"] == 2 and time.monotonic() - started < 4


def test_retry_after_holds_for_all_that_is_not_sent_yet() -> None:
    with ChatServer(lambda text, asked: Fault(429, b"", {"Retry-After": "0.3"}) if len(server.bodies) == 1 else "ok") as server:
        got = ask(chat(server, concurrency=1), "a", "b")
    assert {response.text for response in got.values()} == {"ok"}
    assert server.times[1] - server.times[0] >= 0.3


def test_what_asking_again_cannot_help_is_asked_once() -> None:
    response, server = one(lambda text, asked: Fault(400, b'{"error": {"message": "too long"}}'))
    assert response.failure is not None and "too long" in response.failure.message and server.asked["q"] == 1


def test_a_server_that_is_not_there_fails_the_request() -> None:
    with ChatServer() as server:
        url = server.url
    (response,) = OpenAIChat(model="m", base_url=url, key_env="", retries=1, backoff_s=0.01).generate(iter([request("q")]))
    assert response.failure is not None and response.failure.kind == "connection"


def test_hostile_texts_arrive_as_they_are_and_numbers_that_are_none_do_not() -> None:
    text = "\x00\x1b[31m<script>alert(1)</script>‮ {{7*7}} '; DROP TABLE responses; --"
    response, _ = one(
        lambda _, asked: Fault(body=completion(text, finish=["stop"], usage={"prompt_tokens": -1, "completion_tokens": "9"}))
    )
    assert response.text == text and (response.prompt_tokens, response.completion_tokens) == (None, None)
    odd = read_reply(completion("x", usage={"prompt_tokens": True, "completion_tokens": 1e400}))
    assert odd == Reply("x")


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("content_filter", "filter"), ("eos", "stop")])
def test_why_a_reply_ended_is_kept(finish: str, reason: str) -> None:
    response, _ = one(lambda text, asked: Fault(body=completion("x", finish=finish)))
    assert response.finish_reason == reason


# --- the key -------------------------------------------------------------------------------------------------------------


def test_the_key_stands_in_no_name_log_message_or_reply(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo, server = one(lambda text, asked: f"you sent {KEY}")
    failed, _ = one(lambda text, asked: Fault(400, f"bad {KEY}".encode()))
    model = chat(server)
    assert failed.failure is not None
    said = [echo.text, failed.failure.message, model.fingerprint, model.name, repr(vars(model)), caplog.text]
    assert not [text for text in said if KEY in text] and "[key]" in echo.text


def test_a_refused_key_stops_the_run_and_says_so() -> None:
    refusal = Fault(401, f"Incorrect API key provided: {KEY}".encode())
    with ChatServer(lambda text, asked: refusal) as server, pytest.raises(RunStopped, match="TEST_KEY") as caught:
        ask(chat(server), "a", "b")
    assert KEY not in str(caught.value)


def test_without_a_key_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY")
    with ChatServer() as server, pytest.raises(RunStopped, match="export TEST_KEY"):
        ask(chat(server), "a")
    assert not server.bodies


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://x"},
        {"base_url": "http://me:pw@x/v1"},
        {"concurrency": 0},
        {"model": ""},
        {"max_cost": 1.0},
        {"max_tokens": -1},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OpenAIChat(**{"model": "m", **wrong})


def test_the_fingerprint_names_what_decides_replies_only() -> None:
    def made(**more: Any) -> str:
        return OpenAIChat(**{"model": "m", **more}).fingerprint

    assert made() == made(concurrency=1, timeout_s=3, max_requests=4, name="another")
    assert len({made(), made(model="n"), made(base_url="http://x/v1"), made(extra={"top_k": 1})}) == 4


# --- the budget ----------------------------------------------------------------------------------------------------------


LIMITS: dict[str, tuple[dict[str, Any], Callable[[ChatServer], float], float]] = {
    "requests": ({"max_requests": 5}, lambda server: len(server.bodies), 5),
    "tokens": ({"max_tokens": 100}, lambda server: 12 * len(server.bodies), 100),
    "cost": (
        {"max_cost": 1.0, "prompt_price": 10_000, "completion_price": 10_000},
        lambda server: 0.12 * len(server.bodies),
        1.0,
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_is_never_passed_stops_cleanly_and_goes_on(limit: str, concurrency: int) -> None:
    settings, taken, most = LIMITS[limit]
    stored: dict[str, Response] = {}
    wanted = [request(str(number), max_new_tokens=4) for number in range(8)]
    with ChatServer() as server:
        for _ in range(8):
            before = len(server.bodies)
            open_ = (one for one in wanted if one.key not in stored)
            model = chat(server, concurrency=concurrency, **settings)
            try:
                Exchange(model.generate, lambda request, response: stored.update({request.key: response})).run(open_)
                break
            except RunStopped as error:
                assert "budget is spent" in str(error)
            server.bodies, spent = server.bodies[before:], server.bodies
            assert taken(server) <= most
            server.bodies = spent
    assert len(stored) == 8 and set(server.asked.values()) == {1} and not any(response.failure for response in stored.values())


def test_repetitions_count_towards_the_budget() -> None:
    with ChatServer(lambda text, asked: Fault(500)) as server, pytest.raises(RunStopped, match="budget"):
        ask(chat(server, max_requests=2, retries=5), "a")
    assert len(server.bodies) == 2


def test_what_a_run_took_stands_in_its_result(tmp_path: Path) -> None:
    with ChatServer(lambda text, asked: "A") as server:
        model = chat(server, prompt_price=2.0, completion_price=5.0)
        result = evaluate(toy_task(), model, write_toy(tmp_path / "toy", 4), runs=tmp_path / "runs")
    assert result.usage == {"prompt_tokens": 40, "completion_tokens": 8, "cost": pytest.approx((40 * 2 + 8 * 5) / 1e6)}
    assert load_result(result.folder).usage == result.usage


def test_a_budget_that_is_not_reached_is_not_noticed() -> None:
    with ChatServer() as server:
        assert len(ask(chat(server, max_requests=3, max_tokens=10_000), "a", "b", "c")) == 3


# --- small pieces --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:05 GMT"}, 5.0),
        ({"retry-after": "never"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)) == seconds


def test_the_engine_keeps_what_came_before_a_stop() -> None:
    stored: list[str] = []
    with ChatServer(lambda text, asked: "ok") as server, pytest.raises(RunStopped):
        model = chat(server, max_requests=3, concurrency=3)
        Exchange(model.generate, lambda request, response: stored.append(request.key)).run(request(str(n)) for n in range(9))
    assert sorted(stored) == ["0", "1", "2"] and json.dumps(sorted(server.answered)) == '["0", "1", "2"]'

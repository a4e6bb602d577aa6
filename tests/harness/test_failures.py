"""One bad sample is a recorded failure, too many stop the run, and nothing that was stored is lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from harness import results, store
from harness.data.media import open_image
from harness.errors import HarnessError, Interrupted, MediaError, ModelError, ResultError, RunStopped
from harness.plan import Settings
from harness.results import Result, load_result
from harness.run import evaluate
from harness.store import Reader, Store
from harness.types import Failure, Image, Request, Response
from tests.harness.fakes import FakeModel, png, toy_task, write_toy

LENIENT = {"max_failures": 1.0}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "data")


def run(tmp_path: Path, model: FakeModel, **settings: object) -> Result:
    chosen = Settings(**settings)  # type: ignore[arg-type]
    return evaluate(toy_task(), model, tmp_path / "data", chosen, tmp_path / "runs", sleep=lambda seconds: None)


def failures(result: Result) -> dict[str, str]:
    rows = parquet.read_table(result.scores_path).to_pylist()
    return {row["sample_id"]: row["failed"] for row in rows if row["failed"] is not None}


def looking(request: Request) -> str:
    """Decodes the picture, as a model does, and lets what goes wrong escape."""
    for part in request.parts:
        if isinstance(part, Image):
            open_image(part.source)
    return "A"


BAD_PICTURES = {
    "truncated": png(5, side=64)[:-40],
    "empty": b"",
    "text": b"<html>404</html>",
    "bomb": png(0, claims=100_000),
    "zeros": bytes(500),
}


@pytest.mark.parametrize("kind", BAD_PICTURES)
@pytest.mark.parametrize("batch", [1, 7])
def test_a_bad_picture_fails_its_sample_only(tmp_path: Path, data: Path, kind: str, batch: int) -> None:
    (data / "images/5.png").write_bytes(BAD_PICTURES[kind])
    result = run(tmp_path, FakeModel(looking, batch=batch))
    assert list(failures(result)) == ["toy-5"]
    assert failures(result)["toy-5"].startswith("media: ")
    assert "images/5.png" in failures(result)["toy-5"]
    assert (result.n, result.failed, result.unparsed) == (20, 1, 0)
    assert result.metric().value == 0.5, "toy-5 would have been wrong anyway"


def test_a_missing_picture_fails_its_sample_without_asking(tmp_path: Path, data: Path) -> None:
    (data / "images/4.png").unlink()
    model = FakeModel()
    result = run(tmp_path, model)
    assert "toy-4" not in model.asked
    assert failures(result) == {"toy-4": f"media: {data}/images/4.png: cannot be read (No such file or directory)"}
    assert result.metric().value == 9 / 20, "a failed sample stays in the denominator"


def test_a_picture_that_comes_back_is_asked(tmp_path: Path, data: Path) -> None:
    (data / "images/4.png").unlink()
    run(tmp_path, FakeModel())
    (data / "images/4.png").write_bytes(png(4))
    model = FakeModel()
    assert run(tmp_path, model).failed == 0
    assert model.asked == ["toy-4"]


def test_a_failure_of_media_is_kept_and_any_other_asked_again_in_the_next_invocation(tmp_path: Path, data: Path) -> None:
    (data / "images/5.png").write_bytes(BAD_PICTURES["truncated"])
    broken = True

    def answer(request: Request) -> str:
        if broken and request.sample_id == "toy-8":
            raise RuntimeError("boom")
        return looking(request)

    first = run(tmp_path, FakeModel(answer), **LENIENT)
    assert failures(first).keys() == {"toy-5", "toy-8"}
    broken = False
    model = FakeModel(answer)
    second = run(tmp_path, model, **LENIENT)
    assert model.asked == ["toy-8"]
    assert failures(second).keys() == {"toy-5"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda request: None, "reply: the model yielded only something that is not its response"),
        (lambda request: Response(key="stranger", text="A"), "reply: the model yielded only something that is not its response"),
        (lambda request: Response(key=request.key, text=None), "reply: the reply's text is NoneType, not a string"),
        (lambda request: Response(key=request.key, failure=Failure("model", "no")), "model: no"),
        (
            lambda request: Response(key=request.key, text="No.", finish_reason="filter"),
            "filter: a content filter stopped the reply",
        ),
        (
            lambda request: Response(key=request.key, text="A", prompt_tokens=10**30),
            f"reply: a field of the response is malformed: {10**30} tokens",
        ),
        (
            lambda request: Response(key=request.key, text="A", completion_tokens=float("inf")),  # type: ignore[arg-type]
            "reply: a field of the response is malformed: cannot convert float infinity to integer",
        ),
        (lambda request: sys.exit(3), "model: SystemExit: 3"),
    ],
)
def test_a_bad_reply_fails_its_sample_only(tmp_path: Path, data: Path, answer: object, kind: str) -> None:
    model = FakeModel(lambda request: answer(request) if request.sample_id == "toy-3" else "A", batch=4)  # type: ignore[operator]
    result = run(tmp_path, model)
    assert failures(result) == {"toy-3": kind}


def test_a_reply_of_ten_megabytes_breaks_nothing_and_is_seen(tmp_path: Path, data: Path) -> None:
    result = run(tmp_path, FakeModel(lambda request: "A" * 10_485_760 if request.sample_id == "toy-2" else "A"))
    assert failures(result) == {"toy-2": "reply: the reply has 10485760 characters; the first 1000000 are kept"}
    row = parquet.read_table(result.scores_path).to_pylist()[2]
    assert len(row["reply"]) == 1_000_000
    assert row["score.correct"] == 0.0


def test_a_reply_of_control_characters_is_stored_as_it_is(tmp_path: Path, data: Path) -> None:
    nasty = "".join(map(chr, range(32))) + "\x7f\x1b[2J\u202e\ufeff" * 100
    result = run(tmp_path, FakeModel(lambda request: nasty if request.sample_id == "toy-2" else "A"))
    assert (result.failed, result.unparsed) == (0, 1)
    assert parquet.read_table(result.scores_path).to_pylist()[2]["reply"] == nasty


def test_a_scorer_that_raises_on_a_reply_fails_that_sample_only(tmp_path: Path, data: Path) -> None:
    result = run(tmp_path, FakeModel(lambda request: "1e999" if request.sample_id == "toy-2" else "A"))
    assert result.unparsed == 1
    task = toy_task()
    official = task.conventions["official"]

    def parse(reply: str, sample: object) -> object:
        return int(float(reply)) if reply != "A" else official.parse(reply, sample)  # type: ignore[arg-type]

    from dataclasses import replace

    from harness.run import score_run

    fragile = replace(task, conventions={"official": replace(official, parse=parse)})  # type: ignore[arg-type]
    again = score_run(result.folder, task=fragile)
    assert failures(again) == {"toy-2": "score: OverflowError: cannot convert float infinity to integer"}
    assert again.n == 20


def test_a_scorer_that_raises_on_everything_stops_with_its_first_causes(tmp_path: Path, data: Path) -> None:
    from dataclasses import replace

    official = toy_task().conventions["official"]
    scored = 0

    def parse(reply: str, sample: object) -> object:
        nonlocal scored
        scored += 1
        raise KeyError("nothing")

    task = toy_task(conventions={"official": replace(official, parse=parse)})  # type: ignore[arg-type]
    with pytest.raises(RunStopped, match=r"toy-0: score: KeyError: 'nothing'"):
        evaluate(task, FakeModel(), tmp_path / "data", runs=tmp_path / "runs")
    folder = next((tmp_path / "runs").glob("*/*/*"))
    assert not (folder / "result.json").exists()
    with Reader(folder) as reader:
        assert reader.count() == 20


def test_too_many_failures_stop_with_the_first_causes_and_how_to_go_on(tmp_path: Path, data: Path) -> None:
    def answer(request: Request) -> str:
        if int(request.sample_id.removeprefix("toy-")) >= 6:
            raise RuntimeError("CUDA error")
        return "A"

    with pytest.raises(RunStopped) as caught:
        run(tmp_path, FakeModel(answer))
    message = str(caught.value)
    assert "2 samples have failed, more than the 1 that max_failures allows" in message
    assert "toy-6: model: RuntimeError: CUDA error" in message
    assert "The same command goes on where it stopped" in message
    folder = next((tmp_path / "runs").glob("*/*/*"))
    assert not (folder / "result.json").exists()
    model = FakeModel()
    assert run(tmp_path, model).failed == 0
    assert model.asked == [f"toy-{i}" for i in range(6, 20)], "what was answered is not asked again"


def test_max_failures_can_be_raised_for_the_same_run(tmp_path: Path, data: Path) -> None:
    def answer(request: Request) -> str:
        if request.sample_id in ("toy-1", "toy-2", "toy-3"):
            raise RuntimeError("boom")
        return "A"

    with pytest.raises(RunStopped):
        run(tmp_path, FakeModel(answer))
    assert run(tmp_path, FakeModel(answer), max_failures=0.2).failed == 3


def test_max_failures_of_zero_bears_none(tmp_path: Path, data: Path) -> None:
    (data / "images/19.png").unlink()
    with pytest.raises(RunStopped, match="1 samples have failed, more than the 0"):
        run(tmp_path, FakeModel(), max_failures=0.0)


def test_the_advice_names_the_command(tmp_path: Path, data: Path) -> None:
    (data / "images/19.png").unlink()
    settings = Settings(max_failures=0.0)
    with pytest.raises(RunStopped, match="Go on with: riddle eval task=toy"):
        evaluate(toy_task(), FakeModel(), data, settings, tmp_path / "runs", command="riddle eval task=toy")


def test_a_rate_limited_backend_is_waited_for(tmp_path: Path, data: Path) -> None:
    slept: list[float] = []
    seen: set[str] = set()

    def answer(request: Request) -> str:
        if request.key not in seen:
            seen.add(request.key)
            raise ModelError("429 too many requests", transient=True, retry_after_s=3.0)
        return "A"

    result = evaluate(toy_task(), FakeModel(answer, batch=5), data, runs=tmp_path / "runs", sleep=slept.append)
    assert result.failed == 0
    assert slept and all(seconds >= 3.0 for seconds in slept)


def test_ctrl_c_keeps_what_was_answered_and_says_how_to_go_on(tmp_path: Path, data: Path) -> None:
    def answer(request: Request) -> str:
        if request.sample_id == "toy-7":
            raise KeyboardInterrupt
        return "A"

    with pytest.raises(Interrupted, match="every response so far is stored in"):
        run(tmp_path, FakeModel(answer))
    model = FakeModel()
    run(tmp_path, model)
    assert model.asked == [f"toy-{i}" for i in range(7, 20)]


@pytest.mark.parametrize("place", range(4))
def test_a_full_disk_stops_with_a_message_and_goes_on_later(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    def full_file(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_database(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    targets = [
        (Store, "put", full_database),
        (Store, "plan", full_database),
        (results, "sync", full_file),
        (results, "_table", full_file),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(*targets[place])
        with pytest.raises(RunStopped, match=r"nothing more can be written \(.*\)\. Make room on the disk"):
            run(tmp_path, FakeModel())
    result = run(tmp_path, FakeModel())
    assert load_result(result.folder) == result
    assert not list(result.folder.glob(".*"))


def test_other_errors_of_the_system_are_not_taken_for_a_full_disk(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(store.Store, "put", locked)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        run(tmp_path, FakeModel())


def test_errors_of_the_tree_are_one_family() -> None:
    assert issubclass(Interrupted, RunStopped) and issubclass(RunStopped, HarnessError) and issubclass(MediaError, HarnessError)


def test_half_a_character_in_the_data_breaks_nothing(tmp_path: Path, data: Path) -> None:
    lines = (data / "toy.jsonl").read_text().replace("Question 3?", "Question \\ud83d?")
    (data / "toy.jsonl").write_text(lines.replace('"answer": "B"', '"answer": "B\\ude00"'))
    result = run(tmp_path, FakeModel())
    assert failures(result) == {}
    assert parquet.read_table(result.scores_path)["references"].to_pylist()[1] == ["B?"]


def test_a_damaged_file_of_responses_is_named_with_the_way_out(tmp_path: Path, data: Path) -> None:
    path = run(tmp_path, FakeModel()).folder / store.FILE
    whole = bytearray(path.read_bytes())
    for place in range(4096, len(whole), 3):
        whole[place] ^= 0x55
    path.write_bytes(whole)
    with pytest.raises((RunStopped, ResultError), match=r"responses\.sqlite: .*fresh=true"):
        run(tmp_path, FakeModel())
    assert run(tmp_path, FakeModel(), fresh=True).failed == 0


def test_timings_that_are_none_do_not_end_a_run(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path, FakeModel()).folder
    (folder / "timings.json").write_text('{"schema": 1, "sessions": 5}')
    assert run(tmp_path, FakeModel()).failed == 0


def test_every_kind_of_trouble_at_once(tmp_path: Path) -> None:
    data = write_toy(tmp_path / "data", n=60)
    (data / "images/10.png").unlink()
    for i, content in enumerate(BAD_PICTURES.values()):
        (data / f"images/{20 + i}.png").write_bytes(content)

    class Wild(FakeModel):
        def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
            for count, response in enumerate(super().generate(requests)):
                yield response
                if count % 7 == 0:
                    yield response
                if count % 11 == 10:
                    raise RuntimeError("the worker died")

    def answer(request: Request) -> object:
        i = int(request.sample_id.removeprefix("toy-"))
        if i == 30:
            raise ValueError("bad sample")
        return {31: None, 32: "x" * 2_000_000, 33: "\x00\x07"}.get(i, looking(request))

    result = run(tmp_path, Wild(answer, batch=8), max_failures=0.2)
    failed = {f"toy-{i}" for i in (10, 20, 21, 22, 23, 24, 30, 31, 32)}
    assert failures(result).keys() == failed
    assert (result.n, result.failed, result.unparsed) == (60, 9, 1)

"""A run goes on where it stopped, takes over what other runs know, and ends with the same bytes."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path

import pytest

from harness import results
from harness.errors import Interrupted, RunStopped
from harness.plan import Settings
from harness.results import Result, read_json
from harness.run import evaluate, score_run
from harness.store import Reader, RunLock
from harness.types import Request
from tests.harness.fakes import FakeModel, png, toy_task, write_toy

FINAL = ("scores.parquet", "result.json")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "data", n=30, pictures=10)


def run(data: Path, model: FakeModel, runs: str = "runs", **settings: object) -> Result:
    return evaluate(toy_task(), model, data, Settings(**settings), data.parent / runs)  # type: ignore[arg-type]


def stopping_at(sample: str) -> FakeModel:
    def answer(request: Request) -> str:
        if request.sample_id == sample:
            raise KeyboardInterrupt
        return reply(request)

    return FakeModel(answer, batch=4)


def reply(request: Request) -> str:
    return "ABC?"[int(request.key[:2], 16) % 4]


def final(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FINAL]


def test_an_interrupted_run_ends_with_the_same_bytes_and_asks_only_what_was_in_flight_again(data: Path) -> None:
    straight = run(data, FakeModel(reply), runs="straight")
    asked: Counter[str] = Counter()
    for sample in ("toy-3", "toy-9", "toy-9", "toy-28"):
        model = stopping_at(sample)
        with pytest.raises(Interrupted):
            run(data, model)
        asked.update(model.asked)
    model = FakeModel(reply, batch=4)
    resumed = run(data, model)
    asked.update(model.asked)
    assert resumed.folder.name == straight.folder.name
    assert final(resumed.folder) == final(straight.folder)
    assert sum(asked.values()) <= 30 + 4 * 4


def test_a_finished_run_is_scored_anew_without_asking(data: Path) -> None:
    first = run(data, FakeModel(reply))
    before = final(first.folder)
    model = FakeModel(reply)
    assert run(data, model) == first
    assert model.asked == []
    assert final(first.folder) == before
    assert len(read_json(first.folder / "timings.json")["sessions"]) == 2


def test_the_first_start_stays_on_record(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import provenance

    monkeypatch.setattr(provenance, "now", lambda: "2020-01-01T00:00:00+00:00")
    folder = run(data, FakeModel(reply)).folder
    monkeypatch.setattr(provenance, "now", lambda: "2030-01-01T00:00:00+00:00")
    run(data, FakeModel(reply))
    assert read_json(folder / "run.json")["started"] == "2020-01-01T00:00:00+00:00"


def test_a_changed_picture_is_asked_anew_in_the_same_folder(data: Path) -> None:
    first = run(data, FakeModel(reply))
    (data / "images/7.png").write_bytes(png(77))
    model = FakeModel(reply)
    second = run(data, model)
    assert second.folder == first.folder
    assert model.asked == ["toy-7", "toy-17", "toy-27"]


def test_a_result_is_withdrawn_before_anything_is_asked(data: Path) -> None:
    folder = run(data, FakeModel(reply)).folder
    score_run(folder, "lenient", task=toy_task())
    (data / "images/7.png").write_bytes(png(77))
    with pytest.raises(Interrupted):
        run(data, stopping_at("toy-17"))
    assert not list(folder.glob("result*.json"))
    run(data, FakeModel(reply))
    assert (folder / "result.json").exists()


@pytest.mark.parametrize(
    ("settings", "asked"),
    [({"limit": 12}, 0), ({"prompt": "short"}, 30), ({"seed": 1}, 30), ({"generation": {"top_p": 0.5}}, 30)],
)
def test_replies_of_another_run_are_taken_over_if_nothing_they_depend_on_differs(
    data: Path, settings: dict[str, object], asked: int
) -> None:
    run(data, FakeModel(reply))
    model = FakeModel(reply)
    result = run(data, model, **settings)
    assert len(model.asked) == asked
    assert result.reused == result.n - asked
    with Reader(result.folder) as reader:
        assert reader.count() == reader.count("requests") == result.n, "each folder is complete in itself"


def test_another_model_takes_nothing_over(data: Path) -> None:
    run(data, FakeModel(reply))
    model = FakeModel(reply, fingerprint="fake-2", name="other")
    assert run(data, model, limit=5).reused == 0
    assert len(model.asked) == 5


def test_the_same_model_under_another_name_takes_all_over(data: Path) -> None:
    run(data, FakeModel(reply))
    assert run(data, FakeModel(reply, name="renamed")).reused == 30


def test_an_unfinished_run_lends_what_it_has(data: Path) -> None:
    with pytest.raises(Interrupted):
        run(data, stopping_at("toy-9"))
    model = FakeModel(reply)
    assert run(data, model, limit=12).reused == 8
    assert model.asked == ["toy-8", "toy-9", "toy-10", "toy-11"]


def test_taking_over_can_be_declined(data: Path) -> None:
    run(data, FakeModel(reply))
    model = FakeModel(reply)
    assert run(data, model, limit=12, reuse=False).reused == 0
    assert len(model.asked) == 12


def test_fresh_forgets_this_run_and_takes_nothing_over(data: Path) -> None:
    run(data, FakeModel(reply), limit=12)
    first = run(data, FakeModel(reply))
    model = FakeModel(lambda request: "B")
    second = run(data, model, fresh=True)
    assert second.folder == first.folder
    assert (len(model.asked), second.reused, second.metric().value) == (30, 0, 0.5)


def test_the_count_of_reused_replies_survives_an_interruption(data: Path) -> None:
    run(data, FakeModel(reply), limit=12)
    with pytest.raises(Interrupted):
        run(data, stopping_at("toy-20"))
    assert run(data, FakeModel(reply)).reused == 12


def _evaluate_slowly(data: str, entered: object) -> None:
    def answer(request: Request) -> str:
        entered.set()  # type: ignore[attr-defined]
        import time

        time.sleep(60)
        return "A"

    evaluate(toy_task(), FakeModel(answer), Path(data), runs=Path(data).parent / "runs")


def test_two_processes_never_write_one_run(data: Path) -> None:
    context = multiprocessing.get_context("spawn")
    entered = context.Event()
    first = context.Process(target=_evaluate_slowly, args=(str(data), entered))
    first.start()
    try:
        assert entered.wait(60)
        with pytest.raises(RunStopped, match=f"process {first.pid} is working on this run; wait for it or stop it"):
            run(data, FakeModel(reply))
    finally:
        first.kill()
        first.join()
    assert run(data, FakeModel(reply)).n == 30


def test_scoring_waits_for_nobody_who_writes(data: Path) -> None:
    folder = run(data, FakeModel(reply)).folder
    with RunLock(folder), pytest.raises(RunStopped, match="is working on this run"):
        score_run(folder, task=toy_task())


def test_an_unfinished_run_is_not_scored(data: Path) -> None:
    with pytest.raises(Interrupted):
        run(data, stopping_at("toy-9"))
    folder = next((data.parent / "runs").glob("*/*/*"))
    with pytest.raises(results.ResultError, match=r"the run is incomplete, 8 of 30"):
        score_run(folder, task=toy_task())
    assert not (folder / "result.json").exists()

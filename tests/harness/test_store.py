"""What is stored stays, is found by key, and can be read while it is written."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DatasetError, ResultError, RunStopped
from harness.store import FILE, Elsewhere, Reader, RunLock, Store, Stored
from harness.types import Failure, Generation, Response

FULL = Response(
    key="k",
    text="a\x00\x1b[0m\u2028é",
    finish_reason="length",
    prompt_tokens=12,
    completion_tokens=3,
    seconds=0.25,
    logprobs=(-1.5, -0.1),
    failure=Failure("timeout", "busy", transient=True, retry_after_s=2.0),
)


@pytest.fixture(autouse=True)
def connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test leaves open: Python 3.13 warns of it, in whatever test runs when it is collected."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_and_remember(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_and_remember)
    yield
    for connection in opened:
        connection.close()


def test_a_response_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(FULL)
    assert store.get("k") == Stored(FULL, False)
    assert store.get("other") is None
    store.close()
    with Reader(tmp_path) as reader:
        assert reader.get("k") == Stored(FULL, False)


def test_a_later_response_replaces_the_earlier(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(FULL)
    store.put(Response(key="k", text="fine"), reused=True)
    assert store.get("k") == Stored(Response(key="k", text="fine"), True)
    assert store.count() == 1


def test_a_response_is_visible_to_others_at_once_and_without_locking(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Reader(tmp_path) as reader:
        store.put(Response(key="a", text="1"))
        assert reader.get("a") is not None
        store.add_request("b", "s", [{"text": "?"}], Generation())  # a transaction is open now
        assert reader.count() == 1
        store.put(Response(key="b", text="2"))
        assert reader.count() == 2
    store.close()


def test_a_killed_writer_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "run" if (tmp_path / "run").mkdir() is None else tmp_path)
    store.put(Response(key="a", text="1"))
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "run").iterdir():  # what a kill leaves behind: the file and its journal
        (copy / path.name).write_bytes(path.read_bytes())
    store.close()
    assert (copy / f"{FILE}-wal").stat().st_size > 0
    with Reader(copy) as reader:
        assert reader.get("a") is not None
    again = Store(copy)
    again.put(Response(key="b", text="2"))
    assert again.count() == 2
    again.close()


def test_a_closed_store_is_one_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(FULL)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_store_can_be_closed_while_somebody_reads(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(FULL)
    with Reader(tmp_path) as reader:
        rows = reader._db.execute("SELECT * FROM responses")
        store.close()
        assert len(list(rows)) == 1
    assert Reader(tmp_path).count() == 1


def test_requests_are_kept_as_they_were_asked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    parts = [{"image": "a.png", "digest": "ab", "locator": {"kind": "file", "path": "a.png"}}, {"text": "\ud800?"}]
    store.add_request("k", "s1", parts, Generation(stop=("\n",)))
    store.add_request("k", "s2", [], Generation())
    store.commit()
    asked = store.request("k")
    assert asked == {"sample_id": "s1", "parts": parts, "generation": {**_generation(), "stop": ["\n"]}}
    assert store.request("other") is None


def _generation() -> dict[str, object]:
    return {"max_new_tokens": 32, "temperature": 0.0, "top_p": 1.0, "stop": [], "seed": 0}


def test_the_plan_keeps_the_order_of_samples_and_names_a_repeated_id(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin_plan()
    for position, (sample, key) in enumerate([("b", "k1"), ("a", "k2"), ("c", "k1")]):
        store.plan(position, sample, key)
    store.put(Response(key="k1", text="one"), reused=True)
    planned = [(sample, key, stored and stored.response.text) for sample, key, stored in store.planned()]
    assert planned == [("b", "k1", "one"), ("a", "k2", None), ("c", "k1", "one")]
    assert store.reused() == 1
    with pytest.raises(DatasetError, match="'a' occurs again at position 3"):
        store.plan(3, "a", "k3")
    store.begin_plan()
    store.plan(0, "a", "k2")
    store.commit()
    assert store.count("plan") == 1


def test_a_store_may_be_used_from_threads(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def work(name: str) -> None:
        for i in range(50):
            store.put(Response(key=f"{name}{i}", text=name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == 200


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(ResultError, match=FILE):
        Store(tmp_path)
    with pytest.raises(ResultError, match=FILE):
        Reader(tmp_path)
    with pytest.raises(ResultError, match="no such file"):
        Reader(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "damage",
    ["text = x'ff00'", "text = NULL", "failure = '{bad'", "failure = '{\"foo\": 1}'", "failure = '5'", "logprobs = '[1,'"],
)
def test_a_damaged_response_is_named_and_lent_to_nobody(tmp_path: Path, damage: str) -> None:
    own = _other_run(tmp_path, "own", "m1")
    other = _other_run(tmp_path, "other", "m1", Response(key="a", text="1"))
    with sqlite3.connect(other / FILE) as db:
        db.execute(f"UPDATE responses SET {damage}")
    with Reader(other) as reader, pytest.raises(ResultError, match="response a is damaged .*fresh=true"):
        reader.get("a")
    with Elsewhere(tmp_path, own, "m1") as elsewhere:
        assert elsewhere.find("a") is None


def test_counting_takes_known_tables_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sqlite_master"):
        Store(tmp_path).count("sqlite_master")


def _other_run(root: Path, name: str, model: str, *responses: Response) -> Path:
    folder = root / "m" / "t" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"schema": 1, "model": {"fingerprint": model}}))
    store = Store(folder)
    for response in responses:
        store.put(response)
    store.close()
    return folder


def test_replies_of_other_runs_of_the_same_model_are_found(tmp_path: Path) -> None:
    own = _other_run(tmp_path, "own", "m1", Response(key="mine", text="x"))
    _other_run(tmp_path, "same", "m1", Response(key="a", text="found"), FULL)
    _other_run(tmp_path, "different", "m2", Response(key="b", text="of another model"))
    broken = _other_run(tmp_path, "broken", "m1", Response(key="c", text="lost"))
    (broken / FILE).write_bytes(b"rubbish")
    with Elsewhere(tmp_path, own, "m1") as elsewhere:
        found = elsewhere.find("a")
        assert found is not None and found.text == "found"
        assert [elsewhere.find(key) for key in ("k", "b", "c", "mine")] == [None] * 4, "failures are not taken over"


def test_a_run_being_written_lends_its_replies(tmp_path: Path) -> None:
    own = _other_run(tmp_path, "own", "m1")
    live = Store(_other_run(tmp_path, "live", "m1"))
    with Elsewhere(tmp_path, own, "m1") as elsewhere:
        live.put(Response(key="new", text="fresh"))
        assert elsewhere.find("new") is not None
    live.close()


def test_a_run_that_goes_away_is_passed_over(tmp_path: Path) -> None:
    own = _other_run(tmp_path, "own", "m1")
    _other_run(tmp_path, "other", "m1", Response(key="a", text="1"))
    with Elsewhere(tmp_path, own, "m1") as elsewhere:
        elsewhere._readers[0]._db.close()
        with pytest.raises(sqlite3.Error):
            elsewhere._readers[0].get("a")
        assert elsewhere.find("a") is None


def _hold(folder: str, ready: object, done: object) -> None:
    with RunLock(Path(folder)):
        ready.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_a_folder_is_locked_for_other_processes_and_freed_by_the_end_of_its_holder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), ready, done))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(RunStopped, match=f"process {holder.pid} is working on this run"):
        RunLock(tmp_path)
    holder.kill()
    holder.join()
    with RunLock(tmp_path):
        pass

"""Several workers as one model: every request is answered once, whoever dies, and a request that kills is found."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.build import build
from harness.engine.crew import BARREN, Crew
from harness.engine.processes import Processes
from harness.engine.worker import Chunk, Died, Message, Order, work
from harness.errors import ConfigError, RunStopped
from harness.model import Capabilities
from harness.plan import Settings
from harness.run import evaluate
from harness.types import Failure, Generation, Request, Response
from tests.distributed.plug import TASKS, Teller
from tests.harness.fakes import FakeModel, write_toy

SETTINGS = Settings(max_failures=0.2, workers=1)


class Made(Order):
    """An order that makes its model by a function."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__(model={})
        object.__setattr__(self, "make", make)

    def build(self) -> Any:
        return self.make()  # type: ignore[attr-defined]


class Threads:
    """Workers that are threads; one that is handed a deadly request dies, as a process would."""

    def __init__(self, order: Order, deadly: Iterable[str] = (), deaths: int = 10**9) -> None:
        self.order, self.deadly, self.deaths = order, set(deadly), deaths
        self.heard_: queue.Queue[tuple[int, Message]] = queue.Queue()
        self.inboxes: dict[int, queue.Queue[Chunk | None]] = {}
        self.started: Counter[int] = Counter()
        self.given: list[list[str]] = []

    def start(self, number: int) -> None:
        self.started[number] += 1
        inbox = self.inboxes[number] = queue.Queue()

        def send(message: Message) -> None:
            if self.inboxes.get(number) is inbox:
                self.heard_.put((number, message))

        threading.Thread(target=_quietly, args=(self.order, inbox.get, send), daemon=True).start()

    def give(self, number: int, chunk: Chunk) -> None:
        ids = [request.sample_id for request in chunk.requests]
        self.given.append(ids)
        if self.deadly & set(ids) and self.deaths > 0:
            self.deaths -= 1
            self.inboxes.pop(number).put(None)
            self.heard_.put((number, Died("was killed by SIGKILL")))
        else:
            self.inboxes[number].put(chunk)

    def heard(self) -> Iterator[tuple[int, Message]]:
        yield self.heard_.get(timeout=30)

    def close(self) -> None:
        for inbox in self.inboxes.values():
            inbox.put(None)


def _quietly(*arguments: Any) -> None:
    """Work; what is logged stays here, since crew and workers are one process."""
    work(*arguments, log=False)


def requests(n: int) -> list[Request]:
    return [Request(key=f"k{i}", sample_id=f"s{i}", parts=(), generation=Generation()) for i in range(n)]


def answers(crew: Crew, n: int) -> dict[str, Response]:
    replies = list(crew.generate(iter(requests(n))))
    assert len(replies) == n, "each once"
    return {reply.key: reply for reply in replies}


@pytest.mark.parametrize("batch", [1, 5, 1000])
@pytest.mark.parametrize("n", [1, 3])
def test_every_request_is_answered_once_by_any_number_of_workers(n: int, batch: int) -> None:
    with Crew(Threads(Made(lambda: FakeModel(batch=batch))), n, chunk=4) as crew:
        assert crew.name == "fake" and crew.fingerprint == "fake-1"
        for _ in range(2):  # workers outlive a stream of requests
            assert {reply.text for reply in answers(crew, 57).values()} == {"A"}
        assert list(crew.generate(iter(()))) == []


def test_a_request_that_kills_is_found_and_no_other_fails() -> None:
    workers = Threads(Made(lambda: FakeModel(batch=3)), deadly=["s5", "s11"])
    with Crew(workers, 2, chunk=8) as crew:
        replies = answers(crew, 40)
    failed = {key for key, reply in replies.items() if reply.failure is not None}
    assert failed == {"k5", "k11"}
    assert "every worker that is asked this dies" in str(replies["k5"].failure)
    assert workers.started.total() < 2 + 2 * 7, "found by halving"


def test_one_death_from_outside_fails_nothing() -> None:
    workers = Threads(Made(FakeModel), deadly=["s7"], deaths=1)
    with Crew(workers, 2, chunk=8) as crew:
        assert not [reply for reply in answers(crew, 40).values() if reply.failure is not None]


def test_workers_that_cannot_start_stop_the_run() -> None:
    def cannot() -> Any:
        raise ConfigError("model.weights=x: no such folder")

    with pytest.raises(ConfigError, match="no such folder"):
        Crew(Threads(Made(cannot)), 2)

    class Dying(Threads):
        def start(self, number: int) -> None:
            self.started[number] += 1
            self.heard_.put((number, Died("ended with exit code 1")))

    dying = Dying(Made(FakeModel))
    with pytest.raises(RunStopped, match="die before they have answered anything, the last one ended with exit code 1"):
        Crew(dying, 2)
    assert dying.started.total() <= 2 + 2 * BARREN


def test_workers_with_other_weights_are_refused() -> None:
    made = iter(("one", "two"))
    order = Made(lambda: FakeModel(fingerprint=next(made)))
    with pytest.raises(ConfigError, match=r"has another model than the others"), Crew(Threads(order), 2) as crew:
        answers(crew, 400)


def test_what_a_model_does_wrong_in_a_worker_is_what_it_does_wrong_here(tmp_path: Path) -> None:
    """Exceptions, transient failures with retries, long messages: rows and result are equal to the byte."""

    def answer(request: Request) -> object:
        number = int(request.sample_id.removeprefix("toy-"))
        if number == 3:
            raise ValueError("x" * 5000)
        if number == 4:
            return Response(key=request.key, finish_reason="error", failure=Failure("busy", "try later", transient=True))
        return None if number == 6 else "AB"[number % 2]

    data = write_toy(tmp_path / "data", n=12)
    files = []
    for name in ("here", "crew"):
        make = lambda: FakeModel(answer, batch=4)  # noqa: E731
        settings = Settings(max_failures=0.5, workers=0, retries=2)
        with Crew(Threads(Made(make)), 2, chunk=2) as crew:
            model = make() if name == "here" else crew
            result = evaluate(TASKS[0], model, data, settings, tmp_path / name, sleep=lambda seconds: None)
        assert result.failed == 3
        files.append([(result.folder / file).read_bytes() for file in ("scores.parquet", "result.json")])
    assert files[0] == files[1]


def test_a_process_killed_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    data = write_toy(tmp_path / "data", n=40, pictures=10)
    alone = evaluate(TASKS[0], Teller(str(tmp_path / "a.log")), data, SETTINGS, tmp_path / "alone")
    log = tmp_path / "b.log"
    spec = {"_target_": "tests.distributed.plug.Teller", "log": str(log), "die_after": 6, "pause_s": 0.01}
    with Crew(Processes(Order(model=spec, plugins=("tests",))), 2, chunk=4) as crew:
        assert isinstance(crew.capabilities, Capabilities)
        result = evaluate(TASKS[0], crew, data, SETTINGS, tmp_path / "crew")
    for name in ("scores.parquet", "result.json"):
        assert (result.folder / name).read_bytes() == (alone.folder / name).read_bytes()
    asked = [line.split() for line in log.read_text().splitlines()]
    assert Path(f"{log}.died").exists()
    assert len({process for _, process in asked}) >= 2
    assert "was killed by SIGKILL" in (result.folder / "log.txt").read_text()
    assert build(spec, ("tests",)).fingerprint == crew.fingerprint

"""Processes that do not talk share a run: killed, late or repeated, they leave what one process would have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness import parts
from harness.errors import ConfigError
from harness.plan import Settings
from harness.run import evaluate
from harness.shares import Share, evaluate_share
from harness.store import FILE, Reader, Store
from harness.types import Failure, Generation, Response
from tests.distributed.plug import TASKS, Teller
from tests.distributed.rank import SETTINGS, whole
from tests.harness.fakes import write_toy

ROOT = Path(__file__).parents[2]
N = 60


class Place:
    """A folder with data, and what one process makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "asked.log"
        self.data = write_toy(folder / "data", n=N, pictures=20)
        self.alone = files(evaluate(TASKS[0], Teller(str(folder / "alone.log")), self.data, SETTINGS, folder / "alone").folder)

    def start(self, index: int, of: int, die_after: int = 0, pause_s: float = 0.0) -> subprocess.Popen[str]:
        words = [self.data, self.folder / "runs", self.log, index, of, die_after, pause_s]
        command = [sys.executable, "-m", "tests.distributed.rank", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

    @property
    def run(self) -> Path:
        (folder,) = (self.folder / "runs").glob("*/*/*")
        return folder

    def asked(self) -> Counter[str]:
        return Counter(line.split()[0] for line in self.log.read_text().splitlines())


def files(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in ("scores.parquet", "result.json")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def said(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=120)[0].strip()


def test_a_rank_that_dies_is_replaced_by_the_others(place: Place) -> None:
    """Two ranks, one killed in the middle: the other does its own share, takes over, merges and scores."""
    dying, living = place.start(0, 2, die_after=7, pause_s=0.01), place.start(1, 2, pause_s=0.02)
    said(dying)
    last = said(living)
    if last == "left":  # it was done before the other one died
        last = said(place.start(0, 2))
    assert last == f"n={N}"
    assert files(place.run) == place.alone
    assert not (place.run / parts.FOLDER).exists(), "parts are merged"
    asked = place.asked()
    assert len(asked) == N
    failing = 2 * 3  # a failing sample is asked by both, and once more by itself
    assert asked.total() <= N + 2 * 3 + failing


def test_one_process_goes_on_where_ranks_were_killed(place: Place) -> None:
    process = place.start(0, 3, die_after=9)
    assert said(process) == ""
    with parts.left_by_others(place.run) as (reader,):
        stored = reader.count()
    assert stored >= 3
    log = place.folder / "rest.log"
    result = evaluate(TASKS[0], Teller(str(log)), place.data, SETTINGS, place.folder / "runs")
    assert files(result.folder) == place.alone
    assert len(set(log.read_text().split("\n"))) <= N - stored + 3


def test_shares_that_come_one_after_another_leave_nothing_for_the_later_ones(place: Place) -> None:
    results = [
        evaluate_share(Share(index, 3), whole(Teller(str(place.log)), place.data, place.folder / "runs")) for index in range(3)
    ]
    assert all(result is not None for result in results)
    assert files(place.run) == place.alone
    again = place.asked().total() - len(Path(place.folder / "alone.log").read_text().splitlines())
    assert again <= 2 * 2 * 6, "only what failed is asked anew"


def test_what_cannot_be_shared_is_refused(place: Place) -> None:
    with pytest.raises(ConfigError, match="fresh=true"):
        evaluate_share(Share(0, 2), whole(Teller("log"), place.data, place.folder / "runs", Settings(fresh=True)))
    with pytest.raises(ConfigError, match=r"engine.shard=2: must be between 0 and 1"):
        Share(2, 2)
    with pytest.raises(ConfigError, match=r"engine.shards=1000"):
        Share(0, 1000)


def failed(key: str, why: str) -> Response:
    return Response(key=key, finish_reason="error", failure=Failure("model", why))


def test_parts_are_merged_by_key_and_a_success_stands_before_a_failure(tmp_path: Path) -> None:
    stored = {
        "": [Response(key="a", text="own"), failed("b", "own"), failed("c", "own")],
        "p1": [Response(key="a", text="p1"), Response(key="b", text="p1"), failed("c", "p1"), failed("d", "p1")],
        "p2": [Response(key="b", text="p2"), Response(key="d", text="p2"), Response(key="e", text="p2", traces={"t": b"x"})],
    }
    for name, responses in stored.items():
        folder = tmp_path / "run" / (f"{parts.FOLDER}/{name}" if name else "")
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder, alone=bool(name))
        for response in responses:
            store.add_request(response.key, f"s{response.key}", [], Generation())
            store.put(response)
        store.close()
    for _ in range(2):  # a merge that was killed is done again
        store = Store(tmp_path / "run")
        assert parts.merge(tmp_path / "run", store) == {}, "not all slices are finished"
        store.close()
        with Reader(tmp_path / "run") as reader:
            found = {key: reader.get(key) for key in "abcde"}
            assert {k: v.response.text or v.response.failure.message for k, v in found.items()} == {  # type: ignore[union-attr]
                "a": "own", "b": "p1", "c": "p1", "d": "p2", "e": "p2",
            }  # fmt: skip
            assert reader.traces("e") == {"t": b"x"}
            assert reader.count("requests") == 5


def test_a_file_that_was_not_closed_is_read_from_a_copy(tmp_path: Path) -> None:
    part = parts.own_part(tmp_path)
    code = (
        "import os, sys; from pathlib import Path; from harness.store import Store; from harness.types import Response\n"
        "s = Store(Path(sys.argv[1]), alone=True); s.put(Response(key='k', text='A')); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(part)], cwd=ROOT, check=False)
    before = {path.name: path.read_bytes() for path in part.iterdir()}
    assert f"{FILE}-wal" in before
    with parts.left_by_others(tmp_path) as (reader,):
        stored = reader.get("k")
        assert stored is not None and stored.response.text == "A"
    after = {path.name: path.read_bytes() for path in part.iterdir() if path.name != "lock"}
    assert {name: before[name] for name in after} == after, "nobody writes the file of another"

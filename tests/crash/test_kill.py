"""kill -9 at any moment, a full disk: the same command goes on, and its files are those of a run that was never stopped."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.results import load_result
from harness.store import Reader
from tests.harness.fakes import write_toy

N, BATCH = 40, 4
ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    killed: bool
    said: str

    @property
    def steps(self) -> int:
        assert self.said.isdigit(), self.said
        return int(self.said)


class Victim:
    """Sends orders to the process of ``victim.py``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = write_toy(folder / "data", n=N, pictures=10)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.crash.victim"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def tell(self, runs: Path, die_at: int = 0, pause_s: float = 0.0) -> int:
        order = {"data": str(self.data), "runs": str(runs), "die_at": die_at, "batch": BATCH, "pause_s": pause_s}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({**order, "log": str(self.log(runs))}) + "\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline())["pid"])

    def outcome(self) -> Outcome:
        assert self.process.stdout is not None
        return Outcome(**json.loads(self.process.stdout.readline()))

    def run(self, runs: Path, die_at: int = 0) -> Outcome:
        self.tell(runs, die_at)
        return self.outcome()

    def log(self, runs: Path) -> Path:
        return self.folder / f"{runs.name}.asked"

    def asked(self, runs: Path) -> Counter[str]:
        return Counter(self.log(runs).read_text().split())

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("crash"))
    yield victim
    victim.close()


@dataclass
class Straight:
    files: dict[str, bytes]
    steps: int
    asked: int


@pytest.fixture(scope="module")
def straight(victim: Victim) -> Straight:
    """A run that was never stopped."""
    runs = victim.folder / "straight"
    steps = victim.run(runs).steps
    return Straight(final(runs), steps, victim.asked(runs).total())


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("*/*/*")
    return folder


def final(runs: Path) -> dict[str, bytes]:
    return {name: (folder_of(runs) / name).read_bytes() for name in ("scores.parquet", "result.json")}


def check_wreck(runs: Path, straight: Straight) -> None:
    """What a killed process leaves: a result only if it is the whole one, and a store that can be read."""
    for folder in runs.glob("*/*/*"):
        if (folder / "result.json").exists():
            assert final(runs) == straight.files
            assert load_result(folder).n == N
        if (folder / "responses.sqlite").exists() and (folder / "responses.sqlite").stat().st_size > 4096:
            with Reader(folder) as reader:
                assert reader.count() <= N


def go_on_to_the_end(victim: Victim, runs: Path, straight: Straight, kills: int, finished: int = 0) -> None:
    """Finish the run; ``finished`` earlier processes came to their end unkilled, and asked once more only what had failed."""
    assert not victim.run(runs).killed
    assert final(runs) == straight.files
    folder = folder_of(runs)
    assert not list(folder.glob(".*")), "no half-written file is left"
    asked = victim.asked(runs)
    assert len(asked) == N
    failing = straight.asked - N  # what finding the two that fail costs; every process asks them again
    most = straight.asked + kills * 2 * BATCH + (kills + finished) * failing
    assert asked.total() <= most, "only what was in flight or had failed is asked again"


def test_a_straight_run_has_many_steps_to_die_at(straight: Straight) -> None:
    assert straight.steps > 300


def test_a_run_killed_nine_times_ends_with_the_same_bytes(victim: Victim, straight: Straight) -> None:
    runs, draw, kills = victim.folder / "nine", random.Random(9), 0
    while kills < 9:
        if victim.run(runs, die_at=draw.randrange(1, straight.steps // 2)).killed:
            kills += 1
            check_wreck(runs, straight)
    go_on_to_the_end(victim, runs, straight, kills)


def points(straight: Straight, count: int) -> list[int]:
    """Seeded steps over the whole run, and every one of the last 40, in which scores and result are written."""
    draw = random.Random(straight.steps)
    return sorted({*draw.sample(range(1, straight.steps), count), *range(straight.steps - 40, straight.steps)})


def die_everywhere(victim: Victim, straight: Straight, count: int) -> None:
    for point in points(straight, count):
        runs = victim.folder / f"at-{point}"
        assert victim.run(runs, die_at=point).killed, point
        check_wreck(runs, straight)
        go_on_to_the_end(victim, runs, straight, kills=1)
        shutil.rmtree(runs)


def test_death_at_any_step_is_mended_by_the_same_command(victim: Victim, straight: Straight) -> None:
    die_everywhere(victim, straight, count=15)


@pytest.mark.slow
def test_death_at_every_step_is_mended_by_the_same_command(victim: Victim, straight: Straight) -> None:
    die_everywhere(victim, straight, count=straight.steps - 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_from_outside_at_any_moment_is_mended(victim: Victim, straight: Straight, seed: int) -> None:
    runs, draw, kills, tries = victim.folder / f"outside-{seed}", random.Random(seed), 0, 4
    for _ in range(tries):
        pid = victim.tell(runs, pause_s=0.004)
        time.sleep(draw.uniform(0.0, 0.2))
        with suppress(ProcessLookupError):  # a fast machine may have finished the run by now, which is a moment too
            os.kill(pid, signal.SIGKILL)
        kills += victim.outcome().killed
        check_wreck(runs, straight)
    go_on_to_the_end(victim, runs, straight, kills, finished=tries - kills)


@pytest.mark.parametrize(("number", "who"), [(signal.SIGINT, "user"), (signal.SIGTERM, "system (SIGTERM)")])
def test_a_signal_from_outside_ends_cleanly_and_says_how_to_go_on(
    victim: Victim, straight: Straight, number: signal.Signals, who: str
) -> None:
    runs = victim.folder / number.name
    pid = victim.tell(runs, pause_s=0.05)
    deadline = time.monotonic() + 60
    while not (victim.log(runs).exists() and victim.asked(runs).total() > 2 * BATCH) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid, number)
    outcome = victim.outcome()
    assert not outcome.killed
    assert outcome.said.startswith(f"! stopped by the {who}; every response so far is stored in")
    assert [path.name for path in folder_of(runs).glob("responses.sqlite*")] == ["responses.sqlite"], "closed in good order"
    go_on_to_the_end(victim, runs, straight, kills=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 KiB; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a file system; test_failures.py injects the error instead")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_the_run_with_a_message_and_room_lets_it_go_on(
    victim: Victim, straight: Straight, small_disk: Path
) -> None:
    runs = small_disk / "runs"
    sizes = [f"{size}k" for size in (96, 112, 128, 160, 192, 224)]
    full = 0
    for size in sizes:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(small_disk)], check=True)
        outcome = victim.run(runs)
        if outcome.said.startswith("!"):
            full += 1
            assert "nothing more can be written" in outcome.said
            assert "Make room on the disk" in outcome.said
            check_wreck(runs, straight)
    assert full >= 2
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    go_on_to_the_end(victim, runs, straight, kills=len(sizes))

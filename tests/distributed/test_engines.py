"""torchrun, workers, Ray, Slurm's launcher on this machine: any number, one of them killed, the files of one process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.fakes import write_toy

ROOT = Path(__file__).parents[2]
N = 40
RIDDLE = [sys.executable, "-m", "harness.cli"]


def riddle(folder: Path, *words: str, program: list[str] = RIDDLE, log: str, more: str = "") -> subprocess.CompletedProcess[str]:
    """Evaluate the toy benchmark into ``folder/runs`` by a command."""
    told = [f"+model._target_=tests.distributed.plug.Teller", f"+model.log={folder / log}"]  # noqa: F541
    chosen = [*told, "plugins=[tests.distributed.plug]", "task=toy", f"data={folder / 'data'}", "max_failures=0.2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    command = [*program, "eval", *more.split(), *chosen, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False)


def files(runs: Path) -> list[bytes]:
    (run,) = (folder for folder in runs.glob("*/*/*") if (folder / "run.json").is_file())  # a multirun keeps its jobs beside
    return [(run / name).read_bytes() for name in ("scores.parquet", "result.json")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    folder = tmp_path_factory.mktemp("engines")
    write_toy(folder / "data", n=N, pictures=10)
    done = riddle(folder, "runs=alone", log="alone.log")
    assert done.returncode == 0, done.stderr
    return folder, files(folder / "alone")


def lacks(module: str) -> bool:
    return importlib.util.find_spec(module) is None


def check(folder: Path, name: str, expected: list[bytes], deaths: int) -> None:
    assert files(folder / name) == expected
    asked = Counter(line.split()[0] for line in (folder / f"{name}.log").read_text().splitlines())
    assert len(asked) == N
    assert Path(folder / f"{name}.log.died").exists() == bool(deaths)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("engine", ["workers", "ray"])
def test_a_crew_with_one_killed_leaves_the_files_of_one_process(alone: tuple[Path, list[bytes]], engine: str, n: int) -> None:
    if engine == "ray" and lacks("ray"):
        pytest.skip("Ray is not installed: pip install 'riddle-eval[ray]'")
    folder, expected = alone
    name = f"{engine}{n}"
    cheap = ["engine.cpus=0.1"] if engine == "ray" else []
    dying = ["+model.die_after=5", "+model.pause_s=0.02"]
    words = [f"engine={engine}", f"engine.n={n}", "engine.chunk=4", *cheap, f"runs={name}", *dying]
    done = riddle(folder, *words, log=f"{name}.log")
    assert done.returncode == 0, done.stderr
    check(folder, name, expected, deaths=1)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "then"), [(2, 2), (3, 1), (4, 3)])
def test_torchrun_with_a_rank_killed_goes_on_with_another_number_of_ranks(
    alone: tuple[Path, list[bytes]], n: int, then: int
) -> None:
    if lacks("torch"):
        pytest.skip("torch is not installed: pip install 'riddle-eval[local]'")
    folder, expected = alone
    name = f"torchrun{n}"
    for ranks in (n, then):
        launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}", "--standalone", "--no-python"]
        program = [*launcher, *RIDDLE]
        done = riddle(folder, f"runs={name}", "+model.die_after=5", "+model.pause_s=0.02", program=program, log=f"{name}.log")
        assert ("Signal 9" in done.stderr or "exitcode: -9" in done.stderr) == (done.returncode != 0), done.stderr
    if done.returncode:
        done = riddle(folder, f"runs={name}", "+model.die_after=5", log=f"{name}.log")
    assert done.returncode == 0, done.stderr
    check(folder, name, expected, deaths=1)


@pytest.mark.slow
def test_shards_by_submitit_with_one_killed_are_ended_by_the_same_command(alone: tuple[Path, list[bytes]]) -> None:
    if lacks("hydra_plugins.hydra_submitit_launcher"):
        pytest.skip("the launcher is not installed: pip install 'riddle-eval[slurm]'")
    folder, expected = alone
    words = ["hydra/launcher=submitit_local", "engine=shards", "engine.shards=3", "engine.shard=0,1,2", "runs=submitit"]
    for _ in range(2):
        done = riddle(folder, *words, "+model.die_after=5", "+model.pause_s=0.02", log="submitit.log", more="-m")
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    check(folder, "submitit", expected, deaths=1)


@pytest.mark.slow
def test_a_sweep_that_is_killed_and_repeated_asks_only_what_is_missing(alone: tuple[Path, list[bytes]]) -> None:
    """3 models x 10 benchmarks x 3 seeds; each model is loaded once for its benchmarks, and nothing is asked twice."""
    folder, _ = alone
    tasks = ",".join(f"toy_{number}" for number in range(10))
    words = ["+model.name=one,two,three", f"task=[{tasks}]", "seed=0,1,2", "runs=sweep", "limit=8", "+model.die_after=5"]
    for attempt in range(2):
        done = riddle(folder, *words, log="sweep.log", more="-m")
        assert (done.returncode == 0) == (attempt == 1), done.stderr
    asked = len((folder / "sweep.log").read_text().splitlines())
    assert len(list((folder / "sweep").glob("*/*/*/result.json"))) == 90
    different = 3 * 3 * 8  # the ten benchmarks ask the same questions: models x seeds x samples are what differ
    failing = 1  # toy-5 fails, and what fails is asked again by every run that meets it
    assert asked <= different + 90 * failing * 6
    answered = [line for line in (folder / "sweep.log").read_text().splitlines() if not line.startswith("toy-5 ")]
    assert len(answered) <= different + 90 * 6

"""A search is told one number a trial, and what it chose is run once on data that did not choose it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.commands.outcome import Outcome, Problem
from harness.commands.search import CHOICE, last_run, note_held_out, objective, search_line
from harness.errors import ConfigError

ROOT = Path(__file__).parents[2]


def row(task: str, value: float | None, unit: str = "percent") -> dict[str, object]:
    return {"kind": "run", "task": task, "value": value, "unit": unit}


def test_the_objective_is_the_mean_of_primary_metrics_or_nothing() -> None:
    assert objective(Outcome((row("pope", 0.5), row("docvqa", 1.0)))) == 0.75
    assert objective(Outcome((row("pope", 0.5), row("pope", 0.9)))) == 0.5, "the run's own convention is told first"
    assert objective(Outcome((row("pope", math.nan),))) is None
    assert objective(Outcome((row("pope", 0.5),), (Problem("DatasetError", "gone", "docvqa"),))) is None
    assert objective(Outcome()) is None
    with pytest.raises(ConfigError, match="percent, points"):
        objective(Outcome((row("pope", 0.5), row("mme", 1500.0, "points"))))


def test_what_was_chosen_is_run_once_with_the_settings_of_held_out_data(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    asked: list[Sequence[str]] = []

    def run(words: Sequence[str]) -> list[Outcome]:
        asked.append(words)
        return [Outcome((row("pope", 0.4),))]

    words = ["-m", "sweep=prompt_search", "++task=pope", "++seed=choice(0,1)", "++limit=1,2"]
    note_held_out(tmp_path, ["mini.seed=1"])
    assert not [*last_run(tmp_path, words, run)], "no search, no choice"
    (tmp_path / CHOICE).write_text("name: optuna\nbest_params:\n  prompt: plain\n  ++seed: 1\nbest_value: 0.5\n")
    search, held_out = last_run(tmp_path, words, run)
    assert asked == [["sweep=prompt_search", "++task=pope", "prompt=plain", "++seed=1", "++mini.seed=1"]]
    assert held_out.results[0]["value"] == 0.4
    assert "chosen: prompt=plain seed=1 (0.5000, the best of 1 trials" in search_line(search.results[0])
    (tmp_path / "held_out.json").write_text('{"schema": 1, "words": ["blind"]}')
    with pytest.raises(ConfigError, match="is no setting"):
        [*last_run(tmp_path, words, run)]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("optuna") is None, reason="needs riddle-eval[search]")
def test_optuna_searches_and_the_last_row_is_of_another_split(tmp_path: Path) -> None:
    words = ["eval", "-m", "sweep=prompt_search", "hydra.sweeper.n_trials=4", "model=chance", "task=docvqa", "mini.n=8"]
    command = [sys.executable, "-m", "harness.cli", *words, "output=json"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    *trials, search, held_out = json.loads(done.stdout)["results"]
    assert len(trials) == search["trials"] == 4
    assert {trial["data"] for trial in trials} == {"mini-seed0-n8"}
    assert search["value"] == max(trial["value"] for trial in trials)
    assert held_out["data"] == "mini-seed1-n8" and set(search["chosen"]) == {"prompt", "decoding.max_new_tokens"}

"""A search over settings (``riddle eval -m sweep=prompt_search``): its objective, and one run of what it chose on held-out data.

The search itself is that of a sweeper of Hydra's which asks for a number a job, such as hydra-optuna-sweeper, and leaves its
choice in `CHOICE`. The best of several trials looks better on the data it was chosen by than it is, so ``held_out`` names
settings of one last run, which gives the number to report. Not here: samplers and trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.commands.outcome import Outcome
from harness.errors import ConfigError
from harness.results import read_json, write_json

CHOICE = "optimization_results.yaml"
"""What Hydra's sweepers write into the folder of a sweep: best_params and best_value."""

HELD_OUT = "held_out.json"
"""What a job notes in the folder of its sweep: the settings of the last run."""


def objective(outcome: Outcome) -> float | None:
    """Return the mean over benchmarks of the primary metric, for a sweeper to raise; None where any is missing.

    Raises:
        ConfigError: the benchmarks are counted in several units, whose mean says nothing.
    """
    runs = {row["task"]: row for row in reversed(outcome.results) if row.get("kind") == "run"}  # each by its own convention
    units = {row["unit"] for row in runs.values()}
    if len(units) > 1:
        raise ConfigError(
            f"a search needs one unit, these benchmarks have {', '.join(map(str, sorted(units)))}: {', '.join(runs)}"
        )
    values = [row["value"] for row in runs.values()]
    known = values and not outcome.problems and all(isinstance(value, float) and math.isfinite(value) for value in values)
    return fmean(values) if known else None


def note_held_out(sweep: Path, words: Sequence[str]) -> None:
    """Leave the settings of the last run where `last_run` finds them, from whichever process the job runs in."""
    if words:
        write_json(sweep / HELD_OUT, {"schema": 1, "words": list(words)})


def last_run(sweep: Path, words: Sequence[str], run: Callable[[Sequence[str]], list[Outcome]]) -> Iterator[Outcome]:
    """Run what a search chose once on held-out data, and yield what it chose before that; nothing for other sweeps.

    Args:
        sweep: folder of the sweep.
        words: the sweep's own words for Hydra.
        run: runs one job by its words.
    """
    if not (sweep / CHOICE).is_file() or not (sweep / HELD_OUT).is_file():
        return
    from omegaconf import OmegaConf

    found: Any = OmegaConf.to_container(OmegaConf.load(sweep / CHOICE))
    chosen = {str(key).lstrip("+"): value for key, value in found["best_params"].items()}
    held_out = [str(word) for word in read_json(sweep / HELD_OUT)["words"]]
    outcomes = run([*_fixed(words), *(f"{key}={value}" for key, value in found["best_params"].items()), *_set(held_out)])
    account = {"kind": "search", "chosen": chosen, "value": found["best_value"], "held_out": held_out}
    yield Outcome(({**account, "trials": sum(1 for folder in sweep.iterdir() if folder.name.isdigit())},))
    yield from outcomes


def search_line(found: Mapping[str, Any]) -> str:
    """Say what a search chose, and what its number is worth."""
    settings = " ".join(f"{key}={value}" for key, value in found["chosen"].items())
    best = f"{found['value']:.4f}, the best of {found['trials']} trials and so too high"
    return f"chosen: {settings} ({best}); the last row is its one run on held-out data ({' '.join(found['held_out'])})"


def _fixed(words: Sequence[str]) -> Iterator[str]:
    """The words of a sweep that are the same for every job."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    for word in words:
        if not word.startswith("-") and not parser.parse_override(word).is_sweep_override():
            yield word


def _set(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word.partition("=")[1] != "=":
            raise ConfigError(f"held_out: {word!r} is no setting; say held_out=[mini.seed=1]")
        yield f"++{word.lstrip('+')}"

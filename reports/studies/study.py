"""What a study is: its three functions, the options they share, a finding with its verdict, and which runs are read.

Not here: any study, and files (``build``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ResultError
from harness.results import Result, load_result, result_name, run_folders

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Verdict = Literal["supported", "contradicted", "undecided", "not tested"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What all studies are told.

    Attributes:
        seed: of resampling and permutations.
        draws: how many of them.
        confidence: of intervals; 1 - confidence is the level of tests.
    """

    seed: int = 0
    draws: int = 2000
    confidence: float = 0.95

    @property
    def alpha(self) -> float:
        """Level of tests, before Holm's adjustment for their number."""
        return 1 - self.confidence

    @property
    def tails(self) -> tuple[float, float]:
        """The quantiles that bound an interval."""
        return self.alpha / 2, 1 - self.alpha / 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A hypothesis, what the runs say of it, and the numbers in words.

    Attributes:
        hypothesis: in words; ``paper`` says whether the paper states it.
        verdict: ``supported`` or ``contradicted`` where intervals or adjusted p values decide, ``undecided`` where they do not,
            ``not tested`` where the runs given do not bear on it.
        text: one sentence or two, with numbers and intervals.
    """

    hypothesis: str
    verdict: Verdict
    text: str
    paper: bool = True


Tables = Mapping[str, "pd.DataFrame"]
"""Tidy tables by name, each a CSV and a parquet file."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study.

    Attributes:
        name: as the command has it.
        title, question: for the page.
        load: makes tables of runs. Raises `ResultError` where the runs do not hold what it needs.
        draw: makes figures of the tables, by name; none for a table that is empty.
        find: says what the tables mean.
        notes: how things were counted, for the page.
    """

    name: str
    title: str
    question: str
    load: Callable[[Sequence[Result], Options], Tables]
    draw: Callable[[Tables], Mapping[str, Figure]]
    find: Callable[[Tables, Options], Sequence[Finding]]
    notes: Sequence[str] = field(default_factory=tuple)


def read_runs(paths: Sequence[Path], tasks: Sequence[str] = ()) -> list[Result]:
    """Read finished runs: folders of one run each, or roots of many; of the given tasks only.

    Raises:
        ResultError: there are none.
    """
    folders = [folder for path in paths for folder in ([path] if (path / "run.json").is_file() else run_folders(path))]
    found = [load_result(folder) for folder in dict.fromkeys(folders) if (folder / result_name()).is_file()]
    kept = [one for one in found if not tasks or one.run["task"]["name"] in tasks]
    kept = [one for one in kept if one.run.get("control", "none") == "none"]
    if not kept:
        where = ", ".join(map(str, paths))
        named = f" of {', '.join(tasks)}" if tasks else ""
        raise ResultError(
            f"{where}: no finished runs{named} there; make them with riddle eval (docs/studies/README.md has the commands)"
        )
    return kept


def details(run: Result) -> Mapping[str, Any]:
    """Return what a run's model said of its experts; empty for a dense model, or a run from before that was recorded."""
    found: Mapping[str, Any] = run.run["model"].get("details") or {}
    return found if "experts" in found else {}


def label(run: Result) -> dict[str, str]:
    """Return model, benchmark and its title, as all tables have them."""
    task = run.run["task"]
    return {"model": str(run.run["model"]["name"]), "benchmark": str(task["name"]), "title": str(task["title"])}


def shown(value: float, unit: str) -> str:
    """Write a score or difference in its unit."""
    return f"{100 * value:.1f} %" if unit == "percent" else f"{value:.3f}" if unit == "fraction" else f"{value:.1f}"


def scale(unit: str) -> float:
    """What a score is multiplied with to be drawn."""
    return 100.0 if unit == "percent" else 1.0


def p_text(p: float) -> str:
    """Write a p value."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"

"""Finds the runs that a gate compares: in a run folder, below a root, in a baseline file, or under a tag.

Not here: whether two runs may be compared (`reports.comparable`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ResultError
from harness.names import unknown
from harness.store import Reader
from reports.comparable import aspects
from reports.load import Run, load_run, load_runs

_MEDIA_DIGITS = 8


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished run with what must be equal in another (`reports.comparable`), and the medium of each sample if known."""

    run: Run
    aspects: Mapping[str, str]
    media: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, ...]:
        """What makes another run its counterpart, whoever answered."""
        run = self.run
        return (run.task, run.data, run.convention.partition("@")[0], run.prompt, run.control)


def find(named: str, folder: Path, tags: Path, scratch: Path, model: str | None = None) -> list[Entry]:
    """Return the finished runs that a name stands for.

    Args:
        named: a baseline file, a run folder, a folder of runs, or a tag. Paths are looked up below ``folder`` first.
        folder: where the policy lies.
        tags: the folder of tagged baselines, ``TAG.json``.
        scratch: an empty folder for what a file holds.
        model: keeps only this model's runs.

    Raises:
        ResultError: nothing has that name, there is no finished run, a run is broken, or several models are there.
    """
    from reports.gate.baseline import unpack

    place = _place(named, folder, tags)
    found = unpack(place, scratch) if place.is_file() else [entry_of(run) for run in runs_in(place)]
    models = sorted({entry.run.model for entry in found})
    if model is not None:
        if model not in models:
            raise ResultError(f"{place}: {unknown('model', model, models)}")
        return [entry for entry in found if entry.run.model == model]
    if len(models) > 1:
        raise ResultError(f"{place}: holds runs of {', '.join(models)}; say which model is meant")
    return found


def entry_of(run: Run) -> Entry:
    """Return a run with what is known of its questions."""
    return Entry(run=run, aspects=aspects(run), media=media_of(run))


def media_of(run: Run) -> tuple[str, ...]:
    """Return the digest of each sample's first picture or clip, in order; empty if no question is stored."""
    digests = []
    try:
        with Reader(run.folder) as reader:
            for _, key, _ in reader.planned():
                parts = (reader.request(key) or {}).get("parts", ())
                digests.append(next((str(part["digest"]) for part in parts if part.get("digest")), ""))
    except (ResultError, sqlite3.Error, ValueError):
        return ()
    return tuple(digest[:_MEDIA_DIGITS] for digest in digests)


def counterpart(entry: Entry, candidates: Sequence[Entry]) -> Entry:
    """Return the candidate's run to compare with a run of the baseline.

    That is the one of the same benchmark, data, convention, prompt and control; where none is, one that differs in some of
    them, so that the difference can be named.

    Raises:
        ResultError: there is no run of the benchmark, or there are several and nothing says which is meant.
    """
    same_task = [other for other in candidates if other.run.task == entry.run.task]
    if not same_task:
        raise ResultError("the candidate has no finished run of it; evaluate it, a benchmark that is left out is not passed")
    fitting = [other for other in same_task if other.kind == entry.kind] or same_task
    if len(fitting) > 1:
        alike = [other for other in fitting if other.aspects == entry.aspects]
        fitting = alike or fitting
    if len(fitting) > 1:
        folders = ", ".join(str(other.run.folder) for other in fitting[:4])
        raise ResultError(f"the candidate has {len(fitting)} runs of it ({folders}); name one folder")
    return fitting[0]


def _place(named: str, folder: Path, tags: Path) -> Path:
    if not named:
        raise ResultError("baseline: missing; say baseline=NAME here or baseline: NAME in the policy")
    tried = [folder / named, Path(named), tags / f"{named}.json"]
    for path in tried:
        if path.exists():
            return path
    raise ResultError(f"{named}: no such file, folder or tag (looked for {', '.join(map(str, dict.fromkeys(tried)))})")


def runs_in(place: Path) -> list[Run]:
    """Return the finished runs in a run folder or below a root. Raises `ResultError` if there is none, or one is broken."""
    runs = load_run(place) if (place / "run.json").is_file() else load_runs(place)
    if broken := [run.broken for run in runs if run.broken]:
        raise ResultError("\n".join(broken))
    complete = [run for run in runs if run.complete]
    if not complete:
        raise ResultError(f"{place}: holds no finished run; give the command of an unfinished one again, or evaluate")
    return complete

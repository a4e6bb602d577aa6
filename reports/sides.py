"""Which runs are meant by the words for a baseline and a candidate, and which of them belong together.

A word is a run folder, a folder of runs, or the name of a model below ``runs``. Several words on one side are checkpoints of one
method. Runs belong together if they asked the same benchmark on data of the same name; anything else that differs is for
`reports.comparable` to name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ResultError
from harness.names import as_name, unknown
from harness.results import scores_name
from reports.aligned import finished
from reports.load import Run, load_runs

Key = tuple[str, str, str]
"""Task, name of the data, control."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """One benchmark: the checkpoints of both sides."""

    a: tuple[Run, ...]
    b: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Everything that was found; ``only_a``, ``only_b`` are benchmarks that one side, or one checkpoint of it, lacks."""

    name_a: str
    name_b: str
    pairs: tuple[Match, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def match(a: Sequence[str], b: Sequence[str], runs: Path, convention: str | None = None) -> Matched:
    """Find the runs of both sides.

    Raises:
        ResultError: a word stands for no finished run, or for several of one benchmark; or no benchmark is on both sides.
    """
    if not a or not b:
        raise ResultError("compare: name a baseline and a candidate, riddle compare A B")
    sides = [[_found(word, runs, convention) for word in words] for words in (a, b)]
    single = [[*one.values()] for side in sides for one in side if len(one) == 1]
    if len(single) == len(a) + len(b) and len({run.task for (run,) in single}) == 1:  # folders named one by one
        pair = Match(a=tuple(run for (run,) in single[: len(a)]), b=tuple(run for (run,) in single[len(a) :]))
        return Matched(name_a=_name(pair.a), name_b=_name(pair.b), pairs=(pair,), only_a=(), only_b=())
    shared = [key for key in sides[0][0] if all(key in one for side in sides for one in side)]
    if not shared:
        known = "; ".join(f"{word}: {', '.join(map(_shown, one))}" for words, side in zip((a, b), sides, strict=True)
                          for word, one in zip(words, side, strict=True))  # fmt: skip
        raise ResultError(f"no benchmark has been finished by all of them ({known})")
    pairs = tuple(Match(a=tuple(one[key] for one in sides[0]), b=tuple(one[key] for one in sides[1])) for key in shared)
    rest = [sorted({_shown(key) for one in side for key in one if key not in shared}) for side in sides]
    return Matched(name_a=_name(pairs[0].a), name_b=_name(pairs[0].b), pairs=pairs, only_a=tuple(rest[0]), only_b=tuple(rest[1]))


def _found(word: str, runs: Path, convention: str | None) -> Mapping[Key, Run]:
    """The finished runs that a word stands for, by benchmark."""
    path = Path(word)
    if (path / "run.json").is_file():
        run = finished(path, convention)
        return {_key(run): run}
    if path.is_dir() and path != runs:
        candidates = load_runs(path)
    else:
        every = load_runs(runs)
        candidates = [run for run in every if word in (run.model, as_name(run.model))]
        if not candidates:
            raise ResultError(f"{runs}: {unknown('model or run folder', word, {run.model for run in every})}")
    chosen: dict[Key, Run] = {}
    for run in candidates:
        wanted = run.scores.name == scores_name() if convention is None else run.convention == convention
        if run.complete and not run.broken and wanted:
            if _key(run) in chosen:
                raise ResultError(
                    f"{word}: several runs of {_shown(_key(run))}; name one: {chosen[_key(run)].folder} or {run.folder}"
                )
            chosen[_key(run)] = run
    if not chosen:
        raise ResultError(f"{word}: no finished run" + (f" scored by {convention!r}" if convention else ""))
    return chosen


def _key(run: Run) -> Key:
    return run.task, run.data, run.control


def _shown(key: Key) -> str:
    task, data, control = key
    return task + (f"@{data}" if data else "") + (f" ({control})" if control != "none" else "")


def _name(side: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(run.model for run in side))

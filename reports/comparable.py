"""What two runs must share before any test between them means something, and what they do not.

A difference between scores that were asked, counted or judged in two ways says nothing about two models. So each difference is
named, refused, and where somebody allows it, shown beside every result that comes of it.

Not here: reading scores (`reports.aligned`), tests (`reports.paired`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ResultError
from harness.names import unknown
from harness.results import read_json
from harness.store import Reader
from reports.load import Run

NOT_STORED = "not stored"
"""The prompts of replies that were made elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not equal: its name in `ASPECTS`, and what it is in either run."""

    aspect: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.a} in the baseline, {self.b} in the candidate"


def differences(run_a: Run, run_b: Run) -> tuple[Difference, ...]:
    """Return all that differs between two finished runs, in the order of `ASPECTS`."""
    return differing(aspects(run_a), aspects(run_b))


def aspects(run: Run) -> dict[str, str]:
    """Return what must be equal in another run for a comparison with it to mean something, by the names in `ASPECTS`."""
    about, asked = read_json(run.folder / "run.json"), _Asked.of(run)
    return {aspect: of(run, about, asked) for aspect, of in ASPECTS.items()}


def differing(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return what differs between the aspects of a baseline and of a candidate; one that either lacks counts as empty."""
    pairs = ((aspect, a.get(aspect, ""), b.get(aspect, "")) for aspect in ASPECTS)
    return tuple(Difference(aspect=aspect, a=x or "none", b=y or "none") for aspect, x, y in pairs if x != y)


def check_comparable(run_a: Run, run_b: Run, allow: Iterable[str] = ()) -> tuple[Difference, ...]:
    """Refuse runs that differ in anything but the model; return the differences that ``allow`` names, to be shown.

    Raises:
        ResultError: they differ in something else, all of which is named; or ``allow`` names nothing known.
    """
    allowed = check_allowed(allow)
    found = differences(run_a, run_b)
    refused = [one for one in found if one.aspect not in allowed]
    if refused:
        listed = "\n".join(f"  {one}" for one in refused)
        names = ",".join(one.aspect for one in refused)
        raise ResultError(
            f"{run_a.folder} and {run_b.folder} cannot be compared, they differ in more than the model:\n{listed}\n"
            f"Make them alike, or say allow=[{names}] to see the difference all the same"
        )
    return found


def check_allowed(allow: Iterable[str]) -> frozenset[str]:
    """Return the names. Raises `ResultError` if one is no name of an aspect."""
    names = frozenset(allow)
    for name in sorted(names - set(ASPECTS)):
        raise ResultError(unknown("allow", name, ASPECTS))
    return names


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What was asked: digests over all samples in the order of their ids."""

    prompts: str
    media: str

    @classmethod
    def of(cls, run: Run) -> _Asked:
        """Read what a run has stored; of replies made elsewhere, the questions stored are not known to be those asked."""
        if run.kind == "replies":
            return cls(prompts=NOT_STORED, media=NOT_STORED)
        try:
            with Reader(run.folder) as reader:
                asked = {name: reader.request(key) for name, key, _ in reader.planned()}
        except (ResultError, sqlite3.Error):
            asked = {}
        if not asked or None in asked.values():
            return cls(prompts=NOT_STORED, media=NOT_STORED)
        parts = [(name, asked[name]["parts"]) for name in sorted(asked)]  # type: ignore[index]
        return cls(
            prompts=_digest([[name, [_without_media(part) for part in own]] for name, own in parts]),
            media=_digest([[name, [part["digest"] for part in own if part.get("digest")]] for name, own in parts]),
        )


def _without_media(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A text with its role, or which kind of medium stands there and how its frames are taken."""
    if "text" in part:
        return {name: part[name] for name in ("text", "role") if name in part}
    return {"kind": "video" if "video" in part else "image", "frames": part.get("frames")}


def _digest(value: object) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


def _judge(run: Run, about: Mapping[str, Any], asked: _Asked) -> str:
    judge = about.get("judge")
    print_of = str(judge.get("fingerprint", "")) if isinstance(judge, dict) and judge.get("name") == run.judge else ""
    return f"{run.judge} {print_of}".strip()


def _sample_ids(run: Run, about: Mapping[str, Any], asked: _Asked) -> str:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(run.scores) as file:
            ids = file.read(columns=["sample_id"], use_threads=False).column(0).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise ResultError(f"{run.scores}: cannot be read ({error})") from error
    return f"{len(ids)} samples, {_digest(sorted(ids))}"


ASPECTS: Mapping[str, Callable[[Run, Mapping[str, Any], _Asked], str]] = {
    "task": lambda run, about, asked: run.task,
    "version": lambda run, about, asked: run.version,
    "split": lambda run, about, asked: str(run.card.get("split", "")),
    "data": lambda run, about, asked: run.data_fingerprint,
    "limit": lambda run, about, asked: str(about.get("limit")),
    "samples": _sample_ids,
    "convention": lambda run, about, asked: run.convention.partition("@")[0],
    "judge": _judge,
    "prompt": lambda run, about, asked: run.prompt,
    "prompt_text": lambda run, about, asked: asked.prompts,
    "media": lambda run, about, asked: asked.media,
    "kind": lambda run, about, asked: str(about.get("kind") or "generate"),
    "control": lambda run, about, asked: run.control,
    "generation": lambda run, about, asked: run.generation,
}
"""What must be equal, by the name that ``allow`` knows it by: as text for a run, its run.json and what was asked."""

"""Finds run folders and reads what stands in them; the only module of this room that knows the files of a run.

A folder counts as a run if it holds ``run.json``; it is complete if it holds ``result.json`` too. A folder whose files do
not parse is kept with the reason, because a report that stops at one broken folder hides all the others, and one that
skips it silently hides the broken one.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import ResultError
from harness.results import read_json, result_name, scores_name
from harness.store import Reader

Kind = Literal["model", "baseline", "replies"]


@dataclass(frozen=True, kw_only=True)
class Value:
    """One metric of a finished run, in the unit in which the task defines it (fractions, or points).

    ``low`` and ``high`` bound the interval of the run; they are None where the run gives none.
    """

    name: str
    value: float
    se: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int | None
    unit: str
    method: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run folder: what was run (``run.json``) and, if it is complete, what came out (``result.json``).

    Attributes:
        control: ``none``, ``blind`` (no picture was shown) or ``swapped`` (another sample's picture was shown).
        frames: by convention, what the coordinates of parsed boxes count (`harness.boxes.Frame`).
        judge: who judged, empty for a rule.
        suite: the suite that it was asked as a part of.
        values: every metric, empty while the run is incomplete.
        broken: why the folder cannot be read, empty if it can.
        scores: file of the per-sample scores.
        answered: number of responses stored so far, for a run that is not complete; None if it cannot be told.
    """

    folder: Path
    model: str
    kind: Kind = "model"
    model_fingerprint: str = ""
    task: str = ""
    version: str = ""
    title: str = ""
    unit: str = "percent"
    higher_is_better: bool = True
    card: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    layout: str = ""
    data_fingerprint: str = ""
    data_n: int | None = None
    convention: str = "official"
    prompt: str = "default"
    control: str = "none"
    judge: str = ""
    generation: str = ""
    seed: str = ""
    suite: str = ""
    started: str = ""
    complete: bool = False
    n: int = 0
    failed: int = 0
    unparsed: int = 0
    missing: int = 0
    truncated: int = 0
    reused: int = 0
    primary: str = ""
    values: tuple[Value, ...] = ()
    answered: int | None = None
    broken: str = ""
    scores: Path = Path()

    @property
    def headline(self) -> Value:
        """The primary metric. Raises `ResultError` if the run has none."""
        for value in self.values:
            if value.name == self.primary:
                return value
        known = ", ".join(value.name for value in self.values) or "none"
        raise ResultError(f"{self.folder}: result.json names the primary metric {self.primary!r} but holds {known}")


def load_runs(root: Path) -> list[Run]:
    """Read every run folder below ``root``, sorted by folder; a run that was scored by several conventions is several runs.

    Raises:
        ResultError: ``root`` is not a folder.
    """
    if not root.is_dir():
        raise ResultError(f"{root}: no such folder of runs; a run writes one (riddle eval task=pope model=nano)")
    return [run for folder in sorted(run_folders(root)) for run in load_run(folder)]


def run_folders(root: Path) -> Iterator[Path]:
    """Yield the folders below ``root`` that hold a run, in no order; links to folders are not followed."""
    for folder, subfolders, files in os.walk(root):
        if "run.json" in files:
            subfolders.clear()
            yield Path(folder)


def load_run(folder: Path) -> list[Run]:
    """Read one run folder under each convention it was scored by; what cannot be read is told in ``Run.broken``."""
    try:
        run = _from_about(folder, read_json(folder / "run.json"))
    except (ResultError, TypeError, ValueError) as error:
        return [Run(folder=folder, model=folder.name, broken=_reason(folder, error))]
    if not (folder / result_name()).is_file():
        return [replace(run, answered=answered(folder))]
    others = sorted(path.name.split(".", 1)[1].removesuffix(".json") for path in folder.glob("result.*.json"))
    return [_scored(run, run.convention), *(_scored(run, other) for other in others if other != run.convention)]


def _scored(run: Run, convention: str) -> Run:
    """Add what came out under one convention."""
    suffix = None if convention == run.convention else convention
    run = replace(run, convention=convention, scores=run.folder / scores_name(suffix))
    try:
        result = read_json(run.folder / result_name(suffix))
        judge = _name_of(result["judge"]) if "judge" in result else run.judge
        complete = replace(run, complete=True, judge=judge, **_from_result(result, run.unit))
        complete.headline  # noqa: B018 - a result without its primary metric is a broken one
        return complete
    except (ResultError, TypeError, ValueError, KeyError) as error:
        return replace(run, broken=_reason(run.folder, error))


def _reason(folder: Path, error: Exception) -> str:
    return str(error) if isinstance(error, ResultError) else f"{folder}: {type(error).__name__}: {error}"


def _from_about(folder: Path, about: Mapping[str, Any]) -> Run:
    model, task, data = (_section(about, folder, name) for name in ("model", "task", "data"))
    kind = str(model.get("kind", "model"))
    if kind not in ("model", "baseline", "replies"):
        raise ResultError(f"{folder / 'run.json'}: model.kind is {kind!r}, not model, baseline or replies")
    card, frames = task.get("card"), task.get("frames")
    return Run(
        folder=folder,
        model=str(model["name"]) if "name" in model else folder.name,
        kind=kind,  # type: ignore[arg-type]  # checked above
        model_fingerprint=str(model.get("fingerprint", "")),
        task=str(task.get("name", "")),
        version=str(task.get("version", "")),
        title=str(task.get("title") or task.get("name", "")),
        unit=str(task.get("unit", "percent")),
        higher_is_better=bool(task.get("higher_is_better", True)),
        card=card if isinstance(card, dict) else {},
        frames=frames if isinstance(frames, dict) else {},
        data=str(data.get("name", "")),
        layout=str(data.get("layout", "")),
        data_fingerprint=str(data.get("fingerprint", "")),
        data_n=int(data["n"]) if data.get("n") is not None else None,
        convention=str(about.get("convention") or "official"),
        prompt=str(about.get("prompt") or "default"),
        control=str(about.get("control") or "none"),
        judge=_name_of(about.get("judge")),
        generation=json.dumps(about.get("generation") or {}, sort_keys=True, ensure_ascii=False),
        seed="" if about.get("seed") is None else str(about["seed"]),
        suite=_suite(about),
        started=str(about.get("started", "")),
    )


def _section(about: Mapping[str, Any], folder: Path, name: str) -> Mapping[str, Any]:
    value = about.get(name)
    if not isinstance(value, dict):
        raise ResultError(f"{folder / 'run.json'}: {name!r} is {type(value).__name__}, not an object")
    return value


def _name_of(judge: object) -> str:
    if isinstance(judge, dict):
        return str(judge.get("name", ""))
    return "" if judge in (None, "none") else str(judge)


def _suite(about: Mapping[str, Any]) -> str:
    """The suite that a run was asked as a part of, empty for a run of its own."""
    config = about.get("config")
    suite = config.get("suite") if isinstance(config, dict) else None
    return str(suite.get("name") or "") if isinstance(suite, dict) else ""


def _from_result(result: Mapping[str, Any], unit: str) -> dict[str, Any]:
    counts = {name: int(result.get(name) or 0) for name in ("failed", "unparsed", "missing", "truncated", "reused")}
    return {
        "n": int(result["n"]),
        **counts,
        "primary": str(result["primary"]),
        "values": tuple(_value(metric, unit) for metric in _metrics(result)),
    }


def _metrics(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    metrics = result.get("metrics")
    if not isinstance(metrics, list):
        raise ResultError(f"result.json: 'metrics' is {type(metrics).__name__}, not a list")
    return metrics


def _value(metric: Mapping[str, Any], unit: str) -> Value:
    return Value(
        name=str(metric["name"]),
        value=float("nan") if metric["value"] is None else float(metric["value"]),
        se=_number(metric.get("se")),
        low=_number(metric.get("low")),
        high=_number(metric.get("high")),
        n=int(metric.get("n") or 0),
        clusters=int(metric["clusters"]) if metric.get("clusters") is not None else None,
        unit=str(metric.get("unit") or unit),
        method=str(metric.get("method") or ""),
    )


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def answered(folder: Path) -> int | None:
    """Count the responses of a run that is not complete, without disturbing a process that writes to it."""
    try:
        with Reader(folder) as reader:
            return reader.count()
    except (ResultError, sqlite3.Error):
        return None


@dataclass(frozen=True, kw_only=True)
class SampleRow:
    """One row of ``scores.parquet``. ``prediction`` is decoded from its JSON text; scores and groups lose their prefix."""

    sample_id: str
    cluster: str
    reply: str | None
    prediction: Any
    reason: str | None
    failed: str | None
    missing: bool
    truncated: bool
    references: tuple[str, ...]
    keys: tuple[str, ...]
    scores: Mapping[str, float]
    groups: Mapping[str, str]


def sample_rows(run: Run, batch: int = 512) -> Iterator[SampleRow]:
    """Yield the samples of a complete run in their order, ``batch`` rows of the file in memory at a time.

    Raises:
        ResultError: the file is missing, is no parquet file, or lacks a column of schema 1.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(run.scores) as file:
            for rows in file.iter_batches(batch_size=batch):
                yield from (_sample_row(row) for row in rows.to_pylist())
    except (OSError, pyarrow.ArrowException) as error:
        raise ResultError(f"{run.scores}: cannot be read ({error})") from error
    except (KeyError, TypeError) as error:
        raise ResultError(f"{run.scores}: a column is missing or of another type: {error}") from error


def _sample_row(row: Mapping[str, Any]) -> SampleRow:
    return SampleRow(
        sample_id=str(row["sample_id"]),
        cluster=str(row["cluster"] or ""),
        reply=row["reply"],
        prediction=_decoded(row["prediction"]),
        reason=row["reason"],
        failed=row["failed"],
        missing=bool(row["missing"]),
        truncated=bool(row["truncated"]),
        references=tuple(row["references"] or ()),
        keys=tuple(row["keys"] or ()),
        scores={name[6:]: math.nan if value is None else value for name, value in row.items() if name.startswith("score.")},
        groups={name[6:]: value or "" for name, value in row.items() if name.startswith("group.")},
    )


def _decoded(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

"""The files of a run folder that reports read: ``run.json``, ``scores.parquet``, ``result.json``. Schema 1.

They are written whole or not at all: to a temporary file, synced, then renamed. ``result.json`` comes last and exists only for
a complete run. Neither it nor ``scores.parquet`` holds a time, so both are equal to the byte however often a run was killed;
times are in ``run.json`` and ``timings.json``. Scores by another convention than the run's own lie beside them, as
``scores.<convention>.parquet`` and ``result.<convention>.json``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.columns import booleans, floats, string_lists, strings
from harness.errors import ResultError
from harness.names import as_name
from harness.types import Scored

if TYPE_CHECKING:
    import pyarrow

    from harness.metrics.aggregate import Estimate

SCHEMA = 1

ROWS_A_GROUP, BYTES_A_GROUP = 4096, 8 << 20
"""A row group ends at so many rows or characters of replies, so that long replies do not pile up in memory."""

_FLAT = ("sample_id", "cluster", "reply", "prediction", "reason", "failed")


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished run under one convention.

    Attributes:
        folder: where it lies.
        run: ``run.json``: model, task with its card, data, settings, versions.
        n: number of samples; the flags count how many of them failed, could not be parsed, had no reply, were cut off.
        reused: replies that came from other runs.
        convention: how the replies were scored.
        primary: name of the metric that stands for the run.
        metrics: all metrics with their intervals, in the task's order.
        judge: who judged under ``name`` (`harness.judging`: ``rule``, ``unscored (needs judge)`` or judge and prompt), with what
            it took and how many replies it could not judge; None where the benchmark has no judge.
        usage: tokens and cost of the replies (`harness.accounts`); None in runs that were finished before it was counted.
    """

    folder: Path
    run: Mapping[str, Any]
    n: int
    failed: int
    unparsed: int
    missing: int
    truncated: int
    reused: int
    convention: str
    primary: str
    metrics: tuple[Estimate, ...]
    judge: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None

    def metric(self, name: str | None = None) -> Estimate:
        """Return a metric by name, the primary one without. Raises `ResultError` naming those there are."""
        wanted = self.primary if name is None else name
        for estimate in self.metrics:
            if estimate.name == wanted:
                return estimate
        raise ResultError(f"{self.folder}: no metric {wanted!r} (known: {', '.join(one.name for one in self.metrics)})")

    @property
    def scores_path(self) -> Path:
        """The rows behind the metrics."""
        return self.folder / scores_name(self._suffix)

    @property
    def _suffix(self) -> str | None:
        return suffix_of(self.run, self.convention, self.judge)

    def record(self) -> dict[str, Any]:
        """Return the content of ``result.json``."""
        counts = {name: getattr(self, name) for name in ("n", "failed", "unparsed", "missing", "truncated", "reused")}
        metrics = [one.record() for one in self.metrics]
        more = {name: dict(value) for name, value in (("judge", self.judge), ("usage", self.usage)) if value is not None}
        return {"schema": SCHEMA, **counts, "convention": self.convention, "primary": self.primary, **more, "metrics": metrics}

    def write(self) -> None:
        """Write ``result.json`` (or ``result.<convention>.json``); the run is complete from here on."""
        write_json(self.folder / result_name(self._suffix), self.record())


def suffix_of(run: Mapping[str, Any], convention: str, judge: Mapping[str, Any] | None) -> str | None:
    """Return what stands in the names of a scoring's files: None if it is the run's own, by its convention and judge."""
    own, name = run.get("judge"), None if judge is None else str(judge["name"])
    if name is None or (isinstance(own, Mapping) and own.get("name") == name):
        return None if convention == run["convention"] else convention
    return f"{convention}@{as_name(name.replace(', prompt ', '.'))}"


def result_name(convention: str | None = None) -> str:
    """Return the file of a result; ``convention`` only if it is not the run's own."""
    return f"result.{convention}.json" if convention else "result.json"


def scores_name(convention: str | None = None) -> str:
    """Return the file of the scores; ``convention`` only if it is not the run's own."""
    return f"scores.{convention}.parquet" if convention else "scores.parquet"


_ODD = ("folder", "run", "metrics", "judge", "usage")
"""Fields of a result that are not read as they stand in its file."""


def load_result(folder: Path, convention: str | None = None) -> Result:
    """Read a finished run. Raises `ResultError` if it is incomplete, broken, or of another schema."""
    from harness.metrics.aggregate import Estimate

    run = read_json(folder / "run.json")
    own = convention is None or convention == run.get("convention")
    record = read_json(folder / result_name(None if own else convention))
    try:
        metrics = tuple(Estimate(**_numbers(one)) for one in record["metrics"])
        fields: dict[str, Any] = {name: record[name] for name in Result.__dataclass_fields__ if name not in _ODD}
    except (KeyError, TypeError) as error:
        raise ResultError(f"{folder}: its result.json lacks or does not know {error}; score the run again") from error
    return Result(folder=folder, run=run, metrics=metrics, judge=record.get("judge"), usage=record.get("usage"), **fields)


def _numbers(metric: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what JSON does to numbers that are none."""
    return {name: math.nan if value is None and name != "unit" else value for name, value in metric.items()}


def load_results(root: Path) -> list[Result]:
    """Read all finished runs below ``root`` (``<model>/<task>/<fingerprint>``), by path; unfinished ones are left out."""
    return [load_result(folder) for folder in run_folders(root) if (folder / result_name()).is_file()]


def run_folders(root: Path) -> list[Path]:
    """Return the run folders below ``root``, finished or not, by path."""
    return sorted(path.parent for path in root.glob("*/*/*/run.json"))


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object of a run. Raises `ResultError` if it is missing, broken, or of another schema."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ResultError(f"{path}: no such file; the run is incomplete, give its command again") from error
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: cannot be read ({error})") from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise ResultError(f"{path}: schema {found!r}, this version reads {SCHEMA}")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    with whole(path) as temporary:
        temporary.write_text(text, encoding="ascii")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Offer a temporary path; once written, sync it to disk and give it its name. On an error, nothing is left behind."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the system write a file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget(folder: Path) -> None:
    """Remove the results (not the responses) of a run whose responses are about to change."""
    for path in folder.glob("result*.json"):
        path.unlink()


class _NewColumn(Exception):
    """A row has a score or group that no row of the first group had."""


def write_scores(path: Path, rows: Callable[[], Iterable[Scored]]) -> None:
    """Stream rows to a parquet file in row groups.

    Args:
        path: ``scores.parquet``; see the module for its columns.
        rows: yields the rows, each time from the beginning. It is called again with wider columns if a late row has a score
            or group that the first row group lacks.
    """
    scores: dict[str, None] = {}
    groups: dict[str, None] = {}
    with whole(path) as temporary:
        while True:
            try:
                _write_once(temporary, rows(), scores, groups)
                return
            except _NewColumn:
                continue


def _write_once(path: Path, rows: Iterable[Scored], scores: dict[str, None], groups: dict[str, None]) -> None:
    from pyarrow import parquet

    writer: parquet.ParquetWriter | None = None
    schema: pyarrow.Schema | None = None
    try:
        for batch in _batches(rows):
            before = len(scores) + len(groups)
            for row in batch:
                scores.update(dict.fromkeys(row.scores))
                groups.update(dict.fromkeys(row.groups))
            if schema is not None and len(scores) + len(groups) > before:
                raise _NewColumn
            schema = schema or _schema(scores, groups)
            writer = writer or parquet.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(_table(batch, schema))
            batch.clear()  # this name outlives the turn: two row groups would be held while the next one is gathered
        if writer is None:
            writer = parquet.ParquetWriter(path, _schema(scores, groups), compression="zstd")
    finally:
        if writer is not None:
            writer.close()


def _batches(rows: Iterable[Scored]) -> Iterator[list[Scored]]:
    batch: list[Scored] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.reply or "")
        if len(batch) >= ROWS_A_GROUP or size >= BYTES_A_GROUP:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _schema(scores: Iterable[str], groups: Iterable[str]) -> pyarrow.Schema:
    import pyarrow as pa

    fields = [(name, pa.string()) for name in _FLAT]
    fields += [("missing", pa.bool_()), ("truncated", pa.bool_())]
    fields += [("references", pa.list_(pa.string())), ("keys", pa.list_(pa.string()))]
    fields += [(f"score.{name}", pa.float64()) for name in scores]
    fields += [(f"group.{name}", pa.string()) for name in groups]
    return pa.schema(fields)


def _table(batch: Sequence[Scored], schema: pyarrow.Schema) -> pyarrow.Table:
    import pyarrow as pa

    columns = [
        strings([row.sample_id for row in batch]),
        strings([row.cluster for row in batch]),
        strings([row.reply for row in batch]),
        strings([prediction_text(row.parsed.answer) for row in batch]),
        strings([row.parsed.reason for row in batch]),
        strings([row.failed for row in batch]),
        booleans([row.missing for row in batch]),
        booleans([row.truncated for row in batch]),
        string_lists([row.references for row in batch]),
        string_lists([row.keys for row in batch]),
    ]
    for name in schema.names[len(columns) :]:
        kind, _, own = name.partition(".")
        if kind == "score":
            columns.append(floats([row.scores.get(own) for row in batch]))
        else:
            columns.append(strings([row.groups.get(own) for row in batch]))
    return pa.Table.from_arrays(columns, schema=schema)


def prediction_text(answer: object) -> str | None:
    """Write a parsed answer as JSON text; None stays None. What JSON has no form for is written as its ``str``."""
    return None if answer is None else json.dumps(answer, ensure_ascii=False, default=str)

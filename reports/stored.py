"""What lies beside a run's rows: its scores as columns, and what was asked as it was sent.

Columns are read without the texts, so that a board of thousands of runs touches no reply. Not here: runs and their rows
(`reports.load`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

from harness.errors import ResultError
from harness.store import Reader
from reports.load import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """The scores of a complete run as arrays, without its texts.

    Attributes:
        ids: of the samples, in order.
        asked: digest of the samples' ids and clusters in their order; equal for runs that were asked the same.
        cluster: cluster codes in order of appearance, int[n]; clusters: how many there are.
        scores: by name, float[n].
    """

    ids: Sequence[str]
    asked: bytes
    cluster: Any
    clusters: int
    scores: Mapping[str, Any]


def score_columns(run: Run) -> Columns:
    """Read ids, clusters and scores of a complete run; texts are not touched, so 1,000 samples take about a millisecond.

    Raises:
        ResultError: the file is missing, is no parquet file, or lacks a column of schema 1.
    """
    import pyarrow
    import pyarrow.compute
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(run.scores) as file:
            scores = [name for name in file.schema_arrow.names if name.startswith("score.")]
            table = file.read(columns=["sample_id", "cluster", *scores], use_threads=False).combine_chunks()
        names = pyarrow.compute.if_else(pyarrow.compute.equal(table["cluster"], ""), None, table["cluster"])
        own = pyarrow.compute.binary_join_element_wise("\0", table["sample_id"], "")
        codes = pyarrow.compute.coalesce(names, own).combine_chunks().dictionary_encode()
    except (OSError, pyarrow.ArrowException, KeyError) as error:
        raise ResultError(f"{run.scores}: cannot be read ({error})") from error
    ids, clusters = (["" if text is None else text for text in table[name].to_pylist()] for name in ("sample_id", "cluster"))
    asked = blake2b("\x1f".join([*ids, "", *clusters]).encode(errors="replace"), digest_size=16)
    return Columns(
        ids=ids,
        asked=asked.digest(),
        cluster=codes.indices.to_numpy(zero_copy_only=False),
        clusters=len(codes.dictionary),
        scores={name[6:]: table[name].to_numpy() for name in scores},
    )


class Asked:
    """What was asked in a run, from its stored requests; empty where replies were made elsewhere. Read-only."""

    def __init__(self, run: Run) -> None:
        try:
            self._reader: Reader | None = Reader(run.folder)
        except ResultError:
            self._reader = None

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._reader is not None:
            self._reader.close()

    def parts(self, keys: Iterable[str]) -> list[list[Mapping[str, Any]]]:
        """Return the parts of each request in ``keys`` that the store knows, as they were sent."""
        if self._reader is None:
            return []
        try:
            found = [self._reader.request(key) for key in keys]
        except (sqlite3.Error, ValueError):
            return []
        return [[part for part in request["parts"] if isinstance(part, dict)] for request in found if request is not None]


def media_name(part: Mapping[str, Any]) -> str:
    """Return what names a stored picture or clip: the digest of its bytes, or where it lies if nobody has opened it."""
    return str(part.get("digest") or json.dumps(part.get("locator"), sort_keys=True, default=str))


def media_label(part: Mapping[str, Any]) -> str:
    """Return the name of a stored picture or clip, without this machine's folders."""
    return PurePath(str(part.get("image") or part.get("video") or "")).name

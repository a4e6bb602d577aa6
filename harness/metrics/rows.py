"""Scored samples as columns: what estimators are computed from.

Not here: what is computed from them (`harness.metrics.aggregate`). A table is read batch by batch and strings are kept as codes,
so that 100,000 rows cost a few megabytes.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.types import Scored

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
    Strings = npt.NDArray[np.object_]

Answer = tuple[Any, Sequence[str]]
"""The parsed answer of a row, as JSON has it, and its references."""

FLAGS = ("unparsed", "failed", "missing", "truncated")


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """A columnar view of scored samples; cheap to narrow, and still in the cluster codes of the whole table.

    Attributes:
        position: row numbers in the whole table, int[n].
        cluster: cluster codes in 0..cluster_count-1, int[n].
        cluster_count: number of clusters of the whole table (a narrowed view keeps it).
        scores: score name to float64[n].
        groups: group name to str[n].
        flags: ``unparsed``, ``failed``, ``missing``, ``truncated`` to bool[n].
        stored: gives the parsed answer and the references of each row of the whole table; only a metric that is no function of
            the scores asks for them (`answers`).
    """

    position: Ints
    cluster: Ints
    cluster_count: int
    scores: Mapping[str, Floats]
    groups: Mapping[str, Strings]
    flags: Mapping[str, Bools]
    stored: Callable[[], Sequence[Answer]] = tuple

    @property
    def n(self) -> int:
        """Number of rows in view."""
        return len(self.position)

    def score(self, name: str) -> Floats:
        """The column of a named score. Raises `KeyError` naming the scores there are."""
        column: Floats = _column(self.scores, "score", name)
        return column

    def group(self, name: str) -> Strings:
        """The column of a named group. Raises `KeyError` naming the groups there are."""
        column: Strings = _column(self.groups, "group", name)
        return column

    def answers(self) -> list[Answer]:
        """The parsed answers and references of the rows in view; None where there is no answer."""
        whole = self.stored()
        return [whole[place] for place in self.position]

    def select(self, mask: Bools) -> Rows:
        """The rows where ``mask`` (bool[n]) is true."""
        return replace(
            self,
            position=self.position[mask],
            cluster=self.cluster[mask],
            scores={name: column[mask] for name, column in self.scores.items()},
            groups={name: column[mask] for name, column in self.groups.items()},
            flags={name: column[mask] for name, column in self.flags.items()},
        )

    def narrow(self, where: Where) -> Rows:
        """The rows that count: all of them, or those with the wanted values in named groups, or by a function."""
        import numpy as np

        if where is None:
            return self
        if callable(where):
            return self.select(where(self))
        mask = np.ones(self.n, dtype=bool)
        for name, wanted in where.items():
            values = {wanted} if isinstance(wanted, str) else set(wanted)
            mask &= np.array([value in values for value in self.group(name)], dtype=bool)
        return self.select(mask)

    def split(self, by: str, values: Collection[str] | None = None, separator: str | None = None) -> list[tuple[str, Rows]]:
        """The rows of each value of a group, in sorted order and without the empty one.

        Args:
            by: the group.
            values: keeps only some of the values.
            separator: parts several labels in one string; a row is then in the part of each.
        """
        import numpy as np

        members: dict[str, array[int]] = {}
        for place, value in enumerate(self.group(by)):
            for label in value.split(separator) if separator else (value,):
                members.setdefault(label, array("q")).append(place)
        parts = []
        for label in sorted(members):
            if label and (values is None or label in values):
                mask = np.zeros(self.n, dtype=bool)
                mask[np.frombuffer(members[label], dtype=np.int64)] = True
                parts.append((label, self.select(mask)))
        return parts

    @classmethod
    def of(cls, scored: Iterable[Scored]) -> Rows:
        """Collect scored samples. A sample without a cluster is its own; a score or group a sample lacks is NaN or ``""``."""
        samples = list(scored)
        flags = {
            "unparsed": [row.parsed.unparsed for row in samples],
            "failed": [row.failed is not None for row in samples],
            "missing": [row.missing for row in samples],
            "truncated": [row.truncated for row in samples],
        }
        scores = {name: [row.scores.get(name, math.nan) for row in samples] for name in _names(row.scores for row in samples)}
        groups = {name: [row.groups.get(name, "") for row in samples] for name in _names(row.groups for row in samples)}
        rows = cls._build([row.cluster or f"\0{row.sample_id}" for row in samples], scores, groups, flags)
        return replace(rows, stored=lambda: [(row.parsed.answer, row.references) for row in samples])

    @classmethod
    def read(cls, path: Path) -> Rows:
        """Read a run's ``scores.parquet`` (columns ``score.*``, ``group.*``, ``cluster``, ``reason``, ``failed``, flags)."""
        import numpy as np
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            scores = {name: array("d") for name in names if name.startswith("score.")}
            groups = {name: _Codes() for name in names if name.startswith("group.")}
            flags = {name: bytearray() for name in FLAGS}
            clusters = _Codes()
            wanted = ["cluster", "reason", *FLAGS[1:], *scores, *groups]
            for batch in file.iter_batches(batch_size=4096, columns=wanted, use_threads=False):
                column = {name: batch.column(place).to_pylist() for place, name in enumerate(batch.schema.names)}
                clusters.add(own or None for own in column["cluster"])
                for name, values in scores.items():
                    values.extend(math.nan if x is None else x for x in column[name])
                for name, codes in groups.items():
                    codes.add(x or "" for x in column[name])
                flags["unparsed"].extend(reason is not None for reason in column["reason"])
                flags["failed"].extend(failed is not None for failed in column["failed"])
                flags["missing"].extend(map(bool, column["missing"]))
                flags["truncated"].extend(map(bool, column["truncated"]))
        return cls(
            position=np.arange(len(clusters.places), dtype=np.int64),
            cluster=np.asarray(clusters.places, dtype=np.int64),
            cluster_count=clusters.count,
            scores={name[6:]: np.asarray(values, dtype=np.float64) for name, values in scores.items()},
            groups={name[6:]: codes.strings() for name, codes in groups.items()},
            flags={name: np.frombuffer(bytes(values), dtype=np.bool_) for name, values in flags.items()},
            stored=lambda: _stored(path),
        )

    @classmethod
    def _build(
        cls,
        clusters: Sequence[str],
        scores: Mapping[str, Sequence[float]],
        groups: Mapping[str, Sequence[str]],
        flags: Mapping[str, Sequence[bool]],
    ) -> Rows:
        import numpy as np

        codes: dict[str, int] = {}
        cluster = np.array([codes.setdefault(name, len(codes)) for name in clusters], dtype=np.int64)
        return cls(
            position=np.arange(len(clusters), dtype=np.int64),
            cluster=cluster,
            cluster_count=len(codes),
            scores={name: np.array(column, dtype=np.float64) for name, column in scores.items()},
            groups={name: np.array(column, dtype=object) for name, column in groups.items()},
            flags={name: np.array(flags[name], dtype=bool) for name in FLAGS},
        )


class _Codes:
    """A column of strings as codes in the order of first appearance: 8 bytes a row, however often a string occurs.

    None is a code of its own each time: a sample that shares its cluster with no other costs no name.
    """

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.count = 0
        self.places = array("q")

    def add(self, values: Iterable[str | None]) -> None:
        for value in values:
            place = self.count if value is None else self.known.setdefault(value, self.count)
            self.count += place == self.count
            self.places.append(place)

    def strings(self) -> Strings:
        """The column itself, of one in which nothing is None."""
        import numpy as np

        return np.array(list(self.known), dtype=object)[np.asarray(self.places, dtype=np.int64)]


def _stored(path: Path) -> list[Answer]:
    """Read the answers and references of a table."""
    from pyarrow import parquet

    table = parquet.read_table(path, columns=["prediction", "references"]).to_pydict()
    pairs = zip(table["prediction"], table["references"], strict=True)
    return [(None if answer is None else json.loads(answer), references) for answer, references in pairs]


def _column(columns: Mapping[str, Any], kind: str, name: str) -> Any:
    if name not in columns:
        raise KeyError(f"no {kind} {name!r} in these rows; there are: {', '.join(sorted(columns)) or 'none'}")
    return columns[name]


def _names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list({name: None for mapping in mappings for name in mapping})


Where = Mapping[str, str | Collection[str]] | Callable[[Rows], "Bools"] | None
"""Which rows count: group name to value or values, or a function to bool[n]; None is all of them."""

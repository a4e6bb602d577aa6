"""What is known of benchmarks apart from runs: the paper's printed numbers, and what a benchmark asks for.

Both are reference data in ``reports/data``. A published number is shown as it is printed, beside numbers on a benchmark's own
data at most, never beside the mini suite, and takes no part in ranks: its split, prompt and scorer may be others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from reports.tables import Column

OTHER = "Other"
"""The capability of a benchmark that is not listed."""


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One line of a printed table. ``printed`` has a text a column, None for a dash; ``ours`` marks the SPHINX family."""

    method: str
    group: str | None
    ours: bool
    printed: tuple[str | None, ...]
    marks: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """One of the paper's tables, as printed."""

    name: str
    title: str
    notes: str
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    @property
    def label(self) -> str:
        """As the paper calls it: ``Table 1``."""
        return self.name.replace("table", "Table ")


@cache
def paper() -> str:
    """Which paper the numbers are from."""
    return str(_read("paper_tables.json")["paper"])


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """The paper's tables 1 to 8."""
    tables = _read("paper_tables.json")["tables"].items()
    return tuple(
        PublishedTable(
            name=name,
            title=table["title"],
            notes=table["notes"],
            columns=tuple(table["columns"]),
            rows=tuple(_row(row) for row in table["rows"]),
        )
        for name, table in tables
    )


def _row(row: Mapping[str, Any]) -> PublishedRow:
    return PublishedRow(
        method=row["method"] + (" (video)" if row.get("video") else ""),
        group=row["group"],
        ours=bool(row["ours"]),
        printed=tuple(row["printed"]),
        marks=row.get("marks") or {},
    )


def published(column: Column) -> dict[str, tuple[str, str]]:
    """The SPHINX family's printed numbers of a column's benchmark: by method, the number and the table; none for mini data.

    ``task@convention`` in the reference data binds a number to a convention: Video-Bench's printed average is no official one.
    """
    if column.mini:
        return {}
    found: dict[str, tuple[str, str]] = {}
    known = _read("benchmarks.json")["paper_columns"]
    for table in published_tables():
        for place, name in enumerate(table.columns):
            if known.get(table.name, {}).get(name) in (column.task, f"{column.task}@{column.convention}"):
                printed = ((row.method, row.printed[place]) for row in table.rows if row.ours)
                found |= {method: (number, table.label) for method, number in printed if number is not None}
    return found


@cache
def capability(task: str) -> str:
    """What a benchmark asks for, `OTHER` if it is not listed.

    >>> capability("refcoco+_testA"), capability("my_own_task")
    ('Grounding', 'Other')
    """
    for name, patterns in _read("benchmarks.json")["capabilities"].items():
        if any(fnmatchcase(task, pattern) for pattern in patterns):
            return str(name)
    return OTHER


@cache
def capabilities() -> tuple[str, ...]:
    """All capabilities in the order of the page."""
    return (*_read("benchmarks.json")["capabilities"], OTHER)


@cache
def _read(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((files("reports") / "data" / name).read_text(encoding="utf-8"))
    return value

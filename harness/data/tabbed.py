"""Files with a header and tabs between their fields, without quotes; lists within a field have bars between their members.

    newline -> backslash n,    bar -> backslash p,    backslash -> two of them

This is the form of WikiTableQuestions. Not here: TSV files as spreadsheets write them (`harness.data.tables.read_csv`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data.sources import Row, Step, read_text
from harness.errors import DatasetError


def read_tabbed(path: Path) -> Iterator[Row]:
    """Stream the lines as records of strings.

    Raises:
        DatasetError: a line has another number of fields than the header.
    """
    names: list[str] = []
    for row in read_text(path):
        values = row["text"].split("\t")
        if not names:
            names = values
            continue
        if len(values) != len(names):
            raise DatasetError(f"{row.where}: {len(values)} fields, the header has {len(names)}; was the file cut short?")
        yield Row(zip(names, values, strict=True), row.where)


def barred(**sources: str) -> Step:
    """Fill fields with the lists that other columns hold; None where there is no such column."""

    def fill(row: Row, root: Path) -> Row:
        return row.but(**{field: members(row[source]) if source in row else None for field, source in sources.items()})

    return fill


def members(text: str) -> list[str]:
    r"""The members of a list in a field, in the order in which the official scorer undoes the escapes.

    >>> members(r"a|b\pc|d\ne")
    ['a', 'b|c', 'd\ne']
    """
    return [one.replace("\\n", "\n").replace("\\p", "|").replace("\\\\", "\\") for one in text.split("|")]

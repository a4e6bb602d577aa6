"""Steps that fill a record from a second file of its layout: questions beside annotations, pictures beside questions.

Only the values that are taken are kept in memory, once a file. Not here: steps within a row (`harness.data.steps`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.data.sources import Row, Step, find_files, read_table, read_text
from harness.errors import DatasetError


def looked_up(*patterns: str, on: Mapping[str, str], take: Mapping[str, str], key: str | None = None) -> Step:
    """Fill fields from the record of other files that has the same id.

    Args:
        patterns: globs of the files, below the data folder.
        on: this row's field of the id, and theirs.
        take: fields to fill, and theirs.
        key: the member of a JSON object that holds their records.

    Raises:
        DatasetError: (the step) no such file, or no record of that id in it.
    """
    ((mine, theirs),) = on.items()
    files_for = _finder(patterns, f"holds {', '.join(take.values())}")

    def fill(row: Row, root: Path) -> Row:
        files = files_for(row, root)
        found = _table(files, files[0].stat().st_mtime_ns, key, theirs, tuple(take.values())).get(str(row[mine]))
        if found is None:
            raise DatasetError(f"{row.where}: {mine} {row[mine]!r} is not in {', '.join(map(str, files))}")
        return row.but(**dict(zip(take, found, strict=True)))

    return fill


def _finder(patterns: Sequence[str], holds: str) -> Callable[[Row, Path], tuple[Path, ...]]:
    """A function that finds the files for a data folder once, not again for each of its rows."""
    known: dict[Path, tuple[Path, ...]] = {}

    def find(row: Row, root: Path) -> tuple[Path, ...]:
        files = known.get(root, ())
        if not files or not files[0].exists():
            files = known[root] = tuple(find_files([root], *patterns))
        if not files:
            raise DatasetError(f"{row.where}: {' or '.join(patterns)} is not in {root}; it {holds}")
        return files

    return find


def listed_in(pattern: str, field: str) -> Step:
    """Keep the rows whose field is a line of a text file below the data folder, such as a list of the test part's pictures."""
    files_for = _finder((pattern,), f"lists the {field} of the rows that count")

    def keep(row: Row, root: Path) -> list[Row]:
        files = files_for(row, root)
        return [row] if str(row[field]) in _lines(files, files[0].stat().st_mtime_ns) else []

    return keep


@lru_cache(maxsize=2)
def _lines(files: tuple[Path, ...], changed_ns: int) -> frozenset[str]:
    return frozenset(row["text"].strip(' ,"') for file in files for row in read_text(file))


@lru_cache(maxsize=2)
def _table(
    files: tuple[Path, ...], changed_ns: int, key: str | None, by: str, columns: tuple[str, ...]
) -> Mapping[str, tuple[Any, ...]]:
    rows = (row for file in files for row in read_table(file, key=key))
    return {str(row[by]): tuple(row[column] for column in columns) for row in rows}

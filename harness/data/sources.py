"""Layouts of benchmarks on disk: which files make one up, how it is recognised, and what its paths may point to.

Not here: the readers of single files (`harness.data.tables`, whose names are offered here too) and what the columns mean, which a
task's layouts (`harness.data.steps`) and its ``to_sample`` say.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.data.tables import (
    Row,
    plain_name,
    read_csv,
    read_fields,
    read_json,
    read_jsonl,
    read_parquet,
    read_table,
    read_text,
    whole_json,
)
from harness.errors import DatasetError
from harness.task import fitting
from harness.types import FileSource, Image, MediaSource, Record

if TYPE_CHECKING:
    from harness.task import Layout, Task

__all__ = [
    "Row", "Step", "data_folder", "find_files", "image_handles", "images", "layout", "layout_files", "listed", "media_below",
    "read_csv", "read_fields", "read_json", "read_jsonl", "read_parquet", "read_records", "read_table", "read_text", "whole_json",
]  # fmt: skip

Step = Callable[[Row, Path], Record | Iterable[Record]]
"""Brings a row nearer to a record of the official layout, or makes several of it; the path is the data folder."""

Reader = Callable[[Path], Iterator[Row]]
"""Reads the rows of a file."""


def layout(
    name: str,
    *patterns: str,
    steps: Sequence[Step] = (),
    beside: Sequence[str] = (),
    key: str | None = None,
    reader: Reader | None = None,
    repeats: Mapping[str, Callable[[Record], Hashable]] | None = None,
) -> Layout:
    """Describe data that lie in the files matching any of ``patterns`` below the data folder.

    Args:
        name: of the layout.
        patterns: globs that must all match something (each also with ``.gz`` appended) for the layout to be recognised;
            ``"a.json|b/a.json"`` takes the first that does.
        steps: bring a row into the field names of the official layout, one after the other (`harness.data.steps`).
        beside: patterns of files that must be there too and are no records, such as a key of answers.
        key: names the member of a JSON object that holds the list of records (``"data"``).
        reader: reads files whose suffix misleads.
        repeats: fields to add, each counting how many earlier records have the same key.
    """
    from harness.task import Layout

    def rows(where: Sequence[Path]) -> Iterator[Row]:
        root = _root(where, patterns)
        for path in find_files(where, *patterns):
            if _named_by(beside, path):
                continue
            for row in read_table(path, key=key) if reader is None else reader(path):
                row.file = path
                yield from _through(steps, row, root)

    def read(where: Sequence[Path]) -> Iterator[Record]:
        return _count_repeats(rows(where), repeats) if repeats else rows(where)

    return Layout(name=name, files=(*patterns, *beside), read=read)


def _through(steps: Sequence[Step], row: Row, root: Path) -> Iterator[Row]:
    """Take a row through all steps; what they make stands at the row's place."""
    if not steps:
        yield row
        return
    with fitting(row.where):
        made = steps[0](row, root)
        rest = iter((made,) if isinstance(made, Mapping) else made)
    while True:
        with fitting(row.where):
            one = next(rest, None)
        if one is None:
            return
        yield from _through(steps[1:], one if isinstance(one, Row) else row.of(one), root)


def _root(where: Sequence[Path], patterns: Sequence[str]) -> Path:
    """Return the data folder; a named file that stands in the folder that its pattern has (``a/b.json``) is that far below."""
    folder = data_folder(where)
    if where[0].is_dir():
        return folder
    parents = (
        PurePosixPath(one).parent for pattern in patterns for one in pattern.split("|") if "*" not in posixpath.dirname(one)
    )
    return next((folder.parents[len(one.parts) - 1] for one in parents if one.parts and folder.match(str(one))), folder)


def _named_by(patterns: Sequence[str], path: Path) -> bool:
    """Whether a file bears a name that one of the patterns asks for, in whatever folder."""
    return any(fnmatch(plain_name(path), PurePosixPath(one).name) for pattern in patterns for one in pattern.split("|"))


def _count_repeats(records: Iterable[Row], keys: Mapping[str, Callable[[Record], Hashable]]) -> Iterator[Row]:
    seen: dict[str, Counter[int]] = {field: Counter() for field in keys}
    for record in records:
        marks = {field: hash(key(record)) for field, key in keys.items()}
        counts = {field: seen[field][mark] for field, mark in marks.items()}
        for field, mark in marks.items():
            seen[field][mark] += 1
        yield record.but(**counts)


def read_records(task: Task, where: Sequence[Path]) -> tuple[Layout, Iterator[Record]]:
    """Recognise which of the task's layouts lies at ``where`` and open it.

    Args:
        task: whose ``layouts`` are tried in order.
        where: one data folder, or the files themselves; files are matched by name, then by suffix.

    Raises:
        DatasetError: nothing there fits; the message lists what each layout expects.
    """
    for path in where:
        if not path.exists():
            raise DatasetError(f"{path}: no such file or folder. {_expected(task, where)}")
    if not where:
        raise DatasetError(f"no data given for {task.name}. {_expected(task, where)}")
    found = next((one for fits in (_fits, _fits_by_suffix) for one in task.layouts if fits(one, where)), None)
    if found is None:
        raise DatasetError(f"{', '.join(map(str, where))}: no data of {task.name} here. {_expected(task, where)}")
    return found, found.read(where)


def _fits(candidate: Layout, where: Sequence[Path]) -> bool:
    """Whether the folder holds all files of a layout, or each named file bears a name of the layout."""
    if where[0].is_dir():
        return bool(candidate.files) and all(_matches(where[0], pattern) for pattern in candidate.files)
    return all(_named_by(candidate.files, path) for path in where)


def _fits_by_suffix(candidate: Layout, where: Sequence[Path]) -> bool:
    """Whether files under other names are of the kind that the layout reads."""
    suffixes = {PurePosixPath(one).suffix for pattern in candidate.files for one in pattern.split("|")}
    return not where[0].is_dir() and all(PurePosixPath(plain_name(path)).suffix in suffixes for path in where)


def layout_files(task: Task, paths: Sequence[Path]) -> list[Path]:
    """Return those of some named files that one layout of a task needs, or some of them; all files where no layout knows any.

    Benchmarks come with files that are no annotations, and with some twice, of which a layout's pattern prefers one.
    """
    found = [[_named(paths, pattern) for pattern in one.files] for one in task.layouts]
    best = next(filter(all, filter(None, found)), None) or next(filter(any, found), [list(paths)])
    return list(dict.fromkeys(path for some in best for path in some))


def _named(paths: Sequence[Path], pattern: str) -> list[Path]:
    """The files that bear a name of the first part of a pattern for which there are any."""
    parts = ([path for path in paths if _named_by((one,), path)] for one in pattern.split("|"))
    return next(filter(None, parts), [])


def _matches(folder: Path, pattern: str) -> list[Path]:
    for one in pattern.split("|"):
        if found := _seen(folder, one) or _seen(folder, one + ".gz"):
            return found
    return []


def _seen(folder: Path, pattern: str) -> list[Path]:
    """Return what matches and is not hidden: archives made on a Mac hold a ``._name`` beside each file."""
    found = (path for path in folder.glob(pattern) if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    return sorted(found)


def _expected(task: Task, where: Sequence[Path]) -> str:
    layouts = "; ".join(f"{one.name}: {', '.join(one.files).replace('|', ' or ')}" for one in task.layouts)
    return f"Expected one of these layouts of {task.name} (each file may end in .gz): {layouts}{task.cure}"


def data_folder(where: Sequence[Path]) -> Path:
    """Return the folder below which media paths are looked for: the data folder, or that of the first named file."""
    return where[0] if where[0].is_dir() else where[0].parent


def find_files(where: Sequence[Path], *patterns: str) -> list[Path]:
    """Return the files below the folder that match (in the patterns' order, then by name), or the named files as they are."""
    if not where[0].is_dir():
        return list(where)
    return list(dict.fromkeys(path for pattern in patterns for path in _matches(where[0], pattern)))


def media_below(folder: Path, name: str, where: str = "") -> FileSource:
    """Return a handle to a file that an annotation names, relative to the data folder; it is not opened or looked for.

    Raises:
        DatasetError: the name leaves the data folder (``..``, an absolute path elsewhere) or is empty. Symbolic links are
            the user's own and are followed.
    """
    relative = posixpath.normpath(name.replace("\\", "/")) if name else ""
    if relative.startswith("/") and PurePosixPath(relative).is_relative_to(folder.absolute().as_posix()):
        relative = PurePosixPath(relative).relative_to(folder.absolute().as_posix()).as_posix()
    if not name or "\0" in name or relative.startswith("/") or re.match(r"\.\.(/|$)|[A-Za-z]:", relative):
        raise DatasetError(f"{where or folder}: media path {name!r} does not lie below the data folder {folder}")
    return FileSource(folder / relative)


def listed(value: Any, where: str = "") -> list[str]:
    """Return a list of answers that a table keeps as text (``"['a', 'b']"``, Python or JSON); other text is one answer.

    Raises:
        DatasetError: the text begins like a list and is none.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise DatasetError(f"{where}: {value[:80]!r} begins like a list and is none") from error
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def image_handles(value: Any) -> tuple[MediaSource, ...]:
    """Return the handles of a media column: none (None or the empty text), one or several."""
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def images(record: Record, column: str = "image") -> tuple[Image, ...]:
    """Return the parts of a sample that shows the pictures of a column, be it none, one or several."""
    return tuple(map(Image, image_handles(record.get(column))))

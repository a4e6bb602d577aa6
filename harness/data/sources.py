"""Readers of the files in which benchmarks lie on disk: JSON, JSON lines, CSV, TSV, parquet, text, each also as ``.gz``.

Every reader streams: 100,000 records are never held at once, and media columns become lazy handles (`harness.data.media`).
Not here: what the columns mean; a task's layouts and its ``to_sample`` say that. A record is a `Row`: a dict that knows its file
and line, so that a missing field is an error that names both.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import posixpath
import re
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TextIO, cast

from harness.data.media import ParquetCell, TsvCell
from harness.errors import DatasetError
from harness.types import FileSource, MediaSource, Record

if TYPE_CHECKING:
    from harness.task import Layout, Task

POINTER_LENGTH = 64
"""VLMEvalKit's rule: an image cell of at most this many characters is no picture but the ``index`` of the row that has it."""

_CHUNK = 1 << 16


class Row(dict[str, Any]):
    """A record with its place; ``row["answer"]`` raises a `DatasetError` naming file and line if there is no such field."""

    def __init__(self, values: Iterable[tuple[str, Any]] | dict[str, Any], where: str) -> None:
        super().__init__(values)
        self.where = where

    def __missing__(self, field: str) -> NoReturn:
        raise DatasetError(f"{self.where}: field {field!r} missing (found: {', '.join(map(str, self)) or 'nothing'})")

    def but(self, **changes: Any) -> Row:
        """Return a copy with fields added or replaced, at the same place."""
        return Row({**self, **changes}, self.where)


Adapt = Callable[[Row, Path], Record | Iterable[Record]]
"""Turns a row of a file into a record of the official layout (or several); the path is the data folder."""


def layout(
    name: str,
    *patterns: str,
    adapt: Adapt | None = None,
    key: str | None = None,
    reader: Callable[[Path], Iterator[Row]] | None = None,
    repeats: Mapping[str, Callable[[Record], Hashable]] | None = None,
) -> Layout:
    """Describe data that lie in the files matching any of ``patterns`` below the data folder.

    Args:
        name: of the layout.
        patterns: globs that must all match something (each also with ``.gz`` appended) for the layout to be recognised;
            ``"a.json|b/a.json"`` takes the first that does.
        adapt: brings a row into the field names of the official layout.
        key: names the member of a JSON object that holds the list of records (``"data"``).
        reader: reads files whose suffix misleads.
        repeats: fields to add, each counting how many earlier records have the same key.
    """
    from harness.task import Layout

    def rows(where: Sequence[Path]) -> Iterator[Record]:
        root = data_folder(where)
        for path in find_files(where, *patterns):
            for row in read_table(path, key=key) if reader is None else reader(path):
                adapted = row if adapt is None else adapt(row, root)
                if isinstance(adapted, dict):
                    yield adapted
                else:
                    yield from cast(Iterable[Record], adapted)

    def read(where: Sequence[Path]) -> Iterator[Record]:
        return _count_repeats(rows(where), repeats) if repeats else rows(where)

    return Layout(name=name, files=patterns, read=read)


def _count_repeats(records: Iterable[Record], keys: Mapping[str, Callable[[Record], Hashable]]) -> Iterator[Record]:
    seen: dict[str, Counter[int]] = {field: Counter() for field in keys}
    for record in records:
        marks = {field: hash(key(record)) for field, key in keys.items()}
        counts = {field: seen[field][mark] for field, mark in marks.items()}
        for field, mark in marks.items():
            seen[field][mark] += 1
        yield record.but(**counts) if isinstance(record, Row) else {**record, **counts}


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
    names = [PurePosixPath(one).name for pattern in candidate.files for one in pattern.split("|")]
    return all(any(fnmatch(_plain_name(path), name) for name in names) for path in where)


def _fits_by_suffix(candidate: Layout, where: Sequence[Path]) -> bool:
    """Whether files under other names are of the kind that the layout reads."""
    suffixes = {PurePosixPath(one).suffix for pattern in candidate.files for one in pattern.split("|")}
    return not where[0].is_dir() and all(PurePosixPath(_plain_name(path)).suffix in suffixes for path in where)


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _matches(folder: Path, pattern: str) -> list[Path]:
    for one in pattern.split("|"):
        if found := sorted(folder.glob(one)) or sorted(folder.glob(one + ".gz")):
            return found
    return []


def _expected(task: Task, where: Sequence[Path]) -> str:
    layouts = "; ".join(f"{one.name}: {', '.join(one.files).replace('|', ' or ')}" for one in task.layouts)
    return f"Expected one of these layouts of {task.name} (each file may end in .gz): {layouts}"


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


def read_table(path: Path, *, key: str | None = None) -> Iterator[Row]:
    """Read one file by its suffix: .json, .jsonl, .csv, .tsv, .parquet, .txt, each also with .gz (parquet apart)."""
    suffix = PurePosixPath(_plain_name(path)).suffix.lower()
    if suffix == ".json":
        return read_json(path, key=key)
    readers = {".jsonl": read_jsonl, ".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet, ".txt": read_text}
    if suffix not in readers:
        raise DatasetError(f"{path}: suffix {suffix!r} is unknown (known: .json, {', '.join(readers)}, each also with .gz)")
    return readers[suffix](path)


def read_json(path: Path, *, key: str | None = None) -> Iterator[Row]:
    """Stream a JSON list of objects, or an object of id to record (the id becomes field ``key``).

    ``key`` names the member of the top object that holds the list or object of records; without it, that is the top itself.
    """
    with _reading(path), _open_text(path) as file:
        stream = _JsonStream(file, path)
        if key is not None and stream.peek() == "{":
            stream.enter_member(key)
        if stream.peek() == "[":
            for number, value in enumerate(stream.items()):
                yield _row(value, f"{path} record {number}")
            return
        for name, value in stream.members():
            row = _row(value, f"{path} record {name!r}")
            yield row if "key" in row else row.but(key=name)


def read_jsonl(path: Path) -> Iterator[Row]:
    """Stream one JSON object a line; blank lines are skipped."""
    with _reading(path), _open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise DatasetError(f"{path} line {number}: not JSON ({error})") from error
            yield _row(value, f"{path} line {number}")


def read_text(path: Path) -> Iterator[Row]:
    """Stream the lines of a text file as ``text`` with their number as ``line``; blank lines are skipped."""
    with _reading(path), _open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Row({"text": line.rstrip("\r\n"), "line": number}, f"{path} line {number}")


def read_fields(path: Path, *names: str) -> Iterator[Row]:
    """Stream the lines of a text file as named fields separated by tabs, without a header; further fields are left out."""
    for row in read_text(path):
        values = row["text"].split("\t")
        if len(values) < len(names):
            raise DatasetError(f"{row.where}: {len(values)} fields separated by tabs, expected {', '.join(names)}")
        yield Row(zip(names, values, strict=False), row.where)


def read_csv(path: Path) -> Iterator[Row]:
    """Stream a CSV or TSV file with a header; every value is a string.

    In a column ``image`` (VLMEvalKit: base64 text, a list of such texts, or the index of the row that has the picture) each
    picture becomes a `TsvCell`; a list becomes a list of them and an empty cell ``None``.
    """
    pointed: dict[str, Any] | None = None
    for row, cells in _delimited(path):
        image = row.get("image")
        if image is None:
            yield row
        elif len(image) > POINTER_LENGTH:
            yield row.but(image=cells(image))
        elif not image.strip():
            yield row.but(image=None)
        else:
            if pointed is None:
                pointed = {one["index"]: at(one["image"]) for one, at in _delimited(path) if len(one["image"]) > POINTER_LENGTH}
            target = image.strip().removesuffix(".0")
            if target not in pointed:
                raise DatasetError(f"{row.where}: image {image!r} points to no row with a picture")
            yield row.but(image=pointed[target])


def _delimited(path: Path) -> Iterator[tuple[Row, Callable[[str], TsvCell | list[TsvCell]]]]:
    """Yield each row as strings, with a function that turns one of its base64 values into handles."""
    csv.field_size_limit(2**31 - 1)
    with _reading(path), _open_binary(path) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter="\t" if _plain_name(path).lower().endswith(".tsv") else ",")
        header = next(reader, None)
        if not header:
            raise DatasetError(f"{path}: empty file, a header line was expected")
        lines.take()
        try:
            for values in reader:
                raw, start, number = lines.take()
                if not values:
                    continue
                where = f"{path} line {number}"
                if len(values) != len(header):
                    raise DatasetError(f"{where}: {len(values)} fields, the header has {len(header)}; was the file cut short?")
                yield Row(zip(header, values, strict=True), where), _cells(path, raw, start)
        except csv.Error as error:
            raise DatasetError(f"{path} line {reader.line_num}: {error}") from error


def _cells(path: Path, raw: bytes, start: int) -> Callable[[str], TsvCell | list[TsvCell]]:
    """Find where in the row's bytes a base64 value (or each of a list of them) stands."""

    def find(value: str) -> TsvCell | list[TsvCell]:
        if value.startswith("["):
            parts = re.findall(r"[A-Za-z0-9+/]{8,}={0,2}", value)
            return [TsvCell(path, start + raw.index(part.encode()), len(part)) for part in parts]
        text = value.strip().encode()
        return TsvCell(path, start + raw.index(text), len(text))

    return find


class _Lines:
    """Lines for `csv.reader`, which takes as many as a record has; remembers their bytes and where they began."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._taken: list[bytes] = []
        self._start = 0
        self._number = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        if not self._taken and self._start == 0 and line.startswith(b"\xef\xbb\xbf"):
            self._start, line = 3, line[3:]
        self._taken.append(line)
        return line.decode("utf-8")

    def take(self) -> tuple[bytes, int, int]:
        """Return the bytes of the lines since the last call, their offset in the file and the number of the first."""
        raw, start, number = b"".join(self._taken), self._start, self._number
        self._start += len(raw)
        self._number += len(self._taken)
        self._taken = []
        return raw, start, number


def read_parquet(path: Path) -> Iterator[Row]:
    """Stream a parquet file batch by batch; binary columns and Hugging Face image structs become `ParquetCell` handles.

    Their bytes are not read here. A list of pictures becomes a list of handles, a null picture ``None``; the path that the
    struct carries is kept as ``<column>_path``.
    """
    import pyarrow
    from pyarrow import parquet

    with _reading(path):
        try:
            with parquet.ParquetFile(path) as file:
                media, plain = _split_columns(file.schema_arrow)
                names = {leaf: column for column, leaf in media.items()}
                number = 0
                for batch in file.iter_batches(batch_size=256, columns=plain or None):
                    for values in batch.to_pylist():
                        yield _with_handles(values, names, path, number)
                        number += 1
        except pyarrow.ArrowException as error:
            raise DatasetError(f"{path}: not a readable parquet file ({error})") from error


def _split_columns(schema: Any) -> tuple[dict[str, str], list[str]]:
    """Return the media columns with the leaf that holds their bytes, and the leaves that are read eagerly."""
    import pyarrow.types as kinds

    media: dict[str, str] = {}
    plain: list[str] = []
    for field in schema:
        kind, prefix = field.type, field.name
        if kinds.is_list(kind) or kinds.is_large_list(kind):
            kind, prefix = kind.value_type, f"{field.name}.list.{kind.value_field.name}"
        if kinds.is_struct(kind) and {"bytes", "path"} <= {kind.field(i).name for i in range(kind.num_fields)}:
            media[field.name] = f"{prefix}.bytes"
            plain.append(f"{prefix}.path")
        elif kinds.is_binary(kind) or kinds.is_large_binary(kind):
            media[field.name] = prefix
        else:
            plain.append(field.name)
    return media, plain


def _with_handles(values: dict[str, Any], names: dict[str, str], path: Path, number: int) -> Row:
    """Put handles where the batch has only the path of a picture."""
    row = Row(values, f"{path} row {number}")
    for leaf, column in names.items():
        value = values.get(column)
        if isinstance(value, list):
            row[column] = [ParquetCell(path, number, leaf, item) for item in range(len(value))]
        elif column in values and value is None:
            row[column] = None
        else:
            row[column] = ParquetCell(path, number, leaf)
            if value is not None:
                row[f"{column}_path"] = value["path"]
    return row


def whole_json(path: Path) -> Any:
    """Read a small JSON file whole, such as a key of answers; the last few stay in memory."""
    with _reading(path):
        return _whole_json(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _whole_json(path: Path, changed_ns: int) -> Any:
    with _open_text(path) as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path}: not JSON, or cut short ({error})") from error


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise DatasetError(f"{where}: an object was expected, found {type(value).__name__} {str(value)[:80]!r}")
    return Row(value, where)


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
    """Return the handles of a media column: none, one or several."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _open_binary(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig"))
    return path.open(encoding="utf-8-sig")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading a file into a `DatasetError` that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start} of a block)") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from error


class _JsonStream:
    """Walks one JSON document value by value, holding only the text of the value at hand."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._buffer = ""
        self._at = 0
        self._done = False
        self._decoder = json.JSONDecoder()

    def _fill(self) -> None:
        more = self._file.read(max(_CHUNK, len(self._buffer) - self._at))
        self._done = not more
        self._buffer, self._at = self._buffer[self._at :] + more, 0

    def peek(self) -> str:
        """Return the next character that is not white space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if not self._buffer[self._at].isspace():
                    return self._buffer[self._at]
                self._at += 1
            if self._done:
                return ""
            self._fill()

    def _take(self, wanted: str) -> None:
        if (found := self.peek()) != wanted:
            raise DatasetError(f"{self._path}: {wanted!r} expected, found {found or 'the end of the file'!r}")
        self._at += 1

    def value(self) -> Any:
        """Take one whole value. Raises `DatasetError` if the document is cut short or broken."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or self._done:  # else a number may go on in the next block
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                if self._done:
                    raise DatasetError(f"{self._path}: not JSON, or cut short ({error.msg})") from error
            self._fill()

    def items(self) -> Iterator[Any]:
        """Walk a list."""
        self._take("[")
        if self.peek() == "]":
            return
        while True:
            yield self.value()
            if self.peek() != ",":
                self._take("]")
                return
            self._at += 1

    def members(self) -> Iterator[tuple[str, Any]]:
        """Walk an object."""
        for name in self._names():
            yield name, self.value()

    def enter_member(self, key: str) -> None:
        """Skip to the value of ``key``."""
        seen = []
        for name in self._names():
            if name == key:
                return
            seen.append(name)
            self.value()
        raise DatasetError(f"{self._path}: no member {key!r} (found: {', '.join(seen) or 'nothing'})")

    def _names(self) -> Iterator[str]:
        self._take("{")
        if self.peek() == "}":
            return
        while True:
            name = self.value()
            self._take(":")
            yield name
            if self.peek() != ",":
                self._take("}")
                return
            self._at += 1

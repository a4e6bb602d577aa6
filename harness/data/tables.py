"""Readers of single files: JSON, JSON lines, CSV, TSV, parquet, text, each but parquet also as ``.gz``.

Every reader streams: 100,000 records are never held at once, and media columns become lazy handles (`harness.data.media`).
Not here: which files make up a benchmark's layout (`harness.data.sources`). A record is a `Row`: a dict that knows its file and
line, so that a missing field is an error that names both.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn, TextIO, cast

from harness.data.json_stream import JsonStream
from harness.data.media import ParquetCell, TsvCell
from harness.errors import DatasetError

POINTER_LENGTH = 64
"""VLMEvalKit's rule: an image cell of at most this many characters is no picture but the ``index`` of the row that has it."""


class Row(dict[str, Any]):
    """A record with its place; ``row["answer"]`` raises a `DatasetError` naming file and line if there is no such field.

    Attributes:
        where: file and line, for messages.
        file: the file, once a layout has read the row from it.
    """

    file: Path = Path()

    def __init__(self, values: Iterable[tuple[str, Any]] | dict[str, Any], where: str) -> None:
        super().__init__(values)
        self.where = where

    def __missing__(self, field: str) -> NoReturn:
        raise DatasetError(f"{self.where}: field {field!r} missing (found: {', '.join(map(str, self)) or 'nothing'})")

    def but(self, **changes: Any) -> Row:
        """Return a copy with fields added or replaced, at the same place."""
        return self.of({**self, **changes})

    def of(self, values: Mapping[str, Any]) -> Row:
        """Return other values at the same place."""
        row = Row(dict(values), self.where)
        row.file = self.file
        return row


def plain_name(path: Path) -> str:
    """Return a file's name without ``.gz``."""
    return path.name.removesuffix(".gz")


def read_table(path: Path, *, key: str | None = None) -> Iterator[Row]:
    """Read one file by its suffix: .json, .jsonl, .csv, .tsv, .parquet, .txt, each also with .gz (parquet apart)."""
    suffix = PurePosixPath(plain_name(path)).suffix.lower()
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
        stream = JsonStream(file, path)
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
            except (ValueError, RecursionError) as error:
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
        reader = csv.reader(lines, delimiter="\t" if plain_name(path).lower().endswith(".tsv") else ",")
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
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}: not JSON, or cut short ({error})") from error


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise DatasetError(f"{where}: an object was expected, found {type(value).__name__} {str(value)[:80]!r}")
    return Row(value, where)


def _open_binary(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _open_text(path: Path) -> TextIO:
    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: empty file; was its download cut short?")
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

"""Encoded pictures and clips: lazy handles to where their bytes lie, their digests, and guarded decoding of pictures.

Not here: clips (`harness.data.video`) and how a record gets its handles (`harness.data.sources`). A handle into a table keeps
its file's path and a position, so it is small, can be pickled, and opens nothing until it is read. Handles into compressed
tables and parquet files are read through a small cache of open cursors: in the order of the file, which is the order in which
an evaluation asks, each byte is decompressed once.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import struct
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.errors import MediaError
from harness.types import FileSource, MediaSource

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["FileSource", "Header", "ParquetCell", "TsvCell", "digest", "from_locator", "open_image", "read_header"]

PIXEL_LIMIT = 89_478_485
"""Largest picture that is decoded (a quarter of a GiB as RGB, Pillow's own bound); above it a file counts as a bomb."""

_HEADER_BYTES = 3 << 14

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")
"""What benchmarks ship. Pillow knows more, but some of the others run programs on the file (EPS)."""

_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, MemoryError),
    *(struct.error, zlib.error),
)
"""What Pillow's decoders raise on hostile bytes."""


@dataclass(frozen=True, slots=True)
class TsvCell:
    """Base64 text in a byte range of a TSV or CSV file; positions in a ``.gz`` count decompressed bytes."""

    path: Path
    offset: int
    length: int

    @property
    def label(self) -> str:
        """File and byte position."""
        return f"{self.path}@{self.offset}"

    def read(self) -> bytes:
        """Decode the cell. Raises `MediaError` if the file is gone, shorter than it was, or the text is not base64."""
        try:
            if self.path.suffix == ".gz":
                text = _gzip_cursor(self.path).read(self.offset, self.length)
            else:
                with self.path.open("rb") as file:
                    file.seek(self.offset)
                    text = file.read(self.length)
        except (OSError, EOFError, zlib.error) as error:
            raise MediaError(f"{self.label}: cannot be read ({error})") from error
        if len(text) != self.length:
            raise MediaError(f"{self.label}: the file ends after {len(text)} of {self.length} bytes; was it changed?")
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MediaError(f"{self.label}: not base64 ({error}); was the file changed since it was listed?") from error

    def locator(self) -> dict[str, Any]:
        """What `from_locator` needs to find the bytes again."""
        return {"kind": "tsv", "path": str(self.path), "offset": self.offset, "length": self.length}


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """Encoded bytes in a binary column, or in an ``image`` struct of bytes and path as Hugging Face writes it.

    Attributes:
        row: counted over the whole file.
        column: dotted leaf, such as ``image.bytes`` or ``images.list.element.bytes``.
        item: position in the list, for columns that hold several pictures a row.
    """

    path: Path
    row: int
    column: str
    item: int | None = None

    @property
    def label(self) -> str:
        """File, row and column."""
        place = f"{self.path} row {self.row} {self.column.split('.')[0]}"
        return place if self.item is None else f"{place}[{self.item}]"

    def read(self) -> bytes:
        """Return the cell's bytes. Raises `MediaError` if the row, the column or the bytes are missing."""
        from pyarrow import ArrowException

        try:
            value = _parquet_cursor(self.path, self.column).read(self.row)
        except (OSError, ArrowException, LookupError) as error:
            raise MediaError(f"{self.label}: cannot be read ({error})") from error
        if isinstance(value, list) and self.item is not None:
            value = value[self.item] if self.item < len(value) else None
        if isinstance(value, Mapping):
            value = value.get("bytes")
        if not isinstance(value, bytes):
            raise MediaError(f"{self.label}: holds no bytes")
        return value

    def locator(self) -> dict[str, Any]:
        """What `from_locator` needs to find the bytes again."""
        return {"kind": "parquet", "path": str(self.path), "row": self.row, "column": self.column, "item": self.item}


def from_locator(locator: Mapping[str, Any]) -> MediaSource:
    """Rebuild a handle from ``source.locator()``, as a report does. Raises `MediaError` for an unknown or incomplete one."""
    try:
        if locator["kind"] == "grey":
            return _grey(locator)
        path = Path(locator["path"])
        if locator["kind"] == "file":
            return FileSource(path)
        if locator["kind"] == "frames":
            return _frames(path, float(locator["rate"]))
        if locator["kind"] == "tsv":
            return TsvCell(path, int(locator["offset"]), int(locator["length"]))
        if locator["kind"] == "parquet":
            item = locator.get("item")
            return ParquetCell(path, int(locator["row"]), str(locator["column"]), None if item is None else int(item))
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(f"locator {dict(locator)!r} is incomplete: {error}") from error
    raise MediaError(f"locator kind {locator['kind']!r} is unknown (known: file, frames, tsv, parquet, grey)")


def _frames(path: Path, rate: float) -> MediaSource:
    from harness.data.frame_folder import FrameFolder

    return FrameFolder(path, rate)


def _grey(locator: Mapping[str, Any]) -> MediaSource:
    from harness.data.grey import GreyClip, GreyPicture

    of = from_locator(locator["of"])
    return GreyClip(of, int(locator["frames"])) if "frames" in locator else GreyPicture(of)


@runtime_checkable
class Digested(Protocol):
    """A handle that names its bytes itself, because they are not one file's."""

    def digest(self) -> str:
        """Return 32 hex digits. Raises `MediaError` if the bytes cannot be had."""
        ...


def digest(source: MediaSource) -> str:
    """Return 32 hex digits that name the encoded bytes (BLAKE2b, 128 bit). Large files are not held in memory."""
    if isinstance(source, Digested):
        return source.digest()
    if not isinstance(source, FileSource):
        return hashlib.blake2b(source.read(), digest_size=16).hexdigest()
    with source.open() as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of a picture tell: its size, and a key that is equal for equal pictures."""

    width: int
    height: int
    key: str


def read_header(source: MediaSource) -> Header:
    """Return a picture's size without decoding it, from its first 48 KiB where that suffices.

    Raises:
        MediaError: the bytes cannot be had or are no picture.
    """
    from PIL import Image

    start = _first_bytes(source)
    key = hashlib.blake2b(start, digest_size=16).hexdigest()
    try:
        with Image.open(BytesIO(start), formats=FORMATS) as picture:
            return Header(picture.width, picture.height, key)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DECODER_ERRORS):
        whole = open_image(source)  # a header longer than that, or an error that this call words
        return Header(whole.width, whole.height, key)


def _first_bytes(source: MediaSource) -> bytes:
    if isinstance(source, FileSource):
        with source.open() as file:
            return file.read(_HEADER_BYTES)
    if isinstance(source, TsvCell):  # base64 turns 3 bytes into 4
        return TsvCell(source.path, source.offset, min(source.length, _HEADER_BYTES * 4 // 3)).read()
    return source.read()[:_HEADER_BYTES]


def open_image(source: MediaSource) -> Picture:
    """Decode a picture to RGB.

    The first frame of an animation counts. Transparency is dropped and EXIF orientation is not applied, as in the benchmarks'
    own loaders (``Image.open(path).convert("RGB")``). Grey values of 16 bits are scaled to 8, which Pillow would clip.

    Raises:
        MediaError: the bytes cannot be had, are no picture of a known format, are damaged or cut short, or hold more than
            `PIXEL_LIMIT` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    data = source.read()
    if not data:
        raise MediaError(f"{source.label}: empty file")
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise MediaError(f"{source.label}: {picture.width} x {picture.height} pixels, above the limit of {PIXEL_LIMIT}")
            picture.load()
            return _to_rgb(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{source.label}: above the limit of {PIXEL_LIMIT} pixels ({error})") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{source.label}: not a picture (known formats: {', '.join(FORMATS)})") from error
    except _DECODER_ERRORS as error:
        raise MediaError(f"{source.label}: damaged or cut short ({error})") from error


def _to_rgb(picture: Picture) -> Picture:
    """Convert any Pillow mode to RGB."""
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return picture.convert("I").point(lambda value: value * (1 / 256) + 0).convert("L").convert("RGB")
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # going straight to RGB is the same but warns
    return picture.convert("RGB")


class _GzipCursor:
    """One open compressed file; reading onwards is cheap, reading backwards starts over."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = gzip.GzipFile(path)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)


class _ParquetCursor:
    """One open column; keeps the last few batches, so that workers a little out of order do not start it over."""

    BATCH, KEPT = 16, 4

    def __init__(self, path: Path, column: str) -> None:
        from pyarrow import parquet

        self._lock = threading.Lock()
        self._file = parquet.ParquetFile(path, memory_map=True)
        self._column = column
        self._restart(0)

    def read(self, row: int) -> Any:
        if not 0 <= row < self._file.metadata.num_rows:
            raise IndexError(f"row {row} of {self._file.metadata.num_rows}")
        with self._lock:
            if row < next(iter(self._batches), self._next) or self._group_of(row) > self._group_of(self._next):
                self._restart(row)
            while row >= self._next:
                self._pull()
            start = max(start for start in self._batches if start <= row)
            return self._batches[start].column(0)[row - start].as_py()

    def _group_of(self, row: int) -> int:
        return sum(1 for start in self._starts if start <= row) - 1

    def _restart(self, row: int) -> None:
        meta = self._file.metadata
        self._starts = [0]
        for group in range(meta.num_row_groups - 1):
            self._starts.append(self._starts[-1] + meta.row_group(group).num_rows)
        first = self._group_of(row)
        self._batches: dict[int, Any] = {}
        self._next = self._starts[first]
        groups = list(range(first, meta.num_row_groups))
        self._reader = self._file.iter_batches(batch_size=self.BATCH, row_groups=groups, columns=[self._column])

    def _pull(self) -> None:
        batch = next(self._reader)
        if not batch.num_columns:
            raise KeyError(f"column {self._column!r} (found: {', '.join(self._file.schema_arrow.names)})")
        self._batches[self._next] = batch
        self._next += batch.num_rows
        while len(self._batches) > self.KEPT:
            del self._batches[next(iter(self._batches))]


@lru_cache(maxsize=4)
def _gzip_cursor(path: Path) -> _GzipCursor:
    return _GzipCursor(path)


@lru_cache(maxsize=8)
def _parquet_cursor(path: Path, column: str) -> _ParquetCursor:
    return _ParquetCursor(path, column)

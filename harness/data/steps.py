"""Steps from a row of a foreign file to a record in the field names of a benchmark's official layout.

A layout lists them as data: ``layout("vlmevalkit_tsv", "POPE.tsv", steps=(columns(text="question"), explode("category")))``. What
only one benchmark needs is a function of its task file with the signature of `harness.data.sources.Step`. Not here: reading
files (`harness.data.tables`), and recognising layouts (`harness.data.sources`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from harness.boxes import Frame, corners, read, to_pixels
from harness.data.media import read_header
from harness.data.sources import Row, Step, listed, media_below
from harness.errors import DatasetError
from harness.types import FileSource


def columns(**sources: str) -> Step:
    """Fill fields from other columns: ``columns(text="question", question_id="question_id|row-{index}")``.

    A source is a column, or a text with columns in braces; of several, parted by ``|``, the first counts whose columns are
    there and not empty, and a bare ``|`` at the end makes it the empty text. Where none counts the field stays as it is:
    whoever needs it raises an error that names the file and line.
    """

    def fill(row: Row, root: Path) -> Row:
        found = {field: _first(row, source.split("|")) for field, source in sources.items()}
        return row.but(**{field: value for field, value in found.items() if value is not None})

    return fill


def _first(row: Row, sources: list[str]) -> Any:
    for source in sources:
        names = [name for _, name, _, _ in Formatter().parse(source) if name] if "{" in source else [source]
        if source == "":
            return ""
        if all(row.get(name) not in (None, "") for name in names):
            return source.format_map(row) if "{" in source else row[source]
    return None


def media(field: str = "image", path: str = "image_path", *, below: str = "", optional: bool = False) -> Step:
    """Put a handle to the file that the column ``path`` names into ``field``.

    Args:
        field: receives the handle.
        path: names the file, relative to the data folder.
        below: a folder in which the files lie, if it is there.
        optional: whether a row may have no file (the handle is then None), so that annotations alone can be scored.
    """

    def attach(row: Row, root: Path) -> Row:
        if optional and not row.get(path):
            return row.but(**{field: None})
        name = f"{below}/{row[path]}" if below and (root / below).is_dir() else row[path]
        return row.but(**{field: media_below(root, name, row.where)})

    return attach


def explode(field: str) -> Step:
    """Make a record of each value of a list, or of a text in which commas part the values."""

    def each(row: Row, root: Path) -> Iterator[Row]:
        values = row[field]
        for value in (one.strip() for one in values.split(",")) if isinstance(values, str) else values:
            yield row.but(**{field: value})

    return each


def where(condition: Callable[[Row], object]) -> Step:
    """Keep the rows of which a condition is true."""
    return lambda row, root: [row] if condition(row) else []


def only(field: str, value: str) -> Step:
    """Keep the rows in which a field has a value, letter case and hyphens aside."""

    def plain(text: str) -> str:
        return text.replace("-", "").lower()

    return where(lambda row: plain(row[field]) == plain(value))


def from_file_name(field: str, pattern: str, otherwise: str = "") -> Step:
    """Take a field from the name of the file, unless the row has it: the first group of a regular expression, or its match."""

    def name(row: Row, root: Path) -> Row:
        found = re.search(pattern, row.file.name)
        return row if row.get(field) else row.but(**{field: found[1 if found.re.groups else 0] if found else otherwise})

    return name


def substitute(field: str, pattern: str, by: str) -> Step:
    """Replace what a regular expression matches in a text, as ``re.sub`` does."""
    return lambda row, root: row.but(**{field: re.sub(pattern, by, row[field])})


def text_lists(*fields: str) -> Step:
    """Read lists that a table keeps as text (`harness.data.sources.listed`)."""
    return lambda row, root: row.but(**{field: listed(row[field], row.where) for field in fields})


def text_objects(*fields: str) -> Step:
    """Read objects that a file keeps as text, ``"{'subject': 'Functions'}"`` in Python's spelling or JSON's.

    Raises:
        DatasetError: (the step) the text is no object.
    """

    def read_one(row: Row, field: str) -> Any:
        value = row[field]
        if not isinstance(value, str):
            return value
        try:
            found = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DatasetError(f"{row.where}: {field} {value[:80]!r} is no object")
        return found

    return lambda row, root: row.but(**{field: read_one(row, field) for field in fields})


def whole_numbers(*fields: str) -> Step:
    """Turn floats into the integers they stand for: parquet files and data frames have no integer that may be absent."""

    def whole(value: float | None) -> int | None:
        return None if value is None or value != value else int(value)

    return lambda row, root: row.but(**{field: whole(row[field]) for field in fields})


def picture_facts(row: Row, root: Path) -> Row:
    """Add ``width``, ``height`` and ``image_key`` (equal for equal pictures), read from the first bytes of ``image``, if any.

    A file that is not there leaves the row as it is: annotations alone can be scored where no size is needed.
    """
    image = row.get("image")
    if image is None or (isinstance(image, FileSource) and not image.path.exists()):
        return row
    header = read_header(image)
    return row.but(width=header.width, height=header.height, image_key=header.key)


def pixel_box(field: str, column: str, form: Frame | Literal["corner_and_size"], decimals: int = 2) -> Step:
    """Bring a box, as numbers or as text such as ``[0.1, 0.2, 0.3, 0.4]``, to corners in pixels.

    Args:
        field: receives the corners.
        column: holds the box.
        form: the frame of its corners (the row then needs ``width`` and ``height``), or x, y, width, height in pixels.
        decimals: to which the corners are rounded, since layouts differ beyond those of the annotation.
    """

    def convert(row: Row, root: Path) -> Row:
        value = row[column]
        try:
            box = read(value.strip(" []")) if isinstance(value, str) else tuple(map(float, value))
            pixels = corners(box) if form == "corner_and_size" else to_pixels(box, form, row["width"], row["height"])
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{row.where}: {column} {str(value)[:80]!r} is no box of four numbers") from error
        return row.but(**{field: [round(edge, decimals) for edge in pixels]})

    return convert

"""Readers of the other layouts of boxes: OpenImages' tables, DocBank's tokens, ICDAR's and CTW1500's polygons."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.boxes import Box, to_pixels
from harness.data.tables import Row, read_text
from models.sphinx_x.corpus.families.places import Picture, Place
from models.sphinx_x.corpus.families.source import BadRecord, Source

UNREADABLE = ("###", "*")
"""How text that nobody can read is transcribed; such regions are no text to spot."""


def read_open_images(source: Source, *, files: str | Sequence[str], pictures: str, names: str) -> Iterator[Picture]:
    """Read OpenImages: a table of boxes as fractions, sorted by picture, and one of class names without a header.

    Args:
        source: the data set.
        files: ``train-annotations-bbox.csv`` (``ImageID, Source, LabelName, Confidence, XMin, XMax, YMin, YMax, ...``).
        pictures: template of a picture's path in those columns.
        names: ``class-descriptions-boxable.csv``.
    """
    (file,) = source.files(names)
    with file.open(encoding="utf-8", newline="") as lines:
        called = {row[0]: row[1].strip().lower() for row in csv.reader(lines) if len(row) > 1}

    def convert(rows: Sequence[Row]) -> Picture:
        first = rows[0]
        image = source.picture(pictures, first, first.where)
        size = source.size(image, first.where)
        places = tuple(_open_images_place(row, size, called) for row in rows if row.get("IsGroupOf") != "1")
        return Picture(id=first["ImageID"], image=image, size=size, places=places, where=first.where)

    for rows in _runs(source.rows(files), "ImageID"):
        if made := source.attempt(convert, rows):
            yield made


def _open_images_place(row: Row, size: tuple[int, int], called: dict[str, str]) -> Place:
    label = row["LabelName"]
    if label not in called:
        raise BadRecord("class without a name", row.where, label)
    unit = [_number(row[edge], row.where) for edge in ("XMin", "YMin", "XMax", "YMax")]
    return Place(called[label], to_pixels(unit, "unit", *size))


def _runs(rows: Iterable[Row], column: str) -> Iterator[list[Row]]:
    """Gather rows that follow one another and agree in a column."""
    run: list[Row] = []
    for row in rows:
        if run and run[0][column] != row[column]:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def read_doc_bank(source: Source, *, files: str | Sequence[str], pictures: str) -> Iterator[Picture]:
    """Read DocBank (Li et al. 2020): a text file a page, a line a token.

    A line is text, x0, y0, x1, y1 in thousandths, three numbers of the colour, font, and label, parted by tabs.
    Tokens of one label that follow one another are one element, until the text goes up again into another column.

    Args:
        source: the data set.
        files: the text files.
        pictures: template of a page's picture; ``{name}`` is the text file's, without suffix.
    """

    def convert(path: Path) -> Picture:
        where = source.relative(path)
        image = source.picture(pictures, {"name": path.stem}, where)
        size = source.size(image, where)
        return Picture(id=path.stem, image=image, size=size, places=tuple(_elements(path, size, where)), where=where)

    for path in source.files(files):
        if made := source.attempt(convert, path):
            yield made


def _elements(path: Path, size: tuple[int, int], where: str) -> Iterator[Place]:
    element: tuple[str, Box] | None = None
    for row in read_text(path):
        values = row["text"].split("\t")
        if len(values) != 10:
            raise BadRecord("line does not fit", f"{where} line {row['line']}", f"{len(values)} of 10 fields")
        label = values[9].strip()
        box = _box([_number(value, where) for value in values[1:5]])
        if element and element[0] == label and box[1] >= element[1][1]:
            element = (label, _around([element[1], box]))
        else:
            if element:
                yield Place(element[0], to_pixels(element[1], "thousandths", *size))
            element = (label, box)
    if element:
        yield Place(element[0], to_pixels(element[1], "thousandths", *size))


def read_polygons(
    source: Source, *, files: str | Sequence[str], pictures: str, numbers: int, prefix: str = "gt_"
) -> Iterator[Picture]:
    """Read scene text: a file a picture, a line a polygon (or a box) with what it says.

    ICDAR 2015 has 8 numbers (four corners), ICDAR 2013 has 4 (x1, y1, x2, y2, text in quotes), CTW1500 has 28 (fourteen points,
    ``####`` before the text); commas or blanks part them. Text transcribed as ``###`` is left out.

    Args:
        source: the data set.
        files: the text files.
        pictures: template of a picture's path; ``{name}`` is the text file's, without suffix and ``prefix``.
        numbers: how many stand before the text.
        prefix: what the text files' names begin with.
    """

    def convert(path: Path) -> Picture:
        where, name = source.relative(path), path.stem.removeprefix(prefix)
        image = source.picture(pictures, {"name": name}, where)
        size = source.size(image, where)
        lines = [_polygon(row, numbers, where) for row in (read_text(path) if path.stat().st_size else ())]
        return Picture(id=name, image=image, size=size, places=tuple(one for one in lines if one), where=where)

    for path in source.files(files):
        if made := source.attempt(convert, path):
            yield made


def _polygon(row: Row, numbers: int, where: str) -> Place | None:
    line = row["text"].strip()
    fields = line.split(",", numbers) if line.count(",") >= numbers else line.split(None, numbers)
    if len(fields) != numbers + 1:
        raise BadRecord("line does not fit", f"{where} line {row['line']}", line[:80])
    values = [_number(field, f"{where} line {row['line']}") for field in fields[:numbers]]
    text = fields[numbers].strip().strip('"').removeprefix("####").strip()
    if not text or text in UNREADABLE or set(text) == {"#"}:
        return None
    return Place(text, (min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])))


def _around(boxes: Sequence[Box]) -> Box:
    lows, highs = [box[:2] for box in boxes], [box[2:] for box in boxes]
    return (min(x for x, _ in lows), min(y for _, y in lows), max(x for x, _ in highs), max(y for _, y in highs))


def _box(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = values
    return x1, y1, x2, y2


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadRecord("not a number", where, text[:40]) from error

"""Layouts in which a benchmark is a folder of small text files: one a picture, or one a part.

Not here: files of records (``harness.data.sources``). Lines are fields separated by tabs, as MME has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import cast

from harness.data.sources import Row, find_files, media_below, read_fields
from harness.task import Layout
from harness.types import FileSource, Record

SUFFIXES = (".jpg", ".png", ".jpeg")


def text_per_picture(
    where: Sequence[Path], parts: Collection[str], names: Sequence[str], texts: str = "", pictures: str = ""
) -> Iterator[Row]:
    """Yield the lines of ``PART/0001.txt`` beside its picture, or of ``PART/<texts>/0001.txt`` with ``PART/<pictures>/0001.jpg``.

    Records get ``category`` (the part), ``picture`` (the stem) and ``image``. Folders that are no part are passed over; a
    picture that is not there is assumed to be a ``.jpg``, so that annotations alone can be scored.
    """
    for path in find_files(where, "*/**/*.txt"):
        apart = path.parent.name == texts
        folder = path.parent.parent if apart else path.parent
        if folder.name in parts:
            stem = path.name.split(".txt")[0]
            beside = folder / pictures if apart else folder
            found = (beside / f"{stem}{suffix}" for suffix in SUFFIXES)
            image = FileSource(next((picture for picture in found if picture.exists()), beside / f"{stem}.jpg"))
            for row in read_fields(path, *names):
                yield row.but(category=folder.name, picture=stem, image=image)


def text_per_part(where: Sequence[Path], parts: Collection[str], names: Sequence[str]) -> Iterator[Row]:
    """Yield the lines of ``PART.txt``, one of whose fields is ``picture``, a file in ``PART/``; others are passed over."""
    for path in find_files(where, "*.txt"):
        category = path.name.split(".txt")[0]
        if category in parts:
            for row in read_fields(path, *names):
                yield row.but(category=category, image=media_below(path.parent, f"{category}/{row['picture']}", row.where))


def picture_texts(name: str, parts: Collection[str], fields: Sequence[str], *, texts: str = "", pictures: str = "") -> Layout:
    """Describe a folder of `text_per_picture`; files named one by one are those of `part_texts`."""

    def read(where: Sequence[Path]) -> Iterator[Record]:
        if not where[0].is_dir():
            return text_per_part(where, parts, ("picture", *fields))
        return text_per_picture(where, parts, fields, texts, pictures)

    return Layout(name=name, files=("*/**/*.txt",), read=read)


def part_texts(name: str, parts: Collection[str], fields: Sequence[str]) -> Layout:
    """Describe a folder of `text_per_part`, whose lines begin with the picture's name."""
    return Layout(name=name, files=("*.txt",), read=lambda where: text_per_part(where, parts, ("picture", *fields)))


def in_order(one: Layout, parts: Sequence[str]) -> Layout:
    """Sort a layout's records by part and picture and number those of a picture (``place``), so that ids agree over layouts.

    The picture is reduced to the stem of its name. The records are held at once: for benchmarks of some thousand questions.
    """

    def read(where: Sequence[Path]) -> Iterator[Record]:
        place: Counter[tuple[str, str]] = Counter()
        order = {name: number for number, name in enumerate(parts)}
        rows = (cast(Row, record) for record in one.read(where))
        stemmed = (row.but(picture=PurePosixPath(row["picture"]).stem) for row in rows)
        for row in sorted(stemmed, key=lambda row: (order.get(row["category"], len(order)), row["picture"])):
            key = row["category"], row["picture"]
            place[key] += 1
            yield row.but(place=place[key])

    return replace(one, read=read)

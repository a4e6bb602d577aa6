"""Readers of phrases with their boxes: Visual Genome's regions, RefCOCO's expressions, Flickr30k Entities.

RefCOCO's own ``refs(unc).p`` is a pickle, which could run a program while it is read, so it is not: ``refs(unc).json`` is the
same list as JSON, ``json.dump(pickle.load(file), out)`` on a machine where the file is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.boxes import Box, corners
from harness.data.tables import Row, read_text
from harness.errors import DatasetError
from models.sphinx_x.corpus.families.places import Picture, Place
from models.sphinx_x.corpus.families.source import BadRecord, Source

_PHRASE = re.compile(r"\[/EN#(\d+)/\S+ ([^\]]+)\]")


def read_regions(source: Source, *, files: str | Sequence[str], pictures: str) -> Iterator[Picture]:
    """Read Visual Genome's ``region_descriptions.json``: a picture with ``regions`` of phrase, x, y, width, height in pixels."""

    def convert(row: Row) -> Picture:
        image = source.picture(pictures, row, row.where)
        try:
            places = tuple(
                Place(
                    str(one["phrase"]).strip().rstrip("."), corners([float(one[name]) for name in ("x", "y", "width", "height")])
                )
                for one in row["regions"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecord("region does not fit", row.where, str(error)[:120]) from error
        return Picture(id=str(row["id"]), image=image, size=source.size(image, row.where), places=places, where=row.where)

    for row in source.rows(files):
        if made := source.attempt(convert, row):
            yield made


def read_refs(
    source: Source, *, files: str | Sequence[str], names: str, pictures: str, split: str = "train"
) -> Iterator[Picture]:
    """Read RefCOCO, RefCOCO+ or RefCOCOg: expressions (``refs(unc).json``) of the objects of a COCO file (``instances.json``).

    Args:
        source: the data set.
        files: the list of expressions, with ``ref_id``, ``image_id``, ``ann_id``, ``split`` and ``sentences`` of ``sent``.
        names: the COCO file that holds the boxes and the pictures' names.
        pictures: template of a picture's path in the columns of ``images``.
        split: of the expressions.

    Raises:
        DatasetError: only the pickle is there.
    """
    _no_pickle(source, files)
    boxes = {row["id"]: row["bbox"] for row in source.rows(names, "annotations")}
    images = {row["id"]: row for row in source.rows(names, "images")}
    gathered: dict[Any, list[Row]] = {}
    for row in source.rows(files):
        if row.get("split", split) == split:
            gathered.setdefault(row.get("image_id"), []).append(row)

    def convert(image_id: Any, refs: Sequence[Row]) -> Picture:
        where = refs[0].where
        if image_id not in images:
            raise BadRecord("picture not named", where, f"image_id {image_id} is not in {names}")
        facts = images[image_id]
        image = source.picture(pictures, facts, where)
        places = tuple(place for ref in refs for place in _expressions(ref, boxes))
        return Picture(id=str(image_id), image=image, size=(facts["width"], facts["height"]), places=places, where=where)

    for image_id, refs in gathered.items():
        if made := source.attempt(convert, image_id, refs):
            yield made


def _expressions(ref: Row, boxes: dict[Any, Any]) -> Iterator[Place]:
    try:
        box = corners([float(value) for value in boxes[ref["ann_id"]]])
        yield from (Place(str(one["sent"]).strip(), box) for one in ref["sentences"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRecord("expression does not fit", ref.where, str(error)[:120]) from error


def _no_pickle(source: Source, files: str | Sequence[str]) -> None:
    for pattern in [files] if isinstance(files, str) else files:
        pickled = (source.root / pattern).with_suffix(".p")
        if pickled.is_file() and not (source.root / pattern).is_file():
            raise DatasetError(
                f"{source.name}: {source.relative(pickled)} is a pickle, which is not read because it could run a program; "
                f"write the same list as JSON to {pattern}"
            )


def read_entities(source: Source, *, files: str | Sequence[str], names: str, pictures: str) -> Iterator[Picture]:
    """Read Flickr30k Entities (Plummer et al. 2015): phrases marked in sentences, boxes of the same numbers in XML.

    Args:
        source: the data set.
        files: ``Sentences/*.txt``, lines such as ``[/EN#1/people A man] rides [/EN#2/vehicles a bike] .``
        names: template of the XML file, ``{name}`` being the text file's.
        pictures: template of the picture, likewise.
    """

    def convert(path: Path) -> Picture:
        where, values = source.relative(path), {"name": path.stem}
        image = source.picture(pictures, values, where)
        size, boxes = _entities(source.root / names.format_map(values), where)
        found: dict[tuple[str, Box], None] = {}
        for row in read_text(path):
            for number, phrase in _PHRASE.findall(row["text"]):
                found.update({(phrase, box): None for box in boxes.get(number, ())})
        return Picture(id=path.stem, image=image, size=size, places=tuple(Place(*one) for one in found), where=where)

    for path in source.files(files):
        if made := source.attempt(convert, path):
            yield made


def _entities(path: Path, where: str) -> tuple[tuple[int, int], dict[str, list[Box]]]:
    """Return the picture's size, and the boxes of each entity; scenes and things that cannot be boxed have none."""
    try:
        text = path.read_text(encoding="utf-8")
        if "<!" in text:  # a declaration may define entities that grow without bound
            raise BadRecord("annotation does not fit", where, f"{path.name} has a document type")
        tree = ElementTree.fromstring(text)
        size = int(tree.findtext("size/width", "")), int(tree.findtext("size/height", ""))
        boxes: dict[str, list[Box]] = {}
        for one in tree.findall("object"):
            box = one.find("bndbox")
            if box is not None:
                x1, y1, x2, y2 = (float(box.findtext(edge, "")) for edge in ("xmin", "ymin", "xmax", "ymax"))
                for name in one.findall("name"):
                    boxes.setdefault(str(name.text), []).append((x1, y1, x2, y2))
    except (OSError, UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        raise BadRecord("annotation does not fit", where, f"{path.name}: {error}"[:120]) from error
    return size, boxes

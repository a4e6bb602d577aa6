"""Reader of COCO's annotation files and of those that share their form: LVIS, Objects365, V3Det, PubLayNet, DocLayNet, M6Doc.

They are read in two passes without holding the file: Objects365's is larger than many a machine's memory once parsed, masks
included, which is why pycocotools is not used here (a test compares with it where it is installed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.boxes import corners
from harness.data.tables import Row
from harness.errors import DatasetError
from models.sphinx_x.corpus.families.places import Picture, Place
from models.sphinx_x.corpus.families.source import BadRecord, Source

Packed = tuple[Any, tuple[float, ...], tuple[float, ...]]
"""Category id, ``x, y, width, height``, key points as COCO lists them (x, y, visibility of each)."""


def read_coco(source: Source, *, files: str | Sequence[str], pictures: str, crowds: bool = False) -> Iterator[Picture]:
    """Read pictures with their objects, in the order of the files.

    Args:
        source: the data set.
        files: COCO annotation files.
        pictures: template of a picture's path in the columns of ``images``; ``{file_name}`` is there for LVIS too.
        crowds: whether regions of uncounted objects (``iscrowd``) are kept.
    """
    for path in source.files(files):
        file = source.relative(path)
        kinds = {row["id"]: row for row in source.rows(file, "categories")}
        found, bad = _annotations(source, file, kinds, crowds)
        for row in source.rows(file, "images"):
            name = str(row.get("id"))
            if name in bad:
                continue  # counted where its annotation stands
            if made := source.attempt(_picture, source, row, pictures, found.pop(name, []), kinds):
                yield made
        left = next(iter(found), None)
        if left is not None:
            raise DatasetError(f"{file}: annotations of {len(found)} pictures that are not among its images (first: {left})")


def _annotations(source: Source, file: str, kinds: Mapping[Any, Row], crowds: bool) -> tuple[dict[str, list[Packed]], set[str]]:
    """Return the objects of each picture, and the pictures of which one does not fit."""
    found: dict[str, list[Packed]] = {}
    bad = set()
    for row in source.rows(file, "annotations"):
        if row.get("iscrowd") and not crowds:
            continue
        packed = source.attempt(_packed, row, kinds)
        if packed:
            found.setdefault(str(row["image_id"]), []).append(packed)
        else:
            bad.add(str(row.get("image_id")))
    return {image: objects for image, objects in found.items() if image not in bad}, bad


def _packed(row: Row, kinds: Mapping[Any, Row]) -> Packed:
    try:
        box = tuple(map(float, row["bbox"]))
        points = tuple(map(float, row.get("keypoints", ())))
        if len(box) != 4 or row["category_id"] not in kinds or "image_id" not in row:
            raise ValueError(f"box of {len(box)} numbers, category {row['category_id']}")
    except (TypeError, ValueError) as error:
        raise BadRecord("annotation does not fit", row.where, str(error)[:120]) from error
    return row["category_id"], box, points


def _picture(source: Source, row: Row, pictures: str, objects: Sequence[Packed], kinds: Mapping[Any, Row]) -> Picture:
    if "file_name" not in row and "coco_url" in row:  # LVIS names a picture by its address in COCO
        row = row.but(file_name="/".join(str(row["coco_url"]).split("/")[-2:]))
    image = source.picture(pictures, row, row.where)
    size = (row["width"], row["height"]) if "width" in row and "height" in row else source.size(image, row.where)
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise BadRecord("picture without a size", row.where, str(size))
    places = tuple(Place(_name(kinds[kind]), corners(box), _points(points, kinds[kind])) for kind, box, points in objects)
    return Picture(id=str(row["id"]), image=image, size=size, places=places, where=row.where)


def _name(kind: Row) -> str:
    """Return a category's name as one says it: LVIS writes ``baby_buggy`` and ``bat_(animal)``."""
    return str(kind["name"]).replace("_", " ").strip().lower()


def _points(values: Sequence[float], kind: Row) -> tuple[tuple[str, float, float], ...]:
    """Return the key points that are labelled (visibility above 0) with their names."""
    names = [str(name).replace("_", " ") for name in kind.get("keypoints", ())]
    triples = zip(names, values[0::3], values[1::3], values[2::3], strict=False)
    return tuple((name, x, y) for name, x, y, seen in triples if seen > 0)

"""Annotation files in COCO's form, a record a picture: objects, key points, layouts, and texts as COCO-Text has them.

A file is walked by its parts and never held whole; of an annotation only what can be scored is kept. Results in COCO's form
(`results_of`), a list of detections over all pictures, become a reply a picture. Not here: what is asked about a picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.boxes import corners
from harness.data.sources import Row, media_below, read_json
from harness.errors import DatasetError
from harness.regions import Region

FOLDERS = ("", "val2017", "val2014", "train2017", "train2014", "test", "images", "PNG", "train_images")
"""Where pictures stand below the data folder, in COCO and in data sets of its form."""

ILLEGIBLE = ("", "#", "###", ".", "*")
"""How text data sets write a text that nobody can read."""


def read_coco(path: Path) -> Iterator[Row]:
    """Read pictures with the regions of their objects: ``regions``, ``categories`` (id to name), ``key_points`` (names).

    Raises:
        DatasetError: an annotation has no box of four numbers, or a category that the file does not name.
    """
    kinds = {row["id"]: row for row in read_json(path, key="categories")}
    found: dict[Any, list[Region]] = {}
    for row in read_json(path, key="annotations"):
        if row["category_id"] not in kinds:
            raise DatasetError(f"{row.where}: category {row['category_id']!r} is not among the file's")
        found.setdefault(row["image_id"], []).append(_region(row, str(kinds[row["category_id"]]["name"])))
    about: dict[str, Any] = {
        "categories": {number: str(kind["name"]) for number, kind in kinds.items()},
        "key_points": next((kind["keypoints"] for kind in kinds.values() if kind.get("keypoints")), []),
    }
    for row in read_json(path, key="images"):
        yield row.but(regions=found.get(row["id"], []), **about)


def read_coco_text(path: Path) -> Iterator[Row]:
    """Read pictures with their texts from COCO-Text's or TextOCR's file; what cannot be read is ignored, in any wording."""
    found: dict[str, list[Region]] = {}
    for row in read_json(path, key="anns"):
        text = str(row.get("utf8_string", ""))
        legible = row.get("legibility", "legible") == "legible" and text not in ILLEGIBLE
        region = _region(row, text if legible else "")
        if not legible:
            region |= {"ignored": True, "crowd": True}
        found.setdefault(str(row["image_id"]), []).append(region)
    for row in read_json(path, key="imgs"):
        yield row.but(regions=found.get(str(row["id"]), []), categories={}, key_points=[])


def _region(row: Row, label: str) -> Region:
    try:
        box = list(corners([float(edge) for edge in row["bbox"]]))
        triples = [float(value) for value in row.get("keypoints") or ()]
        area = float(row.get("area") or (box[2] - box[0]) * (box[3] - box[1]))
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{row.where}: {str(row.get('bbox'))[:80]} is no box of four numbers ({error})") from error
    region: Region = {"label": label, "box": box, "area": area}
    if triples:
        region["points"] = [triples[place : place + 3] for place in range(0, len(triples), 3)]
    if row.get("iscrowd"):
        region["crowd"] = True
    if row.get("iscrowd") or row.get("ignore") or (triples and not any(triples[2::3])):
        region["ignored"] = True
    return region


def picture(row: Row, root: Path) -> Row:
    """Put a handle to the picture into ``image``: a step that looks into `FOLDERS`, else takes the name as it is."""
    name = str(row.get("file_name") or "/".join(str(row.get("coco_url", "")).split("/")[-2:]))
    places = (f"{folder}/{name}" if folder else name for folder in FOLDERS)
    found = next((place for place in places if (root / place).is_file()), name)
    return row.but(image=media_below(root, found, row.where))


def results_of(records: Sequence[Any]) -> dict[str, str] | None:
    """Part a list of results in COCO's form by picture, each as JSON text; None if it is no such list."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in records:
        if not (isinstance(one, dict) and {"image_id", "category_id"} <= one.keys() and one.keys() & {"bbox", "keypoints"}):
            return None
        found.setdefault(str(one["image_id"]), []).append(
            {key: one[key] for key in ("category_id", "bbox", "keypoints", "score") if key in one}
        )
    return {image: json.dumps(own) for image, own in found.items()} or None

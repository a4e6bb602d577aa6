"""COCO's instance annotations as regions: polygons, and run lengths both as lists and as COCO's compressed text.

Format: https://cocodataset.org/#format-data and ``common/maskApi.c`` of cocodataset/cocoapi (``rleFrString``), written anew
here so that no compiler is needed. Crowds (``iscrowd``) are left out: a mark stands for one thing. LVIS, Objects365 and others
that keep this format are read as well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from harness.boxes import corners
from harness.data.sources import media_below
from harness.errors import DatasetError
from models.sphinx_x.corpus.marks.boxes import loader
from models.sphinx_x.corpus.marks.regions import Cover, Kind, Picture, Region, masked


def coco_pictures(annotations: Path, images: Path, kind: Kind) -> Iterator[Picture]:
    """Yield the pictures of an instances file that have annotations, by their ids.

    Raises:
        DatasetError: the file is no instances file, or a record does not fit; the message names it.
    """
    try:
        found = json.loads(annotations.read_text(encoding="utf-8"))
        names = {category["id"]: str(category["name"]) for category in found["categories"]}
        pictures = {picture["id"]: picture for picture in found["images"]}
        grouped: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for one in found["annotations"]:
            if not one.get("iscrowd"):
                grouped[one["image_id"]].append(one)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{annotations}: no COCO instances file ({type(error).__name__}: {error})") from error
    for number in sorted(grouped):
        where = f"{annotations}: image {number}"
        if number not in pictures:
            raise DatasetError(f"{where}: has annotations and is not listed under images")
        yield _picture(pictures[number], grouped[number], names, images, kind, where)


def _picture(
    record: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    names: Mapping[Any, str],
    images: Path,
    kind: Kind,
    where: str,
) -> Picture:
    try:
        width, height = int(record["width"]), int(record["height"])
        name = str(record.get("file_name") or Path(record["coco_url"]).name)
        regions = [_region(one, names, width, height) for one in annotations]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(f"{where}: does not fit COCO's format ({type(error).__name__}: {error})") from error
    kept = tuple(region for region in regions if region is not None)
    load = loader(media_below(images, name, where), width, height)
    return Picture(id=str(record["id"]), kind=kind, width=width, height=height, regions=kept, load=load)


def _region(one: Mapping[str, Any], names: Mapping[Any, str], width: int, height: int) -> Region | None:
    name, shape = names[one["category_id"]], one.get("segmentation")
    if not shape:
        return Region(name, corners([float(value) for value in one["bbox"]]))
    return masked(name, decode_polygons(shape, width, height) if isinstance(shape, list) else decode_runs(shape, width, height))


def decode_polygons(polygons: Sequence[Sequence[float]], width: int, height: int) -> Cover:
    """Return the pixels of polygons ``[x1, y1, x2, y2, ...]``, drawn by Pillow: at edges up to a pixel more than COCO's."""
    canvas = Image.new("1", (width, height))
    brush = ImageDraw.Draw(canvas)
    for polygon in polygons:
        if len(polygon) >= 6:
            brush.polygon([(x, y) for x, y in zip(polygon[::2], polygon[1::2], strict=True)], fill=1)
    return np.array(canvas, dtype=np.bool_)


def decode_runs(runs: Mapping[str, Any], width: int, height: int) -> Cover:
    """Return the pixels of run lengths, down the columns, beginning with pixels that are not set.

    Raises:
        ValueError: the runs are of another size or do not fill the picture.
    """
    counts = runs["counts"]
    lengths = counts_of_text(counts) if isinstance(counts, str) else list(counts)
    if list(runs.get("size", (height, width))) != [height, width]:
        raise ValueError(f"runs of size {runs['size']} in a picture of {height} x {width}")
    if sum(lengths) != width * height or min(lengths, default=0) < 0:
        raise ValueError(f"runs of {sum(lengths)} pixels in a picture of {width * height}")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T


def counts_of_text(text: str) -> list[int]:
    """Return the run lengths that COCO's compressed text holds: five bits a character, from the third on as differences."""
    counts: list[int] = []
    values = iter(ord(char) - 48 for char in text)
    for value in values:
        total, shift = value & 0x1F, 5
        while value & 0x20:
            value = next(values, 0)
            total |= (value & 0x1F) << shift
            shift += 5
        if value & 0x10:
            total -= 1 << shift
        counts.append(total + counts[-2] if len(counts) > 2 else total)
    return counts

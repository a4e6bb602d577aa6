"""Regions from plain boxes, one picture a line of JSON: screens, documents, detections; and from the layouts of the OCR corpus.

    {"image": "a.png", "kind": "screen", "regions": [{"name": "OK button", "box": [x1, y1, x2, y2]}, ...]}

``box`` is in pixels; ``kind``, ``id``, ``width`` and ``height`` may be left out. Where ``blocks`` stand instead, as
in ``layouts-*.jsonl`` of ``riddle data ocr``, each line of text is a region.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from harness.data.media import FileSource
from harness.data.sources import media_below
from harness.data.tables import read_jsonl
from harness.errors import DatasetError
from models.sphinx_x.corpus.marks.regions import Kind, Picture, Region


def boxed_pictures(annotations: Path, images: Path, kind: Kind) -> Iterator[Picture]:
    """Yield the pictures of a file in its order; ``kind`` is for those that do not say it.

    Raises:
        DatasetError: a line does not fit; the message names it.
    """
    for row in read_jsonl(annotations):
        try:
            yield _picture(row, images, kind, row.where)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{row.where}: no picture with boxes ({type(error).__name__}: {error})") from error


def _picture(row: Mapping[str, Any], images: Path, kind: Kind, where: str) -> Picture:
    source = media_below(images, str(row["image"]), where)
    kind = row.get("kind", kind)
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r} is none of {', '.join(get_args(Kind))}")
    if "regions" in row:
        named = [(str(one["name"]), one["box"]) for one in row["regions"]]
    else:
        named = [(str(line["text"]), line["box"]) for block in row["blocks"] for line in block["lines"]]
    width, height = (int(row[key]) for key in ("width", "height")) if "width" in row else _size(source, where)
    regions = tuple(Region(name, _box(box)) for name, box in named)
    load = loader(source, width, height)
    return Picture(id=str(row.get("id", row["image"])), kind=kind, width=width, height=height, regions=regions, load=load)


def _box(box: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2


def _size(source: FileSource, where: str) -> tuple[int, int]:
    try:
        with Image.open(source.path) as image:
            return image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{where}: {source.path} cannot be opened as a picture ({error}); or give width and height") from error


def loader(source: FileSource, width: int, height: int) -> Callable[[], Image.Image]:
    """Return a function that reads a picture and checks its size; it raises OSError if the file does not fit."""

    def load() -> Image.Image:
        image = Image.open(io.BytesIO(source.path.read_bytes()))
        if image.size != (width, height):
            raise OSError(f"{source.path}: is {image.width} x {image.height}, its annotation is for {width} x {height}")
        return image.convert("RGB")

    return load

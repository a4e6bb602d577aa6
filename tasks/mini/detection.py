"""Detection in small: four files in COCO's form, of scenes, pages and signs.

Objects are the shapes of scenes. Key points are the middles of the sides of shapes that reach them there. Texts are the words of
pages and signs. Layouts are titles, lines, tables and charts. Everything that is drawn is annotated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from PIL import Image

from harness.world import SHAPES, Box, Chart, Glyph, Page, Scene, Sign, Table
from tasks.mini.draws import encoded, worlds
from tasks.mini.sizes import Size

SIDES: Final = ("top", "right", "bottom", "left")
POINTED: Final = ("circle", "square", "cross", "ring", "diamond")
PARTS: Final = ("Picture", "Table", "Text", "Title")
_WORD_GAP_PX: Final = 4

Records = list[dict[str, Any]]

Found = tuple[Image.Image, list[tuple[str, Box]]]
"""A picture and the labels and boxes on it."""


def _hull(boxes: Sequence[Box]) -> Box:
    return Box(min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes))


def _words(glyphs: Sequence[Glyph]) -> list[tuple[str, Box]]:
    """Join characters that stand side by side."""
    words: list[list[Glyph]] = []
    for glyph in glyphs:
        last = words[-1][-1].box if words else None
        joined = last and last.y0 == glyph.box.y0 and 0 <= glyph.box.x0 - last.x1 < _WORD_GAP_PX
        words.append([*words.pop(), glyph] if joined else [glyph])
    return [("".join(glyph.char for glyph in own), _hull([glyph.box for glyph in own])) for own in words]


def _scenes(purpose: str, shapes: Sequence[str], seed: int) -> Iterator[Found]:
    for scene in worlds(Scene, "scene", purpose, seed):
        things = [(thing.shape, thing.box) for thing in scene.things]
        if all(shape in shapes for shape, _ in things):
            yield scene.image, things


def _texts(seed: int) -> Iterator[Found]:
    pages, signs = worlds(Page, "page", "text_spotting", seed), worlds(Sign, "sign", "text_spotting", seed)
    for page, sign in zip(pages, signs, strict=False):
        yield sign.image, _words(sign.glyphs)
        yield page.image, _words(page.glyphs)


def _layouts(seed: int) -> Iterator[Found]:
    kinds = (worlds(Page, "page", "layout", seed), worlds(Table, "table", "layout", seed), worlds(Chart, "chart", "layout", seed))
    for page, table, chart in zip(*kinds, strict=False):
        yield page.image, _lines(page)
        cells = [box for row in table.boxes for box in row]
        yield table.image, [("Table", _hull([*cells, *(glyph.box for glyph in table.glyphs)]))]
        yield chart.image, [("Picture", _hull([*(bar.box for bar in chart.bars), *(glyph.box for glyph in chart.glyphs)]))]


def _lines(page: Page) -> list[tuple[str, Box]]:
    """The title and the lines of a page."""
    rows: dict[int, list[Box]] = {}
    for glyph in page.glyphs:
        rows.setdefault(glyph.box.y0, []).append(glyph.box)
    hulls = [_hull(own) for own in rows.values()]
    return [("Title" if page.title and place == 0 else "Text", box) for place, box in enumerate(hulls)]


def _instances(found: Sequence[Found], images: Records, names: Sequence[str], key_points: bool = False) -> dict[str, Any]:
    """COCO's form; ids count from 1, as there."""
    annotations: list[dict[str, Any]] = []
    for number, (_, regions) in enumerate(found, start=1):
        for label, box in regions:
            x, y = box.centre
            triples = (x, box.y0, 2, box.x1, y, 2, x, box.y1, 2, box.x0, y, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": names.index(label) + 1,
                    "bbox": [box.x0, box.y0, box.width, box.height],
                    "area": box.width * box.height,
                    "iscrowd": 0,
                    **({"keypoints": triples, "num_keypoints": len(SIDES)} if key_points else {}),
                }
            )
    points = {"keypoints": list(SIDES), "skeleton": []} if key_points else {}
    categories = [{"id": number, "name": name, **points} for number, name in enumerate(names, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _spotted(found: Sequence[Found], images: Records) -> dict[str, Any]:
    """COCO-Text's form: annotations and pictures by id."""
    regions = [(number, text, box) for number, (_, own) in enumerate(found, start=1) for text, box in own]
    anns = {
        str(place): {
            "id": place,
            "image_id": number,
            "bbox": [box.x0, box.y0, box.width, box.height],
            "utf8_string": text,
            "legibility": "legible",
            "language": "english",
        }
        for place, (number, text, box) in enumerate(regions, start=1)
    }
    return {"cats": {}, "anns": anns, "imgs": {str(one["id"]): {**one, "set": "val"} for one in images}}


def _write_part(
    folder: Path, file: str, pictures: str, found: Sequence[Found], form: Callable[[Sequence[Found], Records], dict[str, Any]]
) -> None:
    """Write the pictures (``pictures`` is their folder, and how their names begin) and the file about them."""
    records = []
    for number, (image, _) in enumerate(found, start=1):
        path = folder / f"{pictures}{number:012d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))
        records.append({"id": number, "file_name": path.name, "width": image.width, "height": image.height})
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(form(found, records), indent=1), encoding="utf-8")


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the pictures of all four tasks below ``folder``; a task is a part."""
    scenes, pointed = _scenes("detection", SHAPES, seed), _scenes("pose", POINTED, seed)
    parts: tuple[tuple[str, str, Iterator[Found], Callable[[Sequence[Found], Records], dict[str, Any]]], ...] = (
        ("annotations/instances_val2017.json", "val2017/", scenes, partial(_instances, names=SHAPES)),
        ("COCO/test.json", "PNG/page_", _layouts(seed), partial(_instances, names=PARTS)),
        (
            "annotations/person_keypoints_val2017.json",
            "val2017/pose_",
            pointed,
            partial(_instances, names=POINTED, key_points=True),
        ),
        ("cocotext.v2.json", "train2014/text_", _texts(seed), _spotted),
    )
    for (file, pictures, stream, form), n in zip(parts, size.split((1,) * len(parts)), strict=True):
        _write_part(folder, file, pictures, [next(stream) for _ in range(max(1, n))], form)

"""The mini world's pictures as regions: shapes with their own masks, letters of signs, values of pages, bars, cells, numbers.

Only the training split is drawn, so no pair of shape and colour that evaluation holds out is ever named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final

import numpy as np

from harness.world import Box, Chart, Digits, Page, Scene, Sign, Table, World, draw
from harness.world.shapes import mask
from models.sphinx_x.corpus.marks.regions import Kind, Picture, Region

WORLDS: Final[Mapping[str, Kind]] = {
    "scene": "natural", "sign": "ocr", "page": "ocr", "chart": "document", "table": "document", "digits": "document",
}  # fmt: skip
"""Kind of world -> kind of picture."""


def world_pictures(seed: int) -> Iterator[Picture]:
    """Yield drawn pictures without end, kinds in turn."""
    kinds = list(WORLDS)
    for number in count():
        kind = kinds[number % len(kinds)]
        world = draw(kind, seed * 1_000_000_000 + number, "train")
        yield picture_of(world, f"{kind}-{number}", WORLDS[kind])


def picture_of(world: World, id: str, kind: Kind) -> Picture:
    """Return a drawn picture with its regions."""
    image = world.image
    regions = tuple(_REGIONS[type(world)](world))
    return Picture(id=id, kind=kind, width=image.width, height=image.height, regions=regions, load=image.copy)


def _region(name: str, box: Box) -> Region:
    return Region(name, (float(box.x0), float(box.y0), float(box.x1), float(box.y1)))


def _scene(scene: Scene) -> Iterator[Region]:
    for thing in scene.things:
        cover = np.zeros((scene.image.height, scene.image.width), dtype=np.bool_)
        cover[thing.box.y0 : thing.box.y1, thing.box.x0 : thing.box.x1] = mask(thing.shape, thing.box.width)
        whole = _region(f"{thing.size} {thing.colour} {thing.shape}", thing.box)
        yield Region(whole.name, whole.box, cover)


def _table(table: Table) -> Iterator[Region]:
    for row, boxes in zip(table.rows, table.boxes, strict=True):
        yield from (_region(cell, box) for cell, box in zip(row, boxes, strict=True))


_REGIONS: Final[Mapping[type[Any], Callable[[Any], Iterator[Region]]]] = {
    Scene: _scene,
    Sign: lambda sign: (_region(glyph.char, glyph.box) for glyph in sign.glyphs),
    Page: lambda page: (_region(field.value, field.box) for field in page.fields),
    Chart: lambda chart: (_region(f"{bar.colour} bar of {bar.name}", bar.box) for bar in chart.bars),
    Table: _table,
    Digits: lambda digits: (_region(str(number), box) for number, box in zip(digits.numbers, digits.boxes, strict=True)),
}

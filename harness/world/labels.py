"""Dense labels: what each cell of a picture shows, for pretraining an encoder that sees before it is asked anything.

A cell shows the thing, bar or glyph that its middle lies in; offsets and sizes let a head point to the whole of it. What is
looked up by a name (a field's value, a bar, a cell of a table) also carries that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.world.facts import Box, Chart, Clip, Glyph, Page, Scene, Table, World
from harness.world.font import ALPHABET
from harness.world.palette import COLOURS, SHAPES
from harness.world.words import NAMES

CLASSES: Final[tuple[str, ...]] = ("nothing", *SHAPES, "bar")
"""Names of `DenseLabels.kind`."""

KEYS: Final[tuple[str, ...]] = ("", *NAMES, *ALPHABET)
"""Names of `DenseLabels.key` and `DenseLabels.column`: a field's name, or the letter of a bar, a row or a column."""

UNNAMED: Final = -100
"""Kind or colour of a thing that has none among `CLASSES` and `COLOURS` (motley scenes); losses leave it out."""

Mark = tuple[Box, int, int, int, int, int]
"""Box, kind, colour, char, key and column of something drawn."""

Grid = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class DenseLabels:
    """Whole-number grids [height / cell, width / cell] (rounded up); 0 is "nothing" in all but offsets and sizes.

    Attributes:
        kind: index into `CLASSES`, or `UNNAMED` for a thing of another kind.
        colour: 1 + index into `COLOURS`, or `UNNAMED`.
        char: 1 + index into `ALPHABET`.
        dx, dy: pixels from the cell's middle to the middle of what it shows.
        width, height: pixels of what it shows.
        key: index into `KEYS` of the field, bar or row that it belongs to.
        column: index into `KEYS` of a table's column that it belongs to.
    """

    kind: Grid
    colour: Grid
    char: Grid
    dx: Grid
    dy: Grid
    width: Grid
    height: Grid
    key: Grid
    column: Grid


def _marks(world: World) -> list[Mark]:
    """List all that is drawn, in the order of drawing."""
    names = tuple(COLOURS)
    if isinstance(world, Scene | Clip):
        things = world.things if isinstance(world, Scene) else (*world.others, world.thing)
        kinds = {name: index for index, name in enumerate(CLASSES)}
        colours = {name: index for index, name in enumerate(names, start=1)}
        return [(t.box, kinds.get(t.shape, UNNAMED), colours.get(t.colour, UNNAMED), 0, 0, 0) for t in things]
    marks: list[Mark] = [(glyph.box, 0, 0, 1 + ALPHABET.index(glyph.char), *_keys(world, glyph)) for glyph in world.glyphs]
    if isinstance(world, Chart):
        bar_kind = CLASSES.index("bar")
        marks += [(bar.box, bar_kind, 1 + names.index(bar.colour), 0, KEYS.index(bar.name), 0) for bar in world.bars]
    return marks


def _keys(world: World, glyph: Glyph) -> tuple[int, int]:
    """Key and column that a glyph belongs to."""
    x, y = glyph.box.centre
    if isinstance(world, Page):
        return next((KEYS.index(field.name) for field in world.fields if field.box.y0 <= y < field.box.y1), 0), 0
    if isinstance(world, Chart):
        return next((KEYS.index(bar.name) for bar in world.bars if bar.box.x0 - 2 <= x <= bar.box.x1 + 2), 0), 0
    if isinstance(world, Table):
        row = next(
            (KEYS.index(n) for n, cells in zip(world.names, world.boxes, strict=True) if cells[0].y0 <= y < cells[0].y1), 0
        )
        heads = zip(world.columns, world.boxes[0], strict=True)
        return row, next((KEYS.index(column) for column, cell in heads if cell.x0 <= x < cell.x1), 0)
    return 0, 0


_FIELDS: Final = ("kind", "colour", "char", "dx", "dy", "width", "height", "key", "column")


def dense_labels(world: World, cell_px: int) -> DenseLabels:
    """Label the cells of a picture (a clip's first frame). Raises ValueError if ``cell_px`` is below 1."""
    if cell_px < 1:
        raise ValueError(f"cell_px={cell_px} must be at least 1")
    width, height = world.image.size
    shape = (-(-height // cell_px), -(-width // cell_px))
    grids = {name: np.zeros(shape, dtype=np.int16) for name in _FIELDS}
    x = np.arange(shape[1]) * cell_px + cell_px / 2
    y = np.arange(shape[0]) * cell_px + cell_px / 2
    for box, *named in _marks(world):
        columns = slice(*np.searchsorted(x, (box.x0, box.x1)).tolist())
        rows = slice(*np.searchsorted(y, (box.y0, box.y1)).tolist())
        where = (rows, columns)
        for field, value in zip(("kind", "colour", "char", "key", "column"), named, strict=True):
            grids[field][where] = value
        middle_x, middle_y = box.centre
        grids["dx"][where] = np.round(middle_x - x[columns])[None, :]
        grids["dy"][where] = np.round(middle_y - y[rows])[:, None]
        grids["width"][where], grids["height"][where] = box.width, box.height
    return DenseLabels(**grids)

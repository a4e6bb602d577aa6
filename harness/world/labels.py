"""Dense labels: what each cell of a picture shows, for pretraining an encoder that sees before it is asked anything.

A cell shows the thing, bar or glyph that its middle lies in; offsets and sizes let a head point to the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.world.facts import Box, Chart, Clip, Scene, World
from harness.world.font import ALPHABET
from harness.world.palette import COLOURS, SHAPES

CLASSES: Final[tuple[str, ...]] = ("nothing", *SHAPES, "bar")
"""Names of `DenseLabels.kind`."""

Grid = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class DenseLabels:
    """Whole-number grids [height / cell, width / cell] (rounded up); 0 is "nothing" in the first three.

    Attributes:
        kind: index into `CLASSES`.
        colour: 1 + index into `COLOURS`.
        char: 1 + index into `ALPHABET`.
        dx, dy: pixels from the cell's middle to the middle of what it shows.
        width, height: pixels of what it shows.
    """

    kind: Grid
    colour: Grid
    char: Grid
    dx: Grid
    dy: Grid
    width: Grid
    height: Grid


def _marks(world: World) -> list[tuple[Box, int, int, int]]:
    """List (box, kind, colour, char) of all that is drawn, in the order of drawing."""
    names = tuple(COLOURS)
    if isinstance(world, Scene | Clip):
        things = world.things if isinstance(world, Scene) else (*world.others, world.thing)
        return [(t.box, CLASSES.index(t.shape), 1 + names.index(t.colour), 0) for t in things]
    marks = [(glyph.box, 0, 0, 1 + ALPHABET.index(glyph.char)) for glyph in world.glyphs]
    if isinstance(world, Chart):
        marks += [(bar.box, CLASSES.index("bar"), 1 + names.index(bar.colour), 0) for bar in world.bars]
    return marks


def dense_labels(world: World, cell_px: int) -> DenseLabels:
    """Label the cells of a picture (a clip's first frame). Raises ValueError if ``cell_px`` is below 1."""
    if cell_px < 1:
        raise ValueError(f"cell_px={cell_px} must be at least 1")
    width, height = world.image.size
    shape = (-(-height // cell_px), -(-width // cell_px))
    grids = {name: np.zeros(shape, dtype=np.int16) for name in ("kind", "colour", "char", "dx", "dy", "width", "height")}
    x = np.arange(shape[1]) * cell_px + cell_px / 2
    y = np.arange(shape[0]) * cell_px + cell_px / 2
    for box, kind, colour, char in _marks(world):
        columns = slice(*np.searchsorted(x, (box.x0, box.x1)).tolist())
        rows = slice(*np.searchsorted(y, (box.y0, box.y1)).tolist())
        where = (rows, columns)
        grids["kind"][where], grids["colour"][where], grids["char"][where] = kind, colour, char
        middle_x, middle_y = box.centre
        grids["dx"][where] = np.round(middle_x - x[columns])[None, :]
        grids["dy"][where] = np.round(middle_y - y[rows])[:, None]
        grids["width"][where], grids["height"][where] = box.width, box.height
    return DenseLabels(**grids)

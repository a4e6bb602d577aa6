"""A picture with named regions, whatever it comes from: natural, a screen, a page of text, a document, or several panels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.boxes import Box

Kind = Literal["natural", "screen", "ocr", "document", "panels"]
"""The five kinds of pictures of the paper's table 9; a kind decides how things are called in questions."""

Cover = NDArray[np.bool_]
"""[height, width]: which pixels belong to something."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A named part of a picture.

    Attributes:
        name: what it shows, or the text it holds.
        box: corners in pixels.
        mask: its pixels, [height, width] of the picture; None if the whole box belongs to it.
    """

    name: str
    box: Box
    mask: Cover | None = None

    def cover(self, width: int, height: int) -> Cover:
        """Return its pixels in a picture of this size; of a box those that it touches."""
        if self.mask is not None:
            return self.mask
        x1, y1, x2, y2 = self.box
        cover = np.zeros((height, width), dtype=np.bool_)
        cover[max(math.floor(y1), 0) : max(math.ceil(y2), 0), max(math.floor(x1), 0) : max(math.ceil(x2), 0)] = True
        return cover


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One picture with its regions.

    Attributes:
        id: names it within its source.
        kind: decides how questions call things.
        width: in pixels.
        height: in pixels.
        regions: in any order.
        load: reads the pixels; raises OSError if they cannot be read.
    """

    id: str
    kind: Kind
    width: int
    height: int
    regions: tuple[Region, ...]
    load: Callable[[], Image.Image] = field(repr=False)


def masked(name: str, mask: Cover) -> Region | None:
    """Return the region of a mask with the box around it, or None if the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Region(name, box, mask)

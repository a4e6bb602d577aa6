"""Several pictures in one, side by side or two by two, whose regions say in which panel they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
from PIL import Image

from models.sphinx_x.corpus.marks.regions import Picture, Region

PLACES: Final = {2: ("left", "right"), 4: ("top left", "top right", "bottom left", "bottom right")}
"""Number of panels -> where they are, row by row; two in a row."""

GAP_SHARE: Final = 0.03
"""Width of the white between panels, as a share of a panel's longer side."""


def panelled(pictures: Iterable[Picture], panels: int) -> Iterator[Picture]:
    """Yield pictures of ``panels`` panels each (2 or 4); those left over at the end are left out."""
    rest = iter(pictures)
    while len(group := list(islice(rest, panels))) == panels:
        yield join(group)


def join(pictures: Sequence[Picture]) -> Picture:
    """Put 2 or 4 pictures into one, each at the top left of a panel that is as large as the largest of them."""
    width, height = max(one.width for one in pictures), max(one.height for one in pictures)
    gap = max(round(GAP_SHARE * max(width, height)), 1)
    corners = [((n % 2) * (width + gap), (n // 2) * (height + gap)) for n in range(len(pictures))]
    size = (2 * width + gap, (len(pictures) // 2) * (height + gap) - gap)

    def load() -> Image.Image:
        sheet = Image.new("RGB", size, "white")
        for one, corner in zip(pictures, corners, strict=True):
            sheet.paste(one.load(), corner)
        return sheet

    regions = [
        _moved(region, place, corner, size)
        for one, place, corner in zip(pictures, PLACES[len(pictures)], corners, strict=True)
        for region in one.regions
    ]
    name = "+".join(one.id for one in pictures)
    return Picture(id=name, kind="panels", width=size[0], height=size[1], regions=tuple(regions), load=load)


def _moved(region: Region, place: str, corner: tuple[int, int], size: tuple[int, int]) -> Region:
    x, y = corner
    x1, y1, x2, y2 = region.box
    cover = None
    if region.mask is not None:
        cover = np.zeros((size[1], size[0]), dtype=np.bool_)
        cover[y : y + region.mask.shape[0], x : x + region.mask.shape[1]] = region.mask
    return Region(f"{region.name} in the {place} panel", (x1 + x, y1 + y, x2 + x, y2 + y), cover)

"""Where marks stand: a point in each region, far from its border and from smaller regions, and how marks are numbered.

Algorithm 1 of Yang et al. (arXiv 2310.11441): regions from the smallest to the largest; of each, what smaller regions cover is
taken away; the mark stands where the distance transform of the rest is greatest. So a large region never takes the place of a
small one on top of it. As there, the label of a region that it would hide is drawn beside the region; its point stays inside.
Beyond the paper: places where the drawn label would overlap a label that already stands are left out as long as the region has
others, and a region without a pixel of its own gets no mark.

Numbers follow reading order, so they do not depend on the order in which regions are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.boxes import Box
from models.sphinx_x.corpus.marks.regions import Cover, Region

FONT_SHARE = 0.035
"""Height of a label's digits as a share of the picture's longer side."""

FONT_PX = (8, 40)
"""Least and greatest height of digits."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMark:
    """A numbered mark.

    Attributes:
        number: from 1, in reading order.
        region: what it stands for.
        point: (x, y) in pixels, the middle of a pixel of the region.
        room: distance in pixels from the point to the nearest pixel that is not the region's own.
        label: box of the label when it is drawn: around the point, or beside a region that it would hide; within the picture.
    """

    number: int
    region: Region
    point: tuple[float, float]
    room: float
    label: Box


@dataclass(frozen=True, slots=True)
class LabelSize:
    """Width and height of every label of a picture, and the height of its digits, in pixels."""

    width: float
    height: float
    font: int


def label_size(regions: Sequence[Region], width: int, height: int) -> LabelSize:
    """Return how large the labels of a picture are: no higher than half of its regions, so that lines of text get small ones."""
    count, sides = len(regions), sorted(min(one.box[2] - one.box[0], one.box[3] - one.box[1]) for one in regions)
    wanted = min(FONT_SHARE * max(width, height), 0.85 * sides[count // 2] if sides else 0.0)
    font = min(max(round(wanted), FONT_PX[0]), FONT_PX[1])
    return LabelSize(width=0.62 * font * len(str(count)) + 0.4 * font, height=1.15 * font, font=font)


def place_marks(regions: Sequence[Region], width: int, height: int, hides: float = 0.35) -> tuple[PlacedMark, ...]:
    """Return a mark for each region that has a pixel of its own, by number.

    Args:
        regions: in any order; the order does not matter.
        width: of the picture in pixels.
        height: of the picture in pixels.
        hides: share of a region's pixels that its label may cover before it is drawn beside it.
    """
    size = label_size(regions, width, height)
    taken = np.zeros((height, width), dtype=np.bool_)
    labels: list[Box] = []
    placed: list[tuple[Region, tuple[float, float], float, Box]] = []
    covers = [(region, region.cover(width, height)) for region in regions]
    anything = np.logical_or.reduce([taken, *(cover for _, cover in covers)])
    for region, cover in sorted(covers, key=lambda pair: _rank(*pair)):
        found = _point(cover & ~taken, labels, size)
        taken |= cover
        if found is not None:
            point, room = found
            centred = _label(point, size, width, height)
            too_much = _covered(centred, cover) > hides * cover.sum()
            labels.append(_beside(region.box, centred, labels, size, anything) if too_much else centred)
            placed.append((region, point, room, labels[-1]))
    order = _reading([point for _, point, _, _ in placed], size.height / 2)
    return tuple(PlacedMark(number, *placed[index]) for number, index in enumerate(order, start=1))


def _reading(points: Sequence[tuple[float, float]], slack: float) -> list[int]:
    """Return the indices of points row by row; a row is what lies at most ``slack`` below its first point."""
    rows: list[list[int]] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i][1], points[i][0])):
        if rows and points[index][1] <= points[rows[-1][0]][1] + slack:
            rows[-1].append(index)
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda i: points[i])]


def _rank(region: Region, cover: Cover) -> tuple[int, Box, str]:
    """Smaller regions first; the rest makes the order the same whatever order they come in."""
    return int(cover.sum()), region.box, region.name


def _point(own: Cover, labels: Sequence[Box], size: LabelSize) -> tuple[tuple[float, float], float] | None:
    """Return the innermost pixel, among those where no label would be overlapped if there are any, and its room."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    cut = own[top : rows[-1] + 1, left : columns[-1] + 1]
    room = _distances(cut)
    free = cut & ~_blocked(cut.shape, (left, top), (own.shape[1], own.shape[0]), labels, size)
    allowed = np.where(free if free.any() else cut, room, 0.0)
    best = np.argwhere(allowed >= allowed.max() - 1e-9)
    row, column = best[((best - best.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist()  # the middle of a ridge, not its end
    return (left + column + 0.5, top + row + 0.5), float(room[row, column])


def _distances(own: Cover) -> NDArray[np.float64]:
    """Return each pixel's distance to the nearest that is not set; the picture's border counts as not set."""
    from scipy.ndimage import distance_transform_edt

    found: NDArray[np.float64] = distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    return found


def _blocked(
    shape: tuple[int, ...], corner: tuple[int, int], picture: tuple[int, int], labels: Sequence[Box], size: LabelSize
) -> Cover:
    """Return at which pixels of a cut-out a label would overlap one of ``labels``."""
    blocked = np.zeros(shape, dtype=np.bool_)
    left = _start(np.arange(shape[1], dtype=np.float64) + (corner[0] + 0.5), size.width, picture[0])
    top = _start(np.arange(shape[0], dtype=np.float64) + (corner[1] + 0.5), size.height, picture[1])
    for x1, y1, x2, y2 in labels:
        across = (left < x2) & (left + size.width > x1)
        down = (top < y2) & (top + size.height > y1)
        blocked |= down[:, None] & across[None, :]
    return blocked


def _label(point: tuple[float, float], size: LabelSize, width: int, height: int) -> Box:
    x, y = (
        float(_start(np.array(at), length, limit))
        for at, length, limit in ((point[0], size.width, width), (point[1], size.height, height))
    )
    return x, y, x + size.width, y + size.height


def _beside(box: Box, centred: Box, labels: Sequence[Box], size: LabelSize, anything: Cover) -> Box:
    """Return the place next to a region that hides least of any region and no label; ``centred`` if there is none."""
    height, width = anything.shape
    x1, y1, x2, y2 = box
    x, y = (x1 + x2 - size.width) / 2, (y1 + y2 - size.height) / 2
    starts = ((x1 - size.width - 1, y), (x2 + 1, y), (x, y1 - size.height - 1), (x, y2 + 1))
    places = [(left, top, left + size.width, top + size.height) for left, top in starts]
    free = [
        place
        for place in places
        if place[0] >= 0 and place[1] >= 0 and place[2] <= width and place[3] <= height
        if not any(_overlap(place, label) for label in labels)
    ]
    return min(free, key=lambda place: _covered(place, anything), default=centred)


def _covered(label: Box, cover: Cover) -> int:
    x1, y1, x2, y2 = label
    return int(cover[int(y1) : math.ceil(y2), int(x1) : math.ceil(x2)].sum())


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _start(middle: NDArray[np.float64], length: float, limit: int) -> NDArray[np.float64]:
    """Return where a label around ``middle`` begins so that it stays inside of the picture."""
    return np.clip(middle - length / 2, 0.0, max(limit - length, 0.0))

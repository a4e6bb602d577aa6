"""Where a picture lies in its padded square, which of its views are all padding, and how many positions it takes in a prompt.

Not here: pixels (``tiling``). The choice a reader may question: emptiness of a tile is decided from the geometry of the padding,
never from pixels, because a resized border bleeds and the published padding colour is not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.sphinx_x.axes import Variant


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in its padded square: all in pixels of the original picture."""

    side: int
    left: int
    top: int
    width: int
    height: int


def place(width: int, height: int, variant: Variant) -> Placement:
    """Placement of a picture of this size: centred (remainder after the content) or in the top left corner."""
    side = max(width, height)
    centred = variant.padding == "centre"
    left, top = ((side - width) // 2, (side - height) // 2) if centred else (0, 0)
    return Placement(side, left, top, width, height)


def empty_views(width: int, height: int, variant: Variant, *, tiles: bool = True) -> tuple[bool, ...]:
    """One flag a view (global first): whether no pixel of the picture falls into it.

    All are false without a skip token; without tiles there is only the global view.
    """
    if not tiles:
        return (False,)
    if variant.skip_token == "none":
        return (False,) * variant.views
    return (False, *empty_tiles(place(width, height, variant), variant.grid))


def empty_tiles(at: Placement, grid: int) -> tuple[bool, ...]:
    """One flag a tile of ``grid`` x ``grid``, row-major: whether no pixel of the picture falls into it."""
    flags: list[bool] = []
    for row in range(grid):
        for column in range(grid):
            left, right = at.side * column / grid, at.side * (column + 1) / grid
            top, bottom = at.side * row / grid, at.side * (row + 1) / grid
            inside = left < at.left + at.width and right > at.left and top < at.top + at.height and bottom > at.top
            flags.append(not inside)
    return tuple(flags)


def shown(count: int, variant: Variant) -> list[int]:
    """Which of ``count`` pictures or frames of one prompt are shown: all, or evenly spaced ones from first to last."""
    most = variant.max_pictures
    if not most or count <= most:
        return list(range(count))
    return [round(index * (count - 1) / max(most - 1, 1)) for index in range(most)]


def tiled(count: int, variant: Variant) -> bool:
    """Whether each of ``count`` pictures of one prompt is shown by all its views, or by its global view only."""
    return count <= 1 or variant.several_images == "all"


def positions(sizes: Sequence[tuple[int, int]], variant: Variant) -> int:
    """Positions that pictures of these sizes (width, height) take together in one prompt."""
    tiles = tiled(len(sizes), variant)
    return sum(
        variant.skip_tokens if empty else variant.view_tokens(view)
        for index in shown(len(sizes), variant)
        for view, empty in enumerate(empty_views(*sizes[index], variant, tiles=tiles))
    )

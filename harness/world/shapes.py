"""How the shapes look: one boolean mask a shape and side length, computed once from inequalities.

Masks are hard-edged: every pixel of a thing has exactly its colour, and every mask touches all four sides of its box, so
that boxes are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Axis = NDArray[np.float64]


def _polygon(x: Axis, y: Axis, corners: list[tuple[float, float]]) -> Mask:
    """Return which points lie inside a polygon, by the even-odd rule."""
    inside = np.zeros(x.shape, dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (y0 > y) != (y1 > y)
        if y0 != y1:
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _star(x: Axis, y: Axis) -> Mask:
    angles = np.pi * (np.arange(10) / 5 - 0.5)
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    px, py = radii * np.cos(angles), radii * np.sin(angles)
    px, py = px / np.abs(px).max(), (py - py.min()) / np.ptp(py) * 2 - 1  # stretched to fill the box
    return _polygon(x, y, list(zip(px.tolist(), py.tolist(), strict=True)))


def _heart(x: Axis, y: Axis) -> Mask:
    lobes = (np.abs(x) - 0.5) ** 2 / 0.25 + (y + 0.45) ** 2 / 0.3025 <= 1
    return lobes | ((y > -0.35) & (np.abs(x) * 1.32 + (y + 0.35) * 0.985 < 1.33) & (np.abs(x) <= 1))


def _stretched(inside: Mask) -> Mask:
    """Stretch a shape to the sides of its square; thin tips fall between the pixels otherwise."""
    side = inside.shape[0]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    steps = np.arange(side)
    return inside[np.ix_(rows[0] + steps * len(rows) // side, columns[0] + steps * len(columns) // side)]


@lru_cache(maxsize=256)
def mask(shape: str, side_px: int) -> Mask:
    """Return the pixels of a shape: [side_px, side_px]. Raises ValueError for an unknown shape."""
    axis = (np.arange(side_px) + 0.5) / side_px * 2 - 1
    x, y = np.meshgrid(axis, axis)
    if shape not in _INSIDE:
        raise ValueError(f"the mini world has no shape {shape!r}; it has {', '.join(_INSIDE)}")
    return _stretched(_INSIDE[shape](x, y))


_INSIDE: Final[dict[str, Callable[[Axis, Axis], Mask]]] = {
    "circle": lambda x, y: x * x + y * y <= 1,
    "square": lambda x, y: np.ones(x.shape, dtype=np.bool_),
    "triangle": lambda x, y: np.abs(x) <= (y + 1) / 2,
    "star": _star,
    "cross": lambda x, y: (np.abs(x) <= 0.34) | (np.abs(y) <= 0.34),
    "ring": lambda x, y: (x * x + y * y <= 1) & (x * x + y * y >= 0.3),
    "heart": _heart,
    "diamond": lambda x, y: np.abs(x) + np.abs(y) <= 1,
    # of training only
    "moon": lambda x, y: (x * x + y * y <= 1) & ((x - 0.55) ** 2 + y * y >= 0.6),
    "arrow": lambda x, y: np.where(x > 0, np.abs(y) <= 1 - x, np.abs(y) <= 0.36),
    "house": lambda x, y: np.where(y < -0.1, np.abs(x) <= (y + 1) / 0.9, np.abs(x) <= 0.72),
    "hourglass": lambda x, y: np.abs(x) <= np.abs(y) + 0.06,
    "flag": lambda x, y: (x <= -0.6) | (y <= 0.2),
    "corner": lambda x, y: (x <= -0.3) | (y >= 0.3),
    "arch": lambda x, y: np.where(y < 0, x * x + y * y <= 1, np.abs(x) <= 1) & ((np.abs(x) >= 0.5) | (y < -0.35)),
    "bow": lambda x, y: np.abs(y) <= np.abs(x) + 0.06,
}
"""Which points belong to a shape, x to the right and y down, both from -1 to 1."""

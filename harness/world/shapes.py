"""How the eight shapes look: one boolean mask a shape and side length, computed once from inequalities.

Masks are hard-edged: every pixel of a thing has exactly its colour, and every mask touches all four sides of its box, so
that boxes are exact.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def _polygon(x: NDArray[np.float64], y: NDArray[np.float64], corners: list[tuple[float, float]]) -> Mask:
    """Return which points lie inside a polygon, by the even-odd rule."""
    inside = np.zeros(x.shape, dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (y0 > y) != (y1 > y)
        if y0 != y1:
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _star(x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
    angles = np.pi * (np.arange(10) / 5 - 0.5)
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    px, py = radii * np.cos(angles), radii * np.sin(angles)
    px, py = px / np.abs(px).max(), (py - py.min()) / np.ptp(py) * 2 - 1  # stretched to fill the box
    return _polygon(x, y, list(zip(px.tolist(), py.tolist(), strict=True)))


def _heart(x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
    lobes = (np.abs(x) - 0.5) ** 2 / 0.25 + (y + 0.45) ** 2 / 0.3025 <= 1
    return lobes | ((y > -0.35) & (np.abs(x) * 1.32 + (y + 0.35) * 0.985 < 1.33) & (np.abs(x) <= 1))


@lru_cache(maxsize=256)
def mask(shape: str, side_px: int) -> Mask:
    """Return the pixels of a shape: [side_px, side_px]. Raises ValueError for an unknown shape."""
    axis = (np.arange(side_px) + 0.5) / side_px * 2 - 1
    x, y = np.meshgrid(axis, axis)
    if shape == "circle":
        return x * x + y * y <= 1
    if shape == "ring":
        return (x * x + y * y <= 1) & (x * x + y * y >= 0.3)
    if shape == "square":
        return np.ones((side_px, side_px), dtype=np.bool_)
    if shape == "diamond":
        return np.abs(x) + np.abs(y) <= 1 + 0.5 / side_px
    if shape == "triangle":
        return np.abs(x) <= (y + 1) / 2 + 0.5 / side_px
    if shape == "cross":
        return (np.abs(x) <= 0.34) | (np.abs(y) <= 0.34)
    if shape == "star":
        return _star(x, y)
    if shape == "heart":
        return _heart(x, y)
    raise ValueError(f"the mini world has no shape {shape!r}")

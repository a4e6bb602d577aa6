"""The order in which people read the lines of a page: columns from left to right, each from top to bottom.

A variant of the recursive X-Y cut (Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR 1984) over
lines of text instead of ink. A cut across the page is made only where columns end, so that paragraphs which happen to begin
at the same height in two columns are not read alternately. Sides of a column cut must be wide enough to hold running text,
so a table is read row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from harness.boxes import Box

GUTTER_HEIGHTS = 0.6
"""Least width of the white between columns, in heights of a line."""

COLUMN_SHARE = 0.18
"""Least width of a column (median of its lines) as a share of the width of the page's print."""

Span = tuple[float, float]


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Return the indices of line boxes in reading order; equal boxes keep the order in which they come."""
    if not boxes:
        return []
    gutter = GUTTER_HEIGHTS * median(box[3] - box[1] for box in boxes)
    column = COLUMN_SHARE * (max(box[2] for box in boxes) - min(box[0] for box in boxes))
    return _ordered(list(range(len(boxes))), boxes, gutter, column)


def _ordered(indices: list[int], boxes: Sequence[Box], gutter: float, column: float) -> list[int]:
    """Emit bands of columns, and rows between them, from top to bottom."""
    rows = _rows(indices, boxes)
    order: list[int] = []
    at = 0
    while at < len(rows):
        end, sides = _band(rows, at, boxes, gutter, column)
        if sides is None:
            order += _row(rows[at], boxes)
        else:
            for side in sides:
                order += _ordered(side, boxes, gutter, column)
        at = end
    return order


def _rows(indices: Sequence[int], boxes: Sequence[Box]) -> list[list[int]]:
    """Group lines whose heights overlap, directly or by way of others, from top to bottom."""
    rows: list[list[int]] = []
    bottom = float("-inf")
    for index in sorted(indices, key=lambda i: (boxes[i][1], boxes[i][0], i)):
        top, low = boxes[index][1], boxes[index][3]
        slack = 0.25 * (low - top)  # accents and brackets reach into the line above
        if rows and top < bottom - slack:
            rows[-1].append(index)
        else:
            rows.append([index])
        bottom = max(bottom, low) if len(rows[-1]) > 1 else low
    return rows


def _band(
    rows: Sequence[list[int]], at: int, boxes: Sequence[Box], gutter: float, column: float
) -> tuple[int, tuple[list[int], list[int]] | None]:
    """Return the end of the longest run of rows from ``at`` with columns, and the two sides of its widest gutter."""
    found: tuple[int, Span] | None = None
    covered: list[Span] = []
    for end in range(at, len(rows)):
        covered = _merged(covered + [(boxes[i][0], boxes[i][2]) for i in rows[end]])
        gap = _widest_gap(covered)
        if gap and gap[1] - gap[0] >= gutter:
            found = end + 1, gap
    if found is None:
        return at + 1, None
    end, gap = found
    lines = [index for row in rows[at:end] for index in row]
    left = [index for index in lines if boxes[index][2] <= gap[0]]
    right = [index for index in lines if boxes[index][0] >= gap[1]]
    if all(_is_column(side, boxes, column) for side in (left, right)):
        return end, (left, right)
    return at + 1, None


def _is_column(side: Sequence[int], boxes: Sequence[Box], column: float) -> bool:
    return len(side) > 1 and median(boxes[i][2] - boxes[i][0] for i in side) >= column


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def _widest_gap(covered: Sequence[Span]) -> Span | None:
    gaps = [(one[1], two[0]) for one, two in pairwise(covered)]
    return max(gaps, key=lambda gap: gap[1] - gap[0], default=None)


def _row(row: Sequence[int], boxes: Sequence[Box]) -> list[int]:
    """Sort one row into printed lines (those that share half of their height), each from left to right."""
    lines: list[list[int]] = []
    for index in sorted(row, key=lambda i: (boxes[i][1] + boxes[i][3], i)):
        middle = (boxes[index][1] + boxes[index][3]) / 2
        if lines and boxes[lines[-1][0]][1] <= middle <= boxes[lines[-1][0]][3]:
            lines[-1].append(index)
        else:
            lines.append([index])
    return [index for line in lines for index in sorted(line, key=lambda i: (boxes[i][0], i))]

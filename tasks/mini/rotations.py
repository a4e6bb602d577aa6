"""Writes tables of questions in all rotations of their options, as MMBench and CCBench have them.

The first rows hold the questions as they are, with pictures; the rotated rows follow (index + k * 1,000,000) and point to the
picture's row by its index, the short form that VLMEvalKit's files use.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import Image

from tasks.mini.draws import Options, encoded

ROTATION: Final = 1_000_000


@dataclass(frozen=True)
class Turned:
    """A question with its options; ``more`` holds the columns that only one table has."""

    image: Image.Image
    question: str
    options: Options
    category: str
    more: Mapping[str, str] = field(default_factory=dict)


def write_table(path: Path, columns: Sequence[str], items: Sequence[Turned]) -> None:
    """Write a TSV file with these columns (blank where a question has nothing for one)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", restval="")
        table.writeheader()
        for k in range(4):
            for index, item in enumerate(items):
                if k < len(item.options.texts):
                    picture = str(index) if k else base64.b64encode(encoded(item.image)).decode()
                    own = {"index": str(index + k * ROTATION), "question": item.question, "category": item.category}
                    table.writerow({**item.more, **own, **_rotated(item.options, k), "image": picture, "source": "mini world"})


def _rotated(mixed: Options, k: int) -> dict[str, str]:
    """Shift the options by ``k``; the columns of those there are, and the letter of the answer."""
    shifted = mixed.texts[k:] + mixed.texts[:k]
    return {**dict(zip("ABCD", shifted, strict=False)), "answer": "ABCD"[(mixed.right - k) % len(shifted)]}

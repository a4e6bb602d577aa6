"""CCBench in small: its table, with questions about shapes instead of Chinese culture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.mini.chinese import in_chinese
from tasks.mini.closed import asked
from tasks.mini.rotations import Turned, write_table
from tasks.mini.sizes import Size

_COLUMNS: Final = ("index", "question", "A", "B", "C", "D", "answer", "category", "image", "source")
_CATEGORIES: Final = {"count": "sketch_reasoning", "side": "scenery_building"}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, each with all its rotations, below ``folder``; a kind of question is a part."""
    found = map(in_chinese, asked("ccbench", tuple(_CATEGORIES), seed, size))
    turned = [Turned(one.image, one.asked_by("ccbench"), one.options, _CATEGORIES[one.kind]) for one in found]
    write_table(folder / "CCBench.tsv", _COLUMNS, turned)

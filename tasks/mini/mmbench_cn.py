"""MMBench dev CN in small: as MMBench EN, in Chinese."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.mini.chinese import in_chinese
from tasks.mini.closed import asked
from tasks.mini.mmbench_en import COLUMNS
from tasks.mini.rotations import Turned, write_table
from tasks.mini.sizes import Size

_CATEGORIES: Final = {
    "count": ("object_localization", "finegrained_perception (instance-level)"),
    "side": ("spatial_relationship", "finegrained_perception (cross-instance)"),
    "colour": ("attribute_recognition", "finegrained_perception (instance-level)"),
}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, each with all its rotations, below ``folder``; a kind of question is a part."""
    turned = []
    for one in map(in_chinese, asked("mmbench_cn", tuple(_CATEGORIES), seed, size)):
        category, l2 = _CATEGORIES[one.kind]
        turned.append(Turned(one.image, one.asked_by("mmbench_cn"), one.options, category, {"l2-category": l2, "split": "dev"}))
    write_table(folder / "mmbench_dev_cn_20231003.tsv", COLUMNS, turned)

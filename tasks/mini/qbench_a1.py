"""Q-Bench A1 in small: its file, with questions about shapes instead of a picture's quality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tasks.mini.closed import asked
from tasks.mini.draws import encoded
from tasks.mini.sizes import Size

_KINDS: Final = {"there": ("yes-or-no", "global others"), "count": ("how", "global others"), "colour": ("what", "local others")}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the types are the parts."""
    (folder / "images").mkdir()
    records = []
    for number, one in enumerate(asked("qbench_a1", tuple(_KINDS), seed, size)):
        (folder / "images" / f"{number:05d}.png").write_bytes(encoded(one.image))
        of_type, concern = _KINDS[one.kind]
        given = {"question": one.asked_by("qbench_a1"), "candidates": list(one.options.texts), "correct_ans": one.answer}
        records.append({"img_path": f"{number:05d}.png", **given, "type": of_type, "concern": concern})
    (folder / "llvisionqa_dev.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

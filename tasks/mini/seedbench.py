"""SEED-Bench in small: one JSON file, pictures without a suffix, and a question about a clip that the image task leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tasks.mini.closed import asked
from tasks.mini.draws import encoded
from tasks.mini.sizes import Size

_TYPES: Final = {"count": 5, "side": 6}
_NAMES: Final = {"Instances Counting": 5, "Spatial Relation": 6, "Action Recognition": 10}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the kinds are the parts."""
    (folder / "SEED-Bench-image").mkdir()
    questions: list[dict[str, Any]] = []
    for number, one in enumerate(asked("seedbench", tuple(_TYPES), seed, size)):
        name = f"{number:06d}_0"
        (folder / "SEED-Bench-image" / name).write_bytes(encoded(one.image))
        choices = dict(zip(("choice_a", "choice_b", "choice_c", "choice_d"), one.options.texts, strict=True))
        about = {"answer": one.options.letter, "data_id": name, "data_type": "image", "question": one.asked_by("seedbench")}
        questions.append({**about, **choices, "question_id": str(101_669 + number), "question_type_id": _TYPES[one.kind]})
    clip = {**questions[0], "data_id": "1.webm", "data_type": "video", "question_id": "v0", "question_type_id": 10}
    whole = {"questions": [clip, *questions], "question_type": _NAMES}
    (folder / "SEED-Bench.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")

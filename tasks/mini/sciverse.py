"""SciVerse in small: questions on drawings in five versions, which say more or less of what must be known, or show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from harness.prompts import option_lines
from tasks.mini.closed import KINDS
from tasks.mini.draws import encoded
from tasks.mini.findings import dealt
from tasks.mini.shown import printed
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_SUBJECTS: Final = {"side": "physics", "colour": "chemistry", "count": "biology"}
_LEVELS: Final = ("lite", "rich", "professional")


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the problems below ``folder``, five questions each; the subjects are the parts."""
    first, *others = size.split((1,) * len(_SUBJECTS), per=5)
    streams = [KINDS[kind]("sciverse", seed) for kind in _SUBJECTS]
    folders = ("Image", "Image_VisionDominant", "Image_VisionOnly")
    for name in folders:
        (folder / name).mkdir()
    rows = []
    for number, one in enumerate(dealt(streams, (max(first, 1), *others))):
        question, listed = one.asked_by("sciverse/lite"), option_lines(one.options.texts)
        pictures = (one.image, printed(one.image, question), printed(one.image, question, *listed.split("\n")))
        for name, picture in zip(folders, pictures, strict=True):
            (folder / name / f"{number}.png").write_bytes(encoded(picture))
        rows.append(
            {
                "id": str(number),
                "subject": _SUBJECTS[one.kind],
                **dict.fromkeys(("image", "vision_dominant", "vision_only"), f"{number}.png"),
                **{f"knowledge_{level}": one.asked_by(f"sciverse/{level}") for level in _LEVELS},
                "question_vd": wording("sciverse/shown"),
                **{f"choice{letter}": (*one.options.texts, "", "", "", "")[i] for i, letter in enumerate("ABCDE")},
                "answer": one.options.letter,
                "explanation": "",
            }
        )
    (folder / "QA.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")

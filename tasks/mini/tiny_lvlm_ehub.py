"""TinyLVLM-eHub in small: a folder for each of the five abilities, with its questions and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import colours, counts, presence, sides, words
from tasks.mini.sizes import Size

_ABILITIES: Final = {
    "Visual_Reasoning": counts,
    "Visual_Perception": colours,
    "Visual_Knowledge_Acquisition": words,
    "Visual_Commonsense": sides,
    "Object_Hallucination": presence,
}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the abilities are the parts."""
    for (ability, stream), wanted in zip(_ABILITIES.items(), size.split((1,) * len(_ABILITIES)), strict=True):
        own = folder / "updated_datasets" / ability
        own.mkdir(parents=True)
        records = []
        for number, one in zip(range(wanted), stream("tiny_lvlm_ehub", seed), strict=False):
            (own / f"{number:02d}.png").write_bytes(encoded(one.image))
            asked = {"question": one.asked_by("tiny_lvlm_ehub"), "gt_answers": one.answer, "image_path": f"{number:02d}.png"}
            records.append({**asked, "task_type": ability, "question_id": f"{number:06d}"})
        (own / "dataset.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

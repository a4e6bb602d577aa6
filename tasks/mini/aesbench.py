"""AesBench in small: its file, with three questions about the shapes of each picture instead of its beauty."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.world import Dice
from tasks.mini.draws import NUMBER_WORDS, encoded, name_of, options, places
from tasks.mini.findings import related
from tasks.mini.shorts import MOST
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_FEW, _SOME = 2, 3
"""Up to so many things are few, so many are some, more are many."""


def _part(question: str, texts: Sequence[str], letter: str) -> dict[str, Any]:
    return {
        "Question": question,
        "Options": "\n".join(f"{a}) {b}" for a, b in zip("ABCD", texts, strict=False)),
        "Answer": letter,
    }


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the pictures and their questions below ``folder``, at least one picture; there is one part."""
    (folder / "images").mkdir()
    dice, sides, whole = Dice("aesbench", seed, "eval"), ("left", "right", "above", "below"), {}
    turns = {part: places(dice, 4) for part in ("side", "count")}
    (pictures,) = size.split((1,), per=3)
    for number, (scene, thing, other, side) in enumerate(islice(related("aesbench", seed), max(1, pictures))):
        n = len(scene.things)
        where = options(dice, side, [one for one in sides if one != side], next(turns["side"]))
        lures = dice.sample([word for word in NUMBER_WORDS[1 : MOST + 1] if word != NUMBER_WORDS[n]], 3)
        many = options(dice, NUMBER_WORDS[n], lures, next(turns["count"]))
        level = "C" if n <= _FEW else "B" if n == _SOME else "A"
        (folder / "images" / f"{number}.png").write_bytes(encoded(scene.image))
        whole[f"{number}.png"] = {
            "AesP_data": _part(wording("aesbench/side", thing=name_of(thing), other=name_of(other)), where.texts, where.letter),
            "AesE_data": _part(wording("aesbench/count"), many.texts, many.letter),
            "AesA1_data": _part(wording("aesbench/level"), ("High", "Medium", "Low"), level),
            "AesI_data": {"Question": wording("aesbench/describe")},
        }
    (folder / "AesBench_evaluation.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")

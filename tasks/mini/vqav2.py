"""VQA v2 in small: is it there, how many are there, which colour has it? Each yes has its no about another picture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.mini.challenge import write_challenge
from tasks.mini.shorts import colours, counts, presence, taken
from tasks.mini.sizes import Size

_TYPES: Final = {"presence": ("is there a", "yes/no"), "count": ("how many", "number"), "colour": ("what color is the", "other")}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the types of answers are the parts."""
    asked = taken((presence, counts, colours), "vqav2", seed, size)
    write_challenge(folder, "v2_", "vqav2", asked, lambda one: _TYPES[one.kind])

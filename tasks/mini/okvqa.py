"""OK-VQA in small: how many straight sides a shape has, which its picture shows and its name alone would tell."""

from __future__ import annotations

from pathlib import Path

from tasks.mini.challenge import write_challenge
from tasks.mini.shorts import sides, taken
from tasks.mini.sizes import Size


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; there is one part."""
    write_challenge(folder, "", "okvqa", taken((sides,), "okvqa", seed, size), lambda one: ("eight", "other"))

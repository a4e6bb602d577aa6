"""MMVP in small: pairs of pictures of which one has a thing and the other not, with one question."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

from tasks.mini.closed import there
from tasks.mini.draws import encoded
from tasks.mini.sizes import Size


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``, at least a pair; there is one part."""
    (folder / "MMVP Images").mkdir()
    (pairs,) = size.split((1,), per=2)
    with (folder / "Questions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("Index", "Question", "Options", "Correct Answer"))
        for number, one in enumerate(islice(there("mmvp", seed), 2 * max(1, pairs)), start=1):
            (folder / "MMVP Images" / f"{number}.jpg").write_bytes(encoded(one.image, "JPEG"))
            listed = " ".join(f"({letter}) {text}" for letter, text in zip("ab", one.options.texts, strict=True))
            table.writerow((number, one.asked_by("mmvp"), listed, f"({one.options.letter.lower()})"))

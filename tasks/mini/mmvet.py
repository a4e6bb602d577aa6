"""MM-Vet in small: recognition, reading, and reading with arithmetic; the answers of a judge are not part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from harness.world import Digits
from tasks.mini.draws import encoded, worlds
from tasks.mini.findings import dealt
from tasks.mini.shorts import Short, colours, words
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Asked = tuple[Image.Image, str, str, list[str]]


def _asked(stream: Iterator[Short], capability: list[str]) -> Iterator[Asked]:
    return ((one.image, one.asked_by("mmvet"), one.answer, capability) for one in stream)


def _sums(seed: int) -> Iterator[Asked]:
    for one in worlds(Digits, "digits", "mmvet/sum", seed):
        if one.operator:
            yield one.image, wording("mmvet/sum"), str(one.result), ["ocr", "math"]


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the sets of capabilities are the parts."""
    streams = (_asked(colours("mmvet", seed), ["rec"]), _asked(words("mmvet", seed), ["ocr"]), _sums(seed))
    (folder / "images").mkdir()
    records = {}
    for number, (image, question, answer, capability) in enumerate(dealt(streams, size.split((1,) * len(streams)))):
        name = f"v1_{number}.png"
        (folder / "images" / name).write_bytes(encoded(image))
        asked = {"imagename": name, "question": question, "answer": answer}
        records[f"v1_{number}"] = {**asked, "capability": capability, "imagesource": "mini"}
    (folder / "mm-vet.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

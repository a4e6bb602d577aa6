"""BenchLMM in small: a style of each field, as drawn lines, as if by an infrared camera, and in a game."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

from harness.prompts import option_lines
from tasks.mini.closed import side
from tasks.mini.draws import encoded
from tasks.mini.shorts import counts, words
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Asked = tuple[Image.Image, str, str]


def _sketches(seed: int) -> Iterator[Asked]:
    for one in counts("benchlmm", seed):
        yield one.image.convert("RGB").filter(ImageFilter.CONTOUR), one.asked_by("benchlmm"), one.answer


def _infrared(seed: int) -> Iterator[Asked]:
    for one in words("benchlmm", seed):
        yield ImageOps.invert(ImageOps.grayscale(one.image)), one.asked_by("benchlmm"), f"{one.answer} / {one.answer.lower()}"


def _game(seed: int) -> Iterator[Asked]:
    for one in side("benchlmm", seed):
        asked = wording("benchlmm/side", steps=option_lines(one.options.texts, "({letter}) go {text}", " "), **one.fields)
        yield one.image, asked, f"({one.options.letter}) go {one.answer}"


def write(folder: Path, seed: int, size: Size) -> None:
    """Write a file of questions a style below ``folder``; the styles are the parts."""
    streams = {"style_sketch": _sketches(seed), "infrard": _infrared(seed), "game": _game(seed)}
    (folder / "jsonl").mkdir()
    for (style, stream), wanted in zip(streams.items(), size.split((1,) * len(streams)), strict=True):
        (folder / "images" / style).mkdir(parents=True)
        lines = []
        for number, (image, question, answer) in zip(range(max(wanted, 1)), stream, strict=False):
            (folder / "images" / style / f"{number}.png").write_bytes(encoded(image))
            row = {"question_id": number, "image": f"{number}.png", "text": question, "answer": answer}
            lines.append(json.dumps(row) + "\n")
        (folder / "jsonl" / f"Benchmark_{style}.jsonl").write_text("".join(lines), encoding="utf-8")

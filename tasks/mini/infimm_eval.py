"""InfiMM-Eval in small: a deduction and an abduction about one picture, an analogy between two; unlike theirs with answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tasks.mini.draws import encoded
from tasks.mini.findings import dealt
from tasks.mini.shorts import colours, counts, sides
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Asked = tuple[str, str, tuple[Image.Image, ...], str, str]


def _deductive(seed: int) -> Iterator[Asked]:
    for one in sides("infimm_eval", seed):
        yield "Deductive", "Moderate", (one.image,), wording("infimm_eval/sides"), str(int(one.answer) * 2)


def _abductive(seed: int) -> Iterator[Asked]:
    for one in colours("infimm_eval", seed):
        yield "Abductive", "High", (one.image,), one.asked_by("infimm_eval"), one.answer


def _analogical(seed: int) -> Iterator[Asked]:
    stream = counts("infimm_eval", seed)
    for first, second in zip(stream, stream, strict=False):
        total = str(int(first.answer) + int(second.answer))
        yield "Analogical", "Moderate", (first.image, second.image), first.asked_by("infimm_eval"), total


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the categories are the parts."""
    (folder / "images").mkdir()
    records = {}
    streams = (_deductive(seed), _abductive(seed), _analogical(seed))
    for number, (category, complexity, pictures, question, answer) in enumerate(
        dealt(streams, size.split((1,) * len(streams))), start=1
    ):
        names = [f"{number:03d}_{place}.png" for place in range(len(pictures))]
        for name, picture in zip(names, pictures, strict=True):
            (folder / "images" / name).write_bytes(encoded(picture))
        about = {"Category": category, "Complexity": complexity, "Counter-intuitive": "No"}
        records[str(number)] = {"Image path": names, "Question": question, "Answer": answer, **about}
    (folder / "core-mm-mini.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

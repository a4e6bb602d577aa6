"""LLaVA-Bench in small: three questions a picture, with a caption for the judge and the answers that stand for GPT-4's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from harness.world import Scene
from tasks.mini.draws import NUMBER_WORDS, encoded, name_of, with_article, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_CATEGORIES: Final = ("conv", "detail", "complex")


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write(folder: Path, seed: int, size: Size) -> None:
    """Write questions, captions and reference answers below ``folder``, three questions a picture; there is one part."""
    (pictures,) = size.split((1,), per=len(_CATEGORIES))
    (folder / "images").mkdir()
    questions: list[dict[str, Any]] = []
    context: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for number, scene in enumerate(islice(worlds(Scene, "scene", "llava_bench_wild", seed), max(1, pictures)), start=1):
        name, things = f"{number:03d}.jpg", [with_article(name_of(thing)) for thing in scene.things]
        (folder / "images" / name).write_bytes(encoded(scene.image, "JPEG"))
        context.append({"id": f"{number:03d}", "image": name, "caption": f"A drawing with {', '.join(things)}."})
        count = NUMBER_WORDS[len(things)]
        said = (f"There are {count}.", f"There is {', '.join(things)}.", f"With one more there would be {len(things) + 1}.")
        for category, answer in zip(_CATEGORIES, said, strict=True):
            asked = {"question_id": len(questions), "image": name, "category": category}
            questions.append({**asked, "text": wording(f"llava_bench_wild/{category}")})
            own = {"question_id": asked["question_id"], "prompt": questions[-1]["text"], "answer_id": str(len(answers))}
            answers.append({**own, "model_id": "mini", "metadata": {}, "text": answer})
    _lines(folder / "questions.jsonl", questions)
    _lines(folder / "context.jsonl", context)
    _lines(folder / "answers_gpt4.jsonl", answers)

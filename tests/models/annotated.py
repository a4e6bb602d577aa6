"""A small training mixture in the authors' format, and settings to train on it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from models.sphinx_x import checkpoint
from models.sphinx_x.train.recipe import AnnotationConfig, ParallelConfig, RecipeConfig
from models.sphinx_x.train.vocabulary import learn_vocabulary
from models.sphinx_x.variants import MICRO

_WORDS = ["red", "blue", "left", "right", "seven", "circle", "table", "sign", "two"]


def mixture(folder: Path, pictures: int = 24, texts: int = 16) -> Path:
    """Write annotation files of both kinds with their pictures, a data file and a tokenizer; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    (folder / "images").mkdir()
    shown, plain = [], []
    for number in range(pictures):
        size = rng.choice([(40, 40), (48, 20), (20, 50)])
        Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3))).save(folder / "images" / f"{number}.png")
        shown.append({"id": f"picture-{number}", "image": f"{number}.png", "conversations": _turns(rng, rng.randrange(1, 4))})
    for number in range(texts):
        plain.append({"id": f"text-{number}", "conversations": _turns(rng, rng.randrange(1, 3))})
    for name, records in (("pictures", shown), ("texts", plain)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    listed = [{"path": "pictures.jsonl", "type": "image_text", "root": "images"}, {"path": "texts.jsonl", "type": "text"}]
    (folder / "data_config.yaml").write_text(json.dumps({"META": listed}), encoding="utf-8")
    learn_vocabulary(MICRO.backbone.vocab, 1, pictures=4).save(folder / checkpoint.TOKENIZER)
    return folder


def _turns(rng: random.Random, count: int) -> list[dict[str, str]]:
    said = []
    for _ in range(count):
        said.append({"from": "human", "value": "What " + " ".join(rng.choices(_WORDS, k=rng.randrange(1, 5))) + "?"})
        said.append({"from": "gpt", "value": " ".join(rng.choices(_WORDS, k=rng.randrange(1, 6)))})
    return said


def recipe(data: Path, folder: Path, *, workers: int = 0, max_bad: float = 0.5, **changes: Any) -> RecipeConfig:
    """A run of a few steps."""
    values: dict[str, Any] = {"variant": "micro", "tokenizer": str(data), "folder": str(folder), "precision": "fp32", "seed": 3}
    values |= {"batch": 4, "micro": 2, "max_words": 160, "row": 160, "recompute": False}
    values |= {"lr": 2e-3, "warmup": 0.1, "steps": 5, "save_steps": 2, "log_steps": 1} | changes
    values["data"] = AnnotationConfig(config=str(data / "data_config.yaml"), workers=workers, max_bad=max_bad)
    values["parallel"] = ParallelConfig(**values.get("parallel", {}))
    return RecipeConfig(**values)

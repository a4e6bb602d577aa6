"""Tiny random models and pictures for the tests of the engine, the plug-in and the contract of models."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, replace

import torch
from PIL import Image as Pictures

from harness.types import Generation, Image, MediaSource, Part, Request, Text
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer, train_tokenizer
from models.sphinx_x.variants import MICRO, MICRO_MOE, Variant

WORDS = ("is", "there", "a", "red", "circle", "left", "of", "the", "blue", "square", "how", "many", "read", "what", "colour")


@dataclass(frozen=True)
class Bytes:
    """A media source that holds its bytes."""

    data: bytes
    label: str = "picture"

    def read(self) -> bytes:
        return self.data

    def locator(self) -> dict[str, str]:
        return {"kind": "drawn", "label": self.label}


def picture(width: int, height: int, seed: int) -> Bytes:
    """A PNG of coloured blocks."""
    draw = random.Random(seed)
    image = Pictures.new("RGB", (width, height))
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            image.paste(tuple(draw.randrange(256) for _ in range(3)), (left, top, left + 8, top + 8))
    target = io.BytesIO()
    image.save(target, "PNG")
    return Bytes(target.getvalue(), f"picture {seed}")


def specimen(variant: Variant = MICRO, seed: int = 0) -> tuple[SphinxX, Tokenizer]:
    """A model whose random weights are large enough that its replies differ from prompt to prompt."""
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 420)
    torch.manual_seed(seed)
    variant = replace(variant, backbone=replace(variant.backbone, vocab=tokenizer.size))
    model = SphinxX(variant).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "language_model" in name:
                weight.normal_(std=0.3)
            elif name.startswith("projector.linear"):
                weight.normal_(std=0.5)
        # end signals come up now and then, so that rows of a batch finish at different times
        model.language_model.lm_head.weight[[tokenizer.stop, tokenizer.eos]] *= 1.6
    return model, tokenizer


def sparse_specimen() -> tuple[SphinxX, Tokenizer]:
    """The same with experts."""
    return specimen(MICRO_MOE)


def mixed_requests(count: int, seed: int = 0) -> list[Request]:
    """Questions of several kinds: text alone, square and 2:1 pictures (with empty tiles), several pictures, long and short."""
    draw = random.Random(seed)
    requests: list[Request] = []
    while len(requests) < count:
        kind = draw.choice(("text", "square", "wide", "tall", "frames"))
        sizes = {"text": [], "square": [(48, 48)], "wide": [(64, 32)], "tall": [(24, 48)], "frames": [(40, 32)] * 3}[kind]
        number = len(requests)
        shown: list[Part] = [Image(picture(*size, seed=number + place)) for place, size in enumerate(sizes)]
        for _ in range(draw.randint(1, 5)):
            words = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 12)))
            generation = Generation(max_new_tokens=draw.choice((1, 3, 8, 20)), stop=draw.choice(((), ("7",), ("re", "K"))))
            requests.append(
                Request(
                    key=f"{len(requests):032x}",
                    sample_id=f"s{len(requests)}",
                    parts=(*shown, Text(words)),
                    generation=generation,
                    choices=("yes", "no", "left of"),
                    group=f"{kind}{number}" if shown else "",
                )
            )
    return requests[:count]


def opened(source: MediaSource) -> Pictures.Image:
    """The decoded picture of a source."""
    return Pictures.open(io.BytesIO(source.read())).convert("RGB")

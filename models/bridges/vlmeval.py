"""Models of this harness in VLMEvalKit's ``supported_VLM``, and its command with them there.

``python -m models.bridges.vlmeval --model nano --data NAME --judge exact_matching``: what ``--model`` names of ``conf/model`` is
registered under that name, then VLMEvalKit's own run does the rest. Settings follow the name (``nano,threads=0``). In Python:
``register("nano")``, and then anything of VLMEvalKit's. riddle and VLMEvalKit are in one environment here, and VLMEvalKit is
imported when it is first needed. Not here: its data and models as ours (`tasks.bridges.vlmeval`, `models.vlmeval`).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.data.media import digest
from harness.errors import ConfigError, ModelError
from harness.foreign.loop import load
from harness.keys import described, media_group, request_key
from harness.model import Model
from harness.types import FileSource, Generation, Image, Part, Request, Text
from models.bridges._ours import model_of
from models.bridges._vlmeval_models import NEEDED, OPTIONAL

MAX_NEW_TOKENS = 512
"""Of a reply, as the tasks of `tasks.bridges.vlmeval` have it."""


def register(
    name: str, settings: Sequence[str] = (), *, model: Model | None = None, max_new_tokens: int = MAX_NEW_TOKENS
) -> None:
    """Put a model of ``conf/model`` into ``supported_VLM`` under its name; it is built when VLMEvalKit builds it.

    Args:
        name: of ``conf/model``, and over there.
        settings: overrides such as ``model.threads=0``.
        model: stands in the place of the one of that name.
        max_new_tokens: of a reply.

    Raises:
        ConfigError: VLMEvalKit is not installed here, or has a model of that name.
    """
    try:
        known = load("vlmeval.config", OPTIONAL, NEEDED).supported_VLM
    except ModuleNotFoundError as error:
        raise ConfigError(f"needs VLMEvalKit beside riddle ({error.name} is missing); pip install ms-vlmeval") from error
    if name in known and not getattr(known[name], "of_riddle", False):
        raise ConfigError(f"VLMEvalKit has a model {name!r} of its own; give riddle's another name in conf/model")
    known[name] = made = partial(_class(), model or name, settings, max_new_tokens)
    made.of_riddle = True  # type: ignore[attr-defined]


def _class() -> type:
    """The class that VLMEvalKit sees, which is a subclass of its own."""
    base: Any = importlib.import_module("vlmeval.vlm.base").BaseModel

    class RiddleVLM(base):  # type: ignore[misc]  # VLMEvalKit's base has no types
        """A model of riddle's, asked by VLMEvalKit."""

        INTERLEAVE = True

        def __init__(self, model: str | Model, settings: Sequence[str], max_new_tokens: int, **_: Any) -> None:
            super().__init__()
            self.model = model_of(model, settings) if isinstance(model, str) else model
            self.generation = Generation(max_new_tokens=max_new_tokens)

        def generate_inner(self, message: Sequence[Mapping[str, str]], dataset: str | None = None) -> str:
            return said(self.model, message, self.generation)

    return RiddleVLM


def said(model: Model, message: Sequence[Mapping[str, str]], generation: Generation) -> str:
    """Ask a model a message of VLMEvalKit's. Raises `ModelError` where it fails, `ConfigError` where it cannot be asked."""
    parts = tuple(_part(one) for one in message)
    pictures = sum(isinstance(one, Image) for one in parts)
    if pictures > 1 and not model.capabilities.several_images:
        raise ConfigError(f"model {model.name!r} takes one picture, the message has {pictures}")
    identity = [described(part, digest) for part in parts]
    key = request_key(identity, generation, model=model.fingerprint)
    request = Request(key=key, sample_id=key, parts=parts, generation=generation, group=media_group(identity))
    response = next(iter(model.generate(iter([request]))))
    if response.failure is not None:
        raise ModelError(f"{model.name}: {response.failure.message}")
    return response.text


def _part(one: Mapping[str, str]) -> Part:
    if one["type"] == "image":
        return Image(FileSource(Path(one["value"])))
    if one["type"] != "text":
        raise ConfigError(f"a message holds {one['type']!r}: riddle's models take pictures and texts here")
    return Text(one["value"], role="system" if one.get("role") == "system" else "user")


def main(words: Sequence[str]) -> None:
    """Register the models of ``conf/model`` that ``--model`` names, and run VLMEvalKit's command."""
    ours, told, named = Catalog().choices("model"), [], False
    for word in words:
        named = word == "--model" or (named and not word.startswith("--"))
        name, *settings = word.split(",")
        if named and name in ours:
            register(name, [f"model.{one}" for one in settings])
        told.append(name if named and name in ours else word)
    sys.argv[1:] = told
    load("vlmeval.run", OPTIONAL, NEEDED).main()


if __name__ == "__main__":
    main(sys.argv[1:])

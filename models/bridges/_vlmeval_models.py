"""What is asked of VLMEvalKit about models; runs in its own environment (`harness.foreign.loop`), which need not have riddle."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

OPTIONAL = ("torchvision", "decord", "jieba")
"""Packages that its imports want; a model that needs one says so when it calls it."""

NEEDED = ("numpy", "pandas", "PIL", "torch")


def commands(load: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The commands by name."""

    def models() -> dict[str, Callable[..., Any]]:
        found: dict[str, Callable[..., Any]] = load("vlmeval.config", OPTIONAL, NEEDED).supported_VLM
        return found

    def describe(name: str) -> dict[str, Any]:
        from importlib import metadata

        installed = {one.name for one in metadata.distributions()} & {"ms-vlmeval", "vlmeval"}
        version = next((metadata.version(one) for one in sorted(installed)), "")
        return {"version": version} if name in models() else {"known": sorted(models())}

    @lru_cache(maxsize=1)
    def built(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
        return models()[name](**dict(settings))

    def generate(name: str, settings: dict[str, Any], message: list[dict[str, str]], dataset: str | None) -> str:
        model = built(name, tuple(settings.items()))
        return str(model.generate(message=message, dataset=dataset))

    return {"describe": describe, "generate": generate}

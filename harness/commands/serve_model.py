"""``riddle serve-model``: a model behind OpenAI's chat-completions protocol on this machine, until it is interrupted.

Whatever asks such servers can then ask our models: other harnesses, and riddle itself from elsewhere (``model=api_chat``). The
application belongs to the models (`harness.commands.rooms`) and needs the extra ``serve``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.build import build
from harness.commands.outcome import Outcome
from harness.commands.rooms import SERVE, function
from harness.config import ServeModelConfig
from harness.errors import ConfigError
from harness.model import Model, shortcomings

CONFIG = ServeModelConfig


def run(config: ServeModelConfig) -> Outcome:
    """Serve until Ctrl-C or SIGTERM, which is no failure.

    Raises:
        ConfigError: the model cannot be built, the port cannot be had, others could ask without a key, or a package is missing.
    """
    try:
        serve = function(SERVE)
    except ModuleNotFoundError as error:
        raise ConfigError(f"serving needs the package {error.name!r}; pip install 'riddle-eval[serve]'") from error
    model: Model = build(config.model, config.plugins)
    if lacking := list(shortcomings(model)):
        raise ConfigError("\n".join(f"model: {one}" for one in lacking))
    place = ""

    def told(address: str) -> None:
        nonlocal place
        place = address
        sys.stderr.write(f"{model.name} answers at {address} (model.model={model.name}); Ctrl-C ends it\n")
        sys.stderr.flush()

    answered = serve(model, config, told)
    return Outcome(({"kind": "served", "model": model.name, "address": place, "answered": answered},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return how many requests each model has answered."""
    return "\n".join(f"{one['model']} answered {one['answered']} requests at {one['address']}" for one in results)

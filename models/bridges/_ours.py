"""Our models by name, for the bridges that hand them to other harnesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from harness.build import build
from harness.errors import ConfigError
from harness.model import Model


def model_of(name: str, settings: Sequence[str] = ()) -> Model:
    """Build a model of ``conf/model``; ``settings`` are overrides such as ``model.threads=0``.

    Raises:
        ConfigError: there is no such model, or a setting is none of its.
    """
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_module(version_base="1.3", config_module="conf"):
            composed = compose("eval", overrides=[f"model={name}", *settings])
            spec = OmegaConf.to_container(composed.model, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"model={name}: cannot be composed ({error})") from error
    model: Model = build(cast(dict[str, Any], spec))
    return model

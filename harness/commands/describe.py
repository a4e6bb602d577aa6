"""The help of one verb, written from the docstrings of its configuration class and the defaults in ``conf/``."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from harness import config
from harness.commands import VERBS
from harness.commands.tables import entries
from harness.schema import descriptions

SHAPES: dict[str, type[config.CommonConfig]] = {
    "eval": config.EvalConfig,
    "train": config.TrainConfig,
    "score": config.ScoreConfig,
    "report": config.ReportConfig,
    "serve": config.ServeConfig,
    "compare": config.CompareConfig,
    "gate": config.GateConfig,
    "study": config.StudyConfig,
    "data": config.DataConfig,
    "controls": config.ControlsConfig,
    "bench": config.BenchConfig,
    "reproduce": config.ReproduceConfig,
    "serve-model": config.ServeModelConfig,
}
"""The configuration class of each verb that has one; ``ls`` takes names and needs no settings."""


def verb_help(verb: str) -> str:
    """Return what ``riddle VERB --help`` prints."""
    head = f"riddle {verb}: {VERBS[verb].summary}\n\nfor example: {VERBS[verb].example}"
    if verb == "ls":
        from harness.commands.ls import HELP

        return f"{head}\n\n{HELP}"
    shape = SHAPES[verb]
    lines = [(f"  {name}", f"{text}{_default(shape, name)}") for name, text in descriptions(shape).items()]
    tail = "-m sweeps over comma-separated values; --cfg job shows the composed settings."
    return f"{head}\n\nsettings:\n{entries(lines)}\n\n{tail}"


def _default(shape: type[Any], name: str) -> str:
    """Return `` [default]`` for a plain setting that has one."""
    field = next(field for field in dataclasses.fields(shape) if field.name == name)
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return " (required)"
    plain = isinstance(value, bool | int | float | str) or typing.get_type_hints(shape)[name] is type(value)
    if not plain or dataclasses.is_dataclass(value):
        return ""
    return f" [{str(value).lower() if isinstance(value, bool) else value}]"

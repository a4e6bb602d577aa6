"""``riddle data``: fetches benchmarks, draws the small versions of them, or makes conversations to train on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands import corpora, fetching
from harness.commands.outcome import Outcome
from harness.commands.places import mini_root
from harness.commands.rooms import CONVERT, CORPORA, MINI, call, function
from harness.config import DataConfig
from harness.errors import ConfigError

CONFIG = DataConfig


def run(config: DataConfig) -> Outcome:
    """Make what is missing of the data asked for."""
    if config.what in ("corpus", "look"):
        return corpora.composed(config) if config.what == "corpus" else corpora.looked_at(config)
    if config.what == "fetch":
        return fetching.fetched(config)
    if config.what in CORPORA:
        return Outcome(tuple(call(function(CORPORA[config.what]), getattr(config, config.what), config.what)))
    if config.what == "convert":
        return _converted(config)
    root = config.root or mini_root(config.paths, config.mini)
    named = {"benchmarks": config.benchmarks} if config.benchmarks else {}
    folders = function(MINI)(root, **named, **dataclasses.asdict(config.mini))
    return Outcome(tuple({"kind": "data", "benchmark": folder.name, "folder": str(folder)} for folder in folders))


def _converted(config: DataConfig) -> Outcome:
    """Write a model's folder in another form."""
    if config.target is None or config.format is None:
        raise ConfigError("from, to and format: say all three, such as from=FOLDER to=FOLDER format=riddle")
    rows = function(CONVERT)(config.source, config.target, config.format, shards=config.shards, max_shard_mb=config.max_shard_mb)
    return Outcome(tuple(rows))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the folders, one a line, each followed by what is known of it."""
    if results[0]["kind"] in ("data set", "look"):
        return corpora.show(results)
    if results[0]["kind"] == "fetch":
        return fetching.show(results)
    return "\n".join(line for result in results for line in _lines(result))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield result["folder"]
    for name, value in result.items():
        if name not in ("kind", "benchmark", "folder"):
            told = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, Mapping) else str(value)
            yield f"  {name.replace('_', ' ')}: {told or 'none'}"

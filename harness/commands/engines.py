"""Who answers in ``riddle eval``, by ``engine``: a model in this process, or workers; and which share this process does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.build import build
from harness.config import EngineConfig, EvalConfig
from harness.errors import ConfigError
from harness.model import Model

if TYPE_CHECKING:
    from harness.shares import Share


@contextmanager
def answering(config: EvalConfig) -> Iterator[Model]:
    """Load the model, once for all benchmarks of the command, here or in each worker; end the workers at the end.

    Raises:
        ConfigError: the model or its workers cannot be started.
    """
    engine = config.engine
    if config.dry or engine.name in ("local", "shards"):
        yield build(config.model, config.plugins)
        return
    from harness.engine.crew import Crew, Workers
    from harness.engine.worker import Order

    order = Order(model=config.model, plugins=config.plugins)
    workers: Workers
    if engine.name == "workers":
        from harness.engine.processes import Processes

        workers = Processes(order)
    else:
        from harness.engine.on_ray import OnRay

        workers = OnRay(order, engine.address, engine.cpus, engine.gpus)
    with Crew(workers, engine.n, engine.chunk) as crew:
        yield crew


def share_of(engine: EngineConfig, environment: Mapping[str, str]) -> Share | None:
    """Return this process's share: as the settings say, or as torchrun says in the environment; None where it is the only one.

    Raises:
        ConfigError: there is no such share.
    """
    place: tuple[int, int] | None = None
    if engine.name == "shards":
        place = (engine.shard, engine.shards)
    elif engine.name == "local" and int(environment.get("WORLD_SIZE", "1")) > 1 and "RANK" in environment:
        place = (int(environment["RANK"]), int(environment["WORLD_SIZE"]))
    elif "TORCHELASTIC_RUN_ID" in environment and int(environment.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(f"engine={engine.name}: each of the processes that torchrun has started would start workers; say local")
    if place is None:
        return None
    from harness.shares import Share

    return Share(*place)


def share_row(share: Share | None, model: str, task: str) -> dict[str, Any]:
    """What the JSON document holds of a share that is done while others are not."""
    place = {} if share is None else {"share": share.index, "of": share.of}
    return {"kind": "share", "model": model, "task": task, **place, "judge": None}


def share_line(row: Mapping[str, Any]) -> str:
    """Say it to a person."""
    what = f"share {row['share']} of {row['of']} of {row['model']} on {row['task']} is done"
    return f"{what}; who finishes last has the result, and so has the same command again"

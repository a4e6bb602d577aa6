"""Settings that several verbs share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PathsConfig:
    """Where things are kept.

    Attributes:
        data: benchmark data, one folder a benchmark
        leaderboard: where the report is written
        remote: finished runs that were fetched from URLs
    """

    data: Path = Path("data")
    leaderboard: Path = Path("leaderboard")
    remote: Path = Path("remote_runs")


@dataclass(frozen=True, kw_only=True)
class CommonConfig:
    """What every verb understands.

    Attributes:
        output: text or json; json prints one document on standard output
        debug: show the traceback of an error
        plugins: your own packages, whose tasks, models and conf are used too
        task_dirs: folders with your own task files
        paths: where data, runs and reports are kept; a group of settings such as paths.data=DIR
    """

    output: Literal["text", "json"] = "text"
    debug: bool = False
    plugins: tuple[str, ...] = ()
    task_dirs: tuple[Path, ...] = ()
    paths: PathsConfig = PathsConfig()


@dataclass(frozen=True, kw_only=True)
class SuiteConfig:
    """A named list of benchmarks, and the data that they are meant for.

    Attributes:
        name: how the suite is called
        tasks: the benchmarks in it, or file stems that stand for all their tasks
    """

    name: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MiniConfig:
    """The drawn versions of the benchmarks.

    Attributes:
        seed: decides every drawing
        n: questions a benchmark
        each: questions for each part of a benchmark (sub-task, split, kind of question) instead of n for all of it
    """

    seed: int = 0
    n: int = 200
    each: int | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        for name, value in (("n", self.n), ("each", self.each)):
            if value is not None and value < 1:
                yield f"{name}={value}: must be at least 1"


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How replies are produced; null keeps what the benchmark says.

    Attributes:
        max_new_tokens: limit of a reply
        temperature: 0 is greedy
        top_p: share of the probability that is drawn from
    """

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            yield f"max_new_tokens={self.max_new_tokens}: must be at least 1"
        if self.temperature is not None and self.temperature < 0:
            yield f"temperature={self.temperature:g}: must not be negative"
        if self.top_p is not None and not 0 < self.top_p <= 1:
            yield f"top_p={self.top_p:g}: must be above 0 and at most 1"


@dataclass(frozen=True, kw_only=True)
class FramesConfig:
    """Which frames of clips are shown; null keeps what the benchmark says, and so does a part of a clip that it asks about.

    Attributes:
        count: how many; the most, for rate
        kind: uniform, middle or rate
        per_second: frames a second, for rate
    """

    count: int | None = None
    kind: Literal["uniform", "middle", "rate"] | None = None
    per_second: float | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if self.count is not None and self.count < 1:
            yield f"count={self.count}: must be at least 1"
        if self.per_second is not None and self.per_second <= 0:
            yield f"per_second={self.per_second:g}: must be above 0"


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """How the engine works; never decides a reply.

    Attributes:
        name: who asks; chosen by engine=local (one process, or the ranks of torchrun), workers, ray or shards
        workers: threads that read media ahead
        window: how many samples ahead
        retries: how often a transient failure is asked again
        timeout_s: so many seconds in which the model neither replies nor takes a request stop the run; null waits for ever
        reuse: take over replies of other runs below the same folder
        n: of workers and ray, how many workers
        chunk: of workers and ray, requests that are handed over at a time
        address: of ray, the cluster's address; auto finds it; null starts one on this machine
        cpus: of ray, that each worker holds
        gpus: of ray, that each worker holds
        shard: of shards, which one this process is, from 0
        shards: of shards, how many there are
    """

    name: Literal["local", "workers", "ray", "shards"] = "local"
    workers: int = 2
    window: int = 32
    retries: int = 5
    timeout_s: float | None = None
    reuse: bool = True
    n: int = 2
    chunk: int = 16
    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    shard: int = 0
    shards: int = 1

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        for name in ("n", "chunk"):
            if getattr(self, name) < 1:
                yield f"{name}={getattr(self, name)}: must be at least 1"


def confidence_problems(confidence: float) -> Iterator[str]:
    """Yield what is wrong with the confidence of intervals."""
    if not 0 < confidence < 1:
        yield f"confidence={confidence:g}: must be between 0 and 1, such as 0.95"

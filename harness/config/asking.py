"""What the verbs that ask models or score replies can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.config.common import (
    CommonConfig,
    DecodingConfig,
    EngineConfig,
    FramesConfig,
    MiniConfig,
    SuiteConfig,
    confidence_problems,
)


@dataclass(frozen=True, kw_only=True)
class EvalConfig(CommonConfig):
    """Ask a model the questions of one or more benchmarks, and score its replies.

    Attributes:
        model: which model (required), a name from `riddle ls models`; model.KEY=VALUE changes one of its settings
        task: benchmarks from `riddle ls tasks`: task=pope or task=[pope,mme]
        suite: a named list of benchmarks from `riddle ls suites`, instead of task
        data: mini (drawn when missing), official (paths.data/TASK), or a folder, a file or several files
        mini: seed and number of questions of the drawn data: mini.seed=N mini.n=N, or mini.each=N for each part
        runs: folder that finished and unfinished runs are kept in
        limit: ask only the first N samples
        dry: show prompts, media and the cost of the run without asking
        control: blind (no pictures; model.blind=true says the same), swapped (another sample's pictures) or none
        convention: how replies are scored, a name from the benchmark's card; all shows the spread over them
        prompt: which wording, a name from the benchmark's card
        seed: decides every random draw
        max_failures: share of samples that may fail before the run stops
        kind: generate, or loglikelihood: the likeliest of the closed choices is the reply
        judge: who reads what no rule can: none, rule, local, openai or replay; judge.KEY=VALUE changes one of its settings
        fresh: forget what this run has stored, and ask everything anew
        frames: task (as the benchmark says), middle (one) or rate, or single settings such as frames.count=16
        decoding: task (as the benchmark says) or sampled, or single settings such as decoding.max_new_tokens=64
        engine: local, workers (engine.n=4 processes), ray or shards, and threads and retries: engine.workers=N engine.window=N
            engine.retries=N engine.timeout_s=600 engine.reuse=false; see docs/scale.md
        confidence: of the intervals
        held_out: of a search (sweep=prompt_search), settings of one last run of what it chose, such as mini.seed=1
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    task: tuple[str, ...] = ()
    suite: SuiteConfig | None = None
    data: tuple[str, ...] = ("mini",)
    mini: MiniConfig = MiniConfig()
    runs: Path = Path("runs")
    limit: int | None = None
    dry: bool = False
    control: Literal["none", "blind", "swapped"] = "none"
    convention: str = "official"
    prompt: str = "default"
    seed: int = 0
    max_failures: float = 0.01
    kind: Literal["generate", "loglikelihood"] = "generate"
    judge: Mapping[str, Any] = field(default_factory=lambda: {"name": "none"})
    fresh: bool = False
    frames: FramesConfig = FramesConfig()
    decoding: DecodingConfig = DecodingConfig()
    engine: EngineConfig = EngineConfig()
    confidence: float = 0.95
    held_out: tuple[str, ...] = ()

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks asked for, by ``task`` or by ``suite``."""
        return self.task or (self.suite.tasks if self.suite else ())

    def problems(self) -> Iterator[str]:
        """Yield what is missing, out of range or contradictory."""
        if not self.model:
            yield "model: missing; say model=NAME (see riddle ls models)"
        if not self.benchmarks:
            yield "task: missing; say task=NAME (see riddle ls tasks) or suite=NAME (see riddle ls suites)"
        if self.task and self.suite:
            yield f"task={','.join(self.task)} and suite={self.suite.name}: give one of them"
        if self.limit is not None and self.limit < 1:
            yield f"limit={self.limit}: must be at least 1"
        if not 0 <= self.max_failures <= 1:
            yield f"max_failures={self.max_failures:g}: is a share of the samples, between 0 and 1"
        yield from confidence_problems(self.confidence)


@dataclass(frozen=True, kw_only=True)
class ControlsConfig(EvalConfig):
    """Measure what mini benchmarks give without their pictures.

    Attributes:
        runs: folder of the runs behind it, apart from those that the leaderboard shows
        out: file that the levels are kept in; the one that riddle ls task NAME reads unless given
    """

    runs: Path = Path("control_runs")
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(CommonConfig):
    """Score replies that were made elsewhere; no model is needed, and no pictures.

    Attributes:
        task: the benchmark the replies belong to
        predictions: file or folder with the replies, or several: predictions=[a.jsonl,b.jsonl]
        data: mini, official (paths.data/TASK), or a folder, a file or several files with the annotations
        mini: seed and number of questions of the drawn data, for data=mini
        name: how the replies' model appears in tables; the file's name unless given
        runs: folder that the scored run is kept in
        convention: how replies are scored, a name from the benchmark's card; all shows the spread over them
        grades: file with what a judge has said of these replies, or several; files about the same samples are runs, whose mean
            counts
        judge: replay, as the judge's words are in grades; judge.name=NAME says whose they are where the files do not
        confidence: of the intervals
    """

    task: str
    predictions: tuple[Path, ...]
    data: tuple[str, ...] = ("official",)
    mini: MiniConfig = MiniConfig()
    name: str | None = None
    runs: Path = Path("runs")
    convention: str = "official"
    grades: tuple[Path, ...] = ()
    judge: Mapping[str, Any] = field(default_factory=lambda: {"name": "none"})
    confidence: float = 0.95

    def problems(self) -> Iterator[str]:
        """Yield what is out of range or does not exist."""
        for name, paths in (("predictions", self.predictions), ("grades", self.grades)):
            yield from (f"{name}={path}: no such file or folder" for path in paths if not path.exists())
        if "_target_" in self.judge and not str(self.judge["_target_"]).endswith(".Replay"):
            yield "judge: riddle score asks none; say judge=replay and give what one has said of the replies: grades=FILE"
        elif "_target_" in self.judge and not self.grades:
            yield "judge=replay: give what the judge has said of the replies: grades=FILE"
        elif self.judge.get("name") == "rule" and self.grades:
            yield "judge=rule and grades: give one of them"
        yield from confidence_problems(self.confidence)


@dataclass(frozen=True, kw_only=True)
class ReproduceConfig(CommonConfig):
    """Score published replies, and put every number beside the one that the official scorer gave for them.

    Attributes:
        cases: a folder with case.json files; see docs/reproductions.md
        out: Markdown page to write; none unless given
        title: heading of the page
        runs: folder that the scored runs are kept in
        confidence: of the intervals
        known: by benchmark, which metric is which expected number, as in conf/reproduce.yaml; others are matched by value and
            name
    """

    cases: Path
    out: Path | None = None
    title: str = "Reproductions"
    runs: Path = Path("reproduction_runs")
    confidence: float = 0.95
    known: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Yield what is out of range or does not exist."""
        if not self.cases.is_dir():
            yield f"cases={self.cases}: no such folder"
        yield from confidence_problems(self.confidence)


@dataclass(frozen=True, kw_only=True)
class ServeModelConfig(CommonConfig):
    """Answer OpenAI's chat-completions protocol with a model, on this machine unless told otherwise.

    Attributes:
        model: which model (required), a name from `riddle ls models`; model.KEY=VALUE changes one of its settings
        host: address to listen on; others than this machine's need key_env
        port: to listen on; 0 takes a free one
        key_env: environment variable with the key that callers must have
        max_waiting: requests that may wait; more get status 429
        max_body_mb: size of a request
        max_images: pictures of a request
        max_megapixels: of all its pictures together
        max_new_tokens: of a reply, and what stands for a limit that is not given
    """

    model: Mapping[str, Any]
    host: str = "127.0.0.1"
    port: int = 8000
    key_env: str = ""
    max_waiting: int = 256
    max_body_mb: int = 32
    max_images: int = 32
    max_megapixels: float = 50
    max_new_tokens: int = 1024

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if not 0 <= self.port < 65536:
            yield f"port={self.port}: must be from 0 to 65535"
        for name in ("max_waiting", "max_body_mb", "max_images", "max_megapixels", "max_new_tokens"):
            if getattr(self, name) <= 0:
                yield f"{name}={getattr(self, name)}: must be above 0"

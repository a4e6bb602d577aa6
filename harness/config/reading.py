"""What the verbs that read finished runs can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.config.common import CommonConfig, MiniConfig, confidence_problems


@dataclass(frozen=True, kw_only=True)
class ReportConfig(CommonConfig):
    """Write the leaderboard of all finished runs.

    Attributes:
        runs: folder with the runs, a ZIP file of one, or the URL of either (s3://bucket/runs)
        publish: URL or folder to which finished runs are copied, for others to read
        out: folder to write to; paths.leaderboard unless given
        title: heading of the page
        samples: whether to write a page of samples behind every number
        figures: whether to draw figures
        baseline: a row that all others are compared with from the start, also sample by sample
        formats: what to write, of html, md, csv, parquet, latex, json and lm_eval (tables to paste)
    """

    runs: str = "runs"
    publish: str | None = None
    out: Path | None = None
    title: str = "riddle leaderboard"
    samples: bool = True
    figures: bool = True
    baseline: str | None = None
    formats: tuple[Literal["html", "md", "csv", "parquet", "latex", "json", "lm_eval"], ...] = (
        "html", "md", "csv", "parquet", "latex", "json", "lm_eval",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ServeConfig(CommonConfig):
    """Show the leaderboard of a folder of runs in a browser, with what is running, on this machine unless told otherwise.

    Attributes:
        runs: folder with the runs, to which nothing is written
        host: address to listen on; 0.0.0.0 lets every machine that reaches this one read the results
        port: to listen on; 0 takes a free one
        names: host names by which browsers may ask, beside localhost, host and addresses in numbers
        title: heading of the page
        baseline: a row that all others are compared with from the start, also sample by sample
        every_s: seconds between two looks for runs that have finished
    """

    runs: Path = Path("runs")
    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    title: str = "riddle leaderboard"
    baseline: str | None = None
    every_s: float = 5

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if not 0 <= self.port < 65536:
            yield f"port={self.port}: must be from 0 to 65535"
        if self.every_s <= 0:
            yield f"every_s={self.every_s:g}: must be above 0"


@dataclass(frozen=True, kw_only=True)
class CompareConfig(CommonConfig):
    """Say what two models differ in, on the same samples, and how sure that is.

    Attributes:
        a: the baseline (required): a model's name, a run folder or a folder of runs, also by URL; several are training seeds of
            one method
        b: the candidate (required), likewise: riddle compare A B, or a=[s0,s1] b=[t0,t1]
        runs: folder in which models are looked for by name, or its URL
        metric: which metric, such as accuracy/random; each benchmark's primary one unless given
        convention: how replies are scored; each run's own unless given
        allow: what may differ beside the model, such as allow=[prompt]; it is shown beside the result
        correction: of p over several benchmarks: holm (no false finding at all) or bh (share of false findings)
        margin: a difference that matters, in the metric's unit (percent as a fraction), for the number of samples needed
        seed: decides the draws of tests that are not exact
        out: folder for a page with both replies to every flipped sample, or a Markdown file (out=compare.md)
        confidence: of the intervals; what is left is the level of the tests
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    runs: str = "runs"
    metric: str | None = None
    convention: str | None = None
    allow: tuple[str, ...] = ()
    correction: Literal["holm", "bh"] = "holm"
    margin: float | None = None
    seed: int = 0
    out: Path | None = None
    confidence: float = 0.95

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        yield from confidence_problems(self.confidence)
        if self.margin is not None and self.margin <= 0:
            yield f"margin={self.margin:g}: must be above 0"


@dataclass(frozen=True, kw_only=True)
class GateConfig(CommonConfig):
    """Block a checkpoint that got worse. Exit codes: 0 pass, 1 fail, 2 inconclusive, 3 invalid (a wrong setting too).

    Attributes:
        what: check a candidate, whose verdict is the exit code (0 pass, 1 fail, 2 inconclusive, 3 invalid, a wrong setting too);
            save, keep runs as a baseline that can be committed; or simulate, measure how often a policy errs
        policy: YAML file with what is asked; see docs/gate.md
        candidate: a run folder, or a folder with the runs of one model; or the URL of one
        model: instead of candidate, a name from `riddle ls models`: it is asked in random order, no more than the looks need
        looks: look so often while samples come in, and stop as soon as the verdict is known; with candidate, say where that
            would have been
        spending: how the looks share the error, obrien_fleming (little early) or pocock (alike)
        data: of model, mini (drawn when missing), official, or a folder or file
        mini: seed and number of questions of the drawn data
        runs: folder of the runs of model
        baseline: instead of the policy's: a file of `riddle gate save`, a run folder, a folder of runs, a URL of one, or a tag
        name: which model of the candidate, where its folder holds several
        tags: folder of tagged baselines, TAG.json
        out: of check, folder for gate.json, gate.md (for a pull request) and gate.xml (JUnit); of save, the file, unless it is
            the policy's baseline
        loss: of simulate, what is lost, in the unit of the metric (0.02 is two points of a percentage)
        churn: of simulate, share of answers that change between equally good checkpoints
        rho: of simulate, how far what is shown decides which answers change, between 0 and 1
        draws: of simulate, how many candidates are drawn
        seed: decides every draw
    """

    what: Literal["check", "save", "simulate"] = "check"
    policy: Path | None = None
    candidate: str | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    looks: int = 1
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"
    data: tuple[str, ...] = ("mini",)
    mini: MiniConfig = MiniConfig()
    runs: Path = Path("gate_runs")
    baseline: str | None = None
    name: str | None = None
    tags: Path = Path("baselines")
    out: Path | None = None
    loss: float = 0.02
    churn: float = 0.15
    rho: float = 0.3
    draws: int = 2000
    seed: int = 0

    def problems(self) -> Iterator[str]:
        """Yield what is missing."""
        if self.policy is None and not (self.what == "save" and self.out):
            yield "policy: missing; say policy=FILE (docs/gate.md shows one)"
        if self.candidate is None and self.what != "simulate" and not (self.what == "check" and self.model):
            yield "candidate: missing; say candidate=FOLDER, a run or the runs of one model"
        if self.candidate is not None and self.model:
            yield f"candidate={self.candidate} and model: give one of them"
        for name, low, high in (("looks", 1, 50), ("draws", 1, 1_000_000), ("churn", 0, 1), ("rho", 0, 1)):
            if not low <= getattr(self, name) <= high:
                yield f"{name}={getattr(self, name):g}: must be between {low} and {high}"
        if not 0 < self.churn < 1:
            yield f"churn={self.churn:g}: must be between 0 and 1"


@dataclass(frozen=True, kw_only=True)
class StudyConfig(CommonConfig):
    """Say what several finished runs say together on one question.

    Attributes:
        study: experts (how many active ones), routing (which tokens go where), pruning (how many can go) or scaling (size
            and data)
        runs: run folders, or folders of runs: runs=[a,b]
        out: folder of all studies
        task: only runs of these benchmarks
        seed: decides resampling and permutations
        draws: how many resamples and permutations
        confidence: of the intervals; what is left is the level of tests
    """

    study: Literal["experts", "routing", "pruning", "scaling"]
    runs: tuple[Path, ...] = (Path("study_runs"),)
    out: Path = Path("studies")
    task: tuple[str, ...] = ()
    seed: int = 0
    draws: int = 2000
    confidence: float = 0.95

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if self.draws < 100:
            yield f"draws={self.draws}: must be at least 100"
        yield from confidence_problems(self.confidence)

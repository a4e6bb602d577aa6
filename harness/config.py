"""What one command can be told: the dataclasses that are the schema of ``conf/``.

YAML holds the values; `harness.schema` fills these classes from them as soon as Hydra has composed them, so no other module
ever sees a ``DictConfig``. The ``Attributes:`` sections are what ``riddle VERB --help`` prints, which is why they address the
person at the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class PathsConfig:
    """Where things are kept.

    Attributes:
        data: benchmark data, one folder a benchmark
        leaderboard: where the report is written
    """

    data: Path = Path("data")
    leaderboard: Path = Path("leaderboard")


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
        control: blind (no pictures), swapped (another sample's pictures) or none
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
        if not 0 < self.confidence < 1:
            yield f"confidence={self.confidence:g}: must be between 0 and 1, such as 0.95"


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
        if not 0 < self.confidence < 1:
            yield f"confidence={self.confidence:g}: must be between 0 and 1, such as 0.95"


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
        if not 0 < self.confidence < 1:
            yield f"confidence={self.confidence:g}: must be between 0 and 1, such as 0.95"


@dataclass(frozen=True, kw_only=True)
class TrainConfig(CommonConfig):
    """Train a variant of the model.

    Attributes:
        train: which training (required), a file of conf/train; model=NAME says the same; train.KEY=VALUE changes a setting
    """

    train: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Yield what is missing."""
        if not self.train:
            yield "model: missing; say model=nano or another name of conf/train"


@dataclass(frozen=True, kw_only=True)
class ReportConfig(CommonConfig):
    """Write the leaderboard of all finished runs.

    Attributes:
        runs: folder with the runs
        out: folder to write to; paths.leaderboard unless given
        title: heading of the page
        samples: whether to write a page of samples behind every number
        figures: whether to draw figures
        baseline: a row that all others are compared with from the start, also sample by sample
        formats: what to write, of html, md, csv, parquet, latex, json and lm_eval (tables to paste)
    """

    runs: Path = Path("runs")
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
        a: the baseline (required): a model's name, a run folder or a folder of runs; several are training seeds of one method
        b: the candidate (required), likewise: riddle compare A B, or a=[s0,s1] b=[t0,t1]
        runs: folder in which models are looked for by name
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
    runs: Path = Path("runs")
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
        if not 0 < self.confidence < 1:
            yield f"confidence={self.confidence:g}: must be between 0 and 1, such as 0.95"
        if self.margin is not None and self.margin <= 0:
            yield f"margin={self.margin:g}: must be above 0"


@dataclass(frozen=True, kw_only=True)
class GateConfig(CommonConfig):
    """Block a checkpoint that got worse. Exit codes: 0 pass, 1 fail, 2 inconclusive, 3 invalid (a wrong setting too).

    Attributes:
        what: check a candidate, whose verdict is the exit code (0 pass, 1 fail, 2 inconclusive, 3 invalid, a wrong setting too);
            save, keep runs as a baseline that can be committed; or simulate, measure how often a policy errs
        policy: YAML file with what is asked; see docs/gate.md
        candidate: a run folder, or a folder with the runs of one model
        model: instead of candidate, a name from `riddle ls models`: it is asked in random order, no more than the looks need
        looks: look so often while samples come in, and stop as soon as the verdict is known; with candidate, say where that
            would have been
        spending: how the looks share the error, obrien_fleming (little early) or pocock (alike)
        data: of model, mini (drawn when missing), official, or a folder or file
        mini: seed and number of questions of the drawn data
        runs: folder of the runs of model
        baseline: instead of the policy's: a file of `riddle gate save`, a run folder, a folder of runs, or a tag
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
    candidate: Path | None = None
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
        study: experts (how many active ones), routing (which tokens go where) or pruning (how many can go)
        runs: run folders, or folders of runs: runs=[a,b]
        out: folder of all studies
        task: only runs of these benchmarks
        seed: decides resampling and permutations
        draws: how many resamples and permutations
        confidence: of the intervals; what is left is the level of tests
    """

    study: Literal["experts", "routing", "pruning"]
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
        if not 0 < self.confidence < 1:
            yield f"confidence={self.confidence:g}: must be between 0 and 1, such as 0.95"


@dataclass(frozen=True, kw_only=True)
class DataConfig(CommonConfig):
    """Make the data of benchmarks, or conversations to train on.

    Attributes:
        what: fetch, a benchmark's own files from the hub or its site; convert, a model's folder to another form; or
            mini, the drawn versions of the benchmarks in their official layouts; ocr, PDF files to pages and questions
            about their text; marks, pictures with numbered marks and questions about them; corpus, a mixture of data sets as
            conversations; look, conversations as a picture or page
        benchmarks: which of them; all unless given
        root: folder to write to; paths.data/mini unless given. Of corpus and look, the folder that holds the data sets
        seed: decides every drawing
        n: questions a benchmark, dealt out over its parts
        each: at least so many questions for each part instead of n for all: an MME sub-task, a kind of question of MMBench or
            MathVista, a RefCOCO split, a Video-Bench set, a file of POPE, forms and tables of DocVQA
        ocr: for what=ocr, such as ocr.pdfs=FOLDER ocr.out=FOLDER ocr.workers=4 ocr.page.dpi=144 ocr.page.language=en
        marks: for what=marks, such as marks.source=coco marks.annotations=FILE marks.images=FOLDER marks.out=FOLDER
        mixture: for what=corpus, paper or mini, or single settings such as mixture.scale=0.1 mixture.fit=false
        dry: for what=corpus, say only which data sets are there, and what is expected where; for what=fetch, which files
            there are, their sizes and the licence
        partial: for what=corpus, compose what is there although data sets are missing
        data: for what=look, an annotation file, or a folder of them or of a composition
        index: for what=look, number of the conversation; the first, or the first twenty of a page, unless given
        out: of corpus, folder to write to; of look, file ending in .png or .html
        source: for what=convert, as from=FOLDER: a model of the authors, of riddle or for transformers; or several of the
            authors' folders, later ones over earlier ones
        target: for what=convert and what=fetch, as to=FOLDER: folder to write to; fetch takes paths.data/NAME unless given
        format: for what=convert, riddle, official (the authors') or hf (parts that plain transformers loads)
        shards: for format=official, model-parallel ranks, one file each
        max_shard_mb: for the other formats, size of one file of weights
        task: for what=fetch, benchmarks from `riddle ls tasks`: task=textvqa or task=[textvqa,gqa]
        layout: for what=fetch, which of the layouts on the benchmark's card; the first that is offered unless given
        accept: for what=fetch, true once you have read and accepted the terms that are named
    """

    what: Literal["convert", "fetch", "mini", "ocr", "marks", "corpus", "look"]
    benchmarks: tuple[str, ...] = ()
    root: Path | None = None
    seed: int = 0
    n: int = 200
    each: int | None = None
    ocr: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, Any] = field(default_factory=dict)
    mixture: Mapping[str, Any] | None = None
    dry: bool = False
    partial: bool = False
    data: Path | None = None
    index: int | None = None
    out: Path | None = None
    source: tuple[Path, ...] = ()
    target: Path | None = None
    format: Literal["riddle", "official", "hf"] | None = None
    shards: int = 1
    max_shard_mb: int = 4096
    task: tuple[str, ...] = ()
    layout: str | None = None
    accept: bool = False

    @property
    def mini(self) -> MiniConfig:
        """What decides the drawing."""
        return MiniConfig(seed=self.seed, n=self.n, each=self.each)

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        yield from self.mini.problems()
        if self.what == "convert" and not (self.source and self.target and self.format):
            yield "from, to and format: say all three, such as from=FOLDER to=FOLDER format=riddle"
        if self.what == "fetch" and not self.task:
            yield "task: missing; say task=NAME (see riddle ls tasks)"
        if self.what == "corpus" and self.mixture is None:
            yield "mixture: missing; say mixture=paper or mixture=mini"
        if self.what == "look" and self.data is None:
            yield "data: missing; say data=PATH"


@dataclass(frozen=True, kw_only=True)
class BenchConfig(CommonConfig):
    """Measure riddle itself.

    Attributes:
        bench: startup, engine, scale, generate, scoring, video, views, routing, train, coverage or report
        options: settings of that measurement, such as items=500
    """

    bench: Literal[
        "startup", "engine", "scale", "generate", "scoring", "video", "views", "routing", "train", "coverage", "report"
    ]
    options: Mapping[str, Any] = field(default_factory=dict)


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

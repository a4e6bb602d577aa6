"""What the verbs that make models and data, and measure riddle itself, can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.config.common import CommonConfig, MiniConfig


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

"""What a benchmark is: a frozen value composed of functions, read top to bottom like its section in a paper.

A task file in ``tasks/`` builds one `Task` per runnable definition and lists them in ``TASKS``. It loads nothing, calls no
model, writes no file and has no loop over samples; ``harness.run`` does that for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import ConfigError, DatasetError
from harness.types import FramePlan, Generation, Parsed, Part, Query, Record, Sample, Text

if TYPE_CHECKING:
    from harness.boxes import Frame
    from harness.fetch.sources import Offer
    from harness.judging import Judging
    from harness.keys import Kind
    from harness.metrics.aggregate import Metric

Prompt = Callable[[Sample], str]
"""The text that is asked after the sample's media."""

Parse = Callable[[str, Sample], Parsed]
"""Reads the answer from a reply."""

Score = Callable[[Parsed, Sample], Mapping[str, float]]
"""Named per-sample scores in [0, 1]; the first name is the one shown beside the sample."""

ScoreMany = Callable[[Sequence[Parsed], Sequence[Sample]], Sequence[Mapping[str, float]]]
"""`Score` of many samples, in order."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which the benchmark's data lie on disk.

    Attributes:
        name: ``official``, ``vlmevalkit_tsv``, ``hf_parquet``, ...
        files: glob patterns below the data folder that must exist for this layout, shown in the error when none is found.
        read: yields records in the field names of the official layout, media columns as `MediaSource` handles. Its argument
            is the data folder, or a file or files named by the user.
    """

    name: str
    files: tuple[str, ...]
    read: Callable[[Sequence[Path]], Iterator[Record]]


@dataclass(frozen=True, kw_only=True)
class Convention:
    """How replies become numbers: one parser, one per-sample score, and the metrics over all samples.

    Attributes:
        score_many: gives the same scores as ``score`` for many samples at once, where that is much faster.
        whole: ``score_many`` must see all samples at once, as it has a whole file scored (toolkits of others).
        weighed: reads the answer from the weights of the choices (nats, in their order) where the run has them
            (``kind=loglikelihood``); without it the likeliest choice is the reply that ``parse`` reads.
        extracted: reads an answer that a judge already took out of the reply (a stored field ``extraction`` of a reply file);
            None where the benchmark has no such step.
        frame: what the coordinates of a parsed box count (`harness.boxes.Frame`), so that a report can draw it; None if the
            answer is no box, or its frame is guessed.
        in_frame: the same rule for a model that declares in which frame it writes (`harness.model.Capabilities`) where that is
            not the rule's own; None where answers are no coordinates, or a toolkit's reading is to be reproduced as it is.
        judging: how a judge is asked about replies that ``parse`` cannot settle; None where the benchmark has no judge, or its
            place is taken by the parser.
        note: says in a sentence how it differs from ``official``.
    """

    parse: Parse
    score: Score
    metrics: tuple[Metric, ...]
    primary: str
    score_many: ScoreMany | None = None
    whole: bool = False
    weighed: Callable[[Sequence[float], Sample], Parsed] | None = None
    extracted: Parse | None = None
    frame: Frame | None = None
    in_frame: Callable[[Frame], Convention] | None = None
    judging: Judging | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Raise `ConfigError` if no metric has the name of the primary one (``accuracy/red`` is one of ``accuracy``)."""
        names = [metric.name for metric in self.metrics]
        if self.primary not in names and self.primary.partition("/")[0] not in names:
            raise ConfigError(f"primary={self.primary!r} is the name of no metric (there are: {', '.join(names) or 'none'})")


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader must know of the benchmark; printed by ``riddle ls task NAME`` and stored with each run."""

    title: str
    asks: str
    split: str
    n: int
    paper: str
    data: str
    scorer: str
    licence: str
    differences: str = ""

    @classmethod
    def of(cls, docstring: str | None, *, split: str, n: int, title: str = "") -> Card:
        """Read the card from a task file's docstring, so that it says each fact once.

        The docstring begins with ``Title: what is asked``; then each fact begins a line with its label (`LABELS`) and goes on
        to the next label or blank line. A paragraph without a label is for readers of the file.

        Args:
            docstring: the ``__doc__`` of the task file.
            split: which part of the benchmark.
            n: its number of samples.
            title: replaces the docstring's, in files with several tasks.

        Raises:
            ConfigError: a label is missing, empty, unknown or there twice; the message names it.
        """
        first, *lines = (docstring or "").strip().splitlines() or [""]
        named, colon, asks = first.partition(": ")
        if not colon:
            raise ConfigError(f"a task file's docstring begins with 'Title: what is asked', found {first!r}")
        facts = _labelled(lines, named)
        return cls(title=title or named, asks=asks, split=split, n=n, **{LABELS[label]: text for label, text in facts.items()})


LABELS = {
    "Paper": "paper",
    "Data": "data",
    "Licence": "licence",
    "Official scorer": "scorer",
    "Differences": "differences",
}
"""The labels in a task file's docstring and the card's fields; all but the last are required."""


def _labelled(lines: Iterable[str], title: str) -> dict[str, str]:
    """The text behind each label, its lines joined by blanks."""
    facts: dict[str, list[str]] = {}
    label = ""
    for line in map(str.strip, lines):
        begins = re.match(r"([A-Z][a-z]*(?: [a-z]+)*):(?: |$)", line)
        if begins:
            label, line = begins[1], line[begins.end() :]
            if label not in LABELS or label in facts:
                problem = "stands twice" if label in facts else f"is unknown (known: {', '.join(LABELS)})"
                raise ConfigError(f"docstring of {title}: label {label!r} {problem}")
            facts[label] = []
        if not line:
            label = ""
        elif label:
            facts[label].append(line)
    for required in tuple(LABELS)[:-1]:
        if not facts.get(required):
            raise ConfigError(f"docstring of {title}: no {required + ':'!r}, which a card needs")
    return {known: " ".join(words) for known, words in facts.items()}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One runnable definition of a benchmark.

    Attributes:
        name: as typed on the command line; the golden file of the same name tests it.
        layouts: official first.
        to_sample: the only function that knows column names.
        prompt: builds the question text; the sample's media go before it (``media_first``).
        prompts: further named variants of the prompt (``prompt=NAME`` in a run).
        conventions: ``official`` is the default, and required of listed tasks; a bridge's have the toolkit's name in its place.
        ideal: a reply that parser and metric of ``official`` give full marks (contract-tested, and what the oracle says).
        choices: the closed set of replies, if there is one.
        unit: how the primary metric is printed; ``percent`` multiplies by 100.
        kind: how the model must be asked, where the benchmark's metrics leave no choice; None if the run decides.
        aligned_by: the group within which the official scorer pairs replies with questions by their order (``""``: the whole
            file); None if it goes by ids. Files of replies without ids are only accepted where it does.
        sources: where the data can be fetched (``riddle data fetch``), the best way first.
        version: goes up whenever prompt, parser, split or metric changes; a report refuses to mix versions.
    """

    name: str
    card: Card
    layouts: tuple[Layout, ...]
    to_sample: Callable[[Record], Sample]
    prompt: Prompt
    conventions: Mapping[str, Convention]
    ideal: Callable[[Sample], str]
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    choices: Callable[[Sample], tuple[str, ...]] = lambda sample: ()
    generation: Generation = Generation()
    frames: FramePlan | None = None
    needs: frozenset[Literal["images", "several_images", "video"]] = frozenset({"images"})
    unit: Literal["percent", "points"] = "percent"
    higher_is_better: bool = True
    kind: Kind | None = None
    aligned_by: str | None = None
    sources: tuple[Offer, ...] = ()
    version: int = 1

    def convention_named(self, name: str) -> str:
        """Return the name of a convention; ``official`` stands for the first where the task has none of that name."""
        return next(iter(self.conventions)) if name == "official" and name not in self.conventions else name

    @property
    def cure(self) -> str:
        """The command that fetches the data, as the end of a message that they are missing; empty if none can."""
        return f". riddle data fetch task={self.name} fetches them" if self.sources else ""

    def samples(self, records: Iterable[Record]) -> Iterator[Sample]:
        """Turn records into samples, lazily and in order.

        Raises:
            DatasetError: names the record that does not fit, or has no right answer.
        """
        for number, record in enumerate(records):
            try:
                sample = self.to_sample(record)
                if not _is_plain(sample):
                    _check(sample)
            except _MISFITS as error:
                raise _misfit(_place(record, number), error) from error
            if not any(sample.references):
                raise DatasetError(_unanswered(record, _place(record, number)))
            yield sample

    def query(self, sample: Sample, prompt: str = "default") -> Query:
        """Compose the sample's media and the prompt text (``prompt`` names a variant) into what is asked."""
        build = self.prompt if prompt == "default" else self.prompts[prompt]
        parts: tuple[Part, ...] = (*sample.parts, Text(build(sample)))
        return Query(parts=parts, generation=self.generation, choices=self.choices(sample), ideal=self.ideal(sample))


_ONLY_TEXT = frozenset({str})

_MISFITS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a task's own functions raise on values that are not as they expect."""


@contextmanager
def fitting(where: str) -> Iterator[None]:
    """Turn what a task's function raises on a record that is not as it expects into a `DatasetError` that names the place."""
    try:
        yield
    except _MISFITS as error:
        raise _misfit(where, error) from error


def _misfit(where: str, error: Exception) -> DatasetError:
    return DatasetError(f"{where}: does not fit the benchmark ({type(error).__name__}: {error})")


def _place(record: Record, number: int) -> str:
    return getattr(record, "where", f"record {number}")


def _unanswered(record: Record, where: str) -> str:
    """Say that a record has no right answer, and which of its fields are empty, one of which should hold it."""
    empty = [str(field) for field, value in record.items() if value is None or (isinstance(value, Sized) and not len(value))]
    cure = "questions without answers (of a hidden test split) cannot be scored: leave them out, or use a split that has them"
    return f"{where}: no right answer (fields that are empty: {', '.join(empty) or 'none'}); {cure}"


def _is_plain(sample: Sample) -> bool:
    """Whether all texts of a sample are texts and its id is ASCII: one look at the types, as nearly all samples pass it."""
    texts = (sample.id, sample.question, sample.cluster, *sample.options, *sample.references, *sample.groups.values())
    return _ONLY_TEXT.issuperset(map(type, texts)) and sample.id.isascii()


def _check(sample: Sample) -> None:
    """Check the types of a sample's texts, since records are JSON of unknown origin. Raises `TypeError` naming what is none."""
    sample.id.encode("utf-8")  # names a row of the run's database
    texts = {
        "id": (sample.id,),
        "question": (sample.question,),
        "cluster": (sample.cluster,),
        "options": sample.options,
        "references": sample.references,
        "groups": tuple(sample.groups.values()),
    }
    for name, values in texts.items():
        for value in values:
            if not isinstance(value, str):
                raise TypeError(f"{name} must be text, found {type(value).__name__} {value!r:.80}")

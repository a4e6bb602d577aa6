"""The values that travel between the rooms: parts, samples, requests, responses, parsed answers.

Not here: behaviour. How media bytes are found and decoded is in ``harness.data.media``, how a request gets its key in
``harness.keys``. Everything is frozen; a media part is a *handle* (where the bytes are), never bytes or pixels, so that
100,000 samples fit in memory and no picture is opened before a worker wants it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Record = Mapping[str, Any]
"""One raw row of a benchmark as its authors ship it; media columns hold a `MediaSource`."""


@runtime_checkable
class MediaSource(Protocol):
    """Where the encoded bytes of one picture or clip are. Cheap to make, to copy and to pickle; holds no bytes."""

    @property
    def label(self) -> str:
        """A name for people and error messages, such as ``images/0001.png`` or ``dev.tsv row 17``."""
        ...

    def read(self) -> bytes:
        """Return the encoded bytes. Raises `harness.errors.MediaError` if they cannot be had."""
        ...

    def locator(self) -> dict[str, Any]:
        """Return a JSON object with which `harness.data.media.from_locator` finds the bytes again."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text in a prompt; ``role`` is ``system`` for what a chat model is told before the question."""

    text: str
    role: Literal["user", "system"] = "user"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a prompt, as a handle."""

    source: MediaSource


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Which frames of a clip a model is shown (`harness.data.frames.frame_numbers`).

    Attributes:
        count: how many frames; the most, for ``rate``.
        kind: over the part uniformly, around its middle, or ``per_second`` of them.
        start_s: where the part of the clip begins, in seconds; None is the clip's start.
        end_s: where it ends; None is the clip's end.
        per_second: frames a second, for ``rate`` (1 unless given).
    """

    count: int = 8
    kind: Literal["uniform", "middle", "rate"] = "uniform"
    start_s: float | None = None
    end_s: float | None = None
    per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Video:
    """A clip in a prompt, as a handle with the plan of frames to take from it."""

    source: MediaSource
    frames: FramePlan = FramePlan()


Part = Text | Image | Video


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer is produced. Greedy unless ``temperature`` is above 0; ``seed`` then decides every draw."""

    max_new_tokens: int = 32
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One item of a benchmark.

    Attributes:
        id: unique within the task; stable across data layouts.
        parts: pictures and clips (and texts between them) in the order of the benchmark.
        question: the benchmark's own question text, without instructions.
        options: answer options in order, empty for open questions.
        references: acceptable answers in the benchmark's form (letters, strings, numbers as text, or a box as
            ``"x1,y1,x2,y2"`` in pixels); at least one, since a question whose answer is hidden cannot be scored.
        cluster: what is shared with other samples (image, document, clip); standard errors are clustered by it.
        groups: categories that the metric reports by, such as ``{"category": "color"}``.
        fields: further values of the record that prompt, parser or metric need.
    """

    id: str
    parts: tuple[Part, ...] = ()
    question: str = ""
    options: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    cluster: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What a task wants asked about a sample, before it has a key: parts in order and generation settings.

    Attributes:
        choices: the closed set of replies the benchmark expects (``("Yes", "No")``, ``("A", "B", "C")``), empty for open
            questions. Used for log-likelihood and by the ``chance`` baseline.
        ideal: a reply that the benchmark's own parser and metric give full marks. The engine hands it on only to models
            that declare ``needs_ideal`` (the oracle); every other model gets ``None``.
        tag: distinguishes several queries of one sample (``"rotation 1"``, ``"judge"``).
    """

    parts: tuple[Part, ...]
    generation: Generation = Generation()
    choices: tuple[str, ...] = ()
    ideal: str | None = None
    tag: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A query with its key, as a model receives it. ``key`` covers all that the answer depends on.

    ``group`` is equal for requests with the same media in the same order: an engine may share their prefix.
    """

    key: str
    sample_id: str
    parts: tuple[Part, ...]
    generation: Generation
    choices: tuple[str, ...] = ()
    ideal: str | None = None
    group: str = ""


FinishReason = Literal["stop", "length", "filter", "error"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: ``kind`` is a short class for counting (``media``, ``model``, ``timeout``, ``reply``).

    ``transient`` says that asking again may help, not before ``retry_after_s`` seconds if that is given.
    """

    kind: str
    message: str
    transient: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What came back for one request: text, or the failure that stands in its place.

    ``traces`` holds side records by name, each a small table as `harness.traces.packed` makes it.
    """

    key: str
    text: str = ""
    finish_reason: FinishReason = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    logprobs: tuple[float, ...] = ()
    failure: Failure | None = None
    traces: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The answer read from a reply, or the reason there is none.

    ``reason`` set means the reply counts as *unparsed* and is shown as such. Some official scorers still assume an answer
    then (POPE reads every reply without a "no" as "yes"); ``answer`` holds that assumption, so that the score is official
    while the count stays honest.
    """

    answer: Any = None
    reason: str | None = None

    @property
    def unparsed(self) -> bool:
        """Whether no answer could be read from the reply itself."""
        return self.reason is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """One row of ``scores.parquet``: a sample with its reply, parsed answer, named scores in [0, 1] and flags."""

    sample_id: str
    cluster: str
    groups: Mapping[str, str]
    reply: str | None
    parsed: Parsed
    scores: Mapping[str, float]
    failed: str | None = None
    missing: bool = False
    truncated: bool = False
    references: Sequence[str] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSource:
    """Media bytes in a file of their own."""

    path: Path

    @property
    def label(self) -> str:
        """The path as given."""
        return str(self.path)

    def read(self) -> bytes:
        """Read the whole file. Raises `MediaError` naming the path if it is missing or unreadable."""
        with self.open() as file:
            return file.read()

    @contextmanager
    def open(self) -> Iterator[BufferedReader]:
        """Open the file. Raises `MediaError` naming the path if it is missing or unreadable, or a pipe, which may never end."""
        from harness.errors import MediaError

        try:
            if self.path.exists() and not self.path.is_file():
                raise MediaError(f"{self.path}: cannot be read (not a regular file)")
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def locator(self) -> dict[str, Any]:
        """What `harness.data.media.from_locator` needs to find the file again."""
        return {"kind": "file", "path": str(self.path)}

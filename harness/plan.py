"""From a benchmark's files to requests with keys: which samples, in which order, asked how.

Everything is lazy: a record becomes a sample when the one before it has been taken up, and media are read (for their digests)
a bounded number ahead in worker threads. Media that cannot be read make a planned failure, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from harness import keys
from harness.boxes import Frame
from harness.controls import Control, blind, swapped
from harness.data.frames import plan_record
from harness.engine.ahead import ahead
from harness.errors import CapabilityError, ConfigError, MediaError
from harness.model import Capabilities
from harness.task import Convention, Layout, Task, fitting
from harness.types import Failure, Generation, Image, MediaSource, Part, Request, Sample, Text, Video

FRAME_SETTINGS = ("count", "kind", "per_second")
"""What a run may choose of a plan of frames."""

DIGESTS_KEPT = 512
"""Benchmarks ask several questions about a picture in a row; so many digests are remembered."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one evaluation chooses besides task, model and data.

    Attributes:
        limit: only the first so many samples.
        seed: of every random choice: sampling, baselines, jitter of retries.
        prompt: ``default`` or the name of one of the task's other prompts.
        convention: how replies are scored; never decides what is asked.
        generation: overrides of the task's generation settings, such as ``{"max_new_tokens": 64}``.
        frames: overrides of the task's plan of frames, such as ``{"count": 16}``; the part of a clip that is asked about stays.
        control: ``blind`` and ``swapped`` show whether the benchmark needs its pictures.
        kind: ``loglikelihood`` takes the likeliest of the closed choices for the reply.
        max_failures: share of the samples that may fail; one may always, unless it is 0.
        workers: threads that read media ahead; window: how many samples ahead.
        retries: how often a transient failure is asked again.
        timeout_s: so many seconds without a reply or a new request stop the run; None waits for ever.
        reuse: whether replies of other runs under the same root are taken over.
        fresh: forget what this run has stored, and ask everything anew.
        confidence: of the intervals.
    """

    limit: int | None = None
    seed: int = 0
    prompt: str = "default"
    convention: str = "official"
    generation: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, Any] = field(default_factory=dict)
    control: Control = "none"
    kind: keys.Kind = "generate"
    max_failures: float = 0.01
    workers: int = 2
    window: int = 32
    retries: int = 5
    timeout_s: float | None = None
    reuse: bool = True
    fresh: bool = False
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Check all values. Raises `ConfigError` naming every one that is out of range."""
        known = set(Generation.__dataclass_fields__)
        problems = [
            (self.limit is not None and self.limit < 1, f"limit={self.limit} (must be at least 1)"),
            (not 0 <= self.max_failures <= 1, f"max_failures={self.max_failures} (a share: must be between 0 and 1)"),
            (self.control not in ("none", "blind", "swapped"), f"control={self.control!r} (none, blind or swapped)"),
            (self.kind not in ("generate", "loglikelihood"), f"kind={self.kind!r} (generate or loglikelihood)"),
            (self.workers < 0, f"workers={self.workers} (must not be negative)"),
            (self.window < 1, f"window={self.window} (must be at least 1)"),
            (self.timeout_s is not None and self.timeout_s <= 0, f"timeout_s={self.timeout_s} (must be above 0)"),
            (self.retries < 0, f"retries={self.retries} (must not be negative)"),
            (not 0 < self.confidence < 1, f"confidence={self.confidence} (must be between 0 and 1)"),
            *((name not in FRAME_SETTINGS, f"frames.{name} (known: {', '.join(FRAME_SETTINGS)})") for name in self.frames),
            (self.frames.get("count", 1) < 1, f"frames.count={self.frames.get('count')} (must be at least 1)"),
            (self.frames.get("per_second", 1) <= 0, f"frames.per_second={self.frames.get('per_second')} (must be above 0)"),
            *((name not in known, f"generation.{name} (known: {', '.join(sorted(known))})") for name in self.generation),
        ]
        if wrong := [message for bad, message in problems if bad]:
            raise ConfigError("; ".join(wrong))

    def applied_to(self, generation: Generation) -> Generation:
        """Return a task's generation settings with the seed and the overrides."""
        changes = {"seed": self.seed, **self.generation}
        return replace(generation, **{**changes, "stop": tuple(changes.get("stop", generation.stop))})

    def shown(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Return a prompt's parts with the overridden plans of frames."""
        if not self.frames:
            return tuple(parts)
        return tuple(replace(one, frames=replace(one.frames, **self.frames)) if isinstance(one, Video) else one for one in parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A sample with what is asked about it.

    ``parts`` is the request as it is stored: texts, and media by label, digest and locator. ``failure`` is set if the media
    cannot be read; the sample is then never asked.
    """

    sample: Sample
    request: Request
    parts: list[dict[str, Any]]
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A benchmark's data as they lie somewhere: opened as often as needed, always from the beginning."""

    task: Task
    where: tuple[Path, ...]
    layout: Layout
    limit: int | None = None

    @classmethod
    def find(cls, task: Task, where: Path | Sequence[Path], limit: int | None = None) -> Source:
        """Recognise the layout at ``where``, a folder or files. Raises `DatasetError` if there is none of the task's."""
        from harness.data.sources import read_records

        places = (where,) if isinstance(where, Path) else tuple(where)
        layout, _ = read_records(task, places)
        return cls(task=task, where=places, layout=layout, limit=limit)

    def count(self) -> int:
        """Return the number of samples, from one pass over the records."""
        return sum(1 for _ in islice(self.layout.read(self.where), self.limit))

    def samples(self) -> Iterator[Sample]:
        """Yield the samples in order."""
        return self.task.samples(islice(self.layout.read(self.where), self.limit))

    def fingerprint(self) -> str:
        """Return what names the data, wherever they lie (`keys.data_fingerprint`)."""
        from harness.data.sources import data_folder, find_files

        folder = data_folder(self.where)
        files = find_files(self.where, *self.layout.files)
        named = ((path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name, path) for path in files)
        return keys.data_fingerprint(named)

    def account(self, n: int, fingerprint: str, name: str) -> dict[str, Any]:
        """Return what ``run.json`` says of the data; ``name`` is set where they are not the official ones."""
        paths = [str(path.absolute()) for path in self.where]
        return {"name": name, "layout": self.layout.name, "fingerprint": fingerprint, "n": n, "paths": paths}


def plan(source: Source, settings: Settings, model: str, needs_ideal: bool = False) -> Iterator[Planned]:
    """Yield every sample with its request, reading media ahead in threads.

    Args:
        source: the data.
        settings: prompt, generation, seed, control.
        model: the model's fingerprint.
        needs_ideal: whether requests carry the benchmark's ideal reply.
    """
    from harness.data import media

    digest = remembering(media.digest)
    samples = source.samples()
    if settings.control == "swapped":
        samples = swapped(samples, digest)
    work = partial(_prepare, source.task, settings, model, needs_ideal, digest)
    return ahead(samples, work, workers=settings.workers, window=settings.window)


def remembering(digest: keys.Digest) -> keys.Digest:
    """Return the same function with a memory of the last sources, as far as they can be hashed."""
    cached = cast(keys.Digest, lru_cache(DIGESTS_KEPT)(digest))

    def remembered(source: MediaSource) -> str:
        try:
            hash(source)
        except TypeError:
            return digest(source)
        return cached(source)

    return remembered


def _prepare(task: Task, settings: Settings, model: str, needs_ideal: bool, digest: keys.Digest, sample: Sample) -> Planned:
    """Compose and name the request for a sample."""
    with fitting(f"sample {sample.id!r}"):
        query = task.query(sample, settings.prompt)
    parts = settings.shown(query.parts)
    asked = blind(parts) if settings.control == "blind" else parts
    generation = settings.applied_to(query.generation)
    failure: Failure | None = None
    try:
        identity = [keys.described(part, digest) for part in asked]
    except (MediaError, OSError) as error:
        failure = Failure("media", str(error))
        identity = [keys.described(part, _unreadable) for part in asked]
    ideal = query.ideal if needs_ideal else None
    key = keys.request_key(identity, generation, model=model, kind=settings.kind, choices=query.choices, ideal=ideal)
    request = Request(
        key=key,
        sample_id=sample.id,
        parts=asked,
        generation=generation,
        choices=query.choices,
        ideal=ideal,
        group=keys.media_group(identity),
    )
    stored = _shown_parts(asked, identity, failure is None)
    return Planned(sample=sample, request=request, parts=stored, failure=failure)


def described_parts(parts: Sequence[Part], digest: keys.Digest) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what identifies a prompt's parts (`keys.described`), and the parts as they are stored. Raises `MediaError`."""
    identity = [keys.described(part, digest) for part in parts]
    return identity, _shown_parts(parts, identity, True)


def _shown_parts(parts: Sequence[Part], identity: Sequence[Mapping[str, Any]], readable: bool) -> list[dict[str, Any]]:
    return [_shown(part, one, readable) for part, one in zip(parts, identity, strict=True)]


def _unreadable(source: MediaSource) -> str:
    return f"unreadable: {source.label}"


def _shown(part: Part, identity: Mapping[str, Any], readable: bool) -> dict[str, Any]:
    """Describe a part so that a report can show it later: text, or label, digest and locator of the media."""
    if isinstance(part, Text):
        return {"text": part.text} if part.role == "user" else {"text": part.text, "role": part.role}
    kind = "image" if isinstance(part, Image) else "video"
    shown = {kind: part.source.label, "digest": identity[kind] if readable else None, "locator": part.source.locator()}
    return {**shown, "frames": plan_record(part.frames)} if isinstance(part, Video) else shown


def check(task: Task, settings: Settings, name: str, capabilities: Capabilities) -> Convention:
    """Check that the model can be asked what the task asks, before the first sample; return the chosen convention.

    Raises:
        CapabilityError: the model lacks something the task needs.
        ConfigError: the task has no such prompt or convention, or must be asked in another way.
    """
    lacking = [need for need in sorted(task.needs) if not getattr(capabilities, need)]
    if lacking:
        raise CapabilityError(
            f"model {name!r} takes no {', no '.join(lacking).replace('_', ' ')}, which task {task.name!r} sends; "
            "choose another model or task"
        )
    if task.kind not in (None, settings.kind):
        raise ConfigError(f"kind={settings.kind}: task {task.name!r} is scored by kind={task.kind}; say that")
    if settings.kind == "loglikelihood" and not capabilities.loglikelihood:
        raise CapabilityError(f"model {name!r} cannot weigh choices (kind=loglikelihood); use kind=generate")
    if settings.prompt != "default" and settings.prompt not in task.prompts:
        known = ", ".join(("default", *task.prompts))
        raise ConfigError(f"prompt={settings.prompt!r} is no prompt of task {task.name!r} (known: {known})")
    return convention_of(task, settings.convention, capabilities.box_frame)


def convention_of(task: Task, name: str, frame: Frame | None = None) -> Convention:
    """Return a task's convention by name, brought to the frame that a model declares where the convention knows how.

    Raises:
        ConfigError: there is none of that name; the message names those there are.
    """
    name = task.convention_named(name)
    if name not in task.conventions:
        raise ConfigError(f"convention={name!r} is none of task {task.name!r} (known: {', '.join(task.conventions)})")
    convention = task.conventions[name]
    return convention if frame is None or convention.in_frame is None else convention.in_frame(frame)

"""Controls that show whether a benchmark needs its pictures: ``blind`` greys them out, ``swapped`` deals them out wrongly.

``blind`` keeps size and number of the pictures, so that prompts have the same length. ``swapped`` gives a sample the media of
the next sample whose media differ (by their bytes), the last ones those of the first; nothing is drawn by lot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Literal

from harness.data.grey import GreyClip, GreyPicture
from harness.errors import ConfigError, MediaError
from harness.keys import Digest
from harness.types import FramePlan, Image, Part, Sample, Text, Video

Control = Literal["none", "blind", "swapped"]


def blind(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Replace each picture and clip of a prompt by a grey one of the same size."""
    return tuple(_greyed(part) for part in parts)


def _greyed(part: Part) -> Part:
    if isinstance(part, Image):
        return Image(GreyPicture(part.source))
    if isinstance(part, Video):
        plan = FramePlan(count=part.frames.count, kind="middle" if part.frames.kind == "middle" else "uniform")
        return Video(GreyClip(part.source, max(part.frames.count, 1)), plan)
    return part


def swapped(samples: Iterable[Sample], digest: Digest) -> Iterator[Sample]:
    """Give each sample with media those of the next sample whose media differ; the order of the samples stays.

    Only samples that wait for a different picture are held. A sample whose media cannot be read lends nothing.

    Raises:
        ConfigError: all media are the same, so there is nothing to swap.
    """
    waiting: list[Sample] = []
    lenders: list[tuple[tuple[str, ...], Sample]] = []
    current: tuple[str, ...] = ()
    for sample in samples:
        media = [part for part in sample.parts if isinstance(part, Image | Video)]
        if not media and not waiting:
            yield sample
            continue
        try:
            marks = tuple(digest(part.source) for part in media)
        except MediaError:
            marks = ()
        if waiting and marks and marks != current:
            yield from (_with_media_of(one, sample) for one in waiting)
            waiting = []
        if marks:
            current = marks
            if len(lenders) < 2 and all(marks != other for other, _ in lenders):
                lenders.append((marks, sample))
        waiting.append(sample)
    lender = next((one for marks, one in lenders if marks != current), None)
    if lender is None and current:
        raise ConfigError("control=swapped needs samples with at least two different pictures; ask more samples (limit=...)")
    yield from (_with_media_of(one, lender) if lender else one for one in waiting)


def _with_media_of(sample: Sample, lender: Sample) -> Sample:
    """Put the lender's pictures in the places of the sample's (in turn, if it has fewer), and its clips in those of clips."""
    pools = {kind: cycle([part for part in lender.parts if isinstance(part, kind)]) for kind in (Image, Video, Text)}
    parts = (part if isinstance(part, Text) else next(pools[type(part)], part) for part in sample.parts)
    return replace(sample, parts=tuple(parts))

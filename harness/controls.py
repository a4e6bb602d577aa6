"""Controls that show whether a benchmark needs its pictures: ``blind`` greys them out, ``swapped`` deals them out wrongly.

``blind`` keeps size and number of the pictures, so that prompts have the same length. ``swapped`` gives a sample the media of
the next sample whose media differ (by their bytes), the last ones those of the first; nothing is drawn by lot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import cycle
from typing import Any, Literal

from harness.errors import ConfigError, MediaError
from harness.keys import Digest
from harness.types import FramePlan, Image, MediaSource, Part, Sample, Text, Video

Control = Literal["none", "blind", "swapped"]

GREY = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class GreyPicture:
    """A uniform grey PNG in the size of another picture."""

    of: MediaSource

    @property
    def label(self) -> str:
        """Names the picture that it stands for."""
        return f"grey in place of {self.of.label}"

    def locator(self) -> dict[str, Any]:
        """Names the picture that it stands for."""
        return {"kind": "grey", "of": self.of.locator()}

    def read(self) -> bytes:
        """Encode the grey picture. Raises `MediaError` if the size of the other cannot be had."""
        from PIL import Image as Pictures
        from PIL import UnidentifiedImageError

        from harness.data.media import PIXEL_LIMIT

        try:
            with Pictures.open(BytesIO(self.of.read())) as picture:  # reads the header only
                size = picture.size
        except (Pictures.DecompressionBombError, Pictures.DecompressionBombWarning) as error:
            raise MediaError(f"{self.of.label}: above the limit of {PIXEL_LIMIT} pixels ({error})") from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise MediaError(f"{self.of.label}: not a picture whose size can be read ({error})") from error
        if size[0] * size[1] > PIXEL_LIMIT:
            raise MediaError(f"{self.of.label}: {size[0]} x {size[1]} pixels, above the limit of {PIXEL_LIMIT}")
        encoded = BytesIO()
        Pictures.new("RGB", size, GREY).save(encoded, "PNG")
        return encoded.getvalue()


@dataclass(frozen=True, slots=True)
class GreyClip:
    """A clip of grey frames in the size of another clip, one for each frame of the plan."""

    of: MediaSource
    frames: int

    @property
    def label(self) -> str:
        """Names the clip that it stands for."""
        return f"{self.frames} grey frames in place of {self.of.label}"

    def locator(self) -> dict[str, Any]:
        """Names the clip that it stands for."""
        return {"kind": "grey", "of": self.of.locator(), "frames": self.frames}

    def read(self) -> bytes:
        """Encode the grey clip (Motion JPEG in Matroska). Raises `MediaError` if the size of the other cannot be had."""
        import av
        from PIL import Image as Pictures

        try:
            with av.open(BytesIO(self.of.read())) as clip:
                context = clip.streams.video[0].codec_context
                width, height = context.width + context.width % 2, context.height + context.height % 2
        except (av.FFmpegError, IndexError) as error:
            raise MediaError(f"{self.of.label}: not a clip whose size can be read ({error})") from error
        encoded = BytesIO()
        with av.open(encoded, "w", format="matroska", options={"fflags": "+bitexact"}) as out:
            stream = out.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            frame: av.VideoFrame = av.VideoFrame.from_image(Pictures.new("RGB", (width, height), GREY))  # type: ignore[no-untyped-call]
            for _ in range(self.frames):
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        return encoded.getvalue()


def blind(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Replace each picture and clip of a prompt by a grey one of the same size."""
    return tuple(_greyed(part) for part in parts)


def _greyed(part: Part) -> Part:
    if isinstance(part, Image):
        return Image(GreyPicture(part.source))
    if isinstance(part, Video):
        plan = FramePlan(count=part.frames.count, kind=part.frames.kind)
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

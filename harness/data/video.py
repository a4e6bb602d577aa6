"""Frames of clips by PyAV (the extra ``video``): a few frames by their number, found by seeking, never the whole clip in memory.

Not here: pictures (`harness.data.media`). A first pass reads the packets of the clip without decoding any: that gives the exact
number of frames and their times, where what the container claims is often missing or wrong. A second pass seeks to the key frame
before each wanted frame and decodes on from there.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

from harness.data.media import PIXEL_LIMIT
from harness.errors import MediaError
from harness.types import FileSource, FramePlan, MediaSource

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc"
"""What clips come in. FFmpeg knows playlists too, with which a hostile file would have it read other files and addresses."""

_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

NEEDS_AV = "reading clips needs PyAV, which is not installed: pip install 'riddle-eval[video]'"


def read_frames(source: MediaSource, plan: FramePlan) -> list[Picture]:
    """Decode the frames that a plan names, in order, as RGB pictures; short clips repeat frames to reach the count.

    Rotation stored beside the frames is not applied, as in the decoders that published results used. Needs PyAV.

    Raises:
        MediaError: the clip cannot be had, is damaged, cut short or without frames, or its frames are larger than
            `harness.data.media.PIXEL_LIMIT`.
    """
    with _opened(source) as container:
        index = _index(container, source)
    wanted = frame_numbers(plan, index.seconds())
    with _opened(source) as container:  # anew: a bare stream cannot go back
        decode = _decoded_by_seeking if index.exact else _decoded_in_order
        pictures = dict(decode(container, index, sorted(set(wanted)), source))
    return [pictures[number] for number in wanted]


def frame_numbers(plan: FramePlan, times_s: Sequence[float]) -> list[int]:
    """Choose frames from a clip whose frames begin at ``times_s`` (sorted, in seconds).

    ``uniform`` cuts the span's first to last frame into ``count`` equal segments and takes the centre of each, in the
    arithmetic of MVBench's sampling: ``int(first + segment / 2 + round(segment * i))``, segment = (last - first) / count.
    ``middle`` takes ``count`` neighbours around the middle frame, for one frame ``(first + last) // 2``. The span's ends are
    included; an end beyond the clip is the clip's.

    >>> frame_numbers(FramePlan(count=4), [i / 10 for i in range(9)])
    [1, 3, 5, 7]
    >>> frame_numbers(FramePlan(count=1, kind="middle", start_s=0.5), [i / 10 for i in range(10)])
    [7]
    """
    last = len(times_s) - 1
    first = 0 if plan.start_s is None else min(bisect_left(times_s, plan.start_s - 1e-6), last)
    if plan.end_s is not None:
        last = max(first, min(last, bisect_right(times_s, plan.end_s + 1e-6) - 1))
    if plan.kind == "middle":
        start = (first + last) // 2 - (plan.count - 1) // 2
        return [min(max(start + offset, first), last) for offset in range(plan.count)]
    segment = (last - first) / plan.count
    return [min(int(first + segment / 2 + round(segment * number)), last) for number in range(plan.count)]


@dataclass(frozen=True, slots=True)
class _Index:
    """When each frame is shown, in ticks of ``base`` seconds, in order of time; ``exact`` if every packet tells."""

    ticks: list[int]
    base: Fraction
    exact: bool

    def seconds(self) -> list[float]:
        return [float((tick - self.ticks[0]) * self.base) for tick in self.ticks]


@contextmanager
def _opened(source: MediaSource) -> Iterator[Any]:
    """Open a clip and word what goes wrong with it."""
    try:
        import av
    except ImportError as error:
        raise MediaError(NEEDS_AV) from error
    try:
        file = str(source.path) if isinstance(source, FileSource) else BytesIO(source.read())
        with av.open(file, mode="r", options=_OPTIONS) as container:
            yield container
    except FileNotFoundError as error:
        raise MediaError(f"{source.label}: no such file") from error
    except (av.FFmpegError, ValueError, IndexError, MemoryError) as error:
        raise MediaError(f"{source.label}: not a readable clip, damaged or cut short ({error})") from error


def _index(container: Any, source: MediaSource) -> _Index:
    if not container.streams.video:
        raise MediaError(f"{source.label}: no video in it")
    stream = container.streams.video[0]
    if stream.codec_context.width * stream.codec_context.height > PIXEL_LIMIT:
        size = f"{stream.codec_context.width} x {stream.codec_context.height}"
        raise MediaError(f"{source.label}: frames of {size} pixels, above the limit of {PIXEL_LIMIT}")
    ticks: list[int | None] = []
    length = 0
    for packet in container.demux(stream):
        if packet.size and packet.is_corrupt:
            raise MediaError(f"{source.label}: damaged or cut short after {len(ticks)} frames")
        if packet.size and not packet.is_discard:
            ticks.append(packet.pts)
            length = packet.duration or 0
    if not ticks:
        raise MediaError(f"{source.label}: no frames in it")
    known = sorted({tick for tick in ticks if tick is not None})
    if len(known) == len(ticks):
        _check_length(container, stream, known[-1] - known[0] + length, source)
        return _Index(known, stream.time_base, True)
    rate = stream.average_rate or Fraction(25)
    return _Index(list(range(len(ticks))), 1 / Fraction(rate), False)


def _check_length(container: Any, stream: Any, ticks: int, source: MediaSource) -> None:
    """A container that promises much more than there is (and not for the sake of its sound) was cut short."""
    promised = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not promised and len(container.streams) == 1 and container.duration:
        promised = container.duration / 1_000_000
    found = float(ticks * stream.time_base)
    if found < 0.75 * promised:
        raise MediaError(f"{source.label}: cut short, {found:.1f} of {promised:.1f} seconds are there")


def _decoded_by_seeking(
    container: Any, index: _Index, wanted: Sequence[int], source: MediaSource
) -> Iterator[tuple[int, Picture]]:
    """Yield the wanted frames, which are sorted, with their numbers."""
    stream = container.streams.video[0]
    at = -math.inf
    frames: Iterator[Any] = iter(())
    for number in wanted:
        tick = index.ticks[number]
        if at == -math.inf or (tick - at) * index.base > 1:  # decoding on is cheaper than seeking for less than a second
            container.seek(tick, stream=stream, backward=True)
            frames = container.decode(stream)
        for frame in frames:
            if frame.pts is not None and frame.pts >= tick:
                at = frame.pts
                yield number, _picture(frame)
                break
        else:
            raise MediaError(f"{source.label}: damaged or cut short, frame {number} of {len(index.ticks)} cannot be decoded")


def _decoded_in_order(container: Any, index: _Index, wanted: Sequence[int], source: MediaSource) -> Iterator[tuple[int, Picture]]:
    """The same for clips whose packets lack times: decode from the start and count."""
    left = list(reversed(wanted))
    for number, frame in enumerate(container.decode(container.streams.video[0])):
        if number == left[-1]:
            yield left.pop(), _picture(frame)
            if not left:
                return
    raise MediaError(f"{source.label}: damaged or cut short, frame {left[-1]} of {len(index.ticks)} cannot be decoded")


def _picture(frame: Any) -> Picture:
    """A frame as RGB, by one thread: PyAV would start one for each core at every frame, which costs more than it saves."""
    try:
        picture: Picture = frame.to_image(threads=1)
    except TypeError:  # PyAV before it had a choice used one
        picture = frame.to_image()
    return picture

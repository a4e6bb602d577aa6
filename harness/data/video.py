"""Frames of clips by PyAV (the extra ``video``): a few frames by their number, found by seeking, never the whole clip in memory.

Not here: which frames (`harness.data.frames`), folders of frames (`harness.data.frame_folder`), pictures (`harness.data.media`).
A first pass reads the packets of the clip without decoding any: that gives the exact number of frames, their times and which of
them are key frames, where what the container claims is often missing or wrong. A second pass seeks to the key frame before each
wanted frame, unless decoding on from the last one is nearer, and decodes from there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from harness.data.frame_folder import FrameFolder, folder_frames, folder_size
from harness.data.frames import chosen
from harness.data.media import PIXEL_LIMIT
from harness.errors import MediaError
from harness.types import FileSource, FramePlan, MediaSource

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc"
"""What clips come in. FFmpeg knows playlists too, with which a hostile file would have it read other files and addresses."""

_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

_WHOLE = 0.9
"""Share of the promised length below which a clip was cut short."""

NEEDS_AV = "reading clips needs PyAV, which is not installed: pip install 'riddle-eval[video]'"


def read_frames(source: MediaSource, plan: FramePlan) -> list[Picture]:
    """Decode the frames that a plan names, in order, as RGB pictures; short clips repeat frames to reach the count.

    Rotation stored beside the frames is not applied, as in the decoders that published results used. Needs PyAV, but for folders.

    Raises:
        MediaError: the clip cannot be had, is damaged, cut short or without frames, ends before the plan's part begins, or its
            frames are larger than `harness.data.media.PIXEL_LIMIT`.
    """
    if isinstance(source, FrameFolder):
        return folder_frames(source, plan)
    with _opened(source) as container:
        index = _index(container, source)
    wanted = chosen(plan, len(index.ticks), index.rate, source.label)
    with _opened(source) as container:  # anew: a bare stream cannot go back
        decode = _decoded_by_seeking if index.exact else _decoded_in_order
        pictures = dict(decode(container, index, sorted(set(wanted)), source))
    return [pictures[number] for number in wanted]


def frame_size(source: MediaSource) -> tuple[int, int]:
    """Return width and height of a clip's frames as its header has them. Raises `MediaError` as `read_frames` does."""
    if isinstance(source, FrameFolder):
        return folder_size(source)
    with _opened(source) as container:
        return _checked_size(container, source)


@dataclass(frozen=True, slots=True)
class _Index:
    """When each frame is shown and which are key frames, in sorted ticks of ``base`` seconds; ``exact`` if every packet tells."""

    ticks: array[int]
    keys: array[int]
    rate: float
    exact: bool


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


def _checked_size(container: Any, source: MediaSource) -> tuple[int, int]:
    if not container.streams.video:
        raise MediaError(f"{source.label}: no video in it")
    context = container.streams.video[0].codec_context
    if context is None:
        raise MediaError(f"{source.label}: in a coding that PyAV does not know, or damaged at its beginning")
    return _within_limit(context.width, context.height, source)


def _within_limit(width: int, height: int, source: MediaSource) -> tuple[int, int]:
    if width * height > PIXEL_LIMIT:
        raise MediaError(f"{source.label}: frames of {width} x {height} pixels, above the limit of {PIXEL_LIMIT}")
    return width, height


def _index(container: Any, source: MediaSource) -> _Index:
    _checked_size(container, source)
    stream = container.streams.video[0]
    ticks, keys = array("q"), array("q")
    found, length = 0, 0
    for packet in container.demux(stream):
        if packet.size and packet.is_corrupt:
            raise MediaError(f"{source.label}: damaged or cut short after {found} frames")
        if packet.size and not packet.is_discard:
            found, length = found + 1, packet.duration or 0
            if packet.pts is not None:
                ticks.append(packet.pts)
                keys.extend([packet.pts] if packet.is_keyframe else [])
    if not found:
        raise MediaError(f"{source.label}: no frames in it")
    if container.format.name == "gif" and not _ending(source).rstrip(b"\0").endswith(b";"):
        raise MediaError(f"{source.label}: damaged or cut short after {found} frames (a GIF's end is missing)")
    claimed = float(stream.average_rate or 0)
    times = _in_order(ticks)
    if len(times) < found:
        return _Index(array("q", range(found)), keys, claimed or 25.0, False)
    _check_length(container, stream, times[-1] - times[0] + max(length, _longest(times)), source)
    return _Index(times, _in_order(keys), _rate(claimed, found - 1, float((times[-1] - times[0]) * stream.time_base)), True)


def _in_order(ticks: array[int]) -> array[int]:
    """Sort, each once; most clips are in order, and a number object for each frame of an hour would be most of an index."""
    return ticks if all(one < other for one, other in pairwise(ticks)) else array("q", sorted(set(ticks)))


def _ending(source: MediaSource) -> bytes:
    """The last bytes of a clip: a GIF promises no length, but ends with a semicolon."""
    if not isinstance(source, FileSource):
        return source.read()[-64:]
    with source.open() as file:
        file.seek(max(0, source.path.stat().st_size - 64))
        return file.read()


def _longest(times: array[int]) -> int:
    """The longest that a frame is shown, which the last one may be too."""
    return max((other - one for one, other in pairwise(times)), default=0)


def _rate(claimed: float, frames: int, seconds: float) -> float:
    """Frames per second: as the header claims, as decoders have it, unless the frames' times say something else."""
    measured = frames / seconds if frames and seconds > 0 else claimed or 25.0
    return claimed if abs(claimed - measured) <= 0.1 * measured else measured


def _check_length(container: Any, stream: Any, ticks: int, source: MediaSource) -> None:
    """A container that promises much more than there is (and not for the sake of its sound) was cut short."""
    promised = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not promised and len(container.streams) == 1 and container.duration:
        promised = container.duration / 1_000_000
    found = float(ticks * stream.time_base)
    if found < _WHOLE * promised:
        raise MediaError(f"{source.label}: cut short, {found:.1f} of {promised:.1f} seconds are there")


def _decoded_by_seeking(
    container: Any, index: _Index, wanted: Sequence[int], source: MediaSource
) -> Iterator[tuple[int, Picture]]:
    """Yield the wanted frames, which are sorted, with their numbers."""
    stream = container.streams.video[0]
    frames, frame = container.decode(stream), None
    for number in wanted:
        tick, at = index.ticks[number], index.ticks[0] - 1 if frame is None else frame.pts
        key = bisect_right(index.keys, tick) - 1
        if key > 0 and index.keys[key] > at:
            frames, frame = _sought(container, stream, index, key), None
        while frame is None or frame.pts < tick:
            frame = next((one for one in frames if one.pts is not None), None)
            if frame is None or frame.is_corrupt:
                raise MediaError(f"{source.label}: damaged or cut short, frame {number} of {len(index.ticks)} cannot be decoded")
        yield number, _picture(frame, source)


def _sought(container: Any, stream: Any, index: _Index, key: int) -> Iterator[Any]:
    """Go to a key frame; where the container lands behind it, as some do, to an earlier one, in the end to the first."""
    while True:
        container.seek(index.keys[key], stream=stream, backward=True)
        frames = container.decode(stream)
        first = next(frames, None)
        if first is None or first.pts is None or first.pts <= index.keys[key] or key == 0:
            return chain([] if first is None else [first], frames)
        key //= 2


def _decoded_in_order(container: Any, index: _Index, wanted: Sequence[int], source: MediaSource) -> Iterator[tuple[int, Picture]]:
    """The same for clips whose packets lack times: decode from the start and count."""
    left = list(reversed(wanted))
    for number, frame in enumerate(container.decode(container.streams.video[0])):
        if number == left[-1]:
            yield left.pop(), _picture(frame, source)
            if not left:
                return
    raise MediaError(f"{source.label}: damaged or cut short, frame {left[-1]} of {len(index.ticks)} cannot be decoded")


def _picture(frame: Any, source: MediaSource) -> Picture:
    """A frame as RGB, by one thread: PyAV would start one for each core at every frame, which costs more than it saves.

    A stream may change its size on the way, so the limit is checked anew.
    """
    _within_limit(frame.width, frame.height, source)
    try:
        picture: Picture = frame.to_image(threads=1)
    except TypeError:  # PyAV before it had a choice used one
        picture = frame.to_image()
    return picture

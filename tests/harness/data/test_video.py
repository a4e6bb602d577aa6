"""Frames of clips: which ones, from which containers, and what damage is noticed."""

from __future__ import annotations

import random
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import video
from harness.data.frames import frame_numbers
from harness.data.video import read_frames
from harness.errors import MediaError
from harness.types import FileSource, FramePlan

av = pytest.importorskip("av")

FRAMES = 50
FORMS = {
    "a.mp4": ("libx264", "yuv420p"),
    "b.webm": ("libvpx-vp9", "yuv420p"),
    "c.gif": ("gif", "rgb8"),
    "d.avi": ("mpeg4", "yuv420p"),
}


def clip(
    path: Path, codec: str = "mpeg4", pixels: str = "yuv420p", n: int = FRAMES, options: dict[str, str] | None = None
) -> FileSource:
    """Write a clip of ten frames a second that grows from black to white."""
    with av.open(str(path), "w", options=options or {}) as out:
        stream: Any = out.add_stream(codec, rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = pixels
        for number in range(n):
            grey = np.full((64, 64, 3), number * 255 // max(n - 1, 1), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode(None))
    return FileSource(path)


def numbers(source: FileSource, plan: FramePlan, n: int = FRAMES) -> list[float]:
    """Which frames the pictures are, by their grey."""
    return [float(np.asarray(picture)[5, 5, 0]) * (n - 1) / 255 for picture in read_frames(source, plan)]


@pytest.mark.parametrize("name", FORMS)
def test_frames_are_the_same_from_any_container(tmp_path: Path, name: str) -> None:
    source = clip(tmp_path / name, *FORMS[name])
    assert numbers(source, FramePlan(count=5)) == pytest.approx([4, 14, 24, 33, 43], abs=3.6 if "gif" in name else 1.5)
    assert numbers(source, FramePlan(count=1, kind="middle")) == pytest.approx([24], abs=3.6)
    assert numbers(source, FramePlan(count=2, start_s=2, end_s=3)) == pytest.approx([22, 27], abs=3.6)
    assert {(picture.mode, picture.size) for picture in read_frames(source, FramePlan(count=2))} == {("RGB", (64, 64))}


def test_a_clip_without_times_is_counted_from_its_start(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.h264", "libx264")
    assert numbers(source, FramePlan(count=3)) == pytest.approx([8, 24, 40], abs=1.5)


def test_a_clip_held_in_memory_is_read_too(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4").path

    class Held:
        label = "held"

        def read(self) -> bytes:
            return path.read_bytes()

        def locator(self) -> dict[str, Any]:
            return {}

    assert len(read_frames(Held(), FramePlan(count=3))) == 3


def test_a_short_clip_repeats_its_frames(tmp_path: Path) -> None:
    assert len(read_frames(clip(tmp_path / "a.mp4", n=1), FramePlan(count=4))) == 4


def crossing(path: Path, codec: str = "libx264", n: int = 100, options: dict[str, str] | None = None) -> FileSource:
    """Write a clip in which a red bar crosses a still ground, ten frames a second: most of each frame comes from those before."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "rgb8" if codec == "gif" else "yuv420p"
        for number in range(n):
            pixels = np.full((64, 128, 3), 40, np.uint8)
            pixels[:, number * 120 // (n - 1) :][:, :8] = (255, 0, 0)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    return FileSource(path)


def bars(source: FileSource, plan: FramePlan, n: int = 100) -> list[float]:
    """Which frames the pictures are, by where the bar is; a ground that is no more the ground is -1."""
    found = []
    for picture in read_frames(source, plan):
        row = np.asarray(picture).astype(int)[32]
        red = np.nonzero(row[:, 0] - row[:, 1] > 60)[0]
        plain = np.abs(np.delete(row, range(max(red.min() - 9, 0), min(red.max() + 10, 128)), axis=0) - 40).max() < 60
        found.append((red.mean() - 3.5) * (n - 1) / 120 if plain else -1)
    return found


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.gif", "gif", {}),
        ("a.webm", "libvpx", {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("b.webm", "libvpx-vp9", {"g": "30"}),
        ("a.mp4", "libx264", {"x264-params": "open-gop=1:keyint=20:bframes=3"}),
        ("b.mp4", "libx264", {"x264-params": "keyint=infinite"}),
        ("a.mkv", "mpeg4", {"g": "7"}),
    ],
)
def test_frames_between_key_frames_are_whole(tmp_path: Path, name: str, codec: str, options: dict[str, str]) -> None:
    source = crossing(tmp_path / name, codec, options=options)
    for plan in (FramePlan(count=4), FramePlan(count=16), FramePlan(count=3, start_s=7.3, end_s=9.1), FramePlan(9, "rate")):
        assert bars(source, plan) == pytest.approx(frame_numbers(plan, 100, 10.0), abs=1.6)


def patched(source: FileSource, atom: bytes, at: int, value: int) -> FileSource:
    """Change 32 bits at an offset behind the name of each such atom of an MP4 file."""
    data = bytearray(source.read())
    place = data.find(atom)
    while place >= 0:
        data[place + at : place + at + 4] = value.to_bytes(4, "big")
        place = data.find(atom, place + 4)
    source.path.write_bytes(bytes(data))
    return source


@pytest.mark.parametrize("seconds", [1, 9])
def test_a_duration_that_is_too_short_hides_no_frames(tmp_path: Path, seconds: int) -> None:
    source = patched(crossing(tmp_path / "a.mp4"), b"mdhd", 20, seconds * 10240)
    assert bars(patched(source, b"mvhd", 20, seconds * 1000), FramePlan(count=4)) == pytest.approx([12, 37, 61, 87], abs=1.6)


def test_a_duration_that_is_too_long_is_a_clip_cut_short(tmp_path: Path) -> None:
    source = crossing(tmp_path / "a.webm", "libvpx")
    data = bytearray(source.read())
    place = data.find(b"\x44\x89\x88") + 3  # Matroska's Duration, a double in milliseconds
    assert struct.unpack(">d", data[place : place + 8]) == (10_000.0,)
    data[place : place + 8] = struct.pack(">d", 60_000.0)
    source.path.write_bytes(bytes(data))
    with pytest.raises(MediaError, match=r"a\.webm: cut short, 10\.0 of 60\.0 seconds are there"):
        read_frames(source, FramePlan())


def test_a_part_that_begins_behind_the_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"a\.avi: the part from 20 s to 22 s lies beyond the clip, which is 5\.0 s long"):
        read_frames(clip(tmp_path / "a.avi"), FramePlan(start_s=20, end_s=22))


def test_damage_in_the_middle_is_no_silent_picture(tmp_path: Path) -> None:
    source = crossing(tmp_path / "a.mp4", options={"x264-params": "keyint=10"})
    with av.open(str(source.path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read())
    for place, size in packets[30:60]:
        data[place : place + size] = b"\xff" * size
    source.path.write_bytes(bytes(data))
    with pytest.raises(MediaError, match=r"a\.mp4"):
        read_frames(source, FramePlan(count=16))
    assert bars(source, FramePlan(count=2, start_s=7)) == pytest.approx([77, 91], abs=2), "the rest can still be shown"


def test_sound_that_outlasts_the_pictures_is_no_cut(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        video: Any = out.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        sound: Any = out.add_stream("aac", rate=16000)
        for _ in range(10):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        for place in range(80):
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 16000, place * 1024, Fraction(1, 16000)
            out.mux(sound.encode(heard))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    assert len(read_frames(FileSource(tmp_path / "a.mp4"), FramePlan(count=3))) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense" * 100,
        b"PK\x03\x04" + b"\0" * 200,
        b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
    ],
)
def test_a_file_that_is_no_clip_is_an_error_that_names_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(MediaError, match=r"a\.mp4"):
        read_frames(FileSource(tmp_path / "a.mp4"), FramePlan())


CODECS = {"a.webm": "libvpx-vp9", "a.gif": "gif"}


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {}), ("a.mp4", {"movflags": "faststart"}), ("a.webm", {}), ("a.avi", {}), ("a.gif", {})]
)
def test_half_a_clip_is_an_error_that_names_it(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    source = clip(tmp_path / name, CODECS.get(name, "mpeg4"), "rgb8" if name == "a.gif" else "yuv420p", options=options)
    data = source.read()
    source.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=name):
        read_frames(source, FramePlan())


def test_an_absent_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"absent\.mp4: no such file"):
        read_frames(FileSource(tmp_path / "absent.mp4"), FramePlan())


def test_a_container_without_pictures_is_an_error(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream: Any = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(MediaError, match="no video in it"):
        read_frames(FileSource(tmp_path / "a.mp4"), FramePlan())


def test_huge_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PIXEL_LIMIT", 1000)
    with pytest.raises(MediaError, match="64 x 64 pixels, above the limit of 1000"):
        read_frames(clip(tmp_path / "a.mp4"), FramePlan())


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MediaError, match=r"riddle-eval\[video\]"):
        read_frames(FileSource(Path("a.mp4")), FramePlan())


@pytest.mark.parametrize(("name", "codec"), [("a.gif", "gif"), ("a.webm", "libvpx"), ("a.mp4", "libx264"), ("a.avi", "mpeg4")])
def test_bytes_that_are_changed_or_lost_give_pictures_or_an_error_that_names_the_clip(
    tmp_path: Path, name: str, codec: str
) -> None:
    whole = crossing(tmp_path / name, codec, n=30).read()
    draw = random.Random(codec)
    source = FileSource(tmp_path / f"broken-{name}")
    for _ in range(40):
        data = bytearray(whole)
        place = draw.randrange(len(data))
        kind = draw.randrange(3)
        if kind == 0:
            for other in draw.sample(range(min(len(data), 2000)), 8):
                data[other] = draw.randrange(256)
        elif kind == 1:
            data[place : place + draw.randint(1, 300)] = b""
        else:
            data[place % 1500 : place % 1500 + 4] = b"\xff\xff\xff\xff"
        source.path.write_bytes(bytes(data))
        try:
            assert {picture.mode for picture in read_frames(source, FramePlan(count=3))} == {"RGB"}
        except MediaError as error:
            assert name in str(error)

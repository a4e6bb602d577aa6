"""Frames of clips: which ones, from which containers, and what damage is noticed."""

from __future__ import annotations

import doctest
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import video
from harness.data.video import frame_numbers, read_frames
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
    return [picture.getpixel((5, 5))[0] * (n - 1) / 255 for picture in read_frames(source, plan)]


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


@given(st.integers(1, 200), st.integers(1, 20), st.sampled_from(["uniform", "middle"]), st.floats(0, 30), st.floats(0, 30))
def test_frame_numbers_are_in_order_and_in_the_span(n: int, count: int, kind: Any, start: float, end: float) -> None:
    times = [i / 10 for i in range(n)]
    chosen = frame_numbers(FramePlan(count=count, kind=kind, start_s=start, end_s=start + end), times)
    assert len(chosen) == count
    assert chosen == sorted(chosen)
    first = min(range(n), key=lambda i: (times[i] < start - 1e-6, i)) if times[-1] >= start - 1e-6 else n - 1
    assert first <= chosen[0] <= chosen[-1] <= n - 1


@given(st.integers(1, 500), st.integers(1, 32))
def test_uniform_frames_are_mvbenchs(n: int, count: int) -> None:
    segment = float(n - 1) / count
    expected = [int(segment / 2 + np.round(segment * i)) for i in range(count)]
    assert frame_numbers(FramePlan(count=count), [float(i) for i in range(n)]) == [min(number, n - 1) for number in expected]


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(video).failed == 0


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


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {}), ("a.mp4", {"movflags": "faststart"}), ("a.webm", {}), ("a.avi", {})]
)
def test_half_a_clip_is_an_error_that_names_it(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    source = clip(tmp_path / name, "libvpx-vp9" if name == "a.webm" else "mpeg4", options=options)
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

"""What frames of clips cost: time and memory to sample some from clips of 10 seconds to an hour, 1080p.

Each clip is one encoded passage (H.264, 25 frames a second, a key frame every two seconds, a bar that crosses a still picture)
written as often as the length asks, so that an hour is made in seconds and is still a file of 90,000 frames. Every clip is read
in a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.bench.process import measured
from harness.errors import ConfigError
from harness.types import FileSource, FramePlan

SECONDS = (10, 60, 600, 3600)
FPS = 25
PASSAGE_S = 10
GROWTH = 1.05
"""The longest clip may take so many times the memory of the shortest: what processes differ by is about half of that."""


def bench_video(
    seconds: Sequence[int] = SECONDS, frames: int = 16, width: int = 1920, height: int = 1080
) -> list[dict[str, Any]]:
    """Return a row a clip: length, size, and the time and peak memory of sampling ``frames`` of it.

    Args:
        seconds: lengths, the shortest first, rounded to passages of 10 seconds.
        frames: sampled uniformly.
        width: of the clips, in pixels.
        height: of the clips, in pixels.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
        for length in seconds:
            path = Path(folder) / f"{length}.mp4"
            written = write_clip(path, max(1, length // PASSAGE_S), width, height)
            taken = measured(["-m", "harness.bench.video", str(path), str(frames)], f"frames={frames} ")
            size = path.stat().st_size / 2**20
            path.unlink()
            name = f"{length} s, {width} x {height}"
            rows.append({"name": name, "frames": written, "file_mib": round(size, 1), "sampled": frames, **taken.row()})
    for row in rows[1:]:
        row["ok"] = row["peak_mib"] <= GROWTH * rows[0]["peak_mib"]
    return rows


def write_clip(path: Path, passages: int, width: int, height: int) -> int:
    """Write a clip of so many passages as MP4 and return its number of frames. Raises `ConfigError` without PyAV."""
    try:
        import av
    except ImportError as error:
        raise ConfigError("writing clips needs PyAV: pip install 'riddle-eval[video]'") from error
    n = PASSAGE_S * FPS
    settings = {"preset": "ultrafast", "tune": "zerolatency", "crf": "30", "x264-params": f"keyint={2 * FPS}:threads=1"}
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=FPS, options=settings)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = [packet for number in range(n) for packet in stream.encode(_frame(number / n, width, height))]
        packets += stream.encode(None)
        held = [(bytes(one), one.pts, one.dts, one.is_keyframe, one.time_base) for one in packets]
        for passage in range(passages):
            for data, pts, dts, key, base in held:
                packet = av.Packet(data)
                shift = round(passage * PASSAGE_S / base)
                packet.stream, packet.time_base, packet.pts, packet.dts = stream, base, pts + shift, dts + shift
                packet.is_keyframe = key
                out.mux(packet)
    return n * passages


def _frame(place: float, width: int, height: int) -> Any:
    """A grey ramp with a white bar at a share of the width."""
    import av
    import numpy as np

    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = np.linspace(16, 200, width, dtype=np.uint8)
    left = round(place * (width - width // 40))
    planes[:height, left : left + width // 40] = 235
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def _child(path: Path, frames: int) -> None:
    """Sample the clip; what the parent measures."""
    from harness.data.video import read_frames

    pictures = read_frames(FileSource(path), FramePlan(count=frames))
    sys.stdout.write(f"frames={len(pictures)} of {pictures[0].size}\n")


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]))

"""The bench of clips: files of the lengths that were asked for, and rows with a verdict on memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.bench.video import bench_video, write_clip
from harness.data.video import read_frames
from harness.types import FileSource, FramePlan

pytest.importorskip("av")


def test_a_clip_of_several_passages_is_one_clip(tmp_path: Path) -> None:
    assert write_clip(tmp_path / "a.mp4", 3, 64, 36) == 750
    pictures = read_frames(FileSource(tmp_path / "a.mp4"), FramePlan(count=6))
    bars = [int(np.asarray(picture)[18].sum(axis=1).argmax()) for picture in pictures]
    assert bars == pytest.approx([15, 46] * 3, abs=3), "the bar crosses the picture three times"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    short, long = bench_video(seconds=(10, 1200), frames=4, width=320, height=180)
    assert (short["frames"], long["frames"], "ok" in short) == (250, 30_000, False)
    assert long["peak_mib"] < short["peak_mib"] + 8, "a few bytes a frame: the container's index"

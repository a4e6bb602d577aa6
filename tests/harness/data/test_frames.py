"""Plans of frames as numbers and records, and folders of frames."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.data import frames
from harness.data.frame_folder import FrameFolder
from harness.data.frames import frame_numbers, plan_of, plan_record, segment_centres, span
from harness.data.grey import GreyClip
from harness.data.media import digest, from_locator
from harness.data.video import frame_size, read_frames
from harness.errors import MediaError
from harness.types import FramePlan

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/scoring/mvbench.json").read_text(encoding="utf-8"))


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(frames).failed == 0


@pytest.mark.parametrize("case", GOLDEN["frame_index_cases"])
def test_segments_are_mvbenchs(case: dict[str, Any]) -> None:
    start, end = case["bound"] or (None, None)
    plan = FramePlan(count=case["num_segments"], start_s=start, end_s=end)
    base, n = case["first_index"], case["max_frame"] + 1 - case["first_index"]
    assert segment_centres(*span(plan, n, case["fps"], base), case["num_segments"]) == case["indices"]
    assert [number + base for number in frame_numbers(plan, n, case["fps"], base)] == case["indices"]


kinds = st.sampled_from(["uniform", "middle", "rate"])
seconds = st.none() | st.floats(0, 30)


@given(st.integers(1, 200), st.integers(1, 20), kinds, seconds, seconds, st.floats(0.1, 30), st.integers(0, 1))
def test_numbers_are_in_order_and_in_the_clip(
    n: int, count: int, kind: Any, start: float | None, end: float | None, per_second: float, base: int
) -> None:
    plan = FramePlan(count=count, kind=kind, start_s=start, end_s=end, per_second=per_second)
    chosen = frame_numbers(plan, n, 10.0, base)
    assert 1 <= len(chosen) <= count and (kind == "rate" or len(chosen) == count)
    assert chosen == sorted(chosen) and 0 <= chosen[0] <= chosen[-1] < n
    if start is not None and end is not None and base + 1 < round(start * 10) < round(end * 10) < n:
        assert round(start * 10) - base <= chosen[0] and chosen[-1] <= round(end * 10) - base
    assert plan_of(json.loads(json.dumps(plan_record(plan)))) == (plan if kind == "rate" else FramePlan(count, kind, start, end))


@given(st.integers(1, 500))
def test_one_uniform_frame_is_the_middle_one(n: int) -> None:
    assert frame_numbers(FramePlan(count=1), n, 25.0) == frame_numbers(FramePlan(count=1, kind="middle"), n, 25.0)


def test_a_plan_that_is_none_is_an_error_and_an_older_one_is_whole() -> None:
    assert plan_of({"count": 4, "kind": "uniform"}) == FramePlan(count=4) and plan_of(None) == FramePlan()
    assert list(plan_record(FramePlan())) == ["count", "kind", "start_s", "end_s"]


def folder(path: Path, n: int = 30, name: str = "{:05d}.jpg", first: int = 1) -> FrameFolder:
    """Three frames a second that grow from black to white."""
    path.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        grey = number * 255 // max(n - 1, 1)
        Image.new("RGB", (32, 24), (grey,) * 3).save(path / name.format(first + number), quality=95)
    return FrameFolder(path, 3.0)


def shown(source: FrameFolder, plan: FramePlan, n: int = 30) -> list[int]:
    """The numbers of the frames, from 1, by their grey."""
    return [round(int(np.asarray(picture)[3, 3, 0]) * (n - 1) / 255) + 1 for picture in read_frames(source, plan)]


def test_a_folder_of_frames_is_a_clip_counted_from_one(tmp_path: Path) -> None:
    source = folder(tmp_path / "clip")
    (tmp_path / "clip" / "._00001.jpg").write_bytes(b"a Mac's")
    (tmp_path / "clip" / "notes.txt").write_text("none")
    assert shown(source, FramePlan(count=8)) == [2, 6, 9, 13, 16, 20, 24, 27]
    assert shown(source, FramePlan(count=1, kind="middle")) == [15]
    assert shown(source, FramePlan(count=2, start_s=2, end_s=4)) == [7, 10], "frames 6 to 12, as the notebook has them"
    assert frame_size(source) == (32, 24)
    assert from_locator(json.loads(json.dumps(source.locator()))) == source
    assert read_frames(folder(tmp_path / "zero", name="frame_2_{:d}.png", first=0), FramePlan(count=1))[0].mode == "RGB"


def test_a_folders_digest_is_of_its_pictures(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a"), folder(tmp_path / "b")
    assert digest(one) == digest(other)
    Image.new("RGB", (32, 24)).save(tmp_path / "b" / "00017.jpg")
    assert digest(one) != digest(other)


def test_a_grey_clip_has_the_size_of_the_folders_frames(tmp_path: Path) -> None:
    pytest.importorskip("av")
    pictures = read_frames(GreyClip(folder(tmp_path / "a"), 4), FramePlan(count=4))
    assert [picture.size for picture in pictures] == [(32, 24)] * 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.rename(path.with_name("gone")), "no readable folder of frames"),
        (lambda path: [file.unlink() for file in path.iterdir()], "no frames in this folder"),
        (lambda path: (path / "00007.jpg").unlink(), "1 frames are missing, first number 7"),
        (lambda path: (path / "00002.jpg").write_bytes(b"no picture"), r"00002\.jpg: not a picture"),
    ],
)
def test_a_broken_folder_is_an_error_that_names_it(tmp_path: Path, damage: Any, message: str) -> None:
    source = folder(tmp_path / "clip")
    damage(tmp_path / "clip")
    with pytest.raises(MediaError, match=f"clip.*{message}"):
        read_frames(source, FramePlan())


def test_a_part_beyond_the_clip_is_an_error_and_no_last_frame(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"from 12.5 s to 14 s lies beyond the clip, which is 10\.0 s long"):
        read_frames(folder(tmp_path / "clip"), FramePlan(start_s=12.5, end_s=14))


def test_a_folder_has_no_bytes_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no bytes of its own"):
        folder(tmp_path / "clip").read()

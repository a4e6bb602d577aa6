"""MVBench in small: twenty JSON files; clips as MP4 and WebM, parts of longer clips, and folders of frames.

A clip of which a part is asked has another clip before and behind that part: only who looks at the right seconds can know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from harness.world import Clip
from tasks.mini.clips import asked_clips, encode
from tasks.mini.draws import Options, name_of, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

ASPECTS: Final = {
    "action_sequence": ("direction", "star/Charades_v1_480", "mp4"),
    "action_prediction": ("mover", "star/Charades_v1_480", "mp4"),
    "action_antonym": ("direction", "ssv2_video", "webm"),
    "fine_grained_action": ("direction", "Moments_in_Time_Raw/videos", "mp4"),
    "unexpected_action": ("mover", "FunQA_test/test", "mp4"),
    "object_existence": ("count", "clevrer/video_validation", "mp4"),
    "object_interaction": ("shape", "star/Charades_v1_480", "mp4"),
    "object_shuffle": ("mover", "perception/videos", "mp4"),
    "moving_direction": ("direction", "clevrer/video_validation", "mp4"),
    "action_localization": ("direction", "sta/sta_video", "mp4"),
    "scene_transition": ("colour", "scene_qa/video", "mp4"),
    "action_count": ("count", "perception/videos", "mp4"),
    "moving_count": ("count", "clevrer/video_validation", "mp4"),
    "moving_attribute": ("colour", "clevrer/video_validation", "mp4"),
    "state_change": ("direction", "perception/videos", "mp4"),
    "fine_grained_pose": ("shape", "nturgbd", "avi"),
    "character_order": ("mover", "perception/videos", "mp4"),
    "egocentric_navigation": ("direction", "vlnqa", "mp4"),
    "episodic_reasoning": ("direction", "tvqa/frames_fps3_hq", ""),
    "counterfactual_inference": ("shape", "clevrer/video_validation", "mp4"),
}
"""What an aspect asks here, where its clips lie, and what they are; without a suffix they are folders of frames."""

_PARTS: Final = ("action_sequence", "action_prediction", "object_interaction", "action_localization", "episodic_reasoning")
_OPTIONS: Final = {"count": 3, "colour": 5}
_FOLDER_FPS: Final = 3


def _write_clip(path: Path, clips: list[Clip]) -> tuple[float, float]:
    """Write clips one after the other; return where the middle one begins and ends, in seconds."""
    frames = [frame for clip in clips for frame in clip.frames]
    fps = clips[0].fps if path.suffix else _FOLDER_FPS
    if path.suffix:
        encode(frames, clips[0].image.size, fps, path)
    else:
        path.mkdir()
        for number, frame in enumerate(frames, start=1):
            frame.save(path / f"{number:05d}.jpg", quality=95)
    before, own = sum(len(clip.frames) for clip in clips[: len(clips) // 2]), len(clips[len(clips) // 2].frames)
    first = before if path.suffix else before + 1  # the frames of a folder are counted from 1
    return round(first / fps, 3), round((first + own - 1) / fps, 3)


def _record(aspect: str, number: int, clip: Clip, offered: Options) -> dict[str, Any]:
    kind, _, suffix = ASPECTS[aspect]
    return {
        "video": f"{aspect}_{number:04d}" + (f".{suffix}" if suffix else ""),
        "question": wording(f"mvbench/{kind}", thing=name_of(clip.thing)),
        "candidates": list(offered.texts),
        "answer": offered.texts[offered.right],
    }


def _records(folder: Path, aspect: str, seed: int) -> Iterator[dict[str, Any]]:
    """Write the clips of an aspect and yield its records, without end."""
    kind, place, _ = ASPECTS[aspect]
    around = worlds(Clip, "clip", f"mvbench/{aspect}/around", seed)
    for number, (clip, offered) in enumerate(asked_clips(f"mvbench/{aspect}", kind, _OPTIONS.get(kind, 4), seed)):
        record = _record(aspect, number, clip, offered)
        clips = [next(around), clip, next(around)] if aspect in _PARTS else [clip]
        start, end = _write_clip(folder / "video" / place / record["video"], clips)
        yield {**record, "start": start, "end": end} if aspect in _PARTS else record


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions over the twenty aspects, at least one an aspect, below ``folder``; an aspect is a part."""
    (folder / "json").mkdir()
    for aspect, wanted in zip(ASPECTS, size.split((1,) * len(ASPECTS)), strict=True):
        (folder / "video" / ASPECTS[aspect][1]).mkdir(parents=True, exist_ok=True)
        records = list(islice(_records(folder, aspect, seed), max(1, wanted)))
        (folder / "json" / f"{aspect}.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

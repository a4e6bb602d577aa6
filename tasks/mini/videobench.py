"""Video-Bench in small: thirteen question files, real video files, and the answers in a file of their own.

About half of the questions ask in which direction something moves, which no single frame tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tasks.mini.clips import asked_clips, encode
from tasks.mini.draws import Options, name_of
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

ANSWERS: Final = "ANSWER.json"


@dataclass(frozen=True)
class _Set:
    """One of the thirteen data sets: what it asks here, among how many options."""

    name: str
    kind: str
    options: int = 4
    suffix: str = "mp4"


SETS: Final = (
    _Set("ActivityNet", "direction"),
    _Set("MSVD", "mover", suffix="avi"),
    _Set("MSRVTT", "colour", 5),
    _Set("TGIF", "direction"),
    _Set("Youcook2", "shape"),
    _Set("Ucfcrime", "direction"),
    _Set("MOT", "mover", 6),
    _Set("TVQA", "colour", 5),
    _Set("MV", "direction"),
    _Set("NBA", "count", 3),
    _Set("Driving-exam", "direction", 2),
    _Set("Driving-decision-making", "direction"),
    _Set("SQA3D", "shape"),
)


def _question_id(benchmark: str, number: int) -> str:
    """Return the id of a question in the style of its set."""
    return f"v_mini{number:04d}_{number}" if benchmark == "ActivityNet" else str(number)


def _record(one: _Set, number: int, question: str, mixed: Options) -> dict[str, Any]:
    """Build a record; three sets have a field more, and one counts its videos in whole numbers."""
    video, stem = (number, f"video{number}") if one.name == "MSRVTT" else (f"mini{number:04d}",) * 2
    record: dict[str, Any] = {
        "vid_path": f"Eval_video/{one.name}/{stem}.{one.suffix}",
        "video_id": video,
        "question": question,
        "choices": dict(zip("ABCDEF", mixed.texts, strict=False)),
    }
    if one.name in ("ActivityNet", "TGIF"):
        record["qid"] = _question_id(one.name, number)
    if one.name == "Youcook2":
        record["sub_dir"] = ""
    return record


def _write_set(folder: Path, one: _Set, seed: int, n: int) -> dict[str, dict[str, str]]:
    """Write the questions and clips of a set; return its answers."""
    (folder / "Eval_video" / one.name).mkdir()
    questions: dict[str, Any] = {}
    answers = {}
    clips = islice(asked_clips(f"videobench/{one.name}", one.kind, one.options, seed), n)
    for number, (clip, offered) in enumerate(clips):
        text = wording(f"videobench/{one.kind}", thing=name_of(clip.thing))
        record, key = _record(one, number, text, offered), _question_id(one.name, number)
        encode(clip.frames, clip.image.size, clip.fps, folder / record["vid_path"])
        questions[key], answers[key] = record, {"answer": offered.letter}
    (folder / "Eval_QA" / f"{one.name}_QA_new.json").write_text(json.dumps(questions, indent=1), encoding="utf-8")
    return answers


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions over the thirteen sets, at least one a set, below ``folder``; a set is a part."""
    (folder / "Eval_QA").mkdir()
    (folder / "Eval_video").mkdir()
    sizes = size.split((1,) * len(SETS))
    answers = {one.name: _write_set(folder, one, seed, max(1, wanted)) for one, wanted in zip(SETS, sizes, strict=True)}
    (folder / ANSWERS).write_text(json.dumps(answers, indent=1), encoding="utf-8")

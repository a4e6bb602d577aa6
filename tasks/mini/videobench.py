"""Video-Bench in small: thirteen question files, real video files, and the answers in a file of their own.

About half of the questions ask in which direction something moves, which no single frame tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.errors import ConfigError
from harness.world import COLOURS, SHAPES, Clip, Dice, combinations, is_held_out
from tasks.mini.draws import NUMBER_WORDS, Options, name_of, options, places, shares, worlds
from tasks.mini.wordings import EVAL_TEMPLATES

ANSWERS: Final = "ANSWER.json"
_QUANTISER: Final = 2
_LAMBDA: Final = 118
"""What libavcodec calls FF_QP2LAMBDA: its quality is the quantiser times this."""
_DIRECTIONS: Final = ("left", "right", "up", "down")


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


def _facts(clip: Clip, dice: Dice) -> dict[str, tuple[str, list[str]]]:
    """Return for every kind of question the answer and its lures, best lures first."""
    others = [name_of(other) for other in clip.others if is_held_out(other.shape, other.colour)]
    held_out = [f"{colour} {shape}" for shape, colour in combinations("eval")]
    mover, shown = name_of(clip.thing), [clip.thing, *clip.others]
    absent = [name for name in dice.sample(held_out, len(held_out)) if name not in {mover, *map(name_of, clip.others)}]
    number = NUMBER_WORDS[len(shown)]
    return {
        "direction": (clip.direction, dice.sample([d for d in _DIRECTIONS if d != clip.direction], 3)),
        "mover": (mover, list(dict.fromkeys(others)) + absent),
        "colour": (clip.thing.colour, dice.sample([c for c in COLOURS if c != clip.thing.colour], len(COLOURS) - 1)),
        "shape": (clip.thing.shape, dice.sample([s for s in SHAPES if s != clip.thing.shape], len(SHAPES) - 1)),
        "count": (number, [word for word in NUMBER_WORDS[1:4] if word != number]),
    }


def _encode(clip: Clip, path: Path) -> None:
    """Write the frames as MPEG-4 part 2 with a constant, fine quantiser, one thread and no encoder stamps.

    H.264 would be the more usual codec, but x264 gave other bytes for the same frames about once in a hundred times, even with
    one thread; this encoder repeats itself and is part of every FFmpeg.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError("writing the mini videobench needs PyAV: pip install 'riddle-eval[video]'") from error
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("mpeg4", rate=Fraction(clip.fps), options={"threads": "1"})
        stream.width, stream.height = clip.image.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.flags |= av.codec.context.Flags.bitexact | av.codec.context.Flags.qscale
        context.global_quality = _QUANTISER * _LAMBDA
        for frame in clip.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
        container.mux(stream.encode(None))


def _question_id(benchmark: str, number: int) -> str:
    """Return the id of a question in the style of its set."""
    return f"v_mini{number:04d}_{number}" if benchmark == "ActivityNet" else str(number)


def _record(one: _Set, number: int, question: str, mixed: Options) -> dict[str, Any]:
    """Build a record; three sets have a field more, and one counts its videos in whole numbers."""
    video: str | int = number if one.name == "MSRVTT" else f"mini{number:04d}"
    record: dict[str, Any] = {
        "vid_path": f"Eval_video/{one.name}/{f'video{video}' if one.name == 'MSRVTT' else video}.{one.suffix}",
        "video_id": video,
        "question": question,
        "choices": dict(zip("ABCDEF", mixed.texts, strict=False)),
    }
    if one.name in ("ActivityNet", "TGIF"):
        record["qid"] = _question_id(one.name, number)
    if one.name == "Youcook2":
        record["sub_dir"] = ""
    return record


def _accepts(one: _Set) -> Callable[[Clip, int], bool]:
    """Return which clip suits the n-th question: what can be balanced (directions, counts) takes turns."""
    if one.kind == "direction":
        return lambda clip, n: clip.direction == _DIRECTIONS[n % 4]
    if one.kind == "count":
        return lambda clip, n: len(clip.others) == n % 3
    return lambda clip, n: True


def _write_set(folder: Path, one: _Set, seed: int, n: int) -> dict[str, dict[str, str]]:
    """Write the questions and clips of a set; return its answers."""
    clips, dice, accepts = worlds(Clip, "clip", f"videobench/{one.name}", seed), Dice(one.name, seed, "eval"), _accepts(one)
    (folder / "Eval_video" / one.name).mkdir()
    right = places(dice, one.options)
    questions: dict[str, Any] = {}
    answers: dict[str, dict[str, str]] = {}
    for number in range(n):
        clip = next(clip for clip in clips if accepts(clip, number))
        answer, lures = _facts(clip, dice)[one.kind]
        mixed = options(dice, answer, lures[: one.options - 1], next(right))
        text = EVAL_TEMPLATES[f"videobench/{one.kind}"][0].format(thing=name_of(clip.thing))
        record, key = _record(one, number, text, mixed), _question_id(one.name, number)
        _encode(clip, folder / record["vid_path"])
        questions[key], answers[key] = record, {"answer": mixed.letter}
    (folder / "Eval_QA" / f"{one.name}_QA_new.json").write_text(json.dumps(questions, indent=1), encoding="utf-8")
    return answers


def write(folder: Path, seed: int, n: int) -> None:
    """Write ``n`` questions over the thirteen sets, at least one a set, below ``folder``."""
    (folder / "Eval_QA").mkdir()
    (folder / "Eval_video").mkdir()
    sizes = shares(n, (1,) * len(SETS))
    answers = {one.name: _write_set(folder, one, seed, max(1, size)) for one, size in zip(SETS, sizes, strict=True)}
    (folder / ANSWERS).write_text(json.dumps(answers, indent=1), encoding="utf-8")

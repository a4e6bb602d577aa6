"""Video-Bench in small: thirteen question files, real video files, and the answers in a file of their own.

About half of the questions ask in which direction something moves, which no single frame tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.errors import ConfigError
from harness.world import COLOURS, SHAPES, Clip, Dice, combinations
from tasks.mini.draws import NUMBER_WORDS, Options, name_of, options, places, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

ANSWERS: Final = "ANSWER.json"
_QUANTISER: Final = 2
_LAMBDA: Final = 118
"""What libavcodec calls FF_QP2LAMBDA: its quality is the quantiser times this."""


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
_ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "direction": ("left", "right", "up", "down"),
    "mover": tuple(f"{colour} {shape}" for shape, colour in combinations("eval")),
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "count": NUMBER_WORDS[1:4],
}
"""What can be right; every answer of a kind gets its turn as often as the others."""


def _answer(clip: Clip, kind: str) -> str:
    """Return the right answer to a kind of question."""
    return {
        "direction": clip.direction,
        "mover": name_of(clip.thing),
        "colour": clip.thing.colour,
        "shape": clip.thing.shape,
        "count": NUMBER_WORDS[1 + len(clip.others)],
    }[kind]


def _lures(clip: Clip, kind: str, dice: Dice) -> list[str]:
    """Return wrong answers: at random, but first what stands still in the picture where the question is what moves."""
    answer, still = _answer(clip, kind), {name_of(other) for other in clip.others}
    wrong = [text for text in dice.sample(_ANSWERS[kind], len(_ANSWERS[kind])) if text != answer]
    return sorted(wrong, key=lambda text: text not in still) if kind == "mover" else wrong


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
        stream.width, stream.height, stream.pix_fmt = *clip.image.size, "yuv420p"
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
    clips, dice = worlds(Clip, "clip", f"videobench/{one.name}", seed), Dice(f"videobench/{one.name}", seed, "eval")
    answer_deck, letter_deck = places(dice, len(_ANSWERS[one.kind])), places(dice, one.options)
    (folder / "Eval_video" / one.name).mkdir()
    questions: dict[str, Any] = {}
    answers = {}
    for number in range(n):
        answer = _ANSWERS[one.kind][next(answer_deck)]
        clip = next(clip for clip in clips if _answer(clip, one.kind) == answer)
        lures = _lures(clip, one.kind, dice)[: one.options - 1]
        mixed = options(dice, answer, lures, next(letter_deck))
        text = wording(f"videobench/{one.kind}", thing=name_of(clip.thing))
        record, key = _record(one, number, text, mixed), _question_id(one.name, number)
        _encode(clip, folder / record["vid_path"])
        questions[key], answers[key] = record, {"answer": mixed.letter}
    (folder / "Eval_QA" / f"{one.name}_QA_new.json").write_text(json.dumps(questions, indent=1), encoding="utf-8")
    return answers


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions over the thirteen sets, at least one a set, below ``folder``; a set is a part."""
    (folder / "Eval_QA").mkdir()
    (folder / "Eval_video").mkdir()
    sizes = size.split((1,) * len(SETS))
    answers = {one.name: _write_set(folder, one, seed, max(1, wanted)) for one, wanted in zip(SETS, sizes, strict=True)}
    (folder / ANSWERS).write_text(json.dumps(answers, indent=1), encoding="utf-8")

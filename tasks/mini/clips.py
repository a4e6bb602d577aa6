"""What the mini benchmarks about clips share: what can be asked of one, what lures from the answer, and encoded files.

Not here: the sentences (`tasks.mini.wordings`) and the worlds (`harness.world`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from harness.errors import ConfigError
from harness.world import COLOURS, SHAPES, Clip, Dice, combinations
from tasks.mini.draws import NUMBER_WORDS, Options, name_of, options, places, worlds

ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "direction": ("left", "right", "up", "down"),
    "mover": tuple(f"{colour} {shape}" for shape, colour in combinations("eval")),
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "count": NUMBER_WORDS[1:4],
}
"""What can be right; every answer of a kind gets its turn as often as the others."""

_QUANTISER: Final = 2
_LAMBDA: Final = 118
"""What libavcodec calls FF_QP2LAMBDA: its quality is the quantiser times this."""

_VP8: Final = {"threads": "1", "crf": "10", "b:v": "1M", "deadline": "good", "cpu-used": "4"}


def answer_to(clip: Clip, kind: str) -> str:
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
    answer, still = answer_to(clip, kind), {name_of(other) for other in clip.others}
    wrong = [text for text in dice.sample(ANSWERS[kind], len(ANSWERS[kind])) if text != answer]
    return sorted(wrong, key=lambda text: text not in still) if kind == "mover" else wrong


def asked_clips(purpose: str, kind: str, n_options: int, seed: int) -> Iterator[tuple[Clip, Options]]:
    """Yield clips with their options without end; answers and places of the right option come round evenly."""
    clips, dice = worlds(Clip, "clip", purpose, seed), Dice(purpose, seed, "eval")
    answers, turns = places(dice, len(ANSWERS[kind])), places(dice, n_options)
    while True:
        answer = ANSWERS[kind][next(answers)]
        clip = next(clip for clip in clips if answer_to(clip, kind) == answer)
        yield clip, options(dice, answer, _lures(clip, kind, dice)[: n_options - 1], next(turns))


def encode(frames: Iterable[Image.Image], size: tuple[int, int], fps: int, path: Path) -> None:
    """Write frames to a file: VP8 for ``.webm``, else MPEG-4 part 2 with a constant, fine quantiser; one thread, no stamps.

    H.264 would be the more usual codec, but x264 gave other bytes for the same frames about once in a hundred times, even with
    one thread; these encoders repeat themselves, and MPEG-4's is part of every FFmpeg.

    Raises:
        ConfigError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError("writing mini benchmarks of clips needs PyAV: pip install 'riddle-eval[video]'") from error
    webm = path.suffix == ".webm"
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        settings = _VP8 if webm else {"threads": "1"}
        stream: Any = container.add_stream("libvpx" if webm else "mpeg4", rate=Fraction(fps), options=settings)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        context = stream.codec_context
        context.flags |= av.codec.context.Flags.bitexact
        if not webm:
            context.flags |= av.codec.context.Flags.qscale
            context.global_quality = _QUANTISER * _LAMBDA
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
        container.mux(stream.encode(None))

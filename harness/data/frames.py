"""Which frames of a clip a plan takes, by their numbers, and how a plan stands in records.

Not here: reading them, from clips (`harness.data.video`) or from folders of pictures (`harness.data.frame_folder`). Times become
numbers by the average frame rate, as in the decoders behind published results: ``round(seconds * rate)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from harness.errors import MediaError
from harness.types import FramePlan


def span(plan: FramePlan, n: int, rate: float, base: int = 0) -> tuple[int, int]:
    """Return the first and the last frame of a plan's part of a clip, both included, in the arithmetic of MVBench's sampling.

    ``first = max(base, round(start * rate))``, ``last = min(round(end * rate), n - 1 + base)``; without start and end the whole
    clip. A part that lies beyond the clip comes out reversed. Source: OpenGVLab/Ask-Anything video_chat2/mvbench.ipynb get_index.

    Args:
        plan: has start and end in seconds, or None.
        n: frames of the clip.
        rate: frames per second.
        base: number of the first frame (1 in MVBench's folders of frames).
    """
    first = base if plan.start_s is None else max(base, round(plan.start_s * rate))
    last = n - 1 + base
    return first, last if plan.end_s is None else min(round(plan.end_s * rate), last)


def segment_centres(first: int, last: int, count: int) -> list[int]:
    """Cut a span into ``count`` segments of equal size and return ``int(first + size / 2 + round(size * i))`` for each.

    >>> segment_centres(0, 8, 4), segment_centres(0, 7, 1)
    ([1, 3, 5, 7], [3])
    """
    size = (last - first) / count
    return [int(first + size / 2 + round(size * number)) for number in range(count)]


def frame_numbers(plan: FramePlan, n: int, rate: float, base: int = 0) -> list[int]:
    """Choose frames of a clip of ``n`` frames, counted from 0, in order; short clips repeat frames.

    ``uniform`` takes the `segment_centres` of the plan's part; ``middle`` takes ``count`` neighbours around its middle frame, for
    one frame ``(first + last) // 2``, which is the uniform choice of one frame; ``rate`` takes a frame every ``1 / per_second``
    seconds from its start (VLMEvalKit's ``get_index_by_fps``), or ``count`` uniform ones where that would be more. What lies
    beyond the clip is its nearest end.

    >>> frame_numbers(FramePlan(count=1, kind="middle", start_s=0.5), 10, 10.0)
    [7]
    >>> frame_numbers(FramePlan(count=8, kind="rate", per_second=2.0), 25, 10.0)
    [0, 5, 10, 15, 20]
    """
    first, last = (number - base for number in span(plan, n, rate, base))
    first = min(max(first, 0), n - 1)
    last = max(first, last)
    if plan.kind == "middle":
        start = (first + last) // 2 - (plan.count - 1) // 2
        chosen = list(range(start, start + plan.count))
    elif plan.kind == "rate" and (spaced := _spaced(first, last, rate / (plan.per_second or 1.0), plan.count)):
        chosen = spaced
    else:
        chosen = [number - base for number in segment_centres(first + base, last + base, plan.count)]
    return [min(max(number, first), last) for number in chosen]


def _spaced(first: int, last: int, step: float, most: int) -> list[int]:
    """Every ``step``-th frame of a span; none if that are more than ``most``."""
    wanted = max(1, int((last - first + 1) / step))
    return [] if wanted > most else [first + int(number * step) for number in range(wanted)]


def chosen(plan: FramePlan, n: int, rate: float, label: str, base: int = 0) -> list[int]:
    """Return `frame_numbers`. Raises `MediaError` if the plan's part begins after the clip's end, which shows the wrong clip."""
    if plan.start_s is not None and plan.start_s > n / rate:
        part = f"from {plan.start_s:g} s to {'the end' if plan.end_s is None else f'{plan.end_s:g} s'}"
        raise MediaError(f"{label}: the part {part} lies beyond the clip, which is {n / rate:.1f} s long")
    return frame_numbers(plan, n, rate, base)


def plan_record(plan: FramePlan) -> dict[str, Any]:
    """Write a plan as JSON has it; a rate stands there only where it counts, so that older plans keep their names."""
    record = asdict(plan)
    return record if plan.kind == "rate" else {name: value for name, value in record.items() if name != "per_second"}


def plan_of(record: object) -> FramePlan:
    """Read what `plan_record` wrote; fields that are missing are a plan's usual ones. Raises `MediaError` if it is no plan."""
    held = record if isinstance(record, Mapping) else {}
    try:
        return FramePlan(**{field.name: held[field.name] for field in fields(FramePlan) if field.name in held})
    except (TypeError, ValueError) as error:
        raise MediaError(f"the recorded plan of frames {record!r} is none ({error})") from error

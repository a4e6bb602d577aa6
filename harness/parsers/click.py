"""Reading a point to click on from replies about a screen: the official reader, VLMEvalKit's, and both in a declared frame.

Every reader gives a point in fractions of the unpadded picture (`harness.boxes.Frame` ``unit``), pixels if asked for. Not here:
whether the point lies in the element (`harness.metrics.clicks`).
"""

from __future__ import annotations

import re

from harness.boxes import Frame, pairs_from_pixels, pairs_to_pixels
from harness.metrics.grounding import picture_size
from harness.task import Parse
from harness.types import Parsed, Sample

_NUMBER = re.compile(r"-?\d++\.?\d*+")
_QWEN = re.compile(r"<box>\((\d++),(\d++)\),\((\d++),(\d++)\)</box>")
_NAMED = re.compile(r"x=([\d.]++), y=([\d.]++)")
_MOST_DIGITS = 300
"""A longer number is beyond what a float can hold."""


def click_point(frame: Frame = "unit", goal: Frame = "unit") -> Parse:
    """Make the official reader: two numbers are a point, four a box of which the middle counts, anything else no answer.

    All numbers of the reply are taken, so that ``1. click (0.4, 0.2)`` is unreadable, and exponents fall apart. A reply with the
    letters ``box`` must hold Qwen-VL's ``<box>(x1,y1),(x2,y2)</box>`` in thousandths.

    Source: njucckevin/SeeClick at 0ef37ac, ``pretrain/screenspot_test.py`` and ``process_utils.py``.

    Args:
        frame: what the numbers of a model count that declares it; the official scorer knows fractions only.
        goal: the frame of the point that is returned.
    """

    def parse(reply: str, sample: Sample) -> Parsed:
        counted: Frame = frame
        if "box" in reply:
            found = _QWEN.search(reply)
            if found is None:
                return Parsed(None, "the letters box without <box>(x1,y1),(x2,y2)</box>")
            numbers, counted = [float(number) for number in found.groups()], "thousandths"
        else:
            written = _NUMBER.findall(reply)
            if len(written) not in (2, 4):
                return Parsed(None, f"{len(written)} numbers, 2 or 4 expected")
            numbers = [float(number[:_MOST_DIGITS]) for number in written]
        point = _middle(numbers)
        if counted == "thousandths" and goal == "unit":
            return Parsed((point[0] / 1000, point[1] / 1000))
        return Parsed(point if counted == goal else _moved(point, counted, goal, sample))

    return parse


def named_coordinates(reply: str, sample: Sample) -> Parsed:
    """Read ``x=0.1, y=0.2``, in pixels if one is above 1; without it the point 0, 0 counts, as in VLMEvalKit.

    Source: open-compass/VLMEvalKit at e8e78f0, ``vlmeval/dataset/GUI/screenspot.py``.
    """
    found = _NAMED.search(reply)
    if found is None:
        return Parsed((0.0, 0.0), "no x=.., y=..")
    try:
        x, y = (float(number) for number in found.groups())
    except ValueError:
        return Parsed(None, f"not two numbers: {found[0][:60]!r}")
    return Parsed(_moved((x, y), "pixels", "unit", sample) if x > 1 or y > 1 else (x, y))


def _middle(numbers: list[float]) -> tuple[float, float]:
    x, y = (numbers[0] + numbers[-2]) / 2, (numbers[1] + numbers[-1]) / 2
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (x, y)


def _moved(point: tuple[float, float], frame: Frame, goal: Frame, sample: Sample) -> tuple[float, float]:
    size = picture_size(sample)
    x, y = pairs_from_pixels(pairs_to_pixels(point, frame, *size), goal, *size)
    return x, y

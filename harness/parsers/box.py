"""Reading boxes from replies: the official reader of the SPHINX authors, two peers' readers, and a plain one for other models.

Each returns numbers as they stand in the reply; which frame they count in is the convention's business (`harness.boxes`). Not
here: scores. A reply without a box is unparsed; the officially assumed box of zeros is kept as the answer, as it is scored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from harness.boxes import Box
from harness.types import Parsed, Sample

NO_BOX: Box = (0.0, 0.0, 0.0, 0.0)

# Possessive quantifiers throughout: a reply of ten megabytes of digits or blanks is read in linear time.
_NUMBER = r"[-+]?(?:\d++(?:\.\d++)?|\.\d++)(?:[eE][-+]?\d++)?"
_DECIMAL = r"-?\d++(?:\.\d++)?"
_COMMA_RIGHT = r",\s*+"
_COMMA_OR_BLANK = r"(?:\s*+,\s*+|\s++)"


def _four(number: str, separator: str) -> str:
    return separator.join([f"({number})"] * 4)


_STRICT = re.compile(rf"\[\s*+{_four(_DECIMAL, _COMMA_RIGHT)}\s*+\]")
_STRICT_OR_ROUND = re.compile(rf"[\[(]\s*+{_four(_DECIMAL, _COMMA_RIGHT)}\s*+[\])]")
_LENIENT = re.compile(rf"\[\s*+{_four(_NUMBER, _COMMA_OR_BLANK)}\s*+\]")
_ANYWHERE = re.compile(_four(r"(?:-|(?<!\d))\d++(?:\.\d++)?", _COMMA_OR_BLANK))
_NUMBERS = re.compile(_NUMBER)
_PAIR = rf"[\[(]\s*+({_NUMBER}){_COMMA_OR_BLANK}({_NUMBER})\s*+[\])]"
_GROUP = re.compile(rf"[\[(<]\s*+{_four(_NUMBER, _COMMA_OR_BLANK)}\s*+[\])>]|{_PAIR}\s*+,?\s*+{_PAIR}")
_ANSWER_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL)
_BOX_KEYS = ("bbox_2d", "bbox", "box", "coordinates", "coord", "location", "position")


def first_brackets(reply: str, sample: Sample) -> Parsed:
    """Read four comma-separated numbers from the first ``[...]``, as the SPHINX authors do.

    Without complete brackets the text before the first ``]`` is read (or all of it). Exactly four parts must be what
    Python's ``float`` accepts; line breaks inside brackets, percents, semicolons or a fifth number make the box unreadable.

    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43, ``accessory/eval_mm/evaluate.py``, metric ``miou0.5``.
    """
    bracketed = _inside_first_brackets(reply)
    inside = reply.partition("]")[0] if bracketed is None else bracketed
    parts = inside.split(",")
    if len(parts) != 4:
        where = "and no brackets" if bracketed is None else "in the first brackets"
        return Parsed(NO_BOX, f"{len(parts) if inside.strip() else 0} comma-separated parts {where}, 4 expected")
    try:
        x1, y1, x2, y2 = map(float, parts)
    except ValueError:
        return Parsed(NO_BOX, f"not four numbers: {inside[:60]!r}")
    return Parsed((x1, y1, x2, y2))


def answer_box(reply: str, sample: Sample) -> Parsed:
    """Read the box that a reply gives as its answer: the first group of four numbers, after any reasoning.

    What stands before ``</think>`` is skipped, and an ``<answer>`` element is read alone. A group is ``[a, b, c, d]`` or
    ``(a, b, c, d)``, with commas or blanks, or two points ``(a, b), (c, d)``; four bare numbers are taken if they are all the
    numbers there are.
    """
    text = reply.rpartition("</think>")[2]
    tagged = _ANSWER_TAG.findall(text)
    text = tagged[-1] if tagged else text
    found = _GROUP.search(text)
    numbers = [value for value in found.groups() if value is not None] if found else _first_numbers(text, 5)
    if len(numbers) != 4:
        return Parsed(NO_BOX, f"no group of four numbers ({'more than 4' if len(numbers) > 4 else len(numbers)} in all)")
    return Parsed(_box(numbers))


def bracketed_decimals(reply: str, sample: Sample) -> Parsed:
    """Read the first ``[a, b, c, d]`` of plain decimals, as lmms-eval's ``refcoco_bbox_rec`` (75571cf, ``utils_rec.py``)."""
    found = _STRICT.search(reply)
    return Parsed(_box(found.groups())) if found else Parsed(NO_BOX, "no [a, b, c, d] of plain decimals")


def bracketed_or_rounded(reply: str, sample: Sample) -> Parsed:
    """Read ``[a, b, c, d]`` or ``(a, b, c, d)``, thousandths if one is above 1, as lmms-eval's ``screenspot_rec`` (75571cf)."""
    found = _STRICT_OR_ROUND.search(reply)
    if not found:
        return Parsed(NO_BOX, "no [a, b, c, d] or (a, b, c, d) of plain decimals")
    box = _box(found.groups())
    return Parsed(tuple(edge / 1000 for edge in box) if max(box) > 1 else box)


def lenient_numbers(reply: str, sample: Sample) -> Parsed:
    """Read the first bracket of four numbers, else the first four numbers anywhere, as VLMEvalKit (e8e78f0, ``refcoco.py``)."""
    found = _LENIENT.search(reply)
    numbers = found.groups() if found else _first_numbers(reply, 4)
    if len(numbers) < 4:
        return Parsed(NO_BOX, f"{len(numbers)} numbers, 4 needed")
    return Parsed(_box(numbers))


def all_boxes(reply: str, sample: Sample) -> Parsed:
    """Read every box of a reply, from its JSON or else by pattern, as lmms-eval's ``refcoco_grounding`` (75571cf, ``utils.py``).

    The answer is a tuple of boxes; which one counts is up to the scorer.
    """
    boxes = tuple(_boxes_in(_json_in(reply)))
    if not boxes:
        boxes = tuple(_box(found.groups()) for found in _ANYWHERE.finditer(reply))
    return Parsed(boxes, None if boxes else "no four numbers in a row")


def _inside_first_brackets(reply: str) -> str | None:
    """Return what the official pattern (``[``, anything short of a line break, ``]``) captures first, in linear time."""
    start = reply.find("[")
    while start >= 0:
        line_end = reply.find("\n", start)
        end = reply.find("]", start, len(reply) if line_end < 0 else line_end)
        if end >= 0:
            return reply[start + 1 : end]
        start = -1 if line_end < 0 else reply.find("[", line_end)
    return None


def _box(numbers: Sequence[str]) -> Box:
    x1, y1, x2, y2 = (float(number) for number in numbers)
    return x1, y1, x2, y2


def _first_numbers(text: str, count: int) -> list[str]:
    return [found.group() for found in islice(_NUMBERS.finditer(text), count)]


def _json_in(reply: str) -> Any:
    """Return the first JSON value found: fenced, the whole reply, or between the outermost brackets or braces."""
    text = reply.strip()
    fenced = text.split("```", 2)
    candidates = [re.sub(r"^json", "", fenced[1], flags=re.IGNORECASE).strip()] if len(fenced) == 3 else []
    candidates.append(text)
    for opening, closing in ("[]", "{}"):
        start, end = text.find(opening), text.rfind(closing)
        if -1 < start < end:
            candidates.append(text[start : end + 1])
    for candidate in candidates:
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _boxes_in(value: Any) -> Iterator[Box]:
    """Walk a JSON value (not recursively, so that hostile nesting is harmless) and yield its boxes in order."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            box = _floats(value) if len(value) == 4 and all(isinstance(number, int | float) for number in value) else None
            if box is not None:
                yield box
            else:
                pending.extend(reversed(value))
        elif isinstance(value, dict):
            boxes = (value[key] for key in _BOX_KEYS if isinstance(value.get(key), list) and len(value[key]) == 4)
            found = next((box for box in map(_floats, boxes) if box is not None), None)
            if found is not None:
                yield found
            else:
                pending.extend(reversed(value.values()))


def _floats(values: Sequence[Any]) -> Box | None:
    try:
        return _box(values)
    except (TypeError, ValueError, OverflowError):
        return None

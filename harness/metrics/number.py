"""Numbers as answers: relaxed accuracy, as ChartQA's reference implementation computes it.

Not here: finding the number in a sentence (`harness.parsers.number`). The rule looks lenient and is strict in places that
surprise ("1,000" is text, "5%" equals "0.05" and not "5", a reference of 0 is text), so it follows the reference
implementation character by character.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from functools import lru_cache

_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?%?")
_YEAR = re.compile(r"(19|20)[0-9]{2}")


def relaxed_accuracy(prediction: str, references: Sequence[str], tolerance: float = 0.05) -> float:
    """Whether an answer equals a reference, numbers up to a relative ``tolerance`` (inclusive): 1 or 0.

        |p - r| / |r| <= tolerance    if both are numbers and r is not 0;    lower-cased strings equal    otherwise

    A number is what Python's ``float`` accepts (spaces around, exponents, underscores, full-width digits), with a trailing
    ``%`` dividing by 100; thousands commas, currencies and units make text. ``nan`` never matches as a number. Nothing is
    stripped from text. The best of several references counts; without references the score is 0.

    Source: Methani et al., WACV 2020 (PlotQA); google-research/pix2struct, ``pix2struct/metrics.py:relaxed_correctness``.

    >>> relaxed_accuracy("105", ["100"]), relaxed_accuracy("5%", ["0.05"]), relaxed_accuracy("5%", ["5"])
    (1.0, 1.0, 0.0)
    >>> relaxed_accuracy("0.0", ["0"]), relaxed_accuracy("1,000", ["1000"]), relaxed_accuracy("Red", ["red"])
    (0.0, 0.0, 1.0)
    """
    value = to_float(prediction)
    for reference in references:
        target = to_float(reference)
        if value is not None and target:
            if abs(value - target) / abs(target) <= tolerance:
                return 1.0
        elif prediction.lower() == reference.lower():
            return 1.0
    return 0.0


def plain_relaxed_accuracy(prediction: str, references: Sequence[str], tolerance: float = 0.05) -> float:
    """The rule of `relaxed_accuracy` without its traps: 1 or 0.

    Blanks at the ends, one final period, a dollar sign before and commas between thousands are left out on both sides. 0 is a
    number. A percent sign on one side only may mean either ("5%" is "5" and "0.05"). A whole number from 1900 to 2099 is a year,
    which 5 % of would make a century of, and must be met exactly (as in ChartQAPro, arXiv 2504.05506).

    >>> plain_relaxed_accuracy("$1,050.", ["1000"]), plain_relaxed_accuracy("0.0", ["0"]), plain_relaxed_accuracy("5%", ["5"])
    (1.0, 1.0, 1.0)
    >>> plain_relaxed_accuracy("2015", ["2014"]), plain_relaxed_accuracy("Yes.", ["yes"])
    (0.0, 1.0)
    """
    said = _plain(prediction)
    return float(any(_plainly_equal(said, _plain(reference), tolerance) for reference in references))


def _plain(text: str) -> str:
    bare = text.strip().removesuffix(".").strip()
    number = bare.removeprefix("-").removeprefix("$")
    grouped = _THOUSANDS.fullmatch(number)
    return (
        ("-" if bare.startswith("-") else "") + (number.replace(",", "") if grouped else number) if number[:1].isdigit() else bare
    )


def _plainly_equal(said: str, true: str, tolerance: float) -> bool:
    value, target = to_float(said), to_float(true)
    if value is None or target is None or not math.isfinite(value + target):
        return said.lower() == true.lower()
    if _YEAR.fullmatch(true):
        return value == target
    scales = (1.0,) if said.endswith("%") == true.endswith("%") else (1.0, 100.0) if said.endswith("%") else (1.0, 0.01)
    return any(abs(value * scale - target) <= tolerance * abs(target) for scale in scales)


def swapped_relaxed_accuracy(prediction: str, references: Sequence[str]) -> float:
    """`relaxed_accuracy` with its arguments in each other's place, as Qwen-VL and the SPHINX authors call it: 1 or 0.

    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/utils/metric.py evaluate_relaxed_accuracy.

    >>> swapped_relaxed_accuracy("95", ["100"]), swapped_relaxed_accuracy("105.01", ["100"])
    (0.0, 1.0)
    """
    return max((relaxed_accuracy(reference, [prediction]) for reference in references), default=0.0)


def listed_relaxed_accuracy(prediction: str, references: Sequence[str]) -> float:
    """`relaxed_accuracy` where a reference that reads as a Python list stands for its members: 1 or 0.

    Source: open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py process_line at e8e78f0, which evaluates the text.

    >>> listed_relaxed_accuracy("2014", ["[2014, 2016]"]), listed_relaxed_accuracy("[2014, 2016]", ["[2014, 2016]"])
    (1.0, 0.0)
    """
    return relaxed_accuracy(prediction, [one for reference in references for one in _members(reference)])


def _members(text: str) -> list[str]:
    try:
        value = ast.literal_eval(text.strip()) if text.lstrip().startswith("[") else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    return list(map(str, value)) if isinstance(value, list) else [text]


@lru_cache(maxsize=16384)
def to_float(text: str) -> float | None:
    """Read a number as the rule above does; None if the text is none."""
    try:
        return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        return None

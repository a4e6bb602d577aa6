"""Finds in a reply the words that its answer was read from, so that a reader sees at once what counted.

Parsers say what they read, not where. So the place is looked up: a whole word, a number of the same value, the four numbers of a
box. What is not found word for word (a synonym, an option's letter for its text) is not marked, rather than marked wrongly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

SEARCHED = 20_000
"""Characters of a reply that are looked through."""

Span = tuple[int, int]

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?|-?\.\d+")
_OPTION = r"(?<!\w){letter}[.):]\s*(.+?)(?=\s+\W?[A-H][.):]|$)"
_SCALES = (1, 100, 1000)


def place_of(answer: Any, reply: str, prompt: str = "") -> Span | None:
    """Return where ``answer`` stands in ``reply``: first character and the one behind the last; None if it is not there.

    A single letter is marked at its first place, anything longer at its last, since replies end in what they conclude. Where a
    letter is not there, the option is that it has in the prompt.

    >>> place_of("B", "Because it is big: B."), place_of(12.5, "about 12.50 m")
    ((19, 20), (6, 11))
    >>> place_of([0.1, 0.2, 0.3, 0.4], "[100, 200, 300, 400]")
    (1, 19)
    """
    text = reply[:SEARCHED]
    if isinstance(answer, bool) or answer is None:
        return None
    if isinstance(answer, int | float):
        return _number(float(answer), text)
    if isinstance(answer, list) and len(answer) > 1 and all(isinstance(one, int | float) for one in answer):
        return _numbers([float(one) for one in answer], text)
    if not isinstance(answer, str):
        return None
    found = _word(answer.strip(), text)
    if found is None and len(answer) == 1:
        option = re.search(_OPTION.format(letter=re.escape(answer)), prompt, re.MULTILINE)
        return _word(option[1].strip(), text) if option else None
    return found


def _word(answer: str, text: str) -> Span | None:
    if not answer or len(answer) > 500:
        return None
    flags = 0 if len(answer) == 1 else re.IGNORECASE
    found = [match.span() for match in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text, flags)]
    if found:
        return found[0] if len(answer) == 1 else found[-1]
    try:
        return _number(float(answer), text)
    except ValueError:
        return None


def _tokens(text: str) -> list[tuple[float, Span]]:
    return [(float(match[0].replace(",", "")), match.span()) for match in _NUMBER.finditer(text)]


def _number(value: float, text: str) -> Span | None:
    spans = [span for number, span in _tokens(text) if math.isclose(number, value, rel_tol=1e-9)]
    return spans[-1] if spans else None


def _numbers(values: Sequence[float], text: str) -> Span | None:
    """The run of numbers that are the values, as they are or as a share of 100 or 1000."""
    tokens = [(float(match[0]), match.span()) for match in re.finditer(r"-?\d*\.?\d+", text)]
    for start in range(len(tokens) - len(values), -1, -1):
        window = tokens[start : start + len(values)]
        close = all(b[1][0] - a[1][1] <= 4 for a, b in pairwise(window))
        for scale in _SCALES:
            if close and all(
                abs(number - scale * value) <= 1e-6 * scale for (number, _), value in zip(window, values, strict=True)
            ):
                return window[0][1][0], window[-1][1][1]
    return None

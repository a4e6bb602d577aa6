"""Equality of denotations: sets of texts, numbers and dates, as WikiTableQuestions compares them.

Two readings of one rule: the official one knows for each target what it stands for (``100,000`` is 100000.0), and runs in
Python 2; the DUE benchmark's port knows the texts alone. Everything here takes time linear in the texts, where the official
expressions take quadratic time and more. Not here: how a reply is parted into items (`harness.parsers.values`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.task import Score
from harness.types import Parsed, Sample

_SINGLE, _DOUBLE, _DASHES = re.compile("[‘’´`]"), re.compile("[“”]"), re.compile("[‐‑‒–—−]")
_BLANKS = re.compile(r"\s+")
_MARKS = frozenset("•♦†‡*#+")
_CLOSE = 1e-6
_LARGEST = 10**300


class Value(NamedTuple):
    """A text with what it stands for: a number, a date (year, month, day, -1 where open), or None for the text itself."""

    text: str
    amount: float | None = None
    date: tuple[int, int, int] | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What is equal for values that count once in a set."""
        return ("date", self.date) if self.date else ("number", self.amount) if self.amount is not None else ("text", self.text)

    def matches(self, other: Value) -> bool:
        """Whether two values are the same: by text, number or date."""
        if self.text == other.text:
            return True
        if self.amount is not None:
            return other.amount is not None and abs(self.amount - other.amount) < _CLOSE
        return self.date is not None and self.date == other.date


def normalise_cell(text: str) -> str:
    """Write the text of a cell without diacritics, citations, parentheses at its end, outer quotes, a final period and case.

    Source: ppasupat/WikiTableQuestions evaluator.py 1.0.2 ``normalize``; its regular expressions are taken from the end here.

    >>> normalise_cell("“Beyoncé” (singer) [1]"), normalise_cell("[2]"), normalise_cell("U.S.")
    ('beyonce', '', 'u.s')
    """
    plain = text if text.isascii() else "".join(map(_without_diacritics, text))
    plain = _DASHES.sub("-", _DOUBLE.sub('"', _SINGLE.sub("'", plain)))
    start, end = _stripped(plain, 0, len(plain))
    while True:
        before = (start, end)
        start, end = _stripped(plain, start, _without_citations(plain, start, end))
        start, end = _stripped(plain, start, _without_parentheses(plain, start, end))
        if end - start >= 2 and plain[start] == plain[end - 1] == '"' and plain.find('"', start + 1, end - 1) < 0:
            start, end = start + 1, end - 1
        if (start, end) == before:
            break
        start, end = _stripped(plain, start, end)
    # Letter by letter, so that a final sigma is as any other, as in Python 2.
    return _BLANKS.sub(" ", "".join(char.lower() for char in plain[start:end].removesuffix("."))).strip()


@lru_cache(maxsize=4096)
def _without_diacritics(char: str) -> str:
    """Decompose a character alone: what a whole text would sort, in quadratic time, is dropped."""
    return "".join(part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) != "Mn")


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _without_citations(text: str, start: int, end: int) -> int:
    """Where trailing marks and brackets begin; brackets at the very beginning only count with a number in them."""
    while end > start:
        if text[end - 1] in _MARKS:
            end -= 1
        elif text[end - 1] == "]":
            opened = text.find("[", max(start, text.rfind("]", start, end - 1) + 1), end - 1)
            if opened == start and not re.fullmatch("[0-9]+", text[start + 1 : end - 1]):
                opened = text.find("[", start + 1, end - 1)
            if opened < 0:
                break
            end = opened
        else:
            break
    return end


def _without_parentheses(text: str, start: int, end: int) -> int:
    """Where trailing parentheses, each with a blank before, begin."""
    while end > start and text[end - 1] == ")":
        opened = text.find(" (", max(start, text.rfind(")", start, end - 1) + 1), end - 1)
        if opened <= start:
            break
        end = opened
    return end


def to_value(text: str, canonical: str | None = None) -> Value:
    """Read a text, by its canonical form where that is known: a number, a date ``yyyy-mm-dd`` (``xx``: open), or text.

    A year alone is a number. Source: as `normalise_cell`, ``to_value``.

    >>> to_value("100,000", "100000.0").amount, to_value("xx-06-01").date, to_value("1990-xx-xx").amount
    (100000, (-1, 6, 1), 1990)
    """
    written = normalise_cell(text)
    read = canonical or text
    amount = _number(read)
    date = _date(read) if amount is None else None
    if date is not None and date[1:] == (-1, -1):
        amount, date = _bounded(date[0]), None
    return Value(written or ("" if text or amount is None else str(amount)), amount, date)


def _number(text: str) -> float | None:
    if "_" in text:  # which Python 2 does not read
        return None
    try:
        return _bounded(int(text))
    except ValueError:
        pass
    try:
        amount = float(text)
    except ValueError:
        return None
    if not math.isfinite(amount):
        return None
    return int(amount) if abs(amount - round(amount)) < _CLOSE else amount


def _bounded(amount: int) -> int | None:
    """The number, unless it is too large to be subtracted from a float, where the official scorer fails."""
    return amount if abs(amount) < _LARGEST else None


def _date(text: str) -> tuple[int, int, int] | None:
    parts = text.lower().split("-", 3)
    if len(parts) != 3 or "_" in text:
        return None
    try:
        year = -1 if parts[0] in ("xx", "xxxx") else int(parts[0])
        month, day = (-1 if part == "xx" else int(part) for part in parts[1:])
    except ValueError:
        return None
    fits = (month == -1 or 1 <= month <= 12) and (day == -1 or 1 <= day <= 31)
    return (year, month, day) if fits and (year, month, day) != (-1, -1, -1) else None


def denotation(texts: Sequence[str], canonical: Sequence[str] | None = None) -> list[Value]:
    """The set of values that texts stand for; of equals the first counts."""
    forms = canonical if canonical is not None else [None] * len(texts)
    values = (to_value(text, form) for text, form in zip(texts, forms, strict=True))
    found: dict[object, Value] = {}
    for value in values:
        found.setdefault(value.key, value)
    return list(found.values())


def same_denotation(predicted: Sequence[Value], targets: Sequence[Value]) -> bool:
    """Whether there are as many predictions as targets, and each target matches one."""
    return len(predicted) == len(targets) and all(any(target.matches(one) for one in predicted) for target in targets)


def denotation_score(*, canonical: bool = True, upper: bool = False) -> Score:
    """Whether the items of the answer (a tuple of texts) are those of the references: score ``correct``.

    Args:
        canonical: whether the canonical forms in ``fields["canonical"]`` are known.
        upper: whether both sides are upper-cased first, as DUE does with ``--ignore-case``.
    """

    def fold(texts: Sequence[str]) -> Sequence[str]:
        return [text.upper() for text in texts] if upper else texts

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        if parsed.answer is None:
            return {"correct": 0.0}
        targets = denotation(fold(sample.references), sample.fields.get("canonical") if canonical else None)
        return {"correct": float(same_denotation(denotation(fold(parsed.answer)), targets))}

    return score

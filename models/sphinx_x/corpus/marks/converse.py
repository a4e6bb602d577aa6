"""Questions about marks and their answers: what a mark is, which mark is something, where it is, how two stand, all of them.

For models that do not see marks they are told first, as SPHINX-X does: ``<Mark 1> [0.56, 0.24]``, a point of the centred, padded
square with two decimals. Boxes in answers are written as everywhere in training (`turns.fractions`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.boxes import padding
from models.sphinx_x.corpus.marks.place import PlacedMark
from models.sphinx_x.corpus.marks.regions import Kind
from models.sphinx_x.corpus.ocr.converse import is_solid
from models.sphinx_x.corpus.turns import Turn, fractions

WORDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "what": ("What is {mark}?", "Name the {thing} at {mark}.", "Which {thing} does {mark} stand on?"),
    "read": ("What does {mark} say?", "Read the text at {mark}.", "Which text does {mark} stand on?"),
    "which": (
        'Which mark is "{name}"?',
        'Which mark stands on the {thing} "{name}"?',
        'Find the {thing} "{name}"; which mark is it?',
    ),
    "where": ("Give the bounding box of the {thing} at {mark}.", "Where is the {thing} at {mark}? Answer with its bounding box."),
    "relation": (
        "Where is {mark} relative to {other}: left, right, above or below?",
        "Seen from {other}, is {mark} to the left, to the right, above or below?",
    ),
    "list": ("What is at each mark?", "List all marks with the {thing} that each stands on.", "Describe every mark."),
}
"""Family -> ways to ask."""

THINGS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "natural": ("object", "thing"),
    "screen": ("element", "part of the screen"),
    "ocr": ("text", "line of text"),
    "document": ("part", "part of the document"),
    "panels": ("part", "thing"),
}
"""Kind of picture -> what its regions are called."""

DRAWN: Final = ("The picture has numbered marks.", "Numbers are drawn on the picture.")

CLEAR: Final = 0.1
"""Least distance of two points, as a share of the square, for a relation to be asked about; twice the distance across it."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What questions are made from: the marks of a picture of ``width`` x ``height`` pixels and of a kind."""

    marks: tuple[PlacedMark, ...]
    kind: Kind
    width: int
    height: int

    def at(self, mark: PlacedMark) -> tuple[float, float]:
        """The mark's point as fractions of the centred, padded square."""
        side, (dx, dy) = max(self.width, self.height), padding(self.width, self.height)
        return (mark.point[0] + dx) / side, (mark.point[1] + dy) / side


def tag(mark: PlacedMark) -> str:
    """Return how text names a mark: ``<Mark 3>``."""
    return f"<Mark {mark.number}>"


def told_marks(marked: Marked) -> str:
    """Return all marks with their points: ``<Mark 1> [0.56, 0.24], <Mark 2> [0.10, 0.90]``."""
    points = ((mark, *marked.at(mark)) for mark in marked.marks)
    return ", ".join(f"{tag(mark)} [{x:.2f}, {y:.2f}]" for mark, x, y in points)


def mark_turns(marked: Marked, rng: random.Random, count: int, drawn: bool) -> list[Turn]:
    """Return up to ``count`` different turns; the first says where the marks are, or at times that they are drawn."""
    found: dict[tuple[str, str], Turn] = {}
    names = sorted(_MAKERS)
    for _ in range(4 * count):
        turn = _MAKERS[rng.choice(names)](marked, rng)
        if turn is not None and len(found) < count:  # asked in other words, the same question is still the same
            found.setdefault((turn.family, turn.question if turn.family == "relation" else turn.answer), turn)
    turns = list(found.values())
    if turns:
        before = rng.choice(DRAWN) if drawn else f"Marks: {told_marks(marked)}."
        if not drawn or rng.random() < 0.5:
            turns[0] = Turn(turns[0].family, f"{before}\n{turns[0].question}", turns[0].answer)
    return turns


def _ask(family: str, marked: Marked, rng: random.Random, answer: str, **slots: str) -> Turn:
    thing = rng.choice(THINGS[marked.kind])
    return Turn(family, rng.choice(WORDINGS[family]).format(thing=thing, **slots), answer)


def _what(marked: Marked, rng: random.Random) -> Turn:
    mark = rng.choice(marked.marks)
    return _ask("read" if marked.kind == "ocr" else "what", marked, rng, mark.region.name, mark=tag(mark))


def _which(marked: Marked, rng: random.Random) -> Turn:
    """All marks with the name are the answer."""
    name = rng.choice(marked.marks).region.name
    return _ask("which", marked, rng, _tags([mark for mark in marked.marks if mark.region.name == name]), name=name)


def _where(marked: Marked, rng: random.Random) -> Turn | None:
    mark = rng.choice(marked.marks)
    written = fractions(mark.region.box, marked.width, marked.height)
    return _ask("where", marked, rng, written, mark=tag(mark)) if is_solid(written) else None


def _relation(marked: Marked, rng: random.Random) -> Turn | None:
    """The side on which one mark stands of another, where one direction clearly outweighs the other."""
    if len(marked.marks) < 2:
        return None
    one, other = rng.sample(marked.marks, 2)
    (x1, y1), (x2, y2) = marked.at(one), marked.at(other)
    dx, dy = x1 - x2, y1 - y2
    if max(abs(dx), abs(dy)) < max(CLEAR, 2 * min(abs(dx), abs(dy))):
        return None
    across, down = ("left" if dx < 0 else "right"), ("above" if dy < 0 else "below")
    return _ask("relation", marked, rng, across if abs(dx) > abs(dy) else down, mark=tag(one), other=tag(other))


def _list(marked: Marked, rng: random.Random) -> Turn:
    return _ask("list", marked, rng, "\n".join(f"{tag(mark)}: {mark.region.name}" for mark in marked.marks))


def _tags(marks: Sequence[PlacedMark]) -> str:
    return ", ".join(tag(mark) for mark in marks)


_MAKERS: Final[Mapping[str, Callable[[Marked, random.Random], Turn | None]]] = {
    "what": _what,
    "which": _which,
    "where": _where,
    "relation": _relation,
    "list": _list,
}

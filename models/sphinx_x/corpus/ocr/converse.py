"""Questions about a page of text and their answers: read it, read what a box holds, find where a text stands.

Boxes are written as everywhere in training, two decimals of the centred, padded square (`turns.fractions`). A question is asked
only where its answer is certain: a text to be found occurs on the page once, a box holds whole lines and nothing else, a title
is set larger than all other print. Wordings are our own; the paper shows none.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from harness.boxes import Box
from models.sphinx_x.corpus.ocr.page import Block, Line, Page
from models.sphinx_x.corpus.turns import Turn, fractions

WORDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "read_page": (
        "Read all the text on this page.",
        "Transcribe this page in reading order.",
        "What does this document say? Give the full text.",
        "Please provide the text of this page, line by line.",
        "Perform OCR on this image.",
    ),
    "read_box": (
        "What is written in the region {}?",
        "Read the text in {}.",
        "Please provide the text inside the bounding box {}.",
        "Transcribe the text within {}.",
    ),
    "find_text": (
        'Where on the page is the text "{}"? Give its bounding box.',
        'Locate the line "{}" and give its bounding box.',
        'Please provide the bounding box coordinate of the text "{}".',
    ),
    "spot": (
        "Detect the first {} lines of text with their bounding boxes.",
        "Give the first {} lines of this page, each with its bounding box.",
    ),
    "first_line": ("What is the first line on this page?", "Read the first line of text."),
    "last_line": ("What is the last line on this page?", "Read the last line of text."),
    "title": ("What is the title of this page?", "Which heading is printed largest on this page?"),
    "next_line": ('Which line follows "{}"?', 'What comes in the line after "{}"?'),
}
"""Family -> ways to ask."""

MIN_FIND = 6
"""Least number of characters of a text to be found."""

LARGER = 1.2
"""How many times as large as the largest other print a title is set."""


def page_turns(page: Page, rng: random.Random, count: int, whole: float) -> list[Turn]:
    """Return up to ``count`` different turns about a page with text; ``whole`` is how often the first one reads all of it."""
    turns = [_ask("read_page", rng, page.text)] if rng.random() < whole else []
    names = sorted(_MAKERS)
    for _ in range(4 * count):
        if len(turns) >= count:
            break
        turn = _MAKERS[rng.choice(names)](page, rng)
        if turn is not None and turn.question not in [other.question for other in turns]:
            turns.append(turn)
    return turns


def _ask(family: str, rng: random.Random, answer: str, *slots: object) -> Turn:
    return Turn(family, rng.choice(WORDINGS[family]).format(*slots), answer)


def _written(box: Box, page: Page) -> str:
    return fractions(box, page.width, page.height)


def is_solid(written: str) -> bool:
    """Whether two decimals leave a written box some width and height."""
    x1, y1, x2, y2 = written.strip("[]").split(",")
    return x1 != x2 and y1 != y2


def _stands_alone(box: Box, page: Page, inside: Sequence[Line]) -> bool:
    """Whether no other line has its middle inside of a box."""
    own = {id(line) for line in inside}
    middles = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in (line.box for line in page.lines if id(line) not in own)]
    return not any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for x, y in middles)


def _unique(page: Page) -> list[Line]:
    """Lines whose text occurs on the page once and whose box survives two decimals."""
    text = page.text
    counts = Counter(line.text for line in page.lines)
    return [
        line
        for line in page.lines
        if len(line.text) >= MIN_FIND
        and counts[line.text] == 1
        and text.count(line.text) == 1
        and '"' not in line.text
        and is_solid(_written(line.box, page))
    ]


def _read_box(page: Page, rng: random.Random) -> Turn | None:
    pieces: list[Line | Block] = [*page.lines, *(block for block in page.blocks if len(block.lines) > 1)]
    piece = rng.choice(pieces)
    written = _written(piece.box, page)
    inside = piece.lines if isinstance(piece, Block) else (piece,)
    if not is_solid(written) or not _stands_alone(piece.box, page, inside):
        return None
    return _ask("read_box", rng, piece.text, written)


def _find_text(page: Page, rng: random.Random) -> Turn | None:
    lines = _unique(page)
    if not lines:
        return None
    line = rng.choice(lines)
    return _ask("find_text", rng, _written(line.box, page), line.text)


def _spot(page: Page, rng: random.Random) -> Turn | None:
    lines = page.lines[: rng.randint(2, 8)]
    if len(lines) < 2:
        return None
    return _ask("spot", rng, "\n".join(f"{line.text} {_written(line.box, page)}" for line in lines), len(lines))


def _next_line(page: Page, rng: random.Random) -> Turn | None:
    follow = {id(one): two for one, two in pairwise(page.lines)}
    known = [line for line in _unique(page) if id(line) in follow]
    if not known:
        return None
    line = rng.choice(known)
    return _ask("next_line", rng, follow[id(line)].text, line.text)


def _title(page: Page, rng: random.Random) -> Turn | None:
    """The lines at the top that are set largest, if all other print is clearly smaller."""
    largest = max(line.size for line in page.lines)
    large = [line for line in page.lines if line.size > largest / LARGER]
    first = page.lines.index(large[0])
    is_title = 1 <= len(large) <= 3 and page.lines[first : first + len(large)] == tuple(large) and len(large) < len(page.lines)
    if not is_title or large[0].box[1] > page.height / 2:
        return None
    return _ask("title", rng, " ".join(line.text for line in large))


_MAKERS: Final[Mapping[str, Callable[[Page, random.Random], Turn | None]]] = {
    "read_box": _read_box,
    "find_text": _find_text,
    "spot": _spot,
    "first_line": lambda page, rng: _ask("first_line", rng, page.lines[0].text),
    "last_line": lambda page, rng: _ask("last_line", rng, page.lines[-1].text),
    "title": _title,
    "next_line": _next_line,
}
"""Family -> a turn about a page, or None where the page does not allow the question."""

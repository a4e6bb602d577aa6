"""Options and ids of multiple choice in tables: letters as columns, and names for questions whose files have none.

Not here: options in prompts (`harness.prompts`) and in replies (`harness.parsers.choice`).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

from harness.data.sources import Row
from harness.types import Record

_LETTERED = re.compile(r"\s*\(?([A-Z])[:.)](.*)")


def present(cell: object) -> bool:
    """Whether a cell says something; nothing is null, ``""`` or the text ``nan``, depending on the layout."""
    return cell is not None and str(cell) not in ("", "nan")


def offered(record: Record, letters: str = "ABCD") -> tuple[str, ...]:
    """The texts of columns A, B, ... up to the last that is there; one in the middle may read ``nan`` and keeps its letter."""
    cells = [record.get(letter) for letter in letters]
    while cells and not present(cells[-1]):
        cells.pop()
    return tuple("" if cell is None else str(cell) for cell in cells)


def lettered(row: Row, root: Path) -> Row:
    """A step: gather the columns A to E in ``choices``, and make the letter in ``answer`` the place among them."""
    return row.but(choices=offered(row, "ABCDE"), answer="ABCDE".index(row["answer"]))


def embedded(text: str) -> tuple[str, ...]:
    r"""The options that a question holds as lines, each a letter from A on and a colon, a period or a bracket.

    >>> embedded("Find x.\nChoices:\nA:1\nB: 2 cm\nC:"), embedded("Find x.")
    (('1', '2 cm', ''), ())
    """
    found: list[str] = []
    for line in text.split("\n"):
        begins = _LETTERED.match(line)
        if begins and begins[1] == chr(ord("A") + len(found)):
            found.append(begins[2].strip())
    return tuple(found)


def content_key(*texts: str) -> str:
    """Name a question by what it says, letter case, blanks and marks aside: 16 hex digits, the same in every layout.

    >>> content_key("Which one?", "a b") == content_key("which one", "A, b") != content_key("Which ones?", "a b")
    True
    """
    said = re.sub(r"[\W_]", "", "".join(texts).lower())
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

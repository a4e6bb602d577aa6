"""Plain text tables for standard output: aligned columns, never cut off, the same on a terminal and in a pipe.

rich draws the progress display; results are not drawn with it, because it truncates to 80 columns in a pipe and takes longer to
import than `riddle ls` takes in all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Return rows below a head, columns two spaces apart; the columns named in ``right`` are aligned to the right.

    Control characters, which a name from elsewhere may hold, are shown as ``�``: they must not drive the reader's terminal.
    """
    lines = [[printable(str(cell)) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[index]) for line in lines) for index in range(len(head))]
    lines.insert(1, ["─" * width for width in widths])
    columns = list(zip(widths, (str(name) in right for name in head), strict=True))
    return "\n".join("  ".join(map(_cell, line, columns)).rstrip() for line in lines)


def entries(pairs: Sequence[tuple[str, str]], width: int = 110) -> str:
    """Return ``name   text`` lines with the text wrapped and aligned behind the longest name."""
    indent = max((len(name) for name, _ in pairs), default=0) + 2
    lines = []
    for name, text in pairs:
        paragraphs = [line for part in text.splitlines() or [""] for line in textwrap.wrap(part, width - indent) or [""]]
        labels = [name, *[""] * (len(paragraphs) - 1)]
        lines += [f"{label:<{indent}}{line}".rstrip() for label, line in zip(labels, paragraphs, strict=True)]
    return "\n".join(lines)


def printable(text: str, keep: str = "") -> str:
    """Return text with every control character apart from those to ``keep`` shown as ``�``."""
    return "".join(character if character.isprintable() or character in keep else "�" for character in text)


def _cell(cell: str, column: tuple[int, bool]) -> str:
    width, right = column
    return cell.rjust(width) if right else cell.ljust(width)

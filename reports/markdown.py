"""Prints a board as Markdown tables, for a repository's pages and for pasting."""

from __future__ import annotations

from collections.abc import Sequence

from reports.tables import Board, Cell, Column, Row, coverage, flaws, interval, show
from reports.visible import plain


def as_markdown(board: Board, title: str) -> str:
    """Return the board with a table a section, footnotes, and the runs that have no number."""
    lines = [f"# {escaped(title)}", ""]
    for section in board.sections:
        lines += [f"## {section.title}", "", section.note, ""]
        lines += [table_line(["", *map(_head, section.columns)]), table_line(["---", *("---:" for _ in section.columns)])]
        for row in section.rows:
            lines.append(table_line([_label(row), *(_cell(section.cell(row, column)) for column in section.columns)]))
        lines.append("")
    lines.append("Each value stands with its 95 % interval and the number of samples. Rows in italics are no models.")
    lines += ["", *(f"[{number}] {escaped(note)}  " for number, note in enumerate(board.footnotes, start=1))]
    for title, runs in (("Incomplete runs (no number)", board.incomplete), ("Folders that cannot be read", board.broken)):
        if runs:
            named = (f"- {escaped(run.model)} on {escaped(run.title or '?')} {escaped(run.broken)}".rstrip() for run in runs)
            lines += ["", f"## {title}", "", *named]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Escape what Markdown and HTML would read as markup."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "\\|`*_[]#!" else char for char in shown)


def _head(column: Column) -> str:
    lines = (column.title, f"{column.metric} {column.arrow}", " · ".join(column.tags))
    return "<br>".join(escaped(line) for line in lines)


def _label(row: Row) -> str:
    label = f"*{escaped(row.label)}*" if row.reference else escaped(row.label)
    return f"{label}<br>{escaped(row.note)}" if row.note else label


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    marks = "".join(f" [{number}]" for number in cell.notes)
    value = f"**{show(cell.value.value, cell.value.unit)}**{marks}"
    return "<br>".join(line for line in (value, interval(cell.value), f"n {coverage(cell.run)}", *flaws(cell.run)) if line)


def table_line(cells: Sequence[str]) -> str:
    """Return a line of a table; cells are escaped already."""
    return "| " + " | ".join(cells) + " |"

"""Prints a board as Markdown tables, for a repository's pages and for pasting."""

from __future__ import annotations

from collections.abc import Sequence

from reports.tables import Board, Cell, Column, Row, coverage, flaws, interval, show
from reports.visible import plain


def as_markdown(board: Board, title: str) -> str:
    """Return the board with a table a section, footnotes, and the runs that have no number."""
    lines = [f"# {_md(title)}", ""]
    for section in board.sections:
        lines += [f"## {section.title}", "", section.note, ""]
        lines += [_row(["", *map(_head, section.columns)]), _row(["---", *("---:" for _ in section.columns)])]
        for row in section.rows:
            lines.append(_row([_label(row), *(_cell(section.cell(row, column)) for column in section.columns)]))
        lines.append("")
    lines.append("Each value stands with its 95 % interval and the number of samples. Rows in italics are no models.")
    lines += ["", *(f"[{number}] {_md(note)}  " for number, note in enumerate(board.footnotes, start=1))]
    for title, runs in (("Incomplete runs (no number)", board.incomplete), ("Folders that cannot be read", board.broken)):
        if runs:
            named = (f"- {_md(run.model)} on {_md(run.title or '?')} {_md(run.broken)}".rstrip() for run in runs)
            lines += ["", f"## {title}", "", *named]
    return "\n".join(lines) + "\n"


def _md(text: str) -> str:
    """Escape what Markdown and HTML would read as markup."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "\\|`*_[]#!" else char for char in shown)


def _head(column: Column) -> str:
    lines = (column.title, f"{column.metric} {column.arrow}", " · ".join(column.tags))
    return "<br>".join(_md(line) for line in lines)


def _label(row: Row) -> str:
    label = f"*{_md(row.label)}*" if row.reference else _md(row.label)
    return f"{label}<br>{_md(row.note)}" if row.note else label


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    marks = "".join(f" [{number}]" for number in cell.notes)
    value = f"**{show(cell.value.value, cell.value.unit)}**{marks}"
    return "<br>".join(line for line in (value, interval(cell.value), f"n {coverage(cell.run)}", *flaws(cell.run)) if line)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

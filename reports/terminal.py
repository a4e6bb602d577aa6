"""Prints boards on a terminal. Names and footnotes are made harmless first: a reply must not drive the reader's terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.load import Run
from reports.tables import Cell, Section, arrange, coverage, flaws, interval, show
from reports.visible import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def print_table(runs: Sequence[Run], console: Console | None = None) -> None:
    """Print the boards of ``runs`` on a terminal, by default standard output."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    board = arrange(runs)
    for section in board.sections:
        console.print(_table(section))
    for number, note in enumerate(board.footnotes, start=1):
        console.print(Text(f"[{number}] {plain(note)}", style="dim"))
    for run in board.incomplete:
        console.print(Text(f"incomplete, no number: {plain(run.model)} on {plain(run.title)}", style="yellow"))
    for run in board.broken:
        console.print(Text(f"cannot be read: {plain(run.broken)}", style="red"))


def _table(section: Section) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=section.title, box=box.SIMPLE_HEAD, caption=section.note, title_justify="left", caption_justify="left")
    table.add_column("")
    for column in section.columns:
        head = Text(f"{plain(column.title, 40)}\n{plain(column.metric, 30)} {column.arrow}")
        table.add_column(Text.assemble(head, ("\n" + "\n".join(plain(tag, 30) for tag in column.tags), "dim")), justify="right")
    for row in section.rows:
        label = Text(plain(row.label, 40), style="italic" if row.reference else "bold")
        cells = [_cell(section.cell(row, column)) for column in section.columns]
        table.add_row(Text.assemble(label, (f"\n{plain(row.note, 60)}" if row.note else "", "dim")), *cells)
    return table


def _cell(cell: Cell | None) -> Text:
    from rich.text import Text

    if cell is None:
        return Text("–", style="dim")
    marks = "".join(f" [{number}]" for number in cell.notes)
    detail = "\n".join(line for line in (interval(cell.value), f"n {coverage(cell.run)}") if line)
    problems = "".join(f"\n{flaw}" for flaw in flaws(cell.run))
    return Text.assemble((show(cell.value.value, cell.value.unit), "bold"), marks, (f"\n{detail}", "dim"), (problems, "yellow"))

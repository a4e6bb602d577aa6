"""TabFact in small: a statement about a cell of each table, of which the true and the false come in turn."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from tasks.mini.draws import encoded
from tasks.mini.sheets import annotation, cells, write_lines
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the statements below ``folder``; true ones and false ones are the parts."""
    (folder / "pngs").mkdir()
    records: list[dict[str, Any]] = []
    for number, table, row, column in islice(cells("tabfact", seed), sum(size.split((1, 1)))):
        true, name = number % 2 == 0, f"2-{number:07d}-1.html.csv"
        said = table.rows[row][column] if true else _other(table.rows[row][column])
        statement = wording("tabfact/cell", row=table.names[row], column=table.columns[column], number=said)
        (folder / "pngs" / f"{name}.png").write_bytes(encoded(table.image))
        records.append({"name": name, "language": "en", "split": "test", "annotations": [annotation(statement, "01"[true])]})
    write_lines(folder / "document.jsonl", records)


def _other(number: str) -> str:
    """A number of as many digits, the next one round and round."""
    return number[:-1] + str(int(number[-1]) % 9 + 1)

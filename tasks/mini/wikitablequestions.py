"""WikiTableQuestions in small: what stands in a cell of a table, and in two of them, in the tagged file of the authors."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.sheets import cells
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_FIELDS: Final = ("id", "utterance", "context", "targetValue", "targetCanon", "targetCanonType")


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; those about one cell and about two are the parts."""
    tables = folder / "csv" / "200-csv"
    tables.mkdir(parents=True)
    lines = ["\t".join(_FIELDS)]
    for number, table, i, j in islice(cells("wikitablequestions", seed), sum(size.split((1, 1)))):
        row, other, context = table.names[i], (j + 1) % len(table.columns), f"csv/200-csv/{number}.csv"
        places = [j, other] if number % 2 else [j]
        kind = "row" if number % 2 else "cell"
        names = {"row": row, "column": table.columns[j], "other": table.columns[other]}
        values = [table.rows[i][place] for place in places]
        (tables / f"{number}.png").write_bytes(encoded(table.image))
        canonical = "|".join(f"{value}.0" for value in values)
        question = wording(f"wikitablequestions/{kind}", **names)
        lines.append("\t".join((f"nu-{number}", question, context, "|".join(values), canonical, "number")))
    (folder / "pristine-unseen-tables.tagged").write_text("\n".join(lines) + "\n", encoding="utf-8")

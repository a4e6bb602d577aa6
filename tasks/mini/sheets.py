"""Files that several mini benchmarks write: DUE's lines of documents, and tables with a cell to ask about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from harness.world import Dice, Page, Table
from tasks.mini.draws import encoded, worlds
from tasks.mini.sizes import Size


def write_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON object a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def annotation(key: str, *values: str) -> dict[str, Any]:
    """A key with its values, as DUE has them."""
    return {"key": key, "values": [{"value": value, "value_variants": [value]} for value in values]}


def write_pages(folder: Path, seed: int, size: Size, benchmark: str, printed: Mapping[str, str]) -> None:
    """Write pages on which one or more properties can be read; all of them are asked about, which makes whole documents.

    Args:
        folder: receives ``document.jsonl`` and ``pngs/``.
        seed: decides the pages.
        size: questions in all, or for each property.
        benchmark: names the stream of pages.
        printed: properties, and the names that stand for them on a page; an empty one is never there.
    """
    (folder / "pngs").mkdir()
    wanted = -(-size.n // len(printed)) if size.each is None else size.each
    records: list[dict[str, Any]] = []
    for page in worlds(Page, "page", benchmark, seed):
        values = {field.name: field.value for field in page.fields}
        found = [annotation(key, values[name]) for key, name in printed.items() if name in values]
        if not found:
            continue
        if len(records) == wanted:
            break
        name = f"mini{len(records):05d}"
        (folder / "pngs" / f"{name}.png").write_bytes(encoded(page.image))
        records.append({"name": name, "extension": "pdf", "language": "en", "split": "test", "annotations": found})
    write_lines(folder / "document.jsonl", records)


def cells(benchmark: str, seed: int) -> Iterator[tuple[int, Table, int, int]]:
    """Yield tables with their number and a row and a column of each."""
    dice = Dice(f"{benchmark}/cell", seed, "eval")
    for number, table in zip(count(), worlds(Table, "table", benchmark, seed), strict=False):
        yield number, table, dice.below(len(table.names)), dice.below(len(table.columns))

"""DocVQA in small: ``val_v1.0.json`` and ``documents/*.png``; two questions a page, every eighth document a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from harness.world import Dice, Page, Table
from tasks.mini.draws import encoded, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import EVAL_TEMPLATES, wording

_PER_DOCUMENT: Final = 2
_TABLE_EVERY: Final = 8
_FIRST_ID: Final = 50000


@dataclass(frozen=True)
class _Document:
    image: Image.Image
    kind: str
    asked: tuple[tuple[str, str], ...]  # question and answer


def _page(page: Page, dice: Dice) -> _Document:
    sentences = dice.sample(EVAL_TEMPLATES["docvqa/field"], _PER_DOCUMENT)
    fields = dice.sample(page.fields, _PER_DOCUMENT)
    asked = tuple(
        (sentence.format(name=field.name.lower()), field.value) for sentence, field in zip(sentences, fields, strict=True)
    )
    return _Document(page.image, "form", asked)


def _table(table: Table, dice: Dice) -> _Document:
    cells = [(i, j) for i in range(len(table.names)) for j in range(len(table.columns))]
    asked = tuple(
        (wording("docvqa/table", row=table.names[i], column=table.columns[j]), table.rows[i][j])
        for i, j in dice.sample(cells, _PER_DOCUMENT)
    )
    return _Document(table.image, "table/list", asked)


def _documents(seed: int, table_every: int) -> Iterator[_Document]:
    dice = Dice("docvqa", seed, "eval")
    pages, tables = worlds(Page, "page", "docvqa", seed), worlds(Table, "table", "docvqa", seed)
    while True:
        for _ in range(table_every - 1):
            yield _page(next(pages), dice)
        yield _table(next(tables), dice)


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; forms and tables are the parts."""
    n, table_every = (size.n, _TABLE_EVERY) if size.each is None else (sum(size.split((1, 1), per=2)) * 2, 2)
    (folder / "documents").mkdir()
    records: list[dict[str, Any]] = []
    for number, document in enumerate(_documents(seed, table_every), start=1):
        if len(records) >= n:
            break
        name = f"mini{number:04d}_1.png"
        (folder / "documents" / name).write_bytes(encoded(document.image))
        for question, answer in document.asked[: n - len(records)]:
            records.append(
                {
                    "questionId": _FIRST_ID + len(records),
                    "question": question,
                    "question_types": [document.kind],
                    "image": f"documents/{name}",
                    "docId": number,
                    "ucsf_document_id": f"mini{number:04d}",
                    "ucsf_document_page_no": "1",
                    "answers": [answer],
                    "data_split": "val",
                }
            )
    whole = {"dataset_name": "docvqa", "dataset_version": "1.0", "dataset_split": "val", "data": records}
    (folder / "val_v1.0.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")

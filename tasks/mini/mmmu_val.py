"""MMMU val in small: a parquet file for each of three subjects; one has open questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.mini.closed import colour, count
from tasks.mini.draws import encoded
from tasks.mini.shorts import entries
from tasks.mini.sizes import Size

Asked = tuple[bytes, str, list[str], str]


def _subjects(seed: int) -> Iterator[tuple[str, Iterator[Asked]]]:
    for subject, stream in (("Art", colour), ("Math", count)):
        own = stream("mmmu_val", seed)
        yield subject, ((encoded(o.image), o.asked_by("mmmu_val"), list(o.options.texts), o.options.letter) for o in own)
    yield "Accounting", ((encoded(o.image), o.asked_by("mmmu_val"), [], o.answer) for o in entries("mmmu_val", seed))


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the subjects are the parts."""
    for (subject, stream), wanted in zip(_subjects(seed), size.split((1, 1, 1)), strict=True):
        rows: list[dict[str, Any]] = []
        for number, (picture, question, choices, answer) in zip(range(1, wanted + 1), stream, strict=False):
            about = {"id": f"validation_{subject}_{number}", "question": f"<image 1> {question}", "options": str(choices)}
            shown = {"image_1": {"bytes": picture, "path": f"{number}.png"}, "image_2": None}
            of_type = "multiple-choice" if choices else "open"
            rows.append({**about, "answer": answer, **shown, "question_type": of_type, "topic_difficulty": "Easy"})
        if rows:
            _save(folder / subject / "validation-00000-of-00001.parquet", rows)


def _save(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    kinds = [(name, picture if name.startswith("image_") else pyarrow.string()) for name in rows[0]]
    path.parent.mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(kinds)), path)

"""VizWiz in small: what does this say? Half of the pictures show no word, so that the question cannot be answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import Short, counts, people, taken, words
from tasks.mini.sizes import Size

_NONE: Final = "unanswerable"


def _wordless(purpose: str, seed: int) -> Iterator[Short]:
    """Ask for a word where there are shapes only."""
    return (replace(one, kind="word", answer=_NONE) for one in counts(purpose, seed))


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; answerable ones and others are the parts."""
    (folder / "val").mkdir()
    records = []
    for number, one in enumerate(taken((words, _wordless), "vizwiz", seed, size)):
        name, answer = f"VizWiz_val_{number:08d}.jpg", one.answer.lower()
        (folder / "val" / name).write_bytes(encoded(one.image, "JPEG"))
        kind = _NONE if answer == _NONE else "other"
        said = [{"answer": text, "answer_confidence": "yes"} for text in people(answer, "unsuitable")]
        record = {"image": name, "question": one.asked_by("vizwiz"), "answers": said, "answer_type": kind}
        records.append({**record, "answerable": int(kind != _NONE)})
    (folder / "val.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

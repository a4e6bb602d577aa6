"""CMMMU val in small: options, judgements and blanks in Chinese, a line each, with pictures beside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from tasks.mini.chinese import in_chinese, said
from tasks.mini.closed import side
from tasks.mini.draws import encoded
from tasks.mini.findings import dealt
from tasks.mini.shorts import counts, presence
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Asked = tuple[Image.Image, dict[str, Any]]


def _asked(kind: str, category: str, question: str, answer: str, options: tuple[str, ...] = ("-",) * 4) -> dict[str, Any]:
    own = {f"option{n}": text for n, text in enumerate(options, start=1)}
    return {"type": kind, "category": category, "subcategory": "合成", "question": question, "answer": answer, **own}


def _choices(seed: int) -> Iterator[Asked]:
    for one in map(in_chinese, side("cmmmu", seed)):
        yield one.image, _asked("选择", "科学", one.asked_by("cmmmu"), one.options.letter, one.options.texts)


def _judgements(seed: int) -> Iterator[Asked]:
    for one in presence("cmmmu", seed):
        question = wording("cmmmu/there", a_thing=said(one.fields["a_thing"]))
        yield one.image, _asked("判断", "艺术与设计", question, "对" if one.answer == "yes" else "错")


def _blanks(seed: int) -> Iterator[Asked]:
    for one in counts("cmmmu", seed):
        yield one.image, _asked("填空", "商业", wording("cmmmu/count"), one.answer)


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the types are the parts."""
    (folder / "images").mkdir()
    lines = []
    for number, (image, row) in enumerate(dealt((_choices(seed), _judgements(seed), _blanks(seed)), size.split((1, 1, 1)))):
        name = f"{number}.png"
        (folder / "images" / name).write_bytes(encoded(image))
        marked = {**row, "id": number, "question": f'<img="{name}"> {row["question"]}', "image_1_filename": name}
        lines.append(json.dumps(marked, ensure_ascii=False))
    (folder / "cmmmu-data-val-answer.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

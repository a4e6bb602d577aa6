"""OCR-VQA in small: signs for covers; each is asked for its title, and whether a word is its title, true as often as not."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import words
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_FIRST_ID: Final = 9780000000000
_PER_COVER: Final = 2


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``, two a cover; the two kinds are the parts."""
    (folder / "images").mkdir()
    left = size.n if size.each is None else size.each * _PER_COVER
    books = {}
    for number, sign in enumerate(islice(words("ocrvqa", seed), -(-left // _PER_COVER))):
        key, true = str(_FIRST_ID + number), number // 2 % 2 == 0
        (folder / "images" / f"{key}.jpg").write_bytes(encoded(sign.image, "JPEG"))
        named = sign.fields["word" if true else "lure"]
        asked = (
            (wording("ocrvqa/title"), sign.answer),
            (wording("ocrvqa/check", word=named), "Yes" if true else "No"),
        )[: left - number * _PER_COVER]
        books[key] = {
            "imageURL": f"https://example.org/{key}.jpg",
            "questions": [question for question, _ in asked],
            "answers": [answer for _, answer in asked],
            "title": sign.answer,
            "authorName": "",
            "genre": "Mini World",
            "split": 3,
        }
    (folder / "dataset.json").write_text(json.dumps(books, indent=1), encoding="utf-8")

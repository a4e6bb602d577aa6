"""GQA in small: where things lie, which colour they have, and which of two; with types and programmes as the original has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import Short, colours, relations, taken
from tasks.mini.sizes import Size

_FIRST_ID: Final = 202600000
_TYPES: Final = {
    "relation": ("verify", "rel", "relVerify", None),
    "colour": ("query", "attr", "directOf", "color"),
    "choose": ("choose", "attr", "chooseAttr", "color"),
}
"""Structural, semantic and detailed type, and the global group."""


def _choices(purpose: str, seed: int) -> Iterator[Short]:
    """Ask which of the two colours a shape has that it may have; the right one is named first as often as second."""
    for turn, one in enumerate(colours(f"{purpose}/choose", seed)):
        named = (one.answer, one.fields["other"])[:: 1 if turn // 2 % 2 else -1]
        yield replace(one, kind="choose", fields={**one.fields, "first": named[0], "second": named[1]})


def _record(one: Short, image: str, identity: str) -> dict[str, Any]:
    structural, semantic, detailed, group = _TYPES[one.kind.partition("/")[0]]
    subject = one.fields.get("thing") or one.fields["shape"]
    last = {"operation": f"{structural} {semantic}", "dependencies": [0], "argument": one.fields.get("other", "color")}
    return {
        "semantic": [{"operation": "select", "dependencies": [], "argument": f"{subject} (1)"}, last],
        "entailed": [],
        "equivalent": [identity],
        "question": one.asked_by("gqa"),
        "imageId": image,
        "isBalanced": True,
        "groups": {"global": group, "local": f"10-{subject}"},
        "answer": one.answer,
        "semanticStr": f"select: {subject} (1)",
        "annotations": {"answer": {}, "question": {}, "fullAnswer": {}},
        "types": {"structural": structural, "semantic": semantic, "detailed": detailed},
        "fullAnswer": f"{one.answer.capitalize()}.",
    }


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; the structural types are the parts."""
    (folder / "images").mkdir()
    records, images = {}, dict[int, str]()
    asked = taken((relations, colours, _choices), "gqa", seed, size)
    for number, one in enumerate(asked):
        image, identity = images.setdefault(id(one.image), f"n{number:06d}"), str(_FIRST_ID + number)
        (folder / "images" / f"{image}.jpg").write_bytes(encoded(one.image, "JPEG"))
        records[identity] = _record(one, image, identity)
    (folder / "testdev_balanced_questions.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

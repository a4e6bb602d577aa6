"""RefCOCO, RefCOCO+ and RefCOCOg in small: the eight files of SPHINX's evaluation code and their pictures.

An expression is used only where exactly one thing fits it. As in the originals, RefCOCO names places, RefCOCO+ only looks, and
RefCOCOg uses longer phrases. The size of a picture stands in ``question_id``, as in those files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from harness.world import Box, Dice, Scene, Thing
from tasks.mini.draws import asked, encoded, name_of, relation, with_article, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import EVAL_TEMPLATES

SPLITS: Final = (
    *("refcoco_val", "refcoco_testA", "refcoco_testB"),
    *("refcoco+_val", "refcoco+_testA", "refcoco+_testB"),
    *("refcocog_val", "refcocog_test"),
)
PICTURES: Final = "data/coco/train2014"
_PER_PICTURE: Final = 3
_MARGIN_PX: Final = 8
_FIELDS: Final = {
    "shape": ("shape", "a_shape", "thing", "a_thing"),
    "colour": ("colour", "thing", "a_thing"),
    "size": ("size",),
}
"""What a thing is, and the template fields that tell it."""
_RELATIONS: Final = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}


def _sides(box: Box, width: int, height: int) -> dict[str, float]:
    """Say how far a box lies towards each side that it plainly lies towards, in pixels from the picture's middle."""
    dx, dy = box.centre[0] - width / 2, box.centre[1] - height / 2
    return {side: far for side, far in (("left", -dx), ("right", dx), ("top", -dy), ("bottom", dy)) if far >= _MARGIN_PX}


def _fits(template: str, thing: Thing, scene: Scene) -> dict[str, str] | None:
    """Fill a template for a thing; None if another thing fits the same words about as well."""
    named = [name for name, fields in _FIELDS.items() if any(f"{{{field}}}" in template for field in fields)]
    rivals = [
        other for other in scene.things if other != thing and all(getattr(other, name) == getattr(thing, name) for name in named)
    ]
    fields = {
        "shape": thing.shape,
        "colour": thing.colour,
        "size": thing.size,
        "thing": name_of(thing),
        "a_thing": with_article(name_of(thing)),
        "a_shape": with_article(thing.shape),
    }
    if "{side}" in template:
        sides = _sides(thing.box, *scene.image.size)
        reach = [_reach(rival.box, scene) for rival in rivals]
        sides = {side: far for side, far in sides.items() if all(far >= r[side] + _MARGIN_PX for r in reach)}
        return fields | {"side": max(sides, key=lambda side: sides[side])} if sides else None
    return None if rivals else fields


def _reach(box: Box, scene: Scene) -> dict[str, float]:
    """Say how far a box lies towards each side, negative if away from it."""
    dx, dy = box.centre[0] - scene.image.width / 2, box.centre[1] - scene.image.height / 2
    return {"left": -dx, "right": dx, "top": -dy, "bottom": dy}


def _beside(thing: Thing, scene: Scene) -> dict[str, str] | None:
    """Describe a thing by its place beside another one that may be asked about."""
    for other in asked(scene):
        place = relation(thing.box, other.box) if other != thing else None
        if place is not None:
            return {"thing": name_of(thing), "other": name_of(other), "relation": _RELATIONS[place]}
    return None


def _expressions(scene: Scene, family: str, dice: Dice) -> Iterator[tuple[str, Thing]]:
    """Yield expressions about the scene, each for another kind of template or another thing, in random order."""
    kinds = [kind for kind in EVAL_TEMPLATES if kind.startswith(f"{family}/")]
    things = asked(scene)
    turns = [(kind, thing) for kind in kinds for thing in things]
    for kind, thing in dice.sample(turns, len(turns)):
        template = dice.pick(EVAL_TEMPLATES[kind])
        fields = _beside(thing, scene) if kind.endswith("/beside") else _fits(template, thing, scene)
        if fields is not None:
            yield template.format(**fields), thing


def _records(split: str, seed: int, n: int, folder: Path, first_picture: int) -> list[dict[str, Any]]:
    """Write the pictures of a split and return its records."""
    dice = Dice(f"refcoco/{split}", seed, "eval")
    records: list[dict[str, Any]] = []
    picture = first_picture
    for scene in worlds(Scene, "scene", split, seed):
        if len(records) >= n:
            break
        if len(scene.things) < 2:
            continue
        found = list(dict.fromkeys(_expressions(scene, split.split("_")[0], dice)))[: min(_PER_PICTURE, n - len(records))]
        if not found:
            continue
        name = f"{PICTURES}/COCO_train2014_{picture:012d}.jpg"
        picture += 1
        (folder / name).write_bytes(encoded(scene.image, "JPEG"))
        for text, thing in found:
            records.append(
                {
                    "image_path": name,
                    "question": text,
                    "question_id": f"height{scene.image.height}_width{scene.image.width}",
                    "dataset_name": split,
                    "gt_answers": [float(edge) for edge in (thing.box.x0, thing.box.y0, thing.box.x1, thing.box.y1)],
                }
            )
    return records


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the expressions over all eight splits, at least one a split, below ``folder``; a split is a part."""
    (folder / PICTURES).mkdir(parents=True)
    first = 1
    for split, wanted in zip(SPLITS, size.split((1,) * len(SPLITS)), strict=True):
        records = _records(split, seed, max(1, wanted), folder, first)
        first += len({record["image_path"] for record in records})
        (folder / f"{split}.json").write_text(json.dumps(records, indent=1), encoding="utf-8")

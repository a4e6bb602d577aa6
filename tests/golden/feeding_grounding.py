"""Feeds ScreenSpot, by writing its annotations and blank pictures of the stated sizes, and the text forms of SPHINX-X.

The other benchmarks are in ``feeding`` and its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from harness.boxes import pairs_to_pixels
from harness.catalog import find_task
from harness.parsers.click import click_point
from harness.parsers.regions import as_written, demo_places, mark_texts, marked_points, read_boxes, read_key_points
from harness.regions import by_label
from harness.types import Sample
from tests.golden.feeding import Check, Feeder, Golden, compare, score, values


def screens(golden: Golden) -> list[Sample]:
    """The samples of all files, read with pictures that have a size and nothing else."""
    task, data = find_task("screenspot"), golden["data"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "screenspot_imgs").mkdir()
        for picture, size in data["image_sizes"].items():
            Image.new("1", size).save(folder / "screenspot_imgs" / picture)
        for file, records in data["files"].items():
            (folder / file).write_text(json.dumps(records), encoding="utf-8")
        return list(task.samples(task.layouts[0].read([folder / file for file in data["files"]])))


def screenspot(golden: Golden) -> Iterator[Check]:
    conventions, expected = find_task("screenspot").conventions, golden["expected"]
    replies = [reply for file in golden["data"]["files"] for reply in golden["predictions"][file]]
    fed = list(zip(screens(golden), replies, strict=True))
    rows = score(conventions["official"], fed)
    items = (item for file in golden["data"]["files"] for item in expected["per_item"][file])
    for row, item in zip(rows, items, strict=True):
        outcome = "wrong_format" if row.parsed.unparsed else "hit" if row.scores["hit"] else "miss"
        yield Check(row.sample_id, outcome, item["outcome"])
        point = None if row.parsed.answer is None else [round(edge, 7) for edge in row.parsed.answer]
        yield Check(f"{row.sample_id} point", point, item["click_point"] and [round(edge, 7) for edge in item["click_point"]])
    got = {**values(conventions["official"], rows), "n": len(rows)}
    names = {"micro_accuracy": "accuracy", "mean_of_three_platforms": "mean_of_platforms", "mean_of_six_cells": "average"}
    yield from compare("all", got, expected["aggregate"], {"n": "n", **names})
    for platform, numbers in expected["sub_scores"].items():
        own = [row for row in rows if row.groups["platform"] == platform]
        counts = {f"n_{kind}": sum(row.groups["data_type"] == kind for row in own) for kind in ("text", "icon")}
        counts |= {"n": len(own), "wrong_format": sum(row.parsed.unparsed for row in own)}
        names = {"accuracy": f"accuracy/{platform}", "mean_of_text_and_icon": f"mean_of_types/{platform}"}
        names |= {f"{kind}_accuracy": f"accuracy/{platform}/{kind}" for kind in ("text", "icon")}
        yield from compare(platform, got, numbers, names)
        yield from compare(platform, counts, numbers, {name: name for name in counts})
    for theirs, convention in (("lmms_eval_center_acc", "lmms_eval"), ("vlmevalkit_point", "vlmevalkit")):
        got = values(conventions[convention], score(conventions[convention], fed))
        for platform, numbers in golden.get("peers_aggregate", {}).items():
            yield from compare(platform, got, numbers, {theirs: f"accuracy/{platform}"})


UNIT = Sample(id="unit", references=("0,0,1,1",), fields={"width": 1, "height": 1})
"""In a picture of one pixel the fractions of the square are pixels."""


def sphinx_forms(golden: Golden) -> Iterator[Check]:
    for record, reply, item in zip(golden["data"], golden["predictions"], golden["expected"]["per_item"], strict=True):
        name = record["id"]
        for key, got in forms(record["task"], reply).items():
            if key in item:
                yield Check(f"{name} {key}", got, item[key])
        yield from (Check(f"{name} {key}: no reader", None, item[key]) for key in item if key not in forms(record["task"], reply))
        yield Check(f"{name} demo", by_demo(reply), record["demo_parser_output"])
    for number, case in enumerate(golden["demo_parser"]["cases"]):
        yield Check(f"demo {number}", by_demo(case["text"]), case["extracted"])
        size = case["image_size"]
        places = [group for one in demo_places(case["text"]) for group in one.numbers]
        pixels = [list(pairs_to_pixels(one, "square", *size)) if len(one) in (2, 4) else None for one in places]
        for got, expected in zip(pixels, case["pixels_unpadded"], strict=True):
            yield from (Check(f"demo {number}", a, b) for a, b in zip(got or [None], expected or [None], strict=True))


def by_demo(reply: str) -> list[dict[str, object]]:
    return [{"name": one.name, "numbers": [list(group) for group in one.numbers]} for one in demo_places(reply)]


def forms(task: str, reply: str) -> dict[str, object]:
    """What our readers make of a reply, in the golden file's words."""
    regions = read_boxes(as_written, counted=task != "text_spotting")(reply, UNIT).answer
    groups = [{"label": label, "boxes": [one["box"] for one in own]} for label, own in by_label(regions).items()]
    point = click_point("square")(reply, UNIT).answer
    return {
        "boxes": [one["box"] for one in regions],
        "labels": [one["label"] for one in regions],
        "groups": groups,
        "pairs": [[one["label"], one["box"]] for one in regions],
        "click_point": point and [round(edge, 9) for edge in point],
        "marks": {one["label"]: one["points"][0] for one in marked_points(reply)},
        "mark_texts": mark_texts(reply),
        "mark_relations": mark_texts(reply),
        "keypoints": [one["points"] for one in read_key_points(as_written)(reply, UNIT).answer],
    }


FEEDERS: dict[str, Feeder] = {"screenspot": screenspot, "sphinx_output_formats": sphinx_forms}

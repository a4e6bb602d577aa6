"""Average precision and F1 of regions: against pycocotools where it is installed, by hand, and on odd input."""

from __future__ import annotations

import contextlib
import io
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boxes import corners
from harness.metrics import detection
from harness.metrics.aggregate import Rows, aggregate
from harness.metrics.detection import (
    THRESHOLDS,
    average_precision,
    box_similarity,
    key_point_similarity,
    match_picture,
)
from harness.metrics.regions import F1, pose_score, precision_metrics, region_score
from harness.regions import NOTHING, Region, dumps
from harness.results import write_scores
from harness.types import Parsed, Sample, Scored

SIDE = 100.0


def coco_eval(images: int, annotations: list[dict[str, Any]], results: list[dict[str, Any]], kind: str) -> list[float]:
    coco = pytest.importorskip("pycocotools.coco", reason="only to compare with")
    evaluator = pytest.importorskip("pycocotools.cocoeval").COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": number, "width": 100, "height": 100} for number in range(images)],
            "annotations": annotations,
            "categories": [{"id": number, "name": str(number)} for number in (1, 2, 3)],
        }
        truth.createIndex()
        evaluation = evaluator(truth, truth.loadRes(results), kind)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = (evaluation.eval[name][..., -1] for name in ("precision", "recall"))
    return [float(table[table > -1].mean()) for table in (precision, precision[:1], precision[5:6], recall)]


def drawn(dice: random.Random, images: int, points: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Annotations with crowds among them, and results near them, some with equal confidence."""
    annotations, results = [], []
    for image in range(images):
        for _ in range(dice.randint(0, 5)):
            box = [dice.uniform(0, 60), dice.uniform(0, 60), dice.uniform(8, 40), dice.uniform(8, 40)]
            kind = dice.choice((1, 1, 2)) if not points else 1
            triples: list[float] = []
            for _ in range(points):
                seen = dice.choice((0, 1, 2, 2)) if dice.random() > 0.2 else 0
                triples += [box[0] + dice.random() * box[2], box[1] + dice.random() * box[3], seen]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": kind, "bbox": box, "area": box[2] * box[3] * 0.7,
                 "iscrowd": int(dice.random() < 0.1), "keypoints": triples,
                 "num_keypoints": sum(value > 0 for value in triples[2::3])}
            )  # fmt: skip
            for _ in range(dice.randint(0, 3)):
                near = [edge + dice.gauss(0, 4) for edge in box[:2]] + [abs(edge + dice.gauss(0, 4)) + 1 for edge in box[2:]]
                moved = [value + dice.gauss(0, 2) if place % 3 < 2 else 1 for place, value in enumerate(triples)]
                results.append(
                    {"image_id": image, "category_id": dice.choice((kind, kind, 3)) if not points else 1, "bbox": near,
                     "score": dice.choice((0.5, 0.5, dice.random())), **({"keypoints": moved} if points else {})}
                )  # fmt: skip
    return annotations, results


def region(one: dict[str, Any], points: bool, truth: bool) -> Region:
    made: Region = {"label": str(one["category_id"]), "box": list(corners(one["bbox"]))}
    if points:
        triples = one["keypoints"]
        made["points"] = [triples[place : place + (3 if truth else 2)] for place in range(0, len(triples), 3)]
    if truth:
        made["area"] = one["area"]
        if one["iscrowd"]:
            made["crowd"] = True
        if one["iscrowd"] or (points and not one["num_keypoints"]):
            made["ignored"] = True
    else:
        made["score"] = one["score"]
    return made


@pytest.mark.parametrize(("kind", "points", "most"), [("bbox", 0, 100), ("keypoints", 17, 20)])
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_pycocotools(kind: str, points: int, most: int, seed: int) -> None:
    annotations, results = drawn(random.Random(seed), 25, points)
    similarity = key_point_similarity if points else box_similarity
    pictures = [
        match_picture(
            [region(one, bool(points), False) for one in results if one["image_id"] == image],
            [region(one, bool(points), True) for one in annotations if one["image_id"] == image],
            similarity,
            most=most,
        )
        for image in range(25)
    ]
    precision, recall = average_precision(pictures)
    got = [float(table.mean()) for table in (precision, precision[:, :1], precision[:, 5:6], recall)]
    assert got == pytest.approx(coco_eval(25, annotations, results, kind), abs=1e-12)
    assert 0.05 < got[0] < 0.95


def test_the_thresholds_are_cocos() -> None:
    assert list(THRESHOLDS) == np.linspace(0.5, 0.95, 10).tolist()


BOX = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4)
REGION = st.fixed_dictionaries({"label": st.sampled_from("ab"), "box": BOX})


@given(REGION, REGION)
def test_similarities_keep_their_range(one: Region, other: Region) -> None:
    assert 0 <= box_similarity(one, other) <= 1
    pose: Region = {"label": "a", "points": [one["box"][:2]]}
    true: Region = {**other, "points": [[*other["box"][:2], 2.0]], "area": 1.0}
    assert 0 <= key_point_similarity(pose, true) <= 1
    assert key_point_similarity({"label": "a", "points": []}, true) == 0.0


@given(st.lists(REGION, max_size=5), st.lists(REGION, max_size=5))
@settings(max_examples=50)
def test_f1_keeps_its_range_and_counts_everything_once(said: list[Region], true: list[Region]) -> None:
    sample = Sample(id="s", references=tuple(map(dumps, true)) or (dumps(NOTHING),))
    scores = region_score()(Parsed(tuple(said)), sample)
    assert 0 <= scores["f1"] <= 1
    assert scores["tp"] + scores["fp"] == len(said)
    assert scores["tp"] + scores["fn"] == len(true)


def square(label: str, x: float, **more: Any) -> Region:
    return {"label": label, "box": [x, 0.0, x + 10, 10.0], **more}  # type: ignore[typeddict-item]


def rows(tmp_path: Path) -> tuple[Rows, Rows]:
    """Three pictures: two found, one not and one that is nowhere; nothing to find and nothing said; no reply."""
    cases = [
        (Parsed((square("a", 0), square("a", 20), square("b", 40))), (square("a", 0), square("a", 21), square("b", 70))),
        (Parsed((), "no box"), (NOTHING,)),
        (Parsed(None, "no reply"), (square("a", 0),)),
    ]
    scored = []
    for number, (parsed, true) in enumerate(cases):
        sample = Sample(id=str(number), references=tuple(map(dumps, true)))
        scored.append(
            Scored(sample_id=sample.id, cluster=sample.id, groups={}, reply=None, parsed=parsed, references=sample.references,
                   scores=region_score()(parsed, sample))
        )  # fmt: skip
    write_scores(tmp_path / "scores.parquet", lambda: scored)
    return Rows.of(scored), Rows.read(tmp_path / "scores.parquet")


def test_metrics_from_a_file_are_those_from_memory_and_as_worked_out_by_hand(tmp_path: Path) -> None:
    got = [{one.name: one for one in aggregate(one, (*F1, *precision_metrics()))} for one in rows(tmp_path)]
    for name, estimate in got[0].items():
        assert (estimate.value, estimate.se) == pytest.approx((got[1][name].value, got[1][name].se), nan_ok=True)
    # of a: two of two said, of three; 9 of 11 shared is 0.818, so that one is lost from 0.85 on. Of b: nothing.
    assert got[0]["f1"].value == pytest.approx(2 * 2 / (3 + 4))
    assert got[0]["ap50"].value == pytest.approx((67 / 101 + 0) / 2)
    assert got[0]["ap"].value == pytest.approx((7 * 67 / 101 + 3 * 34 / 101) / 10 / 2)
    assert got[0]["ap50"].n == 3 and got[0]["ap50"].clusters == 3 and got[0]["ap50"].se > 0


def test_nothing_to_find_has_no_precision() -> None:
    sample = Sample(id="s", references=(dumps(NOTHING),))
    scored = Scored(
        sample_id="s", cluster="", groups={}, reply="", parsed=Parsed(()), references=sample.references, scores={"f1": 1.0}
    )
    (estimate, *_) = aggregate(Rows.of([scored]), precision_metrics())
    assert math.isnan(estimate.value) and "no region" in estimate.method


def test_what_lies_in_an_ignored_region_counts_neither_way_whatever_its_label() -> None:
    sample = Sample(id="s", references=tuple(map(dumps, (square("a", 0), square("", 50, ignored=True, crowd=True)))))
    said = (square("a", 0), square("b", 52), square("c", 48))
    assert region_score()(Parsed(said), sample) == {"f1": 1.0, "tp": 1.0, "fp": 0.0, "fn": 0.0}


def test_a_pose_is_near_where_its_best_match_is() -> None:
    true: Region = {**square("a", 0), "area": 100.0, "points": [[0.0, 0.0, 2.0], [10.0, 10.0, 1.0], [0.0, 0.0, 0.0]]}
    said: Region = {"label": "a", "points": [[0.5, 0.5], [10.0, 12.0], [99.0, 99.0]]}
    far: Region = {"label": "a", "points": [[50.0, 50.0]] * 3}
    scores = pose_score(Parsed((far, said)), Sample(id="s", references=(dumps(true),)))
    assert (scores["near"], scores["points"]) == (1.0, 2.0)
    assert 0 < key_point_similarity(said, true) < 1
    assert max(detection.PERSON_SIGMAS) > detection.OTHER_SIGMA

"""Where regions come from: COCO's polygons and run lengths, plain boxes, the mini world, panels."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from harness.errors import DatasetError
from harness.world import is_held_out
from models.sphinx_x.corpus.marks.boxes import boxed_pictures
from models.sphinx_x.corpus.marks.coco import coco_pictures, counts_of_text, decode_polygons, decode_runs
from models.sphinx_x.corpus.marks.panels import join, panelled
from models.sphinx_x.corpus.marks.regions import Picture, Region
from models.sphinx_x.corpus.marks.world import WORLDS, world_pictures

DISC = "l`01S18J4M2N2N2N2O0O2O00000O20N1000001N101N2N2N2N3L6H`>"
"""A disc of radius 12 about (25, 20) in a picture of 50 x 40, as pycocotools 2.0.11 encodes it."""


def disc() -> np.ndarray:
    rows, columns = np.mgrid[:40, :50]
    return (rows - 20) ** 2 + (columns - 25) ** 2 <= 144


def test_compressed_runs_are_decoded_as_pycocotools_encodes_them() -> None:
    assert (decode_runs({"size": [40, 50], "counts": DISC}, 50, 40) == disc()).all()


@given(arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_runs_of_any_mask(mask: np.ndarray) -> None:
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    height, width = mask.shape
    assert (decode_runs({"size": [height, width], "counts": counts}, width, height) == mask).all()
    coder = pytest.importorskip("pycocotools.mask", reason="only to compare with")
    text = coder.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode("ascii")
    assert counts_of_text(text) == counts


@pytest.mark.parametrize("counts", [[5, 4], [10**6], [-3, 15], DISC, ""])
def test_runs_that_do_not_fill_the_picture_are_refused(counts: object) -> None:
    with pytest.raises(ValueError, match="pixels"):
        decode_runs({"size": [3, 4], "counts": counts}, 4, 3)


def test_polygons_are_filled_and_joined() -> None:
    cover = decode_polygons([[0, 0, 9, 0, 9, 9, 0, 9], [20, 20, 29, 20, 29, 29, 20, 29], [1, 1]], 40, 30)
    assert cover[5, 5] and cover[25, 25] and not cover[15, 15] and 180 <= cover.sum() <= 200


def coco(tmp_path: Path, **changes: object) -> Path:
    Image.new("RGB", (50, 40), "white").save(tmp_path / "a.png")
    things = [
        {"image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 12], "segmentation": [[1, 2, 11, 2, 11, 14, 1, 14]], "iscrowd": 0},
        {"image_id": 7, "category_id": 2, "bbox": [13, 8, 25, 25], "segmentation": {"size": [40, 50], "counts": DISC}},
        {"image_id": 7, "category_id": 2, "bbox": [30, 2, 10, 3]},
        {
            "image_id": 7,
            "category_id": 2,
            "bbox": [0, 0, 50, 40],
            "segmentation": {"size": [40, 50], "counts": [0, 2000]},
            "iscrowd": 1,
        },
    ]
    found = {
        "images": [{"id": 7, "file_name": "a.png", "width": 50, "height": 40}, {"id": 8, "file_name": "b.png"}],
        "annotations": things,
        "categories": [{"id": 1, "name": "box"}, {"id": 2, "name": "disc"}],
        **changes,
    }
    (tmp_path / "instances.json").write_text(json.dumps(found))
    return tmp_path / "instances.json"


def test_a_coco_file_becomes_pictures_without_crowds(tmp_path: Path) -> None:
    [picture] = coco_pictures(coco(tmp_path), tmp_path, "natural")
    assert picture.load().size == (picture.width, picture.height) == (50, 40)
    assert [region.name for region in picture.regions] == ["box", "disc", "disc"]
    assert picture.regions[1].box == (13, 8, 38, 33) and (picture.regions[1].cover(50, 40) == disc()).all()
    assert picture.regions[2].mask is None and picture.regions[2].box == (30, 2, 40, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": []}, "image 7: does not fit COCO's format"),
        ({"images": []}, "image 7: has annotations and is not listed"),
        ({"annotations": 5}, "no COCO instances file"),
        ({"images": [{"id": 7, "file_name": "../a.png", "width": 50, "height": 40}]}, "does not lie below"),
        ({"images": [{"id": 7, "file_name": "a.png", "width": 51, "height": 40}]}, "runs of size"),
    ],
)
def test_a_coco_file_that_does_not_fit_is_named(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        list(coco_pictures(coco(tmp_path, **changes), tmp_path, "natural"))


def test_boxes_and_layouts_become_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    rows = [
        {"image": "a.png", "kind": "screen", "regions": [{"name": "OK", "box": [1, 2, 3, 4]}]},
        {"image": "a.png", "width": 30, "height": 20, "blocks": [{"lines": [{"text": "one line", "box": [0, 0, 9, 3]}]}]},
    ]
    (tmp_path / "boxes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    first, second = boxed_pictures(tmp_path / "boxes.jsonl", tmp_path, "document")
    assert (first.kind, first.width, first.height, first.regions[0].name) == ("screen", 30, 20, "OK")
    assert (second.kind, second.regions[0].name, second.regions[0].box) == ("document", "one line", (0, 0, 9, 3))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "a.png"}, "field 'blocks' missing"),
        ({"image": "a.png", "kind": "poem", "regions": []}, "kind 'poem' is none of natural"),
        ({"image": "a.png", "width": 1, "height": 1, "regions": [{"name": "x", "box": [1, 2]}]}, "no picture with boxes"),
        ({"image": "../a.png", "regions": []}, "does not lie below"),
        ({"image": "none.png", "regions": []}, "cannot be opened as a picture"),
    ],
)
def test_a_line_that_does_not_fit_is_named(row: dict[str, object], message: str, tmp_path: Path) -> None:
    (tmp_path / "boxes.jsonl").write_text(json.dumps(row))
    with pytest.raises(DatasetError, match=message):
        list(boxed_pictures(tmp_path / "boxes.jsonl", tmp_path, "natural"))


def test_a_picture_of_another_size_than_its_annotation_cannot_be_loaded(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    (tmp_path / "boxes.jsonl").write_text(json.dumps({"image": "a.png", "width": 31, "height": 20, "regions": []}))
    [picture] = boxed_pictures(tmp_path / "boxes.jsonl", tmp_path, "natural")
    with pytest.raises(OSError, match="30 x 20, its annotation is for 31 x 20"):
        picture.load()


def test_drawn_pictures_name_training_pairs_only_and_masks_are_exact() -> None:
    seen = set()
    for picture in islice(world_pictures(3), 60):
        seen.add(picture.kind)
        pixels = np.asarray(picture.load())
        for region in picture.regions:
            if picture.id.startswith("scene"):
                _, colour, shape = region.name.split()
                assert not is_held_out(shape, colour)
                assert len(np.unique(pixels[region.cover(picture.width, picture.height)], axis=0)) == 1
    assert seen == set(WORLDS.values())


def test_panels_keep_pixels_and_say_where_they_are() -> None:
    singles = list(islice(world_pictures(1), 10))
    sheets = list(panelled(singles, 4))
    assert len(sheets) == 2
    whole = np.asarray(sheets[0].load())
    assert whole.shape == (sheets[0].height, sheets[0].width, 3)
    for place, single in zip(("top left", "top right", "bottom left", "bottom right"), singles, strict=False):
        pixels = np.asarray(single.load())
        held = [region for region in sheets[0].regions if region.name.endswith(f"in the {place} panel")]
        assert len(held) == len(single.regions)
        for before, after in zip(single.regions, held, strict=True):
            there = whole[after.cover(sheets[0].width, sheets[0].height)]
            assert (there == pixels[before.cover(single.width, single.height)]).all()


def test_two_panels_stand_side_by_side() -> None:
    def square(size: int) -> Picture:
        region = Region("all", (0.0, 0.0, float(size), float(size)))
        load = lambda: Image.new("RGB", (size, size), "red")  # noqa: E731
        return Picture(id=str(size), kind="natural", width=size, height=size, regions=(region,), load=load)

    sheet = join([square(10), square(20)])
    assert (sheet.width, sheet.height, sheet.id) == (41, 20, "10+20")
    assert sheet.regions[1].box == (21, 0, 41, 20) and sheet.regions[1].name == "all in the right panel"

"""The corpus of marks: drawn labels can be read, answers are true, and the same settings give the same bytes."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.boxes import from_pixels
from harness.errors import ConfigError
from harness.schema import read
from models.sphinx_x.corpus.marks.converse import WORDINGS, Marked, mark_turns, tag, told_marks
from models.sphinx_x.corpus.marks.make import MarksConfig, make_marks
from models.sphinx_x.corpus.marks.paint import PALETTE, contrast, ground_for, ink_on, lab, paint_marks
from models.sphinx_x.corpus.marks.place import place_marks
from models.sphinx_x.corpus.marks.regions import Region
from models.sphinx_x.corpus.records import read_conversations


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_digits_can_be_read_on_any_ground(colour: tuple[int, int, int]) -> None:
    assert contrast(ink_on(colour), colour) > 4.5


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=30))
def test_grounds_stand_out_from_what_they_cover(pixels: list[tuple[int, int, int]]) -> None:
    below = np.array(pixels, dtype=np.uint8)
    chosen = ground_for(below)
    assert chosen in PALETTE
    if len(set(pixels)) == 1:
        apart = np.linalg.norm(lab(below[:1].astype(float)) - lab(np.array([chosen], float)))
        assert apart > 50


def test_colours_of_the_standards() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.005)
    assert lab(np.array([[255.0, 0, 0]]))[0] == pytest.approx([53.24, 80.09, 67.20], abs=0.1)


def cells() -> list[Region]:
    names = ["cat", "dog", "dog", "cup", "pen", "key"]
    return [
        Region(name, (30.0 + 100 * (i % 3), 20.0 + 90 * (i // 3), 80.0 + 100 * (i % 3), 80.0 + 90 * (i // 3)))
        for i, name in enumerate(names)
    ]


def test_marks_are_drawn_where_they_are_said_to_be_and_nowhere_else() -> None:
    plain = Image.new("RGB", (340, 200), (30, 90, 200))
    marks = place_marks(cells(), *plain.size)
    drawn, before = np.asarray(paint_marks(plain, marks)), np.asarray(plain)
    changed = (drawn != before).any(axis=2)
    for mark in marks:
        x1, y1, x2, y2 = (round(value) for value in mark.label)
        assert changed[y1:y2, x1:x2].mean() > 0.9
        assert len(np.unique(drawn[y1:y2, x1:x2].reshape(-1, 3), axis=0)) > 1, "there are digits"
        changed[y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = False
    assert not changed.any() and (np.asarray(plain) == before).all()


def marked() -> Marked:
    return Marked(place_marks(cells(), 340, 200), "natural", 340, 200)


def test_marks_are_written_as_the_paper_writes_them() -> None:
    shown = marked()
    told = told_marks(shown)
    assert re.fullmatch(r"(<Mark \d+> \[[01]\.\d\d, [01]\.\d\d\](, )?){6}", told)
    x, y = shown.marks[0].point
    assert told.startswith(f"<Mark 1> [{x / 340:.2f}, {(y + 70) / 340:.2f}]"), "fractions of the centred, padded square"


def test_answers_are_true() -> None:
    shown = marked()
    by_tag = {tag(mark): mark for mark in shown.marks}
    seen = set()
    for seed in range(300):
        for turn in mark_turns(shown, random.Random(seed), 5, drawn=seed % 2 == 0):
            seen.add(turn.family)
            question = turn.question.split("\n")[-1]
            tags = [by_tag[one] for one in re.findall(r"<Mark \d+>", question)]
            if turn.family == "what":
                assert turn.answer == tags[0].region.name
            elif turn.family == "which":
                name = re.search(r'"(.*)"', question)
                assert name and [by_tag[one].region.name for one in turn.answer.split(", ")] == [name[1]] * (
                    2 if name[1] == "dog" else 1
                )
            elif turn.family == "where":
                box = from_pixels(tags[0].region.box, "square", 340, 200)
                assert turn.answer == "[" + ",".join(f"{value:.2f}" for value in box) + "]"
            elif turn.family == "relation":
                a, b = (tags[1], tags[0]) if question.startswith("Seen from") else (tags[0], tags[1])
                dx, dy = a.point[0] - b.point[0], a.point[1] - b.point[1]
                assert {"left": dx < 0, "right": dx > 0, "above": dy < 0, "below": dy > 0}[turn.answer]
            else:
                assert turn.answer.split("\n") == [f"{tag(mark)}: {mark.region.name}" for mark in shown.marks]
    assert seen == set(WORDINGS) - {"read"}


def test_points_are_told_once_and_only_where_marks_are_not_drawn() -> None:
    for seed in range(20):
        text, drawn = (mark_turns(marked(), random.Random(seed), 4, drawn=kind) for kind in (False, True))
        assert text[0].question.startswith("Marks: <Mark 1> [") and not any("Marks:" in turn.question for turn in text[1:])
        assert not any("Marks:" in turn.question for turn in drawn)
        assert len({(turn.family, turn.question) for turn in text}) == 4


def config(out: Path, **changes: object) -> MarksConfig:
    return dataclasses.replace(MarksConfig(out=out, n=6), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"style": "drawn"}, {"panels": 2, "n": 6}])
def test_the_same_settings_give_the_same_bytes(changes: dict[str, object], tmp_path: Path) -> None:
    rows = [make_marks(config(tmp_path / name, **changes))[0] for name in ("one", "two")]
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")} for name in ("one", "two")
    )
    assert first == second and len(first) == sum(rows[0]["pictures"].values()) + 2
    told = list(read_conversations(tmp_path / "one" / "conversations.jsonl"))
    assert sum(len(one.marks) for one in told) == rows[0]["marks"]
    for one in told:
        assert one.image and (tmp_path / "one" / one.image).is_file() and 1 <= len(one.turns) <= 5
        assert all(0 <= value <= 1 for mark in one.marks for value in mark.at)


def test_pictures_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    two = [{"name": "a", "box": [0, 0, 10, 10]}, {"name": "b", "box": [20, 20, 30, 30]}]
    rows = [
        {"image": "good.png", "width": 40, "height": 40, "regions": two},
        {"image": "bad.png", "width": 40, "height": 40, "regions": two},
        {"image": "missing.png", "width": 40, "height": 40, "regions": two},
        {"image": "good.png", "width": 41, "height": 40, "regions": two},
        {"image": "good.png", "width": 40, "height": 40, "regions": [two[0], {"name": "says ### here", "box": [20, 20, 30, 30]}]},
        {"image": "good.png", "width": 40, "height": 40, "regions": [two[0], {**two[0], "name": "same place"}]},
    ]
    (tmp_path / "boxes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = {"source": "boxes", "annotations": (tmp_path / "boxes.jsonl",), "images": tmp_path, "n": None}
    [row] = make_marks(config(tmp_path / "out", **settings))
    assert row["pictures"] == {"natural": 1}
    assert row["left_out"] == {
        "picture missing, damaged or of another size": 3,
        "too few regions": 1,
        "too few regions with a pixel of their own": 1,
    }


def test_settings_that_are_missing_or_wrong_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(MarksConfig, {"source": "coco", "turns": 0, "annotations": [str(tmp_path / "no.json")]}, "marks")
    assert str(error.value).splitlines() == ["marks.out: missing; say marks.out=PATH"]
    with pytest.raises(ConfigError, match=r"(?s)marks\.source=coco: needs .*no such file.*marks\.turns=0: must be at least 1"):
        read(MarksConfig, {"out": "x", "source": "coco", "turns": 0, "annotations": [str(tmp_path / "no.json")]}, "marks")
    with pytest.raises(ConfigError, match=r"marks\.n: missing; say marks\.n=N"):
        read(MarksConfig, {"out": "x"}, "marks")

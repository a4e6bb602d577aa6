"""Bad records are left out, counted and named; files that cannot be read at all are errors."""

import json

import pytest

from harness.errors import DatasetError
from harness.world import draw
from models.sphinx_x.corpus.families import convert
from models.sphinx_x.corpus.families.source import NAMED, BadRecord, Source, text_of

PICTURE = draw("scene", 1, "train").image


@pytest.fixture
def source(tmp_path):
    (tmp_path / "p").mkdir()
    PICTURE.save(tmp_path / "p" / "1.png")
    return Source(name="s", root=tmp_path)


def write(source, name, value):
    path = source.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def left_out(source):
    return {reason: told["count"] for reason, told in source.skips.record().items()}


def coco(annotations, images=({"id": 1, "file_name": "1.png", "width": 96, "height": 96},), **category):
    numbered = [{"id": at, "image_id": 1, "category_id": 1, **one} for at, one in enumerate(annotations)]
    return {"images": list(images), "annotations": numbered, "categories": [{"id": 1, "name": "ring", **category}]}


PLACES = {"layout": "coco", "style": "detection", "files": "c.json", "pictures": "p/{file_name}"}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (coco([{"bbox": [90, 0, 20, 10]}]), "box outside of the picture"),
        (coco([{"bbox": [9, 9, 0, 10]}]), "box without area"),
        (coco([{"bbox": [9, 9, 10]}]), "annotation does not fit"),
        (coco([{"bbox": None}]), "annotation does not fit"),
        (coco([{"bbox": [1, 1, 5, 5], "category_id": 9}]), "annotation does not fit"),
        (coco([{"bbox": [1, 1, 5, 5], "keypoints": ["x"]}]), "annotation does not fit"),
        (coco([]), "no places"),
        (coco([{"bbox": [1, 1, 5, 5]}], name=" "), "place without a name"),
        (coco([{"bbox": [1, 1, 5, 5]}], [{"id": 1, "file_name": "2.png", "width": 96, "height": 96}]), "picture missing"),
        (coco([{"bbox": [1, 1, 5, 5]}], [{"id": 1, "width": 96, "height": 96}]), "picture not named"),
        (coco([{"bbox": [1, 1, 5, 5]}], [{"id": 1, "file_name": "../../x.png"}]), "picture outside of the root"),
        (coco([{"bbox": [1, 1, 5, 5]}], [{"id": 1, "file_name": "1.png", "width": 0, "height": 96}]), "picture without a size"),
        (coco([{"bbox": [1, 1, 5, 5]}], [{"id": 1, "file_name": 7, "width": "9", "height": 96}]), "picture missing"),
    ],
)
def test_a_bad_picture_of_boxes_is_left_out(source, document, reason):
    write(source, "c.json", document)
    assert list(convert(source, "places", PLACES)) == []
    assert reason in left_out(source)
    assert all(first.startswith("c.json") for told in source.skips.record().values() for first in told["first"])


def test_a_picture_without_a_size_is_measured(source):
    write(source, "c.json", coco([{"bbox": [0, 0, 48, 48]}], [{"id": 1, "file_name": "1.png"}]))
    (talk,) = convert(source, "places", PLACES)
    assert talk.marks[0].at[2:] == (round(48 / max(PICTURE.size), 2),) * 2 or PICTURE.width != PICTURE.height


def test_crowds_are_no_objects(source):
    write(source, "c.json", coco([{"bbox": [0, 0, 48, 48], "iscrowd": 1}, {"bbox": [0, 0, 9, 9]}]))
    (talk,) = convert(source, "places", PLACES)
    assert len(talk.marks) == 1 and not source.skips.counts


@pytest.mark.parametrize("image_id", [5, [1]])
def test_annotations_of_pictures_that_are_not_listed_are_an_error(source, image_id):
    write(source, "c.json", coco([{"bbox": [0, 0, 9, 9], "image_id": image_id}]))
    with pytest.raises(DatasetError, match="c.json: annotations of 1 pictures"):
        list(convert(source, "places", PLACES))


def test_joints_outside_of_the_picture_are_a_bad_record(source):
    write(source, "c.json", coco([{"bbox": [0, 0, 9, 9], "keypoints": [200, 5, 2]}], keypoints=["nose"]))
    assert list(convert(source, "places", {**PLACES, "style": "pose"})) == []
    assert left_out(source) == {"point outside of the picture": 1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"image": "1.png", "question": "q", "answer": ""}, "empty answer"),
        ({"image": "1.png", "question": " ", "answer": "a"}, "empty question"),
        ({"image": "1.png", "question": "q"}, "field missing"),
        ({"image": "1.png", "question": "q", "answer": None}, "no text"),
        ({"image": "1.png", "question": ["q", {"answer": ""}], "answer": []}, "empty answer"),
        ({"image": "2.png", "question": "q", "answer": "a"}, "picture missing"),
        ({"image": "/etc/passwd", "question": "q", "answer": "a"}, "picture missing"),
        ({"image": "../../etc/passwd", "question": "q", "answer": "a"}, "picture outside of the root"),
    ],
)
def test_a_bad_question_is_left_out_and_the_others_stay(source, row, reason):
    write(source, "q.json", [row, {"image": "1.png", "question": "good", "answer": "yes"}])
    (talk,) = convert(source, "questions", {"files": "q.json", "pictures": "p/{image}", "ask": "open"})
    assert talk.turns == (("good", "yes"),)
    assert left_out(source) == {reason: 1}


def test_answers_that_lie_apart_may_be_missing(source):
    write(source, "q.json", {"questions": [{"question_id": 1, "question": "q", "image": "1.png"}]})
    write(source, "a.json", {"annotations": [{"question_id": 2, "answer": "a"}]})
    settings = {"files": "q.json", "key": "questions", "answers": "a.json", "pictures": "p/{image}"}
    assert list(convert(source, "questions", settings)) == []
    assert left_out(source) == {"answer missing": 1}


@pytest.mark.parametrize(
    ("converter", "settings", "lines", "reason"),
    [
        ("chat", {}, [{"data": "no list"}], "no list of turns"),
        ("chat", {}, [{"data": [1, 2]}], "no text"),
        ("chat", {}, [{"data": ["only a question"]}], "nothing to say"),
        ("chat", {}, [{"other": 1}], "does not fit"),
        ("conversations", {}, [{"conversations": [{"from": "gpt", "value": "x"}]}], "does not fit"),
        ("conversations", {}, [{"conversations": 3}], "does not fit"),
        ("pairs", {"question": "q", "answer": "a"}, [{"q": "x", "a": {"deep": 1}}], "no text"),
        ("documents", {"ask": "statement", "pictures": "p/1.png"}, [{"annotations": [{"key": "k", "values": [{"value": "2"}]}]}],
         "verdict is neither 0 nor 1"),
        ("documents", {"ask": "field", "pictures": "p/1.png"}, [{"annotations": [{"key": "k"}]}], "field missing"),
        ("documents", {"ask": "field", "pictures": "p/1.png"}, [{}], "field missing"),
        ("captions", {"pictures": "p/1.png"}, [{"caption": " "}], "empty answer"),
    ],
)  # fmt: skip
def test_bad_lines_are_left_out(source, converter, settings, lines, reason):
    write(source, "x.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert list(convert(source, converter, {"files": "x.jsonl", **settings})) == []
    assert left_out(source) == {reason: 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,3\n", "line does not fit"),
        ("1,2,3,4,x,6,7,8,word\n", "not a number"),
        ("0,0,4,0,4,4,0,4,###\n", "no places"),
        ("", "no places"),
    ],
)
def test_bad_scene_text_is_left_out(source, text, reason):
    write(source, "gt_1.txt", text)
    settings = {"layout": "polygons", "style": "spotting", "numbers": 8, "files": "gt_*.txt", "pictures": "p/{name}.png"}
    assert list(convert(source, "places", settings)) == []
    assert left_out(source) == {reason: 1}


def test_scene_text_of_icdar_2013(source):
    write(source, "gt_1.txt", '10 20 40 60 "Joe, the "\n')
    settings = {"layout": "polygons", "style": "spotting", "numbers": 4, "files": "gt_*.txt", "pictures": "p/{name}.png"}
    (talk,) = convert(source, "places", settings)
    assert talk.marks[0].name.startswith("Joe,")


def test_hostile_xml_is_left_out(source):
    write(source, "S/1.txt", "[/EN#1/other a thing] .\n")
    write(source, "A/1.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation>&a;</annotation>')
    settings = {
        "layout": "entities",
        "style": "grounding",
        "files": "S/*.txt",
        "names": "A/{name}.xml",
        "pictures": "p/{name}.png",
    }
    assert list(convert(source, "places", settings)) == []
    assert left_out(source) == {"annotation does not fit": 1}


def test_unknown_classes_and_damaged_pictures_are_left_out(source):
    write(source, "names.txt", "n1 ring, thing\n")
    for folder, name in (("n1", "a.png"), ("n2", "b.png")):
        (source.root / "c" / folder).mkdir(parents=True)
        PICTURE.save(source.root / "c" / folder / name)
    (source.root / "c" / "n1" / "z.png").write_bytes(b"no picture")
    assert [talk.turns[0][1] for talk in convert(source, "classes", {"pictures": "c", "names": "names.txt"})] == ["ring"]
    assert left_out(source) == {"class without a name": 1, "picture unreadable": 1}


def test_a_report_names_the_first_and_counts_all(source):
    write(source, "x.jsonl", '{"q": "", "a": "a"}\n' * (NAMED + 5))
    assert list(convert(source, "pairs", {"files": "x.jsonl", "question": "q", "answer": "a"})) == []
    told = source.skips.record()["empty question"]
    assert told["count"] == NAMED + 5 and len(told["first"]) == NAMED
    assert told["first"][1].startswith("x.jsonl line 2:")


@pytest.mark.parametrize("text", ["", '{"questions": [', '{"other": []}', "[[]]"])
def test_a_file_that_cannot_be_read_is_an_error(source, text):
    write(source, "q.json", text)
    with pytest.raises(DatasetError, match=r"q\.json"):
        list(convert(source, "questions", {"files": "q.json", "key": "questions", "pictures": "p/{image}"}))


def test_a_missing_file_is_named(source):
    with pytest.raises(DatasetError, match="no file q.json"):
        list(convert(source, "pairs", {"files": "q.json", "question": "q", "answer": "a"}))


def test_the_most_frequent_of_several_answers_counts():
    assert text_of({"a": [{"answer": "no"}, {"answer": "yes"}, {"answer": "yes"}]}, "a", "x") == "yes"
    assert text_of({"a": {"b": 3}}, "a.b", "x") == "3"
    with pytest.raises(BadRecord):
        text_of({"a": True}, "a", "x")

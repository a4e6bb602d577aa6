"""Every data set of the paper's mixture, from its original layout to conversations."""

import re
from pathlib import Path

import pytest

from harness.errors import ConfigError, DatasetError
from harness.world import draw
from models.sphinx_x.corpus.drawn import WRITERS
from models.sphinx_x.corpus.families import LAYOUTS, convert, setting_problems
from models.sphinx_x.corpus.families.places import Picture, Place, bracket, by_name, fractions, listing, point_fractions
from models.sphinx_x.corpus.families.source import BadRecord, Source
from models.sphinx_x.corpus.families.spoken import LISTED, STYLES, say
from models.sphinx_x.corpus.families.wordings import ASK

NAMES = sorted(WRITERS)
SHORT = "\nAnswer the question using a single word or phrase."

EXACT = {  # the first conversation of each data set: (image, turns at these places)
    "ultrachat": (None, [("What is 0 + 1?", "1"), ("And twice that?", "2")]),
    "flan_mini": (None, [("Is 0 even?", "yes")]),
    "open_orca": (None, [("Spell 0.", "It is 0.")]),
    "meta_math_qa": (None, [("Compute 0 * 0.", "0 * 0 = 0.")]),
    "math_instruct": (None, [("Compute 0 * 0.", "0 * 0 = 0.")]),
    "wizard_coder": (None, [("Compute 0 * 0.", "0 * 0 = 0.")]),
    "vqav2": (
        "coco/train2014/COCO_train2014_000000000001.jpg",
        [("What color is the square?" + SHORT, "cyan"), ("Is this a picture?" + SHORT, "yes")],
    ),
    "okvqa": (
        "coco/train2014/COCO_train2014_000000000001.jpg",
        [("What color is the square?" + SHORT, "cyan"), ("Is this a picture?" + SHORT, "yes")],
    ),
    "gqa": ("gqa/images/1.jpg", [("What color is the square?" + SHORT, "cyan")]),
    "visual_genome_qa": ("visual_genome/VG_100K/1.jpg", [("What color is the square?", "cyan.")]),
    "clevr": ("CLEVR_v1.0/images/train/CLEVR_train_000001.png", [("How many things are there?" + SHORT, "3")]),
    "chartqa": (
        "chartqa/train/png/1.png",
        [("What is the value of F?" + SHORT, "5"), ("What color is F?" + SHORT, "cyan")],
    ),
    "dvqa": ("dvqa/images/bar_train_00000001.png", [("How many bars are there?" + SHORT, "4")]),
    "docvqa": ("docvqa/documents/1.png", [("What is the CUP?" + SHORT, "37"), ("What is the FEE?" + SHORT, "4721")]),
    "infographics_vqa": (
        "infographics_vqa/images/1.jpeg",
        [("What is the CUP?" + SHORT, "37"), ("What is the FEE?" + SHORT, "4721")],
    ),
    "textvqa": ("textvqa/train_images/0000000000000001.jpg", [("What does the sign say?" + SHORT, "canal")]),
    "visual_mrc": (
        "visual_mrc/images/1.png",
        [("What is the CUP?", "It is 37."), ("What is the FEE?", "It is 4721."), ("What is the ROW?", "It is SALAD.")],
    ),
    "wiki_table_questions": (
        "due/WikiTableQuestions/png/doc-1.png",
        [(f"What is K in column {name}?" + SHORT, value) for name, value in (("V", "5"), ("D", "8"), ("N", "8"))],
    ),
    "llava": (
        "coco/train2017/000000000001.jpg",
        [("What do you see?", "A cyan square and a purple cross and a green triangle.")],
    ),
    "llavar": ("llavar/images/1.jpg", [("What do you see?", "A cyan square and a purple cross and a green triangle.")]),
    "paper_text": ("paper_text/pages/1.png", [("What do you see?", "A cyan square and a purple cross and a green triangle.")]),
    "marks_natural": ("marks/natural/1.png", [("What do you see?", "A cyan square and a purple cross and a green triangle.")]),
}
DETECTED = "There are square[0.34,0.65,0.54,0.84], cross[0.45,0.07,0.65,0.27], and triangle[0.27,0.29,0.59,0.61] in the image."
PAGE = (
    "There are three text[0.49,0.30,0.71,0.45;0.47,0.55,0.92,0.70;0.43,0.80,0.99,0.95] "
    "and title[0.22,0.05,0.78,0.20] in the image."
)
PEOPLE = "There are three person[0.34,0.65,0.54,0.84;0.45,0.07,0.65,0.27;0.27,0.29,0.59,0.61] in the image."
FIRST_ANSWER = {  # where the wording of the question is drawn: family of wordings, answer to the first question
    **dict.fromkeys(("v3det", "open_images", "lvis", "coco_detection", "objects365"), ("detection", DETECTED)),
    **dict.fromkeys(("m6doc", "publaynet", "doclaynet"), ("layout", PAGE)),
    **dict.fromkeys(("coco_pose", "unipose"), ("people", PEOPLE)),
    **dict.fromkeys(("icdar", "ctw1500"), ("spotting", "There is CANAL[0.15,0.41,0.71,0.55] in the image.")),
    "doc_bank": ("layout", "There are paragraph[0.47,0.30,0.92,0.70] and table[0.43,0.80,0.99,0.95] in the image."),
    "coco_caption": ("caption", "A cyan square and a purple cross and a green triangle."),
    "laion_gpt4v": ("detailed_caption", "The image shows A cyan square and a purple cross and a green triangle."),
    "tabfact": ("statement", "Yes"),
    "deepform": ("field", "5"),
    "kleister_charity": ("field", "5"),
}


@pytest.fixture(scope="module")
def converted(drawn, data_sets):
    """All conversations of all data sets, with their sources."""
    found = {}
    for name, one in data_sets.items():
        source = Source(name=name, root=drawn)
        found[name] = (source, list(convert(source, one.converter, one.settings)))
    return found


def asked_by(family, question):
    return any(re.fullmatch(re.escape(form).replace(r"\{\}", "(?s:.+)"), question) for form in ASK[family])


def test_every_data_set_of_the_mixture_can_be_drawn(data_sets):
    assert set(data_sets) == set(WRITERS)


@pytest.mark.parametrize("name", NAMES)
def test_conversations_of_a_data_set(converted, drawn, name):
    source, talks = converted[name]
    assert len(talks) >= 3 and not source.skips.counts
    assert len({talk.id for talk in talks}) == len(talks)
    for talk in talks:
        assert talk.source == name and talk.turns and len(talk.turns) <= source.turns
        assert all(question.strip() == question != "" and answer.strip() == answer != "" for question, answer in talk.turns)
        assert talk.image is None or (drawn / talk.image).is_file()
        assert all(len(mark.at) in (2, 4) and all(0 <= value <= 1 for value in mark.at) for mark in talk.marks)
        written = [part for turn in talk.turns for text in turn for part in re.findall(r"\[([\d.,;]+)\]", text)]
        for place in (place for part in written for place in part.split(";")):
            values = [float(value) for value in place.split(",")]
            assert tuple(values) in {mark.at for mark in talk.marks}, place


@pytest.mark.parametrize("name", EXACT)
def test_the_first_conversation_is_this(converted, name):
    image, turns = EXACT[name]
    talk = converted[name][1][0]
    assert talk.image == image and list(talk.turns) == turns


@pytest.mark.parametrize("name", FIRST_ANSWER)
def test_the_first_answer_is_this_and_its_question_one_of_the_familys(converted, name):
    family, answer = FIRST_ANSWER[name]
    question, said = converted[name][1][0].turns[0]
    assert said == answer and asked_by(family, question)


def test_system_prompts_stand_before_their_question(converted):
    assert converted["open_orca"][1][1].turns == (("Be brief.\nSpell 1.", "It is 1."),)


def test_a_class_is_named_by_the_first_of_its_names(converted):
    for talk in converted["imagenet"][1]:
        ((question, answer),) = talk.turns
        assert "," not in answer and asked_by("classification", question)


@pytest.mark.parametrize("name", ["visual_genome", "refcoco", "refcoco+", "refcocog", "flickr30k"])
def test_grounding_goes_both_ways(converted, name):
    """Phrase to box and box to phrase, and every pair is one that the annotation has."""
    turns = [turn for talk in converted[name][1] for turn in talk.turns]
    to_box = [turn for turn in turns if turn[1].startswith("[")]
    assert to_box and len(to_box) < len(turns)
    for talk in converted[name][1]:
        pairs = [(phrase, bracket(*boxes)) for phrase, boxes in by_name(talk.marks).items()]
        for question, answer in talk.turns:
            found = re.search(r"\[[\d.,]+\]", question)
            assert (answer, found[0]) in pairs if found else any(phrase in question and at == answer for phrase, at in pairs)


def test_only_the_training_split_of_expressions_is_used(converted):
    assert sum(len(talk.marks) for talk in converted["refcoco"][1]) < 2 * sum(
        len(draw("scene", number, "train").things) for number in (1, 2, 3)
    )


def test_pose_names_the_points_that_are_labelled(converted):
    talk = converted["coco_pose"][1][0]
    question, answer = talk.turns[1]
    assert asked_by("pose", question) and "[0.34,0.65,0.54,0.84]" in question
    assert answer == "nose[0.44,0.65], left shoulder[0.34,0.74]"


def test_a_chat_that_ends_with_a_question_loses_it(converted):
    assert all(len(talk.turns) == 2 for talk in converted["ultrachat"][1])


def test_long_conversations_about_a_picture_are_cut(drawn, data_sets):
    source = Source(name="visual_mrc", root=drawn, turns=2)
    talks = list(convert(source, "questions", data_sets["visual_mrc"].settings))
    assert max(len(talk.turns) for talk in talks) == 2
    assert [talk.id for talk in talks if talk.image == "visual_mrc/images/1.png"] == [
        "visual_mrc/images/1.png#0",
        "visual_mrc/images/1.png#1",
    ]


def test_conversion_is_the_same_every_time(converted, drawn, data_sets):
    for name in ("coco_detection", "refcoco", "tabfact"):
        again = convert(Source(name=name, root=drawn), data_sets[name].converter, data_sets[name].settings)
        assert list(again) == converted[name][1]


def test_coco_files_are_read_as_pycocotools_reads_them(drawn, data_sets, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    settings = {key: value for key, value in data_sets["coco_detection"].settings.items() if key not in ("layout", "style")}
    ours = list(LAYOUTS["coco"](Source(name="coco", root=drawn), **settings))
    theirs = coco.COCO(str(drawn / settings["files"]))
    capsys.readouterr()
    assert [picture.id for picture in ours] == [str(number) for number in theirs.getImgIds()]
    for picture in ours:
        listed = theirs.loadAnns(theirs.getAnnIds(imgIds=[int(picture.id)], iscrowd=False))
        assert [place.name for place in picture.places] == [theirs.loadCats(one["category_id"])[0]["name"] for one in listed]
        assert [place.box[:2] for place in picture.places] == [tuple(one["bbox"][:2]) for one in listed]


def test_boxes_count_the_padded_square():
    assert fractions((0, 0, 640, 480), (640, 480), "x") == (0.0, 0.12, 1.0, 0.88)
    assert fractions((10, 20, 30, 40), (100, 200), "x") == (0.3, 0.1, 0.4, 0.2)
    assert fractions((-0.5, 0, 100.9, 50), (100, 100), "x") == (0.0, 0.0, 1.0, 0.5)  # within what is cut off
    assert point_fractions(320, 240, (640, 480), "x") == (0.5, 0.5)


@pytest.mark.parametrize("box", [(-5, 0, 10, 10), (0, 0, 102, 10), (float("nan"), 0, 1, 1), (5, 5, 5, 9), (9, 9, 5, 5)])
def test_boxes_that_are_none_are_bad_records(box):
    with pytest.raises(BadRecord, match="r 7: box"):
        fractions(box, (100, 100), "r 7")


def test_forms_of_the_papers_figures():
    assert bracket((0.88, 0.05)) == "[0.88,0.05]"
    assert listing({"cup": [(0, 0, 1, 1)]}) == "There is cup[0.00,0.00,1.00,1.00] in the image."
    many = listing({"cup": [(0, 0, 1, 1)] * 13})
    assert many.startswith("There are 13 cup[0.00,")


def test_crowded_pictures_are_not_listed_whole():
    box = (1.0, 1.0, 5.0, 5.0)
    crowd = tuple(Place("bee", box) for _ in range(LISTED + 1))
    picture = Picture(id="1", image="a", size=(10, 10), places=(*crowd, Place("hive", box)), where="x")
    for style in ("detection", "layout", "spotting", "grounding"):
        said, _ = say(picture, style, Source(name="s", root=Path()).dice("1"), 8)
        assert said and not any("There are" in answer for _, answer in said)


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_without_places_says_nothing(style):
    picture = Picture(id="1", image="a", size=(10, 10), places=(), where="x")
    with pytest.raises(BadRecord, match="no places"):
        say(picture, style, Source(name="s", root=Path()).dice("1"), 8)


def test_every_family_asks_in_several_ways():
    assert all(len(set(forms)) >= 3 for forms in ASK.values())


@pytest.mark.parametrize(
    ("converter", "settings", "message"),
    [
        ("captoins", {}, "did you mean"),
        ("captions", {"files": "a"}, "x.pictures: missing"),
        ("captions", {"files": "a", "pictures": "b", "style": 1}, "x.style: unknown"),
        ("places", {"layout": "coco", "style": "dance", "files": "a", "pictures": "b"}, "x.style=dance"),
        ("places", {"style": "pose"}, "x.layout=None"),
        ("places", {"layout": "coco", "style": "pose"}, "x.files: missing"),
    ],
)
def test_settings_that_do_not_fit_are_named(converter, settings, message):
    assert message in "\n".join(setting_problems(converter, settings, "x"))
    with pytest.raises(ConfigError):
        convert(Source(name="x", root=Path()), converter, settings)


def test_a_pickle_is_refused_with_advice(tmp_path):
    (tmp_path / "refs(unc).p").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(DatasetError, match="pickle.*as JSON"):
        list(LAYOUTS["refs"](Source(name="r", root=tmp_path), files="refs(unc).json", names="i.json", pictures="{x}"))

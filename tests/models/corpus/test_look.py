"""Looking at conversations: pictures and pages show what is there, and nothing in the data becomes markup."""

import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from harness.errors import ConfigError, DatasetError
from models.sphinx_x.corpus.compose import compose
from models.sphinx_x.corpus.look import ON_A_PAGE, look, marks_in
from models.sphinx_x.corpus.records import Conversation, Mark, write_conversations

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>&lt;b'`{{7*7}}\x00</p></svg>"


def talk(name="1", image="p.png", turns=(("Where is it?", "ring[0.25,0.25,0.75,0.75]"),), marks=()):
    return Conversation(id=name, source="s", turns=turns, image=image, marks=marks)


@pytest.fixture
def corpus(tmp_path):
    """An annotation file of 25 conversations about a wide picture, in a folder below that of the picture."""
    Image.new("RGB", (80, 40), "white").save(tmp_path / "p.png")
    write_conversations(tmp_path / "deep" / "c.jsonl", [talk(str(at)) for at in range(25)])
    return tmp_path / "deep" / "c.jsonl"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs


def test_a_picture_shows_the_box_where_it_is(corpus, tmp_path):
    told = look(corpus, out=tmp_path / "a.png")
    assert told["shown"] == ["0"] and not told["problems"]
    with Image.open(told["file"]) as sheet:  # 80 x 40 is drawn nine times as large; the square's corner lies 20 px above it
        assert sheet.size[0] == 720
        assert sheet.getpixel((180, 180)) == (230, 25, 75)  # left edge, half way down
        assert sheet.getpixel((360, 180)) == (255, 255, 255)


def test_a_page_shows_the_first_twenty(corpus, tmp_path):
    told = look(corpus, out=tmp_path / "a.html")
    assert len(told["shown"]) == ON_A_PAGE
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.found.count("article") == ON_A_PAGE and "script" not in tags.found
    assert re.search(r'<rect x="20.00" y="0.00" width="40.00" height="40.00"', text)
    assert "default-src 'none'" in text and not re.search(r"""(src|href)=["'](?!data:)""", text)


def test_one_conversation_can_be_chosen(corpus, tmp_path):
    assert look(corpus, 7, tmp_path / "a.html")["shown"] == ["7"]
    assert look(corpus.parent, 24, tmp_path / "a.png")["shown"] == ["24"]
    with pytest.raises(DatasetError, match="no conversation 25; it holds 25"):
        look(corpus, 25, tmp_path / "a.png")


def test_the_default_file_is_named_by_the_data(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    look(corpus, 3)
    assert (tmp_path / "runs" / "look" / "c-3.png").is_file()


def test_hostile_text_is_escaped_everywhere(tmp_path):
    folder = tmp_path / "<b>&amp;"
    folder.mkdir()
    Image.new("RGB", (10, 10)).save(folder / "p.png")
    record = {
        "id": HOSTILE,
        "source": HOSTILE,
        "image": "p.png",
        "conversations": [{"from": "human", "value": HOSTILE}, {"from": "gpt", "value": HOSTILE}],
        "boxes": [{"name": HOSTILE, "at": [0, 0, 1, 1]}, {"name": HOSTILE, "at": [0.5, 0.5]}],
    }
    lost = {**record, "image": f"{HOSTILE}.png"}
    (folder / "c.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(lost) + "\n", encoding="utf-8")
    look(folder, out=tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.found.count("img") == tags.found.count("svg") == 1
    assert not {"script", "b'"} & set(tags.found)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert text.count("<p ") == text.count("</p>") and text.count("</svg>") == 1
    look(folder, 0, tmp_path / "a.png")


@pytest.mark.parametrize("content", [None, b"<svg onload=alert(1)>", b""])
def test_a_picture_that_cannot_be_shown_is_a_message(tmp_path, content):
    if content is not None:
        (tmp_path / "unreadable.png").write_bytes(content)
    write_conversations(tmp_path / "c.json", [talk(image="unreadable.png")])
    for name in ("a.png", "a.html"):
        (problem,) = look(tmp_path / "c.json", out=tmp_path / name)["problems"]
        assert "unreadable.png" in problem
    assert "onload" not in (tmp_path / "a.html").read_text()


def test_text_without_a_picture_and_very_long_text_are_shown(tmp_path):
    write_conversations(tmp_path / "c.jsonl", [talk(image=None, turns=(("q\n" * 5, "word " * 20_000),))])
    look(tmp_path / "c.jsonl", out=tmp_path / "a.png")
    look(tmp_path / "c.jsonl", out=tmp_path / "a.html")
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size[1] < 2000


def test_a_composition_knows_its_root(drawn, paper, tmp_path):
    groups = {name: paper["groups"][name] for name in ("pose",)}
    compose({**paper, "groups": groups}, root=drawn, out=tmp_path / "out")
    told = look(tmp_path / "out", 4, tmp_path / "a.html")
    assert not told["problems"]
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<circle" in text and "<rect" in text and "nose" in text


def test_marks_are_found_in_what_others_write():
    said = "There are <p>two cups</p>[0.95,0.42,0.97,0.55;0.13,0.07,0.99,0.16], dog [0.50, 0.25] and <p>nose</p>[0.88,0.05]."
    assert list(marks_in(talk(turns=(("Describe [0.1,0.2,0.3,0.4] and [7].", said),)))) == [
        Mark("Describe", (0.1, 0.2, 0.3, 0.4)),
        Mark("two cups", (0.95, 0.42, 0.97, 0.55)),
        Mark("two cups", (0.13, 0.07, 0.99, 0.16)),
        Mark("dog", (0.5, 0.25)),
        Mark("nose", (0.88, 0.05)),
    ]


@pytest.mark.parametrize(
    ("index", "name", "error"),
    [(0, "a.gif", ConfigError), (-1, "a.png", ConfigError)],
)
def test_settings_that_make_no_sense(corpus, tmp_path, index, name, error):
    with pytest.raises(error):
        look(corpus, index, tmp_path / name)


def test_a_folder_without_conversations_is_named(tmp_path):
    with pytest.raises(DatasetError, match="no such file, or a folder without"):
        look(tmp_path / "none")

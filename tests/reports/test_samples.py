from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reports.load import load_run, load_runs
from reports.pictures import Shelf, Thumbnails
from reports.samples import PAGE, write_samples
from tests.reports.conftest import Item, write_picture, write_run


def page(runs: Path, tmp_path: Path, budget: int = 4_000_000) -> str:
    (run,) = load_runs(runs)
    write_samples(run, tmp_path / "page.html", Thumbnails(), picture_bytes=budget, home="../index.html")
    return (tmp_path / "page.html").read_text()


def test_a_sample_shows_all_that_happened_to_it(runs: Path, tmp_path: Path) -> None:
    item = Item(
        id="a/1", reply="Yes, a dog", prediction="yes", score=0.5, references=("yes", "yeah"), prompt="Is there a <dog>?",
        picture=write_picture(tmp_path / "a.png"), truncated=True,
    )  # fmt: skip
    write_run(runs, "nano", items=[item])
    text = page(runs, tmp_path)
    for piece in (
        "a/1",
        "<mark>Yes</mark>, a dog",
        "yeah",
        "Is there a &lt;dog&gt;?",
        "partly right",
        "truncated",
        "0.5",
        "random",
        "data:image/webp",
    ):
        assert piece in text
    assert 'id="s-a~2F~1"' in text


def test_a_picture_shared_by_many_samples_is_stored_once(runs: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    write_run(runs, "nano", items=[Item(id=str(i), picture=picture) for i in range(50)])
    text = page(runs, tmp_path)
    assert text.count("data:image/webp") == 1
    assert text.count("<use ") == 50


def test_samples_beyond_the_first_page_wait_in_a_template(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano", items=[Item(id=str(i)) for i in range(PAGE + 5)])
    shown, waiting = page(runs, tmp_path).split('<template id="rest">')
    assert shown.count("<article") == PAGE
    assert waiting.count("<article") == 5
    assert f"The first {PAGE} of {PAGE + 5} samples" in shown


def test_pictures_stay_within_the_budget_and_say_when_they_do_not_fit(runs: Path, tmp_path: Path) -> None:
    noise = [tmp_path / f"{i}.png" for i in range(20)]
    for i, path in enumerate(noise):
        Image.effect_noise((300, 300), 90 + i).convert("RGB").save(path)
    write_run(runs, "nano", items=[Item(id=str(i), picture=path) for i, path in enumerate(noise)])
    text = page(runs, tmp_path, budget=12_000)
    stored = re.findall(r"data:image/webp;base64,([^\"]+)", text)
    assert stored and sum(map(len, stored)) <= 12_000
    assert "left out to keep this page small" in text


def test_a_picture_that_is_gone_leaves_a_note_without_this_machines_folders(runs: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "secret" / "a.png")
    write_run(runs, "nano", items=[Item(id="1", picture=picture)])
    picture.unlink()
    text = page(runs, tmp_path)
    assert "cannot be shown" in text and "a.png" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("frame", "prediction"),
    [
        ("pixels", [10.0, 20.0, 60.0, 80.0]),
        ("unit", [10 / 320, 20 / 240, 60 / 320, 80 / 240]),
        ("square", [1 / 32, 3 / 16, 3 / 16, 3 / 8]),
    ],
)
def test_boxes_are_drawn_over_the_picture_from_their_frame(
    runs: Path, tmp_path: Path, frame: str, prediction: list[float]
) -> None:
    picture = write_picture(tmp_path / "a.png", (320, 240))
    item = Item(id="1", prediction=prediction, references=("12,18,62,82",), picture=picture)
    write_run(runs, "nano", "refcoco_val", items=[item], **{"task.frames": {"official": frame}})
    text = page(runs, tmp_path)
    assert '<rect class="prediction" x="10.0" y="20.0" width="50.0" height="60.0"/>' in text
    assert '<rect class="reference" x="12.0" y="18.0" width="50.0" height="64.0"/>' in text


@pytest.mark.parametrize("prediction", [[1, 2, 3], [float("inf"), 0, 1, 1], ["a", 0, 1, 1], None, {"x": 1}])
def test_an_answer_that_is_no_box_leaves_the_reference_alone(runs: Path, tmp_path: Path, prediction: object) -> None:
    item = Item(id="1", prediction=prediction, references=("12,18,62,82",), picture=write_picture(tmp_path / "a.png"))
    write_run(runs, "nano", "refcoco_val", items=[item], **{"task.frames": {"official": "pixels"}})
    text = page(runs, tmp_path)
    assert text.count('<rect class="reference"') == 1
    assert text.count('<rect class="prediction"') == 0


def test_points_and_labelled_regions_are_drawn_and_told_apart(runs: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", (400, 300))
    regions: list[Any] = [{"label": "<dog>", "box": [0.02, 0.1, 0.15, 0.25]}, {"label": "cat", "points": [[0.1, 0.1]]}]
    truth = ({"label": "dog", "box": [12, 18, 62, 82]}, {"label": "cat", "points": [[5, 6, 2], [0, 0, 0]]})
    crowd = {"label": "people", "box": [1, 1, 9, 9], "ignored": True}
    nothing = {"label": "", "box": [0, 0, 0, 0], "ignored": True}
    items = [
        Item(id="click", prediction=[0.5, 0.25], references=("100,100,180,180",), picture=picture),
        Item(id="many", prediction=regions, references=tuple(map(json.dumps, (*truth, crowd))), picture=picture),
        Item(id="none", prediction=[], references=(json.dumps(nothing),), picture=picture),
        Item(id="odd", prediction=[{"label": "x", "box": ["a"] * 4}], references=(json.dumps(truth[0]),), picture=picture),
    ]
    write_run(runs, "nano", "detection", items=items, **{"task.frames": {"official": "unit"}})
    text = page(runs, tmp_path)
    assert '<path class="prediction" d="M200.0,75.0 ' in text and "the point lies 32 pixels outside" in text
    assert text.count('<rect class="reference"') == 3 and text.count('<rect class="reference ignored"') == 1
    assert ">&lt;dog&gt;</text>" in text and "<dog>" not in text and text.count('<path class="reference"') == 1
    assert "2 named, 2 to find" in text and "people: 1, 1, 9, 9 not counted" in text and "nothing: 0, 0, 0, 0 not counted" in text
    assert re.findall('<span class="key ([a-z ]*)"', text)[:2] == ["reference box", "prediction point"]


def test_four_numbers_as_text_elsewhere_are_no_box(runs: Path, tmp_path: Path) -> None:
    items = [Item(id="1", prediction=[1, 2, 3], references=("1,2,3,4",)), Item(id="2", references=("yes", "1,2,3,4"))]
    picture = write_picture(tmp_path / "a.png")
    write_run(runs, "nano", items=[Item(**{**vars(item), "picture": picture}) for item in items])
    assert page(runs, tmp_path).count('class="prediction"') == 0


def test_a_small_picture_is_not_enlarged_and_a_large_one_is_shrunk(tmp_path: Path) -> None:
    shelf = Shelf(Thumbnails(), expected=2, budget=1_000_000)
    for name, size in (("small", (60, 40)), ("large", (3000, 1000))):
        path = write_picture(tmp_path / f"{name}.png", size)
        part = {"image": str(path), "digest": name, "locator": {"kind": "file", "path": str(path)}}
        shown = shelf.put(part)
        assert (shown.width, shown.height) == size
        data = base64.b64decode(shelf.stored[shown.name].uri.split(",")[1])
        with Image.open(io.BytesIO(data)) as picture:
            assert max(picture.size) == min(448, max(size))


def test_replies_made_elsewhere_are_marked(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "llava", kind="replies")
    assert "replies made elsewhere" in page(runs, tmp_path)


def articles(text: str) -> list[str]:
    return re.findall(r'<article class="sample" id="s-([^"]+)" data-shown="([^"]*)"', text)


def test_beside_another_run_samples_find_each_other_in_any_order(runs: Path, tmp_path: Path) -> None:
    items = [Item(id=str(i), score=float(i % 2), reply=f"mine {i}") for i in range(4)]
    theirs = [Item(id=str(i), score=float(i < 2), reply=f"theirs {i}") for i in (3, 1, 0)]
    (mine,) = load_run(write_run(runs, "nano", items=items))
    (other,) = load_run(write_run(runs, "nano_moe", items=theirs))
    write_samples(mine, tmp_path / "page.html", Thumbnails(), picture_bytes=1000, home="", beside=other)
    text = (tmp_path / "page.html").read_text()
    assert articles(text) == [("0", "wrong flipped lost"), ("1", "right"), ("2", "wrong"), ("3", "right flipped gained")]
    assert [text.count(f"theirs {i}") for i in range(4)] == [1, 1, 0, 1]
    assert text.count("nano_moe was not asked this sample") == 1
    assert "Leaderboard" not in text and "provenance" not in text.split("<style>")[0]


def test_groups_of_a_few_values_are_filters_and_names_of_samples_are_none(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano", items=[Item(id=str(i), groups={"category": "ab"[i % 2]}) for i in range(6)])
    text = page(runs, tmp_path)
    assert text.count('data-in="0"') == 3 and text.count('data-in="1"') == 3 and "b (3)</option>" in text
    write_run(runs, "many", items=[Item(id=str(i), groups={"category": str(i)}) for i in range(100)])
    write_samples(load_runs(runs)[0], tmp_path / "many.html", Thumbnails(), picture_bytes=1000, home="")
    assert "data-in=" not in (tmp_path / "many.html").read_text() and 'id="facet"' not in (tmp_path / "many.html").read_text()


def test_the_file_of_a_picture_is_linked_only_from_a_page_near_it(runs: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "data" / "a b.png")
    (run,) = load_run(write_run(runs, "nano", items=[Item(id="1", picture=picture)]))
    for folder, links in (("board/samples", 1), ("far/away/from/here", 0)):
        write_samples(run, tmp_path / folder / "page.html", Thumbnails(), picture_bytes=10_000, home="../index.html")
        assert (tmp_path / folder / "page.html").read_text().count('href="../../data/a%20b.png"') == links


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (Item(id="1", prediction="yes", score=1.0), "the answer is the reference"),
        (Item(id="1", prediction="no", score=0.0), "the answer is not the reference"),
        (Item(id="1", prediction="a dog", score=1.0), "the scorer accepts the answer"),
        (Item(id="1", prediction="YES ", score=0.0), "the answer equals a reference, yet the scorer gives nothing"),
        (Item(id="1", prediction=None, reason="nothing named", score=0.0), "no answer could be read from the reply"),
        (Item(id="1", reply=None, prediction=None, failed="media: gone", score=0.0), "no reply to score; it stays in the number"),
        (Item(id="1", prediction="yes", score=float("nan")), "not scored: it needs a judge"),
    ],
)
def test_a_score_says_where_it_comes_from(runs: Path, tmp_path: Path, item: Item, why: str) -> None:
    write_run(runs, "nano", items=[item], value=0.5)
    text = page(runs, tmp_path)
    assert f'<span class="muted">{why}</span>' in text
    assert ("○ not scored" in text) == ("judge" in why)

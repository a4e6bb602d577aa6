"""Compositions: what is there and what is missing, samples, shards, the authors' data file, restarts."""

import copy
import json
import random
from pathlib import Path

import pytest
import yaml

import models.sphinx_x.corpus.compose as composing
import models.sphinx_x.corpus.drawn as drawn_layouts
from harness.errors import ConfigError, DatasetError
from models.sphinx_x.corpus.compose import compose
from models.sphinx_x.corpus.drawn import MARKER, draw_layouts
from models.sphinx_x.corpus.mixture import read_mixture
from models.sphinx_x.corpus.records import read_conversations

TABLE_9 = {  # the paper's counts
    "dialog": 1_800_000,
    "math": 600_000,
    "code": 80_000,
    "detection": 4_900_000,
    "pose": 300_000,
    "classification": 1_000_000,
    "grounding": 1_000_000,
    "vqa": 700_000,
    "caption": 500_000,
    "visual_instruction": 400_000,
    "ocr": 3_000_000,
    "layout_and_spotting": 1_000_000,
    "set_of_marks": 10_000,
}


@pytest.fixture
def small(tmp_path):
    """A mixture of one group with two data sets of 10 and 30 pairs."""
    for name, count in (("m", 10), ("n", 30)):
        (tmp_path / "root" / name).mkdir(parents=True)
        lines = "".join(json.dumps({"q": f"{name} {at}?", "a": str(at)}) + "\n" for at in range(count))
        (tmp_path / "root" / name / "q.jsonl").write_text(lines)
    sets = {
        name: {
            "converter": "pairs",
            "licence": "none",
            "settings": {"files": f"{name}/q.jsonl", "question": "q", "answer": "a"},
        }
        for name in ("m", "n")
    }
    group = {"kind": "text", "sets": sets}
    return {"name": "small", "root": str(tmp_path / "root"), "out": str(tmp_path / "out"), "shard": 8, "groups": {"g": group}}


def changed(settings, **changes):
    settings = copy.deepcopy(settings)
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = settings
        for name in parents:
            inner = inner[name]
        inner[last] = value
    return settings


def questions(folder, pattern="shards/**/*.jsonl"):
    return [talk.turns[0][0] for path in sorted(folder.glob(pattern)) for talk in read_conversations(path)]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_papers_mixture_is_table_9(paper):
    mixture, groups = read_mixture(paper)
    assert {name: group.count for name, group in groups.items()} == TABLE_9
    assert {name for name, group in groups.items() if group.kind == "text"} == {"dialog", "math", "code"}
    assert mixture.drawn == 0
    assert all(one.licence and one.expects() for group in groups.values() for one in group.sets.values())


def test_all_missing_data_sets_are_named_with_what_is_expected(paper, tmp_path):
    with pytest.raises(DatasetError) as error:
        compose(paper, root=tmp_path / "none", out=tmp_path / "out")
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + sum(len(group["sets"]) for group in paper["groups"].values())
    assert any("open_images/train-annotations-bbox.csv or open_images/oidv6" in line for line in lines)
    assert "coco/train2017" in "".join(lines) and not (tmp_path / "out").exists()


def test_a_plan_writes_nothing(paper, tmp_path):
    rows = compose(paper, root=tmp_path, out=tmp_path / "out", dry=True)
    assert {row["state"] for row in rows} == {"missing"} and not list(tmp_path.iterdir())


def test_the_mini_mixture_composes_everything(paper, drawn, tmp_path):
    settings = {**paper, "name": "mini", "drawn": 3, "scale": 1e-5, "shard": 3, "root": str(drawn)}
    rows = compose(settings, out=tmp_path / "out")
    assert {row["state"] for row in rows} == {"converted"} and not any(row["bad"] for row in rows)
    for name, count in TABLE_9.items():
        taken, held = (sum(row[key] for row in rows if row["group"] == name) for key in ("taken", "conversations"))
        assert taken == min(held, max(1, round(count * 1e-5))), name
    data = yaml.safe_load((tmp_path / "out" / "data_config.yaml").read_text())["META"]
    written = [(one, talk) for one in data for talk in read_conversations(Path(one["path"]))]
    assert len(written) == sum(row["taken"] for row in rows)
    for one, talk in written:
        assert (talk.image is not None) == (one["type"] == "image_text")
        assert talk.image is None or Path(one["root"], talk.image).is_file()


def test_a_ratio_samples_as_the_authors_do(small, tmp_path):
    settings = changed(small, groups__g__sets__n__ratio=0.45)
    rows = compose(settings)
    assert [row["taken"] for row in rows] == [10, 13]
    everything = [f"n {at}?" for at in range(30)]
    random.seed(0)
    assert questions(tmp_path / "out", "shards/g/n-*.jsonl") == random.sample(everything, int(30 * 0.45))
    assert [len(file.read_text().splitlines()) for file in sorted((tmp_path / "out/shards/g").glob("n-*.jsonl"))] == [8, 5]


def test_without_a_ratio_the_order_stays(small, tmp_path):
    compose(small)
    assert questions(tmp_path / "out", "shards/g/m-*.jsonl") == [f"m {at}?" for at in range(10)]


@pytest.mark.parametrize(
    ("count", "fit", "taken"), [(20, True, [5, 15]), (21, True, [5, 16]), (50, True, [10, 30]), (20, False, [10, 30])]
)
def test_a_group_is_sampled_down_to_its_count(small, count, fit, taken):
    rows = compose(changed(small, groups__g__count=count, fit=fit))
    assert [row["taken"] for row in rows] == taken


def test_the_same_settings_give_the_same_bytes(small, tmp_path):
    settings = changed(small, groups__g__count=20)
    compose(settings, out=tmp_path / "one")
    compose(settings, out=tmp_path / "two")
    assert contents(tmp_path / "one" / "shards") == contents(tmp_path / "two" / "shards") != {}


def test_what_is_done_is_not_done_again(small, tmp_path, monkeypatch):
    compose(small)
    before = contents(tmp_path / "out")

    def refuse(*args):
        raise AssertionError("converted again")

    monkeypatch.setattr(composing, "convert", refuse)
    monkeypatch.setattr(composing, "_write_shards", refuse)
    compose(small)
    assert contents(tmp_path / "out") == before


def test_a_run_that_was_killed_goes_on(small, tmp_path, monkeypatch):
    whole = contents_of(small, tmp_path / "whole")
    real = composing.convert
    done = []

    def die(source, *args):
        if source.name == "n":
            raise KeyboardInterrupt
        done.append(source.name)
        return real(source, *args)

    monkeypatch.setattr(composing, "convert", die)
    with pytest.raises(KeyboardInterrupt):
        compose(small)
    monkeypatch.setattr(composing, "convert", lambda source, *args: done.append(source.name) or real(source, *args))
    compose(small)
    assert done == ["m", "n"]
    assert contents(tmp_path / "out" / "shards") == whole


def contents_of(settings, out):
    compose(settings, out=out)
    return contents(out / "shards")


def test_changed_data_and_settings_are_noticed(small, tmp_path):
    compose(small)
    file = tmp_path / "root" / "m" / "q.jsonl"
    file.write_text(file.read_text() + '{"q": "new", "a": "yes"}\n{"q": "", "a": "bad"}\n')
    rows = compose(changed(small, shard=100))
    assert [row["conversations"] for row in rows] == [11, 30]
    assert rows[0]["bad"]["empty question"]["first"] == ["m/q.jsonl line 12: empty question (bad)"]
    assert sorted(path.name for path in (tmp_path / "out/shards/g").glob("*.jsonl")) == ["m-00000.jsonl", "n-00000.jsonl"]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["sets"][0]["taken"] == 11


def test_part_of_a_mixture_composes_only_if_asked(small, tmp_path):
    (tmp_path / "root" / "m" / "q.jsonl").unlink()
    with pytest.raises(DatasetError, match=r"1 data sets are missing.*\n  m \(g\): m/q.jsonl"):
        compose(small)
    rows = compose(small, partial=True)
    assert [row["state"] for row in rows] == ["missing", "converted"]
    (tmp_path / "root" / "n" / "q.jsonl").unlink()
    with pytest.raises(DatasetError, match="2 data sets"):
        compose(small, partial=True)


def test_settings_that_do_not_fit_are_named_together(small):
    settings = changed(
        small, scale=0, groups__g__kind="video", groups__g__sets__m__ratio=2, groups__g__sets__n__converter="pears"
    )
    with pytest.raises(ConfigError) as error:
        compose(settings)
    for part in ("mixture.scale=0", "groups.g.kind=video", "sets.m.ratio=2", "pears: no such converter"):
        assert part in str(error.value)


def test_the_same_name_in_two_groups_is_refused(small):
    settings = changed(small, groups__h=copy.deepcopy(small["groups"]["g"]))
    with pytest.raises(ConfigError, match="another group has a data set of this name"):
        compose(settings)


def test_nothing_is_drawn_into_a_folder_of_real_data(tmp_path):
    (tmp_path / "coco").mkdir()
    with pytest.raises(DatasetError, match=MARKER):
        draw_layouts(tmp_path, 1)


def test_drawing_that_was_killed_goes_on(tmp_path, monkeypatch):
    def die(*args):
        (tmp_path / "gqa").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(drawn_layouts.WRITERS, "gqa", die)
        draw_layouts(tmp_path, 1, ["gqa"])
    draw_layouts(tmp_path, 1, ["gqa"])
    assert (tmp_path / "gqa" / "images" / "1.jpg").is_file()


def test_drawing_goes_on_where_it_stopped(tmp_path):
    draw_layouts(tmp_path, 1, ["gqa"])
    before = contents(tmp_path)
    draw_layouts(tmp_path, 1, ["gqa", "clevr"])
    after = contents(tmp_path)
    assert {name: after[name] for name in before if name != MARKER} == {n: v for n, v in before.items() if n != MARKER}
    assert json.loads(after[MARKER])["sets"] == ["gqa", "clevr"]

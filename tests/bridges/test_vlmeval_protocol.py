"""VLMEvalKit's bridge against a stand-in for its package: what crosses the border, what goes wrong there, and how it goes on."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.errors import ConfigError, DatasetError
from harness.foreign import client
from harness.plan import Settings
from harness.replies import score_replies
from harness.run import evaluate
from models.constant import Constant
from models.vlmeval import VLMEvalModel
from tests.bridges.standin import write_package, write_table

PYTHON = "RIDDLE_VLMEVAL_PYTHON"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("vlmeval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(write_package(root / "package")))
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.setenv("DIE_ONCE", str(root / "die"))
        patch.delenv(PYTHON, raising=False)
        client.shared.cache_clear()
        yield root
        client.shared.cache_clear()


@pytest.fixture(scope="module")
def table(place) -> Path:
    return write_table(place / "Colours.tsv")


@pytest.fixture(scope="module")
def task(place):
    return Catalog().find_task("vlmeval/Colours")


def values(result):
    return {one.name: one.value for one in result.metrics}


def test_a_run_is_scored_by_its_code_and_called_so(task, table, tmp_path):
    """The constant model is asked, chatter and all, and every number is the stand-in's."""
    result = evaluate(task, Constant("A, of course"), table, Settings(), tmp_path)
    assert values(result) == {"overall": 50.0, "score": 0.5, "stated/split=none|Overall": 0.5}
    assert (result.convention, result.run["convention"], result.n, result.failed) == ("vlmeval", "vlmeval", 6, 0)
    assert {one.name: one.low > 0 for one in result.metrics} == dict.fromkeys(values(result), True)
    sample = next(iter(task.samples(task.layouts[0].read([table]))))
    assert (sample.question, sample.options) == ("Question: What of thing 0?\nA. one\nB. two\n", ("one", "two"))
    assert (sample.references, sample.groups) == (("A",), {"category": "kind 0"})
    assert sample.parts[0].source.read().startswith(b"\x89PNG")
    replies = tmp_path / "replies.jsonl"
    said = "A", "B", "B", "B", "A"  # one is missing
    replies.write_text("".join(json.dumps({"index": place, "prediction": one}) + "\n" for place, one in enumerate(said)))
    read = score_replies(task, table, replies, runs=tmp_path)
    assert (values(read)["stated/split=none|Overall"], read.missing, read.convention) == (4 / 6, 1, "vlmeval")


def test_a_class_takes_any_table_and_limits_hold(place, table, tmp_path):
    task = Catalog().find_task("vlmeval/ImageMCQDataset")
    assert values(evaluate(task, Constant("A"), table, Settings(limit=3), tmp_path))["overall"] == pytest.approx(200 / 3)
    other = write_table(tmp_path / "Other.tsv", 2)
    assert values(evaluate(task, Constant("B"), other, Settings(), tmp_path))["overall"] == 50.0
    with pytest.raises(DatasetError, match="one TSV file, found 2"):
        evaluate(task, Constant("B"), [table, other], Settings(), tmp_path)


def test_scoring_that_dies_says_so_and_goes_on(place, task, table, tmp_path):
    (place / "die").touch()
    with pytest.raises(ConfigError, match=r"(?s)died \(exit 4\) when asked for 'evaluate'.*the end is near"):
        evaluate(task, Constant("A"), table, Settings(), tmp_path)
    again = evaluate(task, Constant("A"), table, Settings(), tmp_path)
    assert values(again)["overall"] == 50.0
    sessions = json.loads((again.folder / "timings.json").read_text())["sessions"]
    assert [one["asked"] for one in sessions] == [0]  # what was answered before is not asked again


def test_what_cannot_be_had_is_said(place, table, tmp_path, monkeypatch, caplog):
    with pytest.raises(ConfigError, match="'Colour'.*did you mean 'Colours'"):
        Catalog().find_task("vlmeval/Colour")
    with pytest.raises(ConfigError, match="it shows clips"):
        Catalog().find_task("vlmeval/Clips")
    wanting = Catalog().find_task("vlmeval/Wanting")
    with pytest.raises(ConfigError, match=r"below\.Thing\.of\.something was called, but no_such_package_of_tests is missing"):
        evaluate(wanting, Constant("A"), table, Settings(), tmp_path)
    with pytest.raises(ConfigError, match="'first_leter'.*did you mean 'first_letter'"):
        VLMEvalModel(model="first_leter")
    told = "no_such_package_of_tests cannot be imported"  # by the process that has just started; a thread listens to it
    until = time.monotonic() + 10
    while told not in caplog.text and time.monotonic() < until:
        time.sleep(0.01)
    assert told in caplog.text
    monkeypatch.setenv(PYTHON, "/nowhere/python")
    with pytest.raises(ConfigError, match="/nowhere/python: cannot be started"):
        Catalog().find_task("vlmeval/Colours")


def test_a_missing_package_is_said_with_its_cure(place, tmp_path, monkeypatch):
    (tmp_path / "vlmeval").mkdir()
    (tmp_path / "vlmeval" / "__init__.py").touch()  # there, but not whole: nothing of it is found
    link = tmp_path / "python"
    link.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    link.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(link))
    with pytest.raises(ConfigError, match=rf"does not have \(vlmeval.dataset is missing\); install ms-vlmeval.*{PYTHON}"):
        Catalog().find_task("vlmeval/Colours")
    with pytest.raises(ConfigError, match="cannot import VLMEvalKit.*ms-vlmeval"):
        VLMEvalModel(model="first_letter")


def test_a_model_of_theirs_answers_dies_and_goes_on(place, task, table, tmp_path):
    mortal = tmp_path / "mortal"
    mortal.touch()
    model = VLMEvalModel(model="first_letter", settings={"letter": "B", "mortal": str(mortal)})
    settings = Settings(max_failures=0.5, retries=0)
    result = evaluate(task, model, table, settings, tmp_path)
    assert (result.failed, result.n, values(result)["overall"]) == (1, 6, 50.0)
    again = evaluate(task, model, table, settings, tmp_path)
    assert (again.failed, again.n, values(again)["overall"]) == (0, 6, 50.0)
    assert VLMEvalModel(model="first_letter").fingerprint != model.fingerprint


def test_our_models_are_in_their_list(place, table, monkeypatch, capfd):
    """`register` and the command, in a process that has both packages."""
    monkeypatch.syspath_prepend(str(place / "package"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "vlmeval"]:
        monkeypatch.delitem(sys.modules, name)
    from models.bridges import vlmeval as bridge

    picture = place / "picture.png"
    task = Catalog().find_task("vlmeval/Colours")
    picture.write_bytes(next(iter(task.samples(task.layouts[0].read([table])))).parts[0].source.read())
    monkeypatch.setattr(sys, "argv", ["vlmeval"])
    bridge.main(["--data", str(picture), "--model", "constant,reply=no"])
    assert "constant says no" in capfd.readouterr().out
    with pytest.raises(ConfigError, match="a model 'first_letter' of its own"):
        bridge.register("first_letter")
    with pytest.raises(ConfigError, match="holds 'video'"):
        bridge.said(Constant("A"), [{"type": "video", "value": "x"}], task.generation)
    for name in [name for name in sys.modules if name.partition(".")[0] == "vlmeval"]:
        del sys.modules[name]

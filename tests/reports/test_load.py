from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ResultError
from reports.load import load_runs, sample_rows
from reports.stored import Asked
from tests.reports.conftest import Item, write_picture, write_run


def test_a_finished_run_is_read_with_its_metrics(runs: Path) -> None:
    write_run(runs, "nano", value=0.75)
    (run,) = load_runs(runs)
    assert (run.model, run.kind, run.task, run.title, run.complete) == ("nano", "model", "pope", "POPE", True)
    assert run.headline.value == 0.75
    assert run.headline.low == pytest.approx(0.70)
    assert [value.name for value in run.values] == ["accuracy", "accuracy/random"]


def test_a_run_without_result_is_incomplete_and_counts_what_was_answered(runs: Path) -> None:
    write_run(runs, "nano", complete=False)
    (run,) = load_runs(runs)
    assert not run.complete and not run.broken
    assert run.answered == 8
    assert run.values == ()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("run.json", "{", "cannot be read"),
        ("run.json", '{"schema": 2}', "schema 2"),
        ("run.json", '{"schema": 1, "model": []}', "'model' is list"),
        ("run.json", '{"schema": 1, "model": {"kind": "robot"}, "task": {}, "data": {}}', "'robot'"),
        ("result.json", "[]", "schema"),
        ("result.json", '{"schema": 1, "n": 1, "primary": "f1", "metrics": [{"name": "acc", "value": 1, "n": 1}]}', "'f1'"),
        ("result.json", '{"schema": 1, "n": 1, "primary": "f1", "metrics": {}}', "not a list"),
        ("result.json", '{"schema": 1, "n": "many", "primary": "f1", "metrics": []}', "many"),
    ],
)
def test_a_folder_that_does_not_parse_is_kept_with_the_reason(runs: Path, file: str, text: str, told: str) -> None:
    write_run(runs, "good")
    broken = write_run(runs, "bad")
    (broken / file).write_text(text)
    by_folder = {run.folder: run for run in load_runs(runs)}
    assert told in by_folder[broken].broken
    assert sum(run.complete for run in by_folder.values()) == 1


def test_a_run_scored_by_two_conventions_is_two_runs(runs: Path) -> None:
    folder = write_run(runs, "nano", value=0.75)
    result = json.loads((folder / "result.json").read_text())
    result["convention"] = "vlmevalkit"
    result["metrics"][0]["value"] = 0.5
    (folder / "result.vlmevalkit.json").write_text(json.dumps(result))
    official, other = load_runs(runs)
    assert (official.convention, official.headline.value) == ("official", 0.75)
    assert (other.convention, other.headline.value) == ("vlmevalkit", 0.5)
    assert other.scores.name == "scores.vlmevalkit.parquet"


def test_an_undefined_value_and_missing_bounds_stay_undefined(runs: Path) -> None:
    folder = write_run(runs, "nano")
    result = json.loads((folder / "result.json").read_text())
    result["metrics"][0].update(value=None, low=None, high=None)
    (folder / "result.json").write_text(json.dumps(result))
    (run,) = load_runs(runs)
    assert run.headline.value != run.headline.value
    assert run.headline.low is None


def test_a_root_that_is_no_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nowhere"):
        load_runs(tmp_path / "nowhere")


def test_samples_come_back_with_prompt_and_flags(runs: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    item = Item(id="a/1", reply="hm", prediction=None, score=0.0, picture=picture, reason="no yes or no")
    write_run(runs, "nano", items=[item])
    (run,) = load_runs(runs)
    (row,) = sample_rows(run)
    assert (row.sample_id, row.reply, row.prediction, row.reason) == ("a/1", "hm", None, "no yes or no")
    assert row.scores == {"accuracy": 0.0} and row.groups == {"category": "random"}
    with Asked(run) as asked:
        ((image, text),) = asked.parts(row.keys)
    assert image["locator"]["path"] == str(picture)
    assert text == {"text": "Is there a dog in the image?"}


def test_missing_scores_are_an_error_that_names_the_file(runs: Path) -> None:
    folder = write_run(runs, "nano")
    (folder / "scores.parquet").unlink()
    (run,) = load_runs(runs)
    with pytest.raises(ResultError, match=r"scores\.parquet"):
        list(sample_rows(run))

"""Finished runs behind URLs: fetched once, read like a folder, published whole; nothing else is taken from there."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from harness.cli import main
from harness.errors import ConfigError, DatasetError, ResultError
from harness.remote import finished, local_runs, publish, shown
from tests.reports.conftest import write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two finished runs of different models, and one that is not finished."""
    for model in ("nano", "chance"):
        folder = write_run(tmp_path / "runs", model)
        (folder / "timings.json").write_text("{}")
    write_run(tmp_path / "runs", "begun", complete=False)
    return tmp_path / "runs"


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's store in memory, empty before and after."""
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_finished_runs_count_and_the_result_comes_last() -> None:
    names = [
        "a/b/result.json",
        "a/b/run.json",
        "a/b/lock",
        "a/b/scores.parquet",
        "a/b/responses.sqlite",
        "a/b/result.x@y.json",
        "c/run.json",
    ]
    wanted = ["a/b/run.json", "a/b/responses.sqlite", "a/b/scores.parquet", "a/b/result.x@y.json", "a/b/result.json"]
    assert finished([*names, "a/b/traces/result.json", "notes.txt"]) == wanted


def test_the_same_board_from_a_folder_a_store_and_an_archive(runs: Path, memory: Any, tmp_path: Path, capsys: Any) -> None:
    def board(place: str, *more: str) -> list[Any]:
        words = [f"runs={place}", f"out={tmp_path / 'board'}", f"paths.remote={tmp_path / 'remote'}", "samples=false"]
        assert main(["report", *words, "formats=[json]", "output=json", *more]) == 0
        (result,) = json.loads(capsys.readouterr().out)["results"]
        if more:
            assert result["published"] == "2 finished runs at memory://bucket/runs"
        return [(row["model"], row["value"]) for row in result["rows"]]

    here = board(str(runs), "publish=memory://bucket/runs")
    assert {model for model, _ in here} == {"nano", "chance"}
    archive = tmp_path / "runs.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in names_below(runs):
            file.write(runs / name, f"kept/{name}")
    for place in ("memory://bucket/runs", runs.as_uri(), str(archive), f"zip://kept::{archive.as_uri()}"):
        assert board(place) == here, place


def test_a_url_is_a_side_of_a_comparison_and_a_candidate(runs: Path, memory: Any, tmp_path: Path, capsys: Any) -> None:
    publish(runs, "memory://team")
    (nano,) = (runs / "nano").glob("*/*")
    at = f"memory://team/{nano.relative_to(runs)}"
    remote = f"paths.remote={tmp_path / 'remote'}"
    assert main(["compare", at, "chance", "runs=memory://team", "output=json", remote]) == 0
    assert main(["compare", str(nano), "memory://team/chance", remote]) == 0, "the prompts came along"
    policy = tmp_path / "gate.yaml"
    policy.write_text("gates:\n  - task: pope\n")
    capsys.readouterr()
    assert main(["gate", f"policy={policy}", f"candidate={at}", f"baseline={runs / 'nano'}", remote]) in (0, 2), (
        capsys.readouterr()
    )


def test_what_has_not_changed_is_not_fetched_again_and_what_is_gone_goes(runs: Path, tmp_path: Path) -> None:
    folder = local_runs(runs.as_uri(), tmp_path / "remote")
    scores = next(folder.glob("nano/*/*/scores.parquet"))
    scores.write_bytes(b"marked")
    assert local_runs(runs.as_uri(), tmp_path / "remote") == folder and scores.read_bytes() == b"marked"
    original = runs / scores.relative_to(folder)
    original.write_bytes(b"changed")
    for path in next((runs / "chance").glob("*/*")).iterdir():
        path.unlink()
    local_runs(runs.as_uri(), tmp_path / "remote")
    assert scores.read_bytes() == b"changed"
    assert not [name for name in names_below(folder) if name.startswith("chance/")]


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "runs.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("run.json", "result.json"):
            file.writestr(f"../../evil/{name}", "{}")
    with pytest.raises(DatasetError, match="leaves the folder"):
        local_runs(str(archive), tmp_path / "remote")
    assert names_below(tmp_path) == {"runs.zip"}


def test_errors_say_what_to_do(runs: Path, memory: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    with pytest.raises(ResultError, match="no finished run there, of 0 files"):
        local_runs("memory://nowhere", tmp_path)
    with pytest.raises(ResultError, match="cannot be read or written"):
        local_runs("nosuchprotocol://bucket/runs", tmp_path)
    with pytest.raises(ResultError, match="no finished run to publish"):
        publish(tmp_path / "empty", "memory://team")
    assert shown("ftp://me:secret@host/runs") == "ftp://host/runs"
    assert main(["eval", "model=chance", "task=pope", "runs=s3://bucket/runs"]) == 2
    assert "is a URL" in (said := capsys.readouterr().err) and "publish=URL" in said
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError, match=r"riddle-eval\[remote\]"):
        local_runs("s3://bucket/runs", tmp_path)

"""Result files are written whole, read back as they were, and equal to the byte for equal rows."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from harness import results
from harness.errors import ResultError
from harness.metrics.aggregate import Estimate, Rows
from harness.results import Result, load_result, load_results, prediction_text, read_json, run_folders, write_json, write_scores
from harness.types import Parsed, Scored

RUN: dict[str, Any] = {"schema": 1, "convention": "official", "model": {"name": "m"}}
ACCURACY = Estimate(name="accuracy", value=0.5, se=0.1, low=0.3, high=0.7, n=10, clusters=5, unit="percent", method="wilson")
UNDEFINED = Estimate(
    name="f1", value=math.nan, se=math.nan, low=math.nan, high=math.nan, n=10, clusters=5, unit=None, method="undefined: no yes"
)


def result(folder: Path, convention: str = "official") -> Result:
    counts = {"n": 10, "failed": 1, "unparsed": 2, "missing": 3, "truncated": 4, "reused": 5}
    return Result(folder=folder, run=RUN, convention=convention, primary="accuracy", metrics=(ACCURACY, UNDEFINED), **counts)


def row(i: int, **changes: Any) -> Scored:
    values: dict[str, Any] = {
        "sample_id": f"s{i}",
        "cluster": f"c{i // 2}",
        "groups": {"kind": "x"},
        "reply": f"reply {i}",
        "parsed": Parsed("A"),
        "scores": {"correct": float(i % 2)},
        "references": ("A", "B"),
        "keys": (f"k{i}",),
        **changes,
    }
    return Scored(**values)


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", RUN)
    result(tmp_path).write()
    again = load_result(tmp_path)
    assert again.record() == result(tmp_path).record()
    assert again.metric() == ACCURACY
    assert math.isnan(again.metric("f1").value)
    assert again.scores_path == tmp_path / "scores.parquet"
    with pytest.raises(ResultError, match=r"no metric 'recall' \(known: accuracy, f1\)"):
        again.metric("recall")


def test_what_is_not_a_number_is_null_in_the_file(tmp_path: Path) -> None:
    result(tmp_path).write()
    assert json.loads((tmp_path / "result.json").read_text())["metrics"][1]["value"] is None


def test_another_convention_has_files_of_its_own(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", RUN)
    result(tmp_path, "lenient").write()
    assert (tmp_path / "result.lenient.json").is_file()
    assert load_result(tmp_path, "lenient").scores_path.name == "scores.lenient.parquet"
    with pytest.raises(ResultError, match="the run is incomplete"):
        load_result(tmp_path)


def test_only_finished_runs_are_loaded(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / "m" / "t" / name
        folder.mkdir(parents=True)
        write_json(folder / "run.json", RUN)
    result(tmp_path / "m" / "t" / "one").write()
    assert [one.folder.name for one in load_results(tmp_path)] == ["one"]
    assert [folder.name for folder in run_folders(tmp_path)] == ["one", "two"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}', "\x00"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ResultError, match=r"run\.json"):
        read_json(tmp_path / "run.json")


def test_a_result_that_lacks_a_field_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", RUN)
    write_json(tmp_path / "result.json", {"schema": 1, "metrics": []})
    with pytest.raises(ResultError, match="'n'"):
        load_result(tmp_path)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "run.json", {"schema": 1, "old": True})

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "sync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "run.json", {"schema": 1, "old": False})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert read_json(tmp_path / "run.json")["old"]


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        seen.append((Path(f"/proc/self/fd/{handle}").readlink().name, (tmp_path / "a.json").exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_json(tmp_path / "a.json", {"schema": 1})
    assert seen == [(".a.json.part", False), (tmp_path.name, True)]


def test_rows_have_the_documented_columns(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    rows = [row(0), row(1, reply=None, failed="media: gone", parsed=Parsed(None, "failed")), row(2, parsed=Parsed({"x": [1.5]}))]
    write_scores(path, lambda: rows)
    table = parquet.read_table(path)
    flat = ["sample_id", "cluster", "reply", "prediction", "reason", "failed", "missing", "truncated", "references", "keys"]
    assert table.column_names == [*flat, "score.correct", "group.kind"]
    assert table["prediction"].to_pylist() == ['"A"', None, '{"x": [1.5]}']
    assert table["reason"].to_pylist() == [None, "failed", None]
    assert table["failed"].to_pylist() == [None, "media: gone", None]
    assert table["keys"].to_pylist() == [["k0"], ["k1"], ["k2"]]


def test_no_rows_are_a_valid_file(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.parquet", lambda: [])
    assert Rows.read(tmp_path / "s.parquet").n == 0


def test_a_score_that_only_a_late_row_has_gets_its_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ROWS_A_GROUP", 4)
    rows = [row(i) if i < 9 else row(i, scores={"correct": 1.0, "late": 0.5}, groups={"new": "y"}) for i in range(12)]
    calls = 0

    def again() -> Iterator[Scored]:
        nonlocal calls
        calls += 1
        return iter(rows)

    write_scores(tmp_path / "s.parquet", again)
    read = Rows.read(tmp_path / "s.parquet")
    assert calls == 2
    assert read.score("late")[9] == 0.5
    assert math.isnan(read.score("late")[0])
    assert list(read.group("new")[8:10]) == ["", "y"]


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scores(tmp_path / name, lambda: (row(i) for i in range(5000)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_row_groups_end_by_rows_and_by_size(tmp_path: Path) -> None:
    def groups(rows: Callable[[], Iterator[Scored]]) -> list[int]:
        write_scores(tmp_path / "s", rows)
        meta = parquet.ParquetFile(tmp_path / "s").metadata
        return [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]

    assert groups(lambda: (row(i) for i in range(5000))) == [4096, 904]
    assert groups(lambda: (row(i, reply="x" * 1_000_000) for i in range(10))) == [9, 1]


def test_predictions_are_json_text() -> None:
    assert [prediction_text(value) for value in (None, "é", 1.5, [1, 2], Path("x"))] == [None, '"é"', "1.5", "[1, 2]", '"x"']

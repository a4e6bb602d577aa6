from __future__ import annotations

import csv
import io
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from harness.errors import ResultError
from reports.leaderboard import build_leaderboard
from tests.reports.conftest import Item, write_picture, write_run


def pages(paths: tuple[Path, ...]) -> list[Path]:
    """The pages of samples among what was written."""
    return [path for path in paths if path.parent.name == "samples"]


def test_the_three_forms_hold_the_same_numbers(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano", value=0.7251)
    write_run(runs, "nano", "mme", value=1234.56)
    result = build_leaderboard(runs, tmp_path / "out")
    assert [path.name for path in result.paths[:3]] == ["index.html", "leaderboard.md", "leaderboard.csv"]
    for path in result.paths[:2]:
        text = path.read_text()
        assert "72.5" in text and "67.5–77.5" in text and "1234.6" in text and "n 8" in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "leaderboard.csv").read_text())))
    (primary,) = [row for row in rows if row["task"] == "pope" and row["primary"] == "yes"]
    assert float(primary["value"]) == 0.7251
    assert len(rows) == len(result.rows) == 4


def test_the_same_runs_give_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano", items=[Item(id="1", picture=write_picture(tmp_path / "a.png"))])
    one = build_leaderboard(runs, tmp_path / "one").paths
    two = build_leaderboard(runs, tmp_path / "two").paths
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_every_cell_leads_to_a_page_that_exists(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "org/nano v1", items=[Item(id="1", score=0.0, reason="none")])
    index = build_leaderboard(runs, tmp_path / "out").index
    links = re.findall(r'href="(samples/[^"]+)"', index.read_text())
    assert len(links) == 2
    assert all((index.parent / link.split("#")[0]).is_file() for link in links)


def test_a_very_long_name_still_makes_a_file_name(runs: Path, tmp_path: Path) -> None:
    names = ["模型" * 40 + end for end in ("a", "b")]
    for number, name in enumerate(names):
        write_run(runs / str(number), "short", **{"model.name": name})
    paths = build_leaderboard(runs, tmp_path / "out").paths
    assert len(set(pages(paths))) == 2
    assert all(len(path.name.encode()) < 250 for path in paths)


def test_nothing_is_loaded_and_no_script_holds_data(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "</script><script>alert(1)</script>", items=[Item(id='"><img src=x onerror=alert(1)>', reply="<script>")])
    for path in build_leaderboard(runs, tmp_path / "out").paths:
        if path.suffix == ".html":
            text = path.read_text()
            assert len(re.findall("<script", text)) == 1
            assert not re.search(r"\son\w+\s*=\s*[\"']", text)
            assert not re.search(r"<(?:link|iframe|object|embed)\b|https?://|url\(", text)
            assert "default-src 'none'" in unescape(text)


def test_a_run_whose_samples_are_gone_keeps_its_number_and_says_so(runs: Path, tmp_path: Path) -> None:
    folder = write_run(runs, "nano", value=0.7)
    (folder / "scores.parquet").write_bytes(b"broken")
    result = build_leaderboard(runs, tmp_path / "out")
    text = result.index.read_text()
    assert "70.0" in text and "Numbers without samples" in text
    assert pages(result.paths) == []
    assert len(result.broken) == 1 and "scores.parquet: cannot be read" in result.broken[0]
    assert str(tmp_path) not in text


def test_incomplete_and_broken_runs_are_named_not_zero(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano", complete=False)
    (write_run(runs, "bad") / "run.json").write_text("{")
    result = build_leaderboard(runs, tmp_path / "out")
    text = result.index.read_text()
    assert "is incomplete: 8 of 8 answered" in text and "Cannot be read" in text and "No finished run yet" in text
    assert str(tmp_path) not in text
    assert "Incomplete runs" in result.paths[1].read_text()
    assert len(result.left_out) == 1 and len(result.broken) == 1 and "run.json" in result.broken[0]


def test_pages_of_runs_that_are_gone_are_removed_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "nano")
    old = write_run(runs, "old")
    out = tmp_path / "out"
    before = build_leaderboard(runs, out).paths
    theirs = out / "samples" / "a__b__c__d.html"
    theirs.write_text("<html>mine</html>")
    shutil.rmtree(old)
    after = build_leaderboard(runs, out).paths
    assert {path.name for path in (out / "samples").iterdir()} == {theirs.name, *(path.name for path in pages(after))}
    assert len(pages(before)) == 2 and len(pages(after)) == 1 and theirs.read_text() == "<html>mine</html>"


def test_hostile_names_stay_text_in_markdown_and_csv(runs: Path, tmp_path: Path) -> None:
    write_run(runs, "=cmd|' /C calc'!A0", **{"task.title": "<b>[x](y)\n| **z**"})
    _, markdown, table, *_ = build_leaderboard(runs, tmp_path / "out").paths
    body = markdown.read_text()
    assert "<b>" not in body and "\\|" in body and "\n\\|" not in body
    assert next(csv.DictReader(io.StringIO(table.read_text())))["model"].startswith("'=")


def test_a_folder_without_runs_is_an_error(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no runs"):
        build_leaderboard(runs, tmp_path / "out")

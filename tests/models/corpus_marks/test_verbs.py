"""``riddle data marks`` and ``riddle data ocr`` from the command line: what they print, and how they name wrong settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main


def test_marks_are_made_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "marks", "marks.out=made", "marks.n=5", "output=json"]) == 0
    [result] = json.loads(capsys.readouterr().out)["results"]
    assert result["folder"] == "made" and sum(result["pictures"].values()) + sum(result["left_out"].values()) == 5
    assert main(["data", "marks", "marks.out=made", "marks.n=5"]) == 0
    assert capsys.readouterr().out.startswith("made\n  pictures: ")


def test_wrong_settings_are_named_where_they_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "marks", "marks.out=made", "marks.nn=5"]) == 2
    assert "marks.nn: unknown setting (did you mean 'n'" in capsys.readouterr().err
    assert main(["data", "ocr", "ocr.page.dpi=x", "ocr.page.limits.density=[1]"]) == 2
    told = capsys.readouterr().err
    for line in (
        "ocr.pdfs: missing",
        "ocr.out: missing",
        "ocr.page.dpi='x': expected a whole number",
        "ocr.page.limits.density=[1.0]: needs two",
    ):
        assert line in told

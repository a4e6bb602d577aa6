"""``convention=all``: the same replies under every convention, side by side and never in one result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands.spread import spreads
from harness.errors import ConfigError
from harness.replies import score_conventions
from harness.results import load_result
from tests.harness.fakes import toy_task, write_toy

TASK = '"""Toys."""\n\nfrom tests.harness.fakes import toy_task\n\nTASKS = (toy_task(name="toybench"),)\n'

Riddle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def riddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Riddle:
    write_toy(tmp_path / "toy", n=8)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/toybench.py").write_text(TASK)
    replies = ["A", "a thing: B", "A", "B", "no idea", "B", "A", "B"]
    lines = [json.dumps({"id": f"toy-{n}", "reply": reply}) for n, reply in enumerate(replies)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "task=toybench", "data=toy", "task_dirs=[tasks]"])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_replies_are_scored_under_every_convention(riddle: Riddle, tmp_path: Path) -> None:
    code, out, err = riddle("score", "predictions=mine.jsonl", "convention=all")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert ["official", "accuracy", "75.00"] in [line[:3] for line in lines]
    assert ["lenient", "accuracy", "87.50"] in [line[:3] for line in lines]
    assert "any a is A" in out and "as the authors score" in out and "unparsed" in out
    assert "spread of accuracy: 75.00 to 87.50 over 2 conventions, 12.50 apart" in out
    assert out.count("8 replies read as") == 1
    (folder,) = tmp_path.glob("runs/mine/toybench*/*")
    assert [load_result(folder, name).metric().value for name in ("official", "lenient")] == [0.75, 0.875]
    assert load_result(folder).convention == "official"


def test_every_convention_is_a_result_of_its_own_in_the_document(riddle: Riddle, tmp_path: Path) -> None:
    code, out, _ = riddle("score", "predictions=mine.jsonl", "convention=all", "output=json")
    rows = json.loads(out)["results"]
    assert code == 0 and [(row["convention"], row["value"], row["unparsed"]) for row in rows] == [
        ("official", 0.75, 2),
        ("lenient", 0.875, 0),
    ]
    assert len({row["folder"] for row in rows}) == 1
    riddle("report", "title=t")
    (folder,) = tmp_path.glob("runs/mine/toybench*/*")
    assert {path.name for path in folder.glob("result*")} == {"result.json", "result.lenient.json"}


def test_the_convention_that_replies_were_first_scored_by_stays_their_own(riddle: Riddle, tmp_path: Path) -> None:
    riddle("score", "predictions=mine.jsonl", "convention=lenient")
    code, out, _ = riddle("score", "predictions=mine.jsonl", "convention=all", "output=json")
    assert [row["convention"] for row in json.loads(out)["results"]] == ["official", "lenient"]
    (folder,) = tmp_path.glob("runs/mine/toybench*/*")
    assert code == 0 and load_result(folder).convention == "lenient" and (folder / "result.official.json").exists()


def test_a_model_is_asked_once_for_all_conventions(riddle: Riddle) -> None:
    words = ("eval", "model=constant", "model.reply=a", "convention=all")
    code, out, err = riddle(*words)
    assert code == 0, err
    assert "spread of accuracy: 0.00 to 50.00 over 2 conventions, 50.00 apart" in out
    code, out, _ = riddle(*words, "output=json")
    first, second = json.loads(out)["results"]
    assert (first["convention"], first["value"], second["convention"], second["value"]) == ("official", 0.0, "lenient", 0.5)
    assert riddle(*words, "dry=true")[0] == 0


def test_cards_hold_one_convention(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controls", "model=constant", "task=pope", "convention=all"]) == 2
    assert "convention=all: a card shows the levels of one convention" in capsys.readouterr().err


def test_values_of_other_metrics_are_not_compared() -> None:
    row = {"model": "m", "task": "t", "data": "", "folder": "f", "n": 1, "unparsed": 0, "confidence": 0.95, "unit": "percent"}
    told = {"low": None, "high": None, "note": ""}
    rows = [{**row, **told, "convention": c, "primary": p, "value": v} for c, p, v in (("a", "f1", 0.5), ("b", "mean_f1", 0.9))]
    out = spreads([*rows, {**rows[0], "convention": "c", "value": None}])
    assert "f1: one convention alone, 50.00" in out and "mean_f1: one convention alone, 90.00" in out and "apart" not in out


def test_a_convention_that_is_none_is_named_before_anything_is_written(tmp_path: Path) -> None:
    data = write_toy(tmp_path / "toy", n=2)
    (tmp_path / "r.jsonl").write_text('{"id": "toy-0", "reply": "A"}\n{"id": "toy-1", "reply": "A"}')
    with pytest.raises(ConfigError, match="known: official, lenient"):
        score_conventions(toy_task(), data, tmp_path / "r.jsonl", conventions=("official", "none"), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()

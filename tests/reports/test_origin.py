from __future__ import annotations

import json
from pathlib import Path

from reports.leaderboard import build_leaderboard
from reports.origin import command
from tests.reports.conftest import write_run


def test_the_command_asks_for_the_same_run_again() -> None:
    about = {
        "model": {"name": "nano"},
        "task": {"name": "pope"},
        "data": {"name": "mini"},
        "limit": 20,
        "control": "blind",
        "seed": 0,
    }
    config = {"model": {"name": "nano"}, "mini": {"seed": 0, "n": 60, "each": None}, "judge": {"name": "none"},
              "decoding": {"max_new_tokens": 8, "top_p": None}}  # fmt: skip
    words = "riddle eval model=nano task=pope data=mini mini.seed=0 mini.n=60 limit=20 control=blind decoding.max_new_tokens=8"
    assert command(about, config) == words
    assert command({"model": {"name": "a b"}}, {}) == "riddle eval 'model=a b' task=None"


def test_the_page_of_provenance_tells_once_what_runs_share_and_names_no_folder_of_the_machine(runs: Path, tmp_path: Path) -> None:
    for name in ("nano", "nano_moe"):
        config = {"model": {"name": name, "weights": str(tmp_path / "w")}}
        shared = {"versions": {"python": "3.12.1"}, "git": {"commit": "c" * 40, "dirty": True}, "machine": {"cores": 8}}
        folder = write_run(runs, name, config=config, **shared)
        sessions = [{"seconds": {"generate": 1.25}, "asked": 4}, {"seconds": {"generate": 2.5}, "asked": 4}]
        (folder / "timings.json").write_text(json.dumps({"schema": 1, "sessions": sessions}))
    build_leaderboard(runs, tmp_path / "out", samples=False)
    text = (tmp_path / "out" / "provenance.html").read_text()
    assert text.count("c" * 40 + " with changes") == 2  # summary and fact of one environment
    assert 'id="s-2"' in text and 'id="e-1"' in text and 'id="e-2"' not in text
    assert "3.8 in 2 sessions" in text and "riddle eval model=nano task=pope" in text
    assert str(tmp_path) not in text and "…/w" in text


def test_run_files_of_odd_content_leave_gaps_and_no_error(runs: Path, tmp_path: Path) -> None:
    folder = write_run(runs, "nano", config=["x"], git=None, versions=None)
    (folder / "timings.json").write_text("[]")
    build_leaderboard(runs, tmp_path / "out", samples=False)
    assert "not a repository" in (tmp_path / "out" / "provenance.html").read_text()

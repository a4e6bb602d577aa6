"""Logs of inspect and lmms-eval as predictions: read, joined, scored anew, and their own scores kept beside ours."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.data import logs
from harness.data.replies import read_replies
from harness.errors import ReplyError


def sample(number: int, said: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "image", "image": "data:..."}, {"type": "text", "text": f"Is there thing {number}?"}]
    return {
        "id": number,
        "epoch": 1,
        "input": [{"role": "user", "content": content}],
        "target": "yes",
        "output": {"choices": [{"message": {"role": "assistant", "content": [{"type": "text", "text": said}]}}]},
        **more,
    }


def log(*samples: dict[str, Any]) -> dict[str, Any]:
    score = {"name": "match", "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}
    return {"version": 2, "eval": {"task": "pope", "model": "m"}, "results": {"scores": [score]}, "samples": list(samples)}


def zipped(path: Path, whole: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({name: value for name, value in whole.items() if name != "samples"}))
        for one in whole["samples"]:
            archive.writestr(f"samples/{one['id']}_epoch_1.json", json.dumps(one))
    return path


def test_inspect_logs_are_read_in_both_forms(tmp_path):
    whole = log(sample(1, "Yes."), sample(2, "No.", error={"message": "timeout"}))
    (tmp_path / "a.json").write_text(json.dumps(whole))
    for path in (tmp_path / "a.json", zipped(tmp_path / "a.eval", whole)):
        file = read_replies([path])
        assert file.layout == "inspect log"
        assert [(one.text, one.ids["id"], one.question, one.reference) for one in file.replies] == [
            ("Yes.", "1", "Is there thing 1?", "yes"),
            (None, "2", "Is there thing 2?", "yes"),
        ]
        assert logs.stated_scores([path]) == {"match/accuracy": 0.5}


def test_damaged_logs_are_refused_with_their_place(tmp_path, monkeypatch):
    path = tmp_path / "b.eval"
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ReplyError, match="not a readable log"):
        read_replies([path])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samples/1_epoch_1.json", "{}")
    with pytest.raises(ReplyError, match=r"no header\.json"):
        read_replies([path])
    with pytest.raises(ReplyError, match="epoch 2"):
        read_replies([zipped(path, log(sample(1, "Yes.", epoch=2)))])
    monkeypatch.setattr(logs, "MEMBER_BYTES", 10)
    with pytest.raises(ReplyError, match="no log is so large"):
        read_replies([path])


def test_lmms_eval_states_its_scores_beside_the_samples_or_in_them(tmp_path):
    path = tmp_path / "20250101_samples_pope.jsonl"
    rows = [{"doc_id": one, "doc": {"id": one}, "resps": [["yes"]], "target": "yes", "exact_match": one % 2} for one in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert logs.stated_scores([path]) == {"mean exact_match": 0.5}
    results = {"results": {"pope": {"alias": "pope", "pope_accuracy,none": 0.75, "pope_accuracy_stderr,none": 0.1}}}
    (tmp_path / "20250101_results.json").write_text(json.dumps(results))
    assert logs.stated_scores([path]) == {"pope_accuracy,none": 0.75}


def test_a_logged_run_is_scored_anew_and_shows_both_numbers(tmp_path, capsys):
    rows = [
        {"question_id": one, "image": f"{one}.jpg", "text": f"Is there thing {one}?", "label": ("yes", "no")[one % 2]}
        for one in range(4)
    ]
    data = tmp_path / "pope"
    data.mkdir()
    (data / "llava_pope_test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = zipped(tmp_path / "seen.eval", log(*(sample(one, "Yes, there is.") for one in range(4))))
    code = main(["score", "task=pope", f"data={data}", f"predictions={path}", f"runs={tmp_path / 'runs'}"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert "as logged: match/accuracy 0.5000" in shown.out and "read as inspect log" in shown.out
    (run,) = (tmp_path / "runs").rglob("run.json")
    assert json.loads(run.read_text())["replies"]["as_logged"] == {"match/accuracy": 0.5}

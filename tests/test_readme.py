"""What the README shows is what happens: its examples are run as they stand."""

import json
import re
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import VERBS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARK, MODEL = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    from PIL import Image

    (tmp_path / "my_tasks").mkdir()
    (tmp_path / "my_tasks" / "weather.py").write_text(BENCHMARK)
    (tmp_path / "photos").mkdir()
    for name in ("7", "8"):
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / f"{name}.jpg")
    lines = [{"id": name, "photo": f"{name}.jpg", "raining": answer} for name, answer in (("7", "yes"), ("8", "no"))]
    (tmp_path / "photos" / "weather.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "my_models").mkdir()
    (tmp_path / "my_models" / "__init__.py").write_text(f"{MODEL}\n\ndef my_answer(pictures, question):\n    return 'Yes.'\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_models", None)


def test_the_benchmark_and_the_model_of_the_readme_run_together(place, capsys, monkeypatch):
    monkeypatch.syspath_prepend(place)
    words = ["task_dirs=[my_tasks]", "task=weather", "data=photos", "output=json"]
    assert main(["eval", *words, "model=oracle", "model.accuracy=1.0"]) == 0
    (oracle,) = json.loads(capsys.readouterr().out)["results"]
    assert oracle["value"] == 1.0
    assert main(["eval", *words, "plugins=[my_models]", "model=custom", "model._target_=my_models.MyModel"]) == 0
    (mine,) = json.loads(capsys.readouterr().out)["results"]
    assert (mine["model"], mine["value"], mine["n"]) == ("mine", 0.5, 2)


def test_the_commands_shown_exist():
    blocks = "\n".join(re.findall(r"```\n(.*?)```", README, flags=re.DOTALL))
    verbs = set(re.findall(r"^riddle (\w+)", blocks, flags=re.MULTILINE))
    assert verbs <= set(VERBS)
    assert {"eval", "train", "score", "report", "ls"} <= verbs


def test_files_and_folders_the_readme_names_exist():
    for name in re.findall(r"`((?:harness|tasks|models|reports|conf)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name

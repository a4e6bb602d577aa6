"""VLMEvalKit itself, both ways, on local TSV files: the numbers are its own to the last digit.

The environment variable RIDDLE_VLMEVAL_PYTHON names an interpreter that has it; without one, and without the package here, these
tests skip. What the bridge does when things go wrong is tested without it (test_vlmeval_protocol).
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.errors import ConfigError
from harness.foreign import client, loop
from harness.plan import Settings
from harness.replies import score_replies
from harness.run import evaluate
from models.constant import Constant
from models.vlmeval import VLMEvalModel
from tests.bridges.standin import write_table
from tests.chat_server import ChatServer

PYTHON = os.environ.get("RIDDLE_VLMEVAL_PYTHON") or (sys.executable if importlib.util.find_spec("vlmeval") else "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="needs VLMEvalKit: RIDDLE_VLMEVAL_PYTHON=PYTHON of an environment with ms-vlmeval"),
]

ROOT = Path(__file__).parents[2]
SAID = ("{0}", "{0}", "The answer is {0}.", "({0})", "I cannot tell", "{0}. certainly", "maybe A, maybe B", "nan", "{1}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("vlmeval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        client.shared.cache_clear()
        yield root
        client.shared.cache_clear()


def read(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text()), delimiter=delimiter))


def table(path: Path, source: Path | None = None) -> Path:
    """Write a TSV for one of the cases."""
    rows = read(source or write_table(path, 18))
    if path.stem.startswith("POPE"):
        rows = [row | {"answer": "No" if place % 3 else "Yes", "category": f"part {place % 2}"} for place, row in enumerate(rows)]
    elif path.stem.startswith("ChartQA"):
        rows = [row | {"answer": str(10 + place), "split": ("human", "augmented")[place % 2]} for place, row in enumerate(rows)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def replies_to(path: Path) -> dict[str, str]:
    """Replies that are right, wrong, wordy and unreadable in turns, by index."""
    wrong = {"A": "B", "B": "A", "C": "A", "D": "A", "Yes": "No", "No": "Yes"}
    return {
        row["index"]: SAID[(int(row["index"]) % 1_000_000) * 5 % len(SAID)].format(row["answer"], wrong.get(row["answer"], "11"))
        for row in read(path)
    }


@pytest.fixture(scope="module")
def cases(place):
    """The class, table and replies of each case."""
    from tasks.mini import write

    write(place / "mini", ["mmbench_en"], n=40)
    mini = next((place / "mini").rglob("mmbench_dev_20230712.tsv"))
    tables = {
        "ImageMCQDataset": table(place / "mmbench_dev_20230712.tsv", mini),
        "CustomMCQDataset": table(place / "Colours.tsv"),
        "ImageYORNDataset": table(place / "POPE_LOCAL.tsv"),
        "ImageVQADataset": table(place / "ChartQA_LOCAL.tsv"),
    }
    return {name: (path, replies_to(path)) for name, path in tables.items()}


def run(*words: object, **environment: str) -> str:
    """Run a program in VLMEvalKit's environment."""
    command = [PYTHON, *map(str, words)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def flat(rows: list[dict]) -> dict[str, float]:
    """Values by the names they have here."""
    found = {}
    for row in rows:
        marks = "".join(f"{name}={value}|" for name, value in row.items() if isinstance(value, str))
        found |= {f"stated/{marks}{name}": value for name, value in row.items() if not isinstance(value, str)}
    return found


@pytest.fixture(scope="module")
def direct(place, cases):
    file = place / "cases.json"
    listed = [{"class": name, "tsv": str(path), "replies": list(said.values())} for name, (path, said) in cases.items()]
    file.write_text(json.dumps(listed))
    out = run(Path(__file__).with_name("direct_vlmeval.py"), loop.__file__, file, LMUData=str(place))
    values = [flat(json.loads(line.removeprefix("SAID "))) for line in out.splitlines() if line.startswith("SAID ")]
    return dict(zip(cases, values, strict=True))


def values(result):
    return {one.name: one.value for one in result.metrics}


@pytest.mark.parametrize("name", ["ImageMCQDataset", "CustomMCQDataset", "ImageYORNDataset", "ImageVQADataset"])
def test_scores_are_vlmevalkits_to_the_last_digit(name, cases, direct, tmp_path, monkeypatch):
    monkeypatch.setenv("RIDDLE_VLMEVAL_PYTHON", PYTHON)
    path, said = cases[name]
    predictions = tmp_path / "replies.jsonl"
    predictions.write_text("".join(json.dumps({"index": key, "prediction": text}) + "\n" for key, text in said.items()))
    result = score_replies(Catalog().find_task(f"vlmeval/{name}"), path, predictions, runs=tmp_path)
    found = values(result)
    assert {key: value for key, value in found.items() if key.startswith("stated/")} == direct[name]
    assert (result.convention, result.missing, result.failed, result.n) == ("vlmeval", 0, 0, len(said))
    assert 0.1 < found["score"] < 0.9
    if name == "ImageMCQDataset":  # of which riddle has a task of its own
        ours = score_replies(Catalog().find_task("mmbench_en"), path, predictions, runs=tmp_path)
        assert values(ours)["circular"] == found["score"] == found["stated/split=dev|Overall"]
        assert found["overall"] == 100 * found["score"]


def test_our_models_in_its_run_are_scored_as_in_ours(place, cases, tmp_path, monkeypatch):
    monkeypatch.setenv("RIDDLE_VLMEVAL_PYTHON", PYTHON)
    path, _ = cases["CustomMCQDataset"]
    whole = {"LMUData": str(place), "PYTHONPATH": str(ROOT)}
    if subprocess.run([PYTHON, "-c", "import hydra"], capture_output=True, check=False).returncode:
        pytest.skip("needs riddle's dependencies beside VLMEvalKit")
    words = ["--model", "constant,reply=B", "--data", path.stem, "--judge", "exact_matching", "--work-dir", tmp_path / "theirs"]
    run("-m", "models.bridges.vlmeval", *words, **whole)
    (written,) = (tmp_path / "theirs" / "constant").glob("*_acc.csv")
    (theirs,) = read(written, ",")
    ours = values(evaluate(Catalog().find_task("vlmeval/CustomMCQDataset"), Constant("B"), path, Settings(), tmp_path))
    assert ours["stated/split=none|Overall"] == float(theirs["Overall"]) == 0.5
    assert ours["overall"] == 50.0


def test_a_model_class_of_its_answers_here(place, cases, tmp_path, monkeypatch):
    """Its class for OpenAI's service, sent to a server of ours, which sees the picture and the question."""
    monkeypatch.setenv("RIDDLE_VLMEVAL_PYTHON", PYTHON)
    path, _ = cases["CustomMCQDataset"]
    with ChatServer(lambda text, asked: "A" if "thing 2" in text else "B") as server:
        settings = {"api_base": f"{server.url}/chat/completions", "key": "sk-none", "retry": 1}
        model = VLMEvalModel(model="GPT4o_MINI", settings=settings)
        task = Catalog().find_task("vlmeval/CustomMCQDataset")
        result = evaluate(task, model, path, Settings(limit=4), tmp_path)
    assert (result.failed, values(result)["overall"]) == (0, 75.0)


def test_its_data_sets_and_models_are_known_by_name(place, monkeypatch):
    monkeypatch.setenv("RIDDLE_VLMEVAL_PYTHON", PYTHON)
    task = Catalog().find_task("vlmeval/MMBench_DEV_EN")
    assert "ms-vlmeval" not in task.conventions["vlmeval"].note and "ImageMCQDataset" in task.conventions["vlmeval"].note
    with pytest.raises(ConfigError, match="did you mean 'MMBench"):
        Catalog().find_task("vlmeval/MMBench_DEV_ENG")
    with pytest.raises(ConfigError, match="unknown model of VLMEvalKit.*did you mean 'GPT4o"):
        VLMEvalModel(model="GPT4oo")

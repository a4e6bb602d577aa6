"""``riddle gate`` from the command line: exit codes, what is said, and a model that is asked no more than is needed."""

import json
import subprocess

import pytest

from harness.cli import main
from tests.reports.conftest import write_run
from tests.reports.gate.conftest import RIGHT, items, worse


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model, scores in (("old", RIGHT), ("same", RIGHT), ("worse", worse(RIGHT, 40))):
        write_run(tmp_path / model, model, "pope", kind="replies", items=items("pope", scores))
    (tmp_path / "gate.yaml").write_text("baseline: old\n")
    (tmp_path / "strict.yaml").write_text("baseline: old\ngates: [{mode: non_inferior, margin: 0.001}]\n")
    return tmp_path


def test_the_verdict_is_the_exit_code(place, capsys):
    assert main(["gate", "policy=gate.yaml", "candidate=same"]) == 0
    assert "\npass: same against old" in capsys.readouterr().out
    assert main(["gate", "policy=gate.yaml", "candidate=worse", "out=written", "output=json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["exit"], document["results"][0]["verdict"]) == (False, 1, "fail")
    assert {path.name for path in (place / "written").iterdir()} == {"gate.json", "gate.md", "gate.xml"}
    assert main(["gate", "policy=strict.yaml", "candidate=same"]) == 2
    assert "inconclusive" in capsys.readouterr().out
    for words in (["policy=gate.yaml", "candidate=nowhere"], ["polcy=gate.yaml"], ["policy=gate.yaml,a"], ["chek"]):
        assert main(["gate", *words]) == 3, words
    assert main(["gate", "--help"]) == 0
    assert "0 pass, 1 fail, 2 inconclusive, 3 invalid" in " ".join(capsys.readouterr().out.split())


def test_a_kept_baseline_and_looks(place, capsys):
    assert main(["gate", "save", "candidate=old", "out=old.json"]) == 0
    assert "1 runs of old, 200 samples" in capsys.readouterr().out
    assert main(["gate", "policy=gate.yaml", "baseline=old.json", "candidate=worse", "looks=5"]) == 1
    assert "of 200 samples asked, 5 looks planned" in capsys.readouterr().out
    assert main(["gate", "simulate", "policy=strict.yaml", "draws=20", "looks=2"]) == 0
    assert "20 candidates drawn" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_is_asked_in_random_order_until_the_verdict_is_known(place, capsys):
    tasks = "gates: [{task: [mathvista, docvqa], margin: 0.1}]"
    (place / "live.yaml").write_text(f"baseline: kept.json\n{tasks}\n")
    assert main(["eval", "model=oracle", "task=[mathvista,docvqa]", "mini.n=60"]) == 0
    assert main(["gate", "save", "policy=live.yaml", "candidate=runs"]) == 0
    capsys.readouterr()
    assert main(["gate", "policy=live.yaml", "model=oracle", "mini.n=60", "looks=4"]) == 0
    assert "60 of 120 samples asked" in capsys.readouterr().out
    assert main(["gate", "policy=live.yaml", "model=chance", "mini.n=60", "looks=4"]) == 1
    runs = list((place / "gate_runs" / "chance").glob("*/*/result.json"))
    assert sorted(json.loads(run.read_text())["n"] for run in runs)[-2:] == [30, 30]


def test_this_repository_has_a_baseline_that_its_gate_reads(pytestconfig):
    """Not whether nano passes: `make gate` asks it. Only that the file of `make baseline` fits the policy."""
    from reports.gate.check import Places, check
    from reports.gate.policy import load_policy

    folder = pytestconfig.rootpath / ".ci"
    policy = load_policy(folder / "gate.yaml")
    report = check(policy, str(folder / "nano.json"), Places(folder=folder, tags=folder))
    assert report.word == "pass" and len(report.verdicts) == 3
    said = subprocess.run(["make", "-n", "gate", "baseline", "VENV=nowhere"], cwd=folder.parent, capture_output=True, text=True)
    assert "policy=.ci/gate.yaml model=nano" in said.stdout and "gate save policy=.ci/gate.yaml" in said.stdout

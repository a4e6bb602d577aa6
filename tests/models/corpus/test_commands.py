"""``riddle data corpus`` and ``riddle data look`` from the command line."""

import json

import pytest

from harness.cli import main


@pytest.fixture
def riddle(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; return its code, output and complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.results.sync", lambda path: None)  # hundreds of small files

    def run(*words):
        code = main(["data", *words])
        return code, *capsys.readouterr()

    return run


def test_the_mini_mixture_is_composed_and_looked_at(riddle, drawn, tmp_path):
    code, out, err = riddle("corpus", "mixture=mini", "mixture.drawn=3", f"root={drawn}", "out=made", "output=json")
    told = json.loads(out)
    assert code == 0 and told["ok"] and not err
    assert {row["state"] for row in told["results"]} == {"converted"}
    assert (tmp_path / "made" / "data_config.yaml").is_file()
    code, out, _ = riddle("look", "data=made", "index=7", "out=seen/a.html")
    assert code == 0 and out.strip() == str(tmp_path / "seen" / "a.html") and (tmp_path / "seen" / "a.html").is_file()
    code, out, _ = riddle("look", "data=made", "index=9")
    assert code == 0 and (tmp_path / "runs" / "look" / "made-9.png").is_file()


def test_a_plan_names_what_is_missing(riddle, tmp_path):
    code, out, _ = riddle("corpus", "mixture=paper", "root=none", "dry=true")
    assert code == 0 and "missing: gqa expects gqa/train_balanced_questions.json, gqa/images below none" in out
    assert out.splitlines()[-1] == "output: runs/corpus/paper" and not list(tmp_path.iterdir())


def test_a_mixture_that_is_not_there_is_one_problem(riddle, data_sets):
    code, _, err = riddle("corpus", "mixture=paper", "root=none")
    assert code == 1 and f"{len(data_sets)} data sets are missing" in err and "partial=true" in err and "gqa (vqa)" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["corpus"], "mixture: missing; say mixture=paper or mixture=mini"),
        (["look"], "data: missing; say data=PATH"),
        (["corpus", "mixture=papper"], "did you mean 'paper'?"),
        (["corpus", "mixture=mini", "mixture.scal=2"], "mixture.scal: unknown setting"),
        (["look", "data=x.jsonl", "out=a.gif"], "must end in .png or .html"),
    ],
)
def test_wrong_settings_are_named(riddle, words, message):
    code, _, err = riddle(*words)
    assert code == 2 and message in err

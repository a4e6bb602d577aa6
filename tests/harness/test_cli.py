import errno
import functools
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import VERBS
from harness.commands.composed import _Job
from harness.commands.eval import result_table
from harness.provenance import guarded_words

ROOT = Path(__file__).parents[2]

PLUGIN = '''
from harness.model import Capabilities
from harness.types import Response


class Model:
    """A model of the tests' own; ``ends`` says how it goes wrong."""

    def __init__(self, ends: str = "", name: str = "theirs", api_key: str = "") -> None:
        if ends == "at start":
            raise RuntimeError("no weights today")
        self.name, self.ends, self.fingerprint = name, ends, f"theirs-{ends}"
        self.capabilities = Capabilities(images=True, several_images=ends != "no pictures at all")

    def generate(self, requests):
        import os, signal, threading, time

        print("chatter on standard output")
        for number, request in enumerate(requests):
            if self.ends == "by hand" and number == 1:
                raise KeyboardInterrupt
            if self.ends == "by the system" and number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            if self.ends == "asleep" and number == 1:
                threading.Event().wait()
            if self.ends == "always":
                raise ValueError("never works")
            yield Response(key=request.key, text="yes")
'''


LOOKS = '''
"""A model that has learnt the drawn pictures by heart: it answers by the pixels, and says yes to what it has never seen."""

import json
from pathlib import Path

from harness.model import Capabilities
from harness.types import Image, Response, Text


class Model:
    name, fingerprint, capabilities = "looks", "looks-1", Capabilities(images=True)

    def generate(self, requests):
        (folder,) = Path("data").glob("mini*/pope")
        known = {}
        for file in folder.glob("*.json"):
            if file.name != "mini.json":
                for line in file.read_text().splitlines():
                    row = json.loads(line)
                    known[(folder / "val2014" / row["image"]).read_bytes(), row["text"]] = row["label"]
        for request in requests:
            (picture,) = [part.source.read() for part in request.parts if isinstance(part, Image)]
            (text,) = [part.text for part in request.parts if isinstance(part, Text)]
            said = [label for (pixels, question), label in known.items() if pixels == picture and question in text]
            yield Response(key=request.key, text=said[0] if said else "yes")
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of its own to run commands in, with a plugin package in it."""
    package = tmp_path / "their_models"
    (package / "conf" / "model").mkdir(parents=True)
    (package / "__init__.py").write_text(PLUGIN)
    (package / "conf" / "model" / "theirs.yaml").write_text("# a plugin's model\n_target_: their_models.Model\nends: ''\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("their_models", None)


@pytest.fixture
def riddle(place, capsys):
    """Runs a command line in this process; returns exit code, standard output and standard error."""

    def run(*words):
        code = main(list(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def theirs(*words):
    return ["plugins=[their_models]", "model=theirs", "task=pope", "mini.n=6", *words]


def test_help_names_every_verb_and_the_exit_codes(riddle):
    code, out, err = riddle("--help")
    assert code == 0 and err == ""
    assert all(f"\n  {verb} " in out for verb in VERBS)
    assert "130 interrupted" in out
    assert riddle() == (code, out, err)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(riddle, verb):
    code, out, _ = riddle(verb, "--help")
    assert code == 0
    assert VERBS[verb].example in out


def test_a_misspelt_verb_gets_the_nearest(riddle):
    code, out, err = riddle("evla", "task=pope")
    assert code == 2 and out == ""
    assert "no verb 'evla' (did you mean 'eval'?)" in err


def test_all_wrong_settings_are_named_at_once(riddle):
    code, out, err = riddle("eval", "model=oracle", "tsk=pope", "limti=3", "output=text")
    assert code == 2 and out == ""
    assert "tsk: unknown setting (did you mean 'task'?)" in err
    assert "limti: unknown setting (did you mean 'limit'?)" in err
    assert "Traceback" not in err


def test_wrong_names_of_models_tasks_and_arguments_are_named_at_once(riddle):
    code, _, err = riddle("eval", "model=oracle", "model.acuracy=1", "task=[pop,docvqa]", "max_failures=0.5")
    assert code == 2
    assert "model.acuracy: unknown setting (did you mean 'accuracy'?)" in err
    assert "unknown task 'pop' (did you mean 'pope'?)" in err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["model=nan"], "unknown model 'nan' (did you mean 'nano' or 'nano_moe'?)"),
        (["pope"], "'pope' is no setting (did you mean task=pope?)"),
        (["nano"], "'nano' is no setting (did you mean model=nano?)"),
        (["mini"], "'mini' is no setting (did you mean suite=mini?)"),
        (["--limit", "20"], "settings are written without dashes: limit=VALUE"),
        (["--task=pope"], "settings are written without dashes: task=pope"),
        ([], "model: missing"),
        (["model=oracle", "task=pope,mme"], "add -m; as one list: task=[pope,mme]"),
        (["model=oracle,chance", "task=pope"], "model=oracle,chance: several values are a sweep, one job each: add -m\n"),
        (["model=[oracle,chance]", "task=pope"], "model=[oracle,chance]: takes one name"),
        (["model=", "task=pope"], "model=: takes one name; known: api_chat, chance, "),
        (["model=oracle", "task=(("], "task=(("),
    ],
)
def test_wrong_words_are_usage_errors_with_a_hint(riddle, words, hint):
    code, out, err = riddle("eval", *words)
    assert code == 2 and out == ""
    assert hint in err
    assert "Traceback" not in err


def test_an_evaluation_ends_with_a_table_and_a_finished_run(riddle, place):
    code, out, err = riddle("eval", "model=constant", "task=pope", "mini.n=6", "limit=3")
    assert code == 0, err
    (folder,) = place.glob("runs/constant/pope@*/*")
    assert (folder / "result.json").is_file()
    row = out.splitlines()[2]
    assert row.startswith("constant") and row.endswith(str(folder.relative_to(place)))
    assert "mean_f1" in row


def test_json_is_one_document_and_the_only_thing_on_standard_output(riddle):
    code, out, _ = riddle("eval", *theirs("output=json"))
    document = json.loads(out)
    assert (code, document["schema"], document["verb"], document["ok"], document["exit"]) == (0, 1, "eval", True, 0)
    (row,) = document["results"]
    assert (row["kind"], row["model"], row["task"], row["failed"]) == ("run", "theirs", "pope", 0)
    assert {"value", "low", "high", "n", "unparsed", "metrics", "folder"} <= set(row)


@pytest.mark.parametrize("word", ["output=json", "++output=json", 'output="json"', "++output='json'"])
def test_json_is_printed_however_it_is_asked_for(riddle, word):
    assert json.loads(riddle("eval", *theirs("dry=true", word))[1])["ok"]
    assert json.loads(riddle("evla", word)[1])["errors"][0]["kind"] == "ConfigError"
    assert json.loads(riddle("eval", "output=text", word)[1])["exit"] == 2


def test_errors_stand_in_the_json_document(riddle):
    code, out, _ = riddle("eval", "model=nan", "task=pope", "output=json")
    document = json.loads(out)
    assert (code, document["ok"], document["exit"], document["results"]) == (2, False, 2, [])
    assert document["errors"][0]["kind"] == "ConfigError"


def test_a_multirun_gives_one_document_of_all_jobs(riddle, place):
    code, out, _ = riddle("eval", "-m", "model=constant,chance", "task=pope,mme", "mini.n=6", "output=json")
    rows = json.loads(out)["results"]
    assert code == 0
    assert [(row["model"], row["task"]) for row in rows] == [
        ("constant", "pope"), ("constant", "mme"), ("chance", "pope"), ("chance", "mme"),
    ]  # fmt: skip
    assert len(list(place.glob("runs/*/*/*/result.json"))) == 4


def test_a_suite_loads_its_model_once_and_says_so(riddle, place, monkeypatch):
    from models.constant import Constant

    loads, load = [], Constant.__init__

    @functools.wraps(load)
    def counted(self, *words, **more):
        loads.append(self)
        load(self, *words, **more)

    monkeypatch.setattr(Constant, "__init__", counted)
    code, out, err = riddle("eval", "model=constant", "suite=math_mini", "limit=1", "mini.n=4", "output=json")
    tasks = [row["task"] for row in json.loads(out)["results"]]
    assert code == 0 and len(loads) == 1 and len(tasks) == 3
    assert f"constant is loaded once for {len(tasks)} benchmarks: {', '.join(tasks)}" in err


@pytest.mark.parametrize("runs", ["été", "l'an 1", "a{b}", "it's \\'", "plain", "sp ace"])
@pytest.mark.parametrize("many", [[], ["-m"]])
def test_folders_may_have_any_name(riddle, place, runs, many):
    code, _, err = riddle("eval", *many, *theirs("limit=2", f"runs={runs}"))
    assert code == 0, err
    assert len(list((place / runs).glob("theirs/*/*/result.json"))) == 1
    assert (place / runs / ".sweeps").exists() == bool(many)


def test_keys_given_on_the_command_line_are_written_nowhere(riddle, place, monkeypatch):
    words = theirs("model.ends=always", "model.name='https://me:sk-secret-1@host'", "+model.api_key=sk-secret-2", "output=json")
    for many in ([], ["-m"]):
        typed = ["riddle", "eval", *many, *words]
        monkeypatch.setattr(sys, "orig_argv", typed)
        code, out, err = riddle(*typed[1:])
        assert code == 1 and "Go on with: riddle eval" in out
        assert "sk-secret-2" not in out + err
    for path in place.glob("runs/**/*"):
        assert not path.is_file() or b"sk-secret-2" not in path.read_bytes(), path


def test_a_command_is_repeated_with_its_numbers():
    words = ["decoding.max_new_tokens=64", "model.api_key=sk-1", "-m", "model.url=http://me:pw@host/"]
    assert guarded_words(words) == [words[0], "model.api_key=(redacted)", "-m", "model.url=http://(redacted)@host/"]


def test_a_file_in_the_way_is_a_problem_and_no_crash(riddle, place):
    (place / "runs").write_text("a file")
    for many in ([], ["-m"]):
        code, out, err = riddle("eval", *many, *theirs("output=json"))
        assert code == 1 and "Traceback" not in err
        assert "runs" in json.loads(out)["errors"][0]["message"]
    assert "Traceback" in riddle("eval", *theirs("debug=true"))[2]


def test_a_job_that_fails_keeps_no_other_from_running_but_fails_the_command(riddle):
    code, out, err = riddle("eval", "-m", *theirs("model.ends='',always,''", "model.name=a", "output=json"))
    document = json.loads(out)
    assert code == document["exit"] == 1
    assert len(document["results"]) == 2
    assert [error["kind"] for error in document["errors"]] == ["RunStopped"]
    assert "never works" in document["errors"][0]["message"]
    assert "RunStopped" in err


def test_a_crash_of_one_job_leaves_the_results_of_the_others(riddle, capsys):
    with pytest.raises(RuntimeError, match="no weights today"):
        riddle("eval", "-m", *theirs("model.ends='at start',''", "output=json"))
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["exit"], len(document["results"])) == (False, 1, 1)
    assert {error["kind"] for error in document["errors"]} == {"Crash", "JobLost"}


def test_jobs_can_be_sent_to_other_processes():
    """Launchers such as joblib and submitit pickle what Hydra calls for each job."""
    sent = pickle.loads(pickle.dumps(_Job("eval", [])))
    assert (sent.verb, sent.__name__) == ("eval", "riddle_eval")


def test_one_benchmark_that_fails_keeps_no_other_from_being_run(riddle, place):
    broken = place / "data" / "mini-seed0-n6" / "mme"
    riddle("data", "mini", "n=6", "benchmarks=[pope,mme]")
    for file in broken.rglob("*.txt"):
        file.write_text("no question here\n")
    code, out, err = riddle("eval", "model=constant", "task=[mme,pope]", "mini.n=6", "output=json")
    document = json.loads(out)
    assert code == 1, err
    assert [row["task"] for row in document["results"]] == ["pope"]
    assert document["errors"][0]["where"] == "mme"


def test_an_interrupted_run_says_so_and_ends_a_multirun(riddle):
    code, out, err = riddle("eval", "-m", *theirs("model.ends='by hand','',always", "output=json"))
    document = json.loads(out)
    assert code == document["exit"] == 130
    assert [error["kind"] for error in document["errors"]] == ["Interrupted"]
    assert document["results"] == []
    assert "same command goes on" in err


def test_a_model_that_cannot_see_what_is_asked_is_refused_before_anything_runs(riddle, place):
    code, _, err = riddle("eval", *theirs("task=[pope,videobench]"))
    assert code == 1
    assert "CapabilityError" in err and "videobench" in err
    assert not list(place.glob("runs/*/*"))


def test_a_class_that_is_no_model_is_told_what_it_lacks(riddle, place):
    (place / "their_models" / "__init__.py").write_text("class Half:\n    name = ''\n    fingerprint = 5\n")
    code, _, err = riddle("eval", "plugins=[their_models]", "model=custom", "model._target_=their_models.Half", "task=pope")
    assert code == 2 and "Traceback" not in err
    for lacking in ("name must be a text, found ''", "fingerprint must be", "capabilities must be", "no method generate"):
        assert lacking in err


def test_a_dry_run_shows_the_prompts_and_the_cost_and_asks_nothing(riddle, place):
    code, out, _ = riddle("eval", *theirs("model.ends=always", "dry=true", "limit=4"))
    assert code == 0
    assert "Answer the question using a single word or phrase." in out
    assert "a run costs 4 requests, 4 images" in out
    assert not (place / "runs").exists()


def test_the_composed_settings_can_be_shown(riddle):
    code, out, _ = riddle("eval", "model=oracle", "task=pope", "--cfg", "job")
    assert code == 0
    assert "_target_: models.oracle.Oracle" in out


def test_a_traceback_is_shown_only_if_asked_for(riddle):
    assert "Traceback" not in riddle("eval", "model=oracle", "model.accuracy=7", "task=pope")[2]
    assert "Traceback" in riddle("eval", "model=oracle", "model.accuracy=7", "task=pope", "debug=true")[2]


def test_a_configuration_folder_of_the_users_own_is_read(riddle, place):
    (place / "my_conf" / "model").mkdir(parents=True)
    (place / "my_conf" / "model" / "mine.yaml").write_text("# mine\n_target_: models.constant.Constant\nname: mine\n")
    code, out, err = riddle("eval", "--config-dir", "my_conf", "model=mine", "task=pope", "mini.n=6")
    assert code == 0, err
    assert "mine" in out


def test_a_model_is_blind_by_a_setting_of_the_run(riddle, place):
    code, out, err = riddle("eval", "model=constant", "model.blind=true", "task=pope", "mini.n=6", "output=json")
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    assert json.loads((Path(result["folder"]) / "run.json").read_text())["control"] == "blind"


def test_a_sweep_over_settings_of_a_model_fills_one_report(riddle, place):
    code, _, _ = riddle("eval", "-m", "model=oracle", "model.accuracy=0.2,1.0", "task=pope", "mini.n=6")
    assert code == 0
    code, out, err = riddle("report", "output=json")
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    assert Path(result["index"]).is_file()
    assert {row["task"] for row in result["rows"]} == {"pope"}


def test_a_report_without_runs_says_how_to_make_one(riddle):
    code, out, err = riddle("report")
    assert code == 1 and out == ""
    assert "riddle eval" in err


def test_replies_made_elsewhere_are_scored_without_a_model(riddle, place):
    riddle("data", "mini", "benchmarks=[pope]", "n=6", "root=drawn")
    lines = [line for file in (place / "drawn/pope").glob("coco_pope_*.json") for line in file.read_text().splitlines()]
    questions = list(map(json.loads, lines))
    replies = [{"question_id": f"{n}", "prompt": one["text"], "text": one["label"]} for n, one in enumerate(questions)]
    (place / "my_model.jsonl").write_text("\n".join(json.dumps(reply) for reply in replies[:-1]))
    code, out, err = riddle("score", "task=pope", "data=drawn/pope", "predictions=my_model.jsonl", "output=json")
    assert code == 0, err
    (row,) = json.loads(out)["results"]
    assert (row["model"], row["missing"], row["replies"]["missing"]["n"]) == ("my_model", 1, 1)
    code, out, _ = riddle("score", "task=pope", "data=drawn/pope", "predictions=my_model.jsonl")
    assert "1 missing: " in out and "mean_f1" in out


def test_replies_without_a_text_are_told(riddle, place):
    riddle("data", "mini", "benchmarks=[pope]", "n=6", "root=drawn")
    lines = [line for file in (place / "drawn/pope").glob("coco_pope_*.json") for line in file.read_text().splitlines()]
    replies = [{"question": one["text"], "image": one["image"], "answer": None if n < 2 else "yes"} for n, one in
               enumerate(map(json.loads, lines))]  # fmt: skip
    (place / "mine.jsonl").write_text("\n".join(map(json.dumps, replies)))
    code, out, err = riddle("score", "task=pope", "data=drawn/pope", "predictions=mine.jsonl")
    assert code == 0, err
    assert "2 without a text, which count as missing" in out


def test_a_full_disk_ends_a_multirun_with_a_problem(riddle, place, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("harness.commands.composed.whole", full)
    code, out, err = riddle("eval", "-m", *theirs("task=pope,mme", "output=json"))
    assert code == 1 and "Traceback" not in err
    assert "No space left on device" in json.loads(out)["errors"][0]["message"]


def test_replies_that_do_not_fit_are_refused_with_what_was_found(riddle, place):
    riddle("data", "mini", "benchmarks=[pope]", "n=6", "root=drawn")
    (place / "other.jsonl").write_text('{"colour": "red", "size": 1}\n{"colour": "blue", "size": 2}\n')
    code, out, err = riddle("score", "task=pope", "data=drawn/pope", "predictions=other.jsonl")
    assert code == 1 and out == ""
    assert "ReplyError" in err and "colour" in err


def test_data_that_are_not_there_say_what_is_expected(riddle):
    code, _, err = riddle("eval", "model=constant", "task=pope", "data=official")
    assert code == 1
    assert "data/pope does not exist" in err and "coco_pope_random.json" in err


def test_data_are_drawn_where_they_are_asked_for(riddle, place):
    code, out, _ = riddle("data", "mini", "benchmarks=[pope]", "n=6", "root=drawn")
    assert code == 0 and out.strip() == "drawn/pope"
    assert (place / "drawn" / "pope" / "mini.json").is_file()


def test_each_part_of_drawn_data_gets_the_questions_asked_for(riddle, place):
    assert "an MME sub-task" in riddle("data", "--help")[1]
    code, out, _ = riddle("data", "mini", "benchmarks=[mme]", "each=4")
    assert code == 0 and out.strip() == "data/mini-seed0-each4/mme"
    assert {len(list(folder.glob("*.png"))) for folder in (place / out.strip()).iterdir() if folder.is_dir()} == {2}
    code, out, _ = riddle("eval", "model=constant", "task=mme", "mini.each=4", "output=json")
    (run,) = json.loads(out)["results"]
    assert code == 0 and (run["data"], run["n"]) == ("mini-seed0-each4", 24)
    assert "each=0: must be at least 1" in riddle("data", "mini", "each=0")[2]


def test_controls_are_measured_kept_and_shown_on_the_card(riddle, place, monkeypatch):
    """The oracle knows the answers, so that every level has a known value: only guesses and constants fall."""
    words = ["model=oracle", "model.accuracy=1.0", "mini.n=36", "out=kept.json"]
    code, out, err = riddle("controls", *words, "task=pope")
    assert code == 0, err
    kept = json.loads((place / "kept.json").read_text())["tasks"]["pope"]
    assert (kept["metric"], kept["data"]["n"], kept["model"]["name"], kept["version"]) == ("mean_f1", 36, "oracle", 1)
    values = {name: level["value"] for name, level in kept["levels"].items()}
    assert list(values) == ["with pictures", "blind", "swapped", "chance", "always 'Yes'"]
    assert values["with pictures"] == values["blind"] == values["swapped"] == 1.0
    assert values["always 'Yes'"] == pytest.approx(2 / 3) and 0.2 < values["chance"] < 0.8
    assert {level["n"] for level in kept["levels"].values()} == {36}
    assert "66.67" in out and "kept in kept.json" in out
    code, _, _ = riddle("controls", *words, "task=docvqa")
    assert code == 0 and set(json.loads((place / "kept.json").read_text())["tasks"]) == {"docvqa", "pope"}
    monkeypatch.setattr("tasks.mini.controls.FILE", place / "kept.json")
    shown = riddle("ls", "task", "pope")[1]
    assert "mini controls" in shown and "model oracle" in shown and "always 'Yes': 66.67" in shown
    (place / "kept.json").unlink()
    assert "mini controls" not in riddle("ls", "task", "pope")[1]


def test_controls_of_a_model_that_looks_fall_without_its_pictures(riddle, place):
    (place / "their_models" / "__init__.py").write_text(LOOKS)
    words = ["plugins=[their_models]", "model=theirs", "~model.ends", "task=pope", "mini.n=36", "output=json", "out=kept.json"]
    code, out, err = riddle("controls", *words)
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    values = {name: level["value"] for name, level in result["levels"].items()}
    assert values["with pictures"] > values["swapped"] and values["blind"] == pytest.approx(2 / 3)


def test_controls_that_are_not_complete_are_not_kept(riddle, place):
    code, _, err = riddle("controls", "model=oracle", "mini.n=6", "task=pope", "out=kept.json")
    assert code == 1 and "at least two different pictures" in err and not (place / "kept.json").exists()
    for word in ("data=official", "dry=true", "control=blind"):
        code, _, err = riddle("controls", "model=oracle", "task=pope", word)
        assert code == 2 and "leave out data, dry and control" in err
    (place / "kept.json").write_text("[]")
    code, _, err = riddle("controls", "model=oracle", "mini.n=36", "task=pope", "out=kept.json")
    assert code == 1 and "kept.json: no file of controls" in err and (place / "kept.json").read_text() == "[]"


def test_the_cards_of_all_mini_benchmarks_show_their_controls(riddle):
    """What stands in the repository was written by the command, for the versions of the tasks that stand there."""
    for name in ("pope", "mme", "mmbench_en", "mathvista", "refcoco_val", "docvqa", "videobench"):
        shown = riddle("ls", "task", name)[1]
        assert "mini controls" in shown and "blind: " in shown and "give riddle controls again" not in shown


TRAINS = """
import os, signal, time
from dataclasses import dataclass


@dataclass
class Config:
    steps: int = 1


def train(config: Config):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
"""


def test_sigterm_ends_a_run_like_ctrl_c_with_its_own_exit_code(riddle, place):
    words = theirs("model.ends='by the system'")
    code, out, err = riddle("eval", *words, "output=json")
    assert code == 143 and json.loads(out)["exit"] == 143
    assert "stopped by the system (SIGTERM); every response so far is stored in" in err
    assert "goes on where it stopped" in err
    assert "Traceback" not in err
    code, _, err = riddle("eval", "-m", *words, "seed=0,1")
    assert code == 143 and err.count("SIGTERM") == 1, "the second job is not begun"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert "143" in riddle("--help")[1]


def test_sigterm_ends_a_training_like_ctrl_c(riddle, place):
    (place / "their_models" / "conf" / "train").mkdir()
    (place / "their_models" / "conf" / "train" / "tiny.yaml").write_text("_target_: their_models.train\nsteps: 1\n")
    (place / "their_models" / "__init__.py").write_text(TRAINS)
    code, _, err = riddle("train", "plugins=[their_models]", "model=tiny")
    assert code == 143 and "stopped by the system (SIGTERM); the same command goes on" in err and "Traceback" not in err


def test_a_model_that_hangs_ends_the_run_with_what_it_was_asked_recorded(riddle, place):
    words = theirs("model.ends=asleep")
    code, _, err = riddle("eval", *words, "engine.timeout_s=0.3")
    assert code == 1 and "the model hangs: for 0.3 s (engine.timeout_s)" in err and "1 samples in flight" in err
    assert "Traceback" not in err
    code, _, err = riddle("eval", *words, "engine.timeout_s=0")
    assert code == 2 and "timeout_s=0.0 (must be above 0)" in err


def test_a_report_that_lacks_a_broken_run_is_written_and_says_so(riddle, place):
    riddle("eval", "-m", "model=constant,oracle", "task=pope", "mini.n=6")
    code, _, err = riddle("report")
    assert code == 0 and err == ""
    (broken,) = (place / "runs" / "oracle").glob("*/*/result.json")
    broken.write_text("{")
    code, out, err = riddle("report")
    assert code == 1 and err.startswith("BrokenRun: left out of the report: cannot be read: ") and str(broken.name) in err
    assert "constant" in out and "leaderboard: leaderboard/index.html" in out and "cannot be read" not in out
    code, out, _ = riddle("report", "output=json")
    document = json.loads(out)
    assert code == document["exit"] == 1 and document["ok"] is False
    assert document["results"][0]["left_out"] == document["results"][0]["broken"] and len(document["errors"]) == 1
    broken.unlink()
    assert riddle("report")[0] == 0, "a run that is not finished is no fault of the report"


def test_a_bench_that_is_none_gets_the_nearest(riddle):
    code, _, err = riddle("bench", "startpu")
    assert (
        code == 2
        and "bench=startpu: must be one of startup, engine, scale, generate" in err
        and "(did you mean 'startup'?)" in err
    )
    code, _, err = riddle("bench", "startup", "repeat=1")
    assert code == 2 and "startup.repeat: unknown setting (did you mean 'repeats'?)" in err


def test_training_settings_are_checked_before_anything_is_trained(riddle, place):
    code, _, err = riddle("train", "model=nano", "train.budgets=1", "train.batch=x")
    assert code == 2, err
    assert "train.budgets: unknown setting" in err
    assert "model=nan: unknown model 'nan'" in riddle("train", "model=nan")[2]
    assert "train.batch='x': expected a whole number" in err
    assert not (place / "runs").exists()


@pytest.mark.parametrize("kind", ["tasks", "models", "suites"])
def test_everything_there_is_can_be_listed(riddle, kind):
    code, out, _ = riddle("ls", kind)
    assert code == 0
    assert {"tasks": "mmbench_en", "models": "nano_moe", "suites": "mini"}[kind] in out


def test_a_task_shows_its_card(riddle):
    code, out, _ = riddle("ls", "task", "mmbench_en")
    assert code == 0
    for label in ("asks", "samples", "metric", "scorer", "licence", "layouts", "conventions", "paper"):
        assert f"\n{label}" in out
    assert "official: " in out and "MMBench_DEV_EN" in out


def test_a_model_shows_its_settings_and_what_its_class_says(riddle):
    code, out, _ = riddle("ls", "model", "oracle")
    assert code == 0
    assert "accuracy: 0.8" in out and "models.oracle.Oracle" in out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["task", "mmbench"], "did you mean 'mmbench_cn' or 'mmbench_en'"),
        (["model", "nanomoe"], "did you mean 'nano' or 'nano_moe'"),
        (["taks"], "did you mean 'tasks'"),
        (["task"], "riddle ls tasks lists them"),
        (["tasks", "ouput=json"], "did you mean 'output'"),
        (["tasks", "output=jsn"], "did you mean 'json'"),
    ],
)
def test_what_cannot_be_listed_gets_the_nearest(riddle, words, hint):
    code, out, err = riddle("ls", *words)
    assert code == 2 and out == ""
    assert hint in err


def test_help_and_listings_import_nothing_heavy():
    """Whatever is imported besides the standard library is named here; each name costs every start."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from harness.cli import main\n"
        "main(sys.argv[1:])\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print('LOADED', *sorted(loaded))\n"
    )
    for words, allowed in [
        (["--help"], {"harness"}),
        (["eval", "--help"], {"harness"}),
        (["ls", "models"], {"harness"}),
        (["ls", "tasks"], {"harness", "tasks"}),
        (["ls", "task", "pope"], {"harness", "tasks"}),
    ]:
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, check=True)
        assert set(done.stdout.splitlines()[-1].split()[1:]) <= allowed, words


@pytest.mark.parametrize("words", [["--help"], ["ls", "task", "mmbench_en"], ["ls", "tasks", "output=json"]])
def test_a_terminal_that_is_not_utf8_is_served(words):
    command = [sys.executable, "-m", "harness.cli", *words]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_what_an_error_quotes_cannot_drive_the_terminal(riddle):
    _, _, err = riddle("eval", "task=pope", "model=constant", "data='a\x1b[2Jb'")
    assert "\x1b" not in err and "a�[2Jb" in err


def test_a_missing_interval_is_one_dash():
    row = {"model": "m", "control": "none", "task": "t", "data": "", "convention": "official", "primary": "p", "value": 0.5}
    row |= {"unit": "percent", "confidence": 0.95, "n": 2, "failed": 0, "unparsed": 0, "folder": "f"}
    for nothing in (None, float("nan")):
        assert "– –" not in result_table([{**row, "low": nothing, "high": nothing}])


def test_whoever_reads_the_output_may_stop_reading():
    command = f"{sys.executable} -m harness.cli ls tasks | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""

import textwrap
from pathlib import Path

import pytest

from harness.catalog import Catalog, find_task, package_folder, task_names
from harness.errors import ConfigError

TASK_FILE = """
from harness.metrics.aggregate import Metric, mean
from harness.task import Card, Convention, Task
from harness.types import Parsed, Sample

TASKS = [
    Task(
        name="{name}",
        card=Card(title="T", asks="?", split="all", n=1, paper="-", data="-", scorer="-", licence="-"),
        layouts=(),
        to_sample=lambda record: Sample(id="1"),
        prompt=lambda sample: sample.question,
        conventions={{
            "official": Convention(
                parse=lambda reply, sample: Parsed(reply),
                score=lambda parsed, sample: {{"correct": 1.0}},
                metrics=(Metric(name="accuracy", estimator=mean("correct")),),
                primary="accuracy",
            )
        }},
        ideal=lambda sample: "yes",
    )
]
"""


def write_task(folder: Path, stem: str, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}.py"
    file.write_text(TASK_FILE.format(name=name))
    return file


def test_the_seven_benchmarks_are_found():
    refcoco = ["refcoco_val", "refcoco_testA", "refcoco_testB", "refcoco+_val", "refcoco+_testA", "refcoco+_testB"]
    benchmarks = {"mme", "mmbench_en", "mathvista", "docvqa", "videobench", "pope", "refcocog_val", "refcocog_test", *refcoco}
    assert benchmarks <= set(task_names())


def test_a_task_is_found_by_name_and_a_file_by_its_stem():
    assert find_task("refcoco+_testA").name == "refcoco+_testA"
    assert len(Catalog().find_tasks(["refcoco"])) == 8
    assert [task.name for task in Catalog().find_tasks(["pope", "mme", "pope"])] == ["pope", "mme"]


def test_all_unknown_names_are_reported_with_their_nearest():
    with pytest.raises(ConfigError) as caught:
        Catalog().find_tasks(["mmbench", "pope", "docvaq"])
    first, second = str(caught.value).splitlines()
    assert "'mmbench' (did you mean 'mmbench_cn' or 'mmbench_en'" in first
    assert "'docvaq' (did you mean 'docvqa'" in second


def test_the_stem_of_a_file_is_no_task():
    with pytest.raises(ConfigError, match="unknown task 'refcoco' .*refcoco"):
        find_task("refcoco")


def test_task_files_in_a_folder_of_the_users_own_are_found(tmp_path):
    write_task(tmp_path, "mine", "my_benchmark")
    assert find_task("my_benchmark", task_dirs=[tmp_path]).name == "my_benchmark"
    assert "my_benchmark" in task_names(task_dirs=[tmp_path])
    assert "my_benchmark" not in task_names()


def test_equal_file_names_in_two_folders_do_not_collide(tmp_path):
    write_task(tmp_path / "a", "mine", "first")
    write_task(tmp_path / "b", "mine", "second")
    assert {"first", "second"} <= set(task_names(task_dirs=[tmp_path / "a", tmp_path / "b"]))


def test_two_tasks_of_one_name_are_an_error_that_names_both_files(tmp_path):
    file = write_task(tmp_path, "mine", "pope")
    with pytest.raises(ConfigError, match="two tasks are named 'pope'") as caught:
        task_names(task_dirs=[tmp_path])
    assert str(file) in str(caught.value)
    assert "tasks/pope.py" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import a_module_that_is_nowhere", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("TASKS = 3", "expected a list of Task"),
        ("TASKS = ['pope']", "TASKS holds 'pope'"),
    ],
)
def test_a_broken_task_file_is_named(tmp_path, text, message):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        task_names(task_dirs=[tmp_path])
    assert "broken.py" in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"task_dirs=.*nowhere: no such folder"):
        task_names(task_dirs=[tmp_path / "nowhere"])


def test_a_plugin_brings_tasks_models_and_suites(tmp_path, monkeypatch):
    package = tmp_path / "plugin_of_mine"
    write_task(package / "tasks", "one", "plugged")
    for folder in (package, package / "tasks"):
        (folder / "__init__.py").write_text("")
    (package / "heavy.py").write_text("raise RuntimeError('must not be imported to list tasks')")
    (package / "conf" / "model").mkdir(parents=True)
    (package / "conf" / "model" / "theirs.yaml").write_text("# mine\n_target_: plugin_of_mine.heavy.Model\n")
    monkeypatch.syspath_prepend(tmp_path)
    catalog = Catalog(plugins=("plugin_of_mine",))
    assert catalog.find_task("plugged").name == "plugged"
    assert {"theirs", "nano"} <= set(catalog.choices("model"))


def test_a_plugin_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="package 'no_such_package_here' cannot be imported"):
        Catalog(plugins=("no_such_package_here",)).entries()
    with pytest.raises(ConfigError, match="'textwrap' is a module, not a package"):
        package_folder(textwrap.__name__)

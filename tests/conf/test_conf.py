"""Every file of every configuration group composes, fits the schema, and names a class that exists with arguments it has."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from harness.build import target_problems
from harness.catalog import Catalog
from harness.commands.describe import SHAPES
from harness.errors import ConfigError
from harness.schema import MISSING, read

CONF = Path(__file__).parents[2] / "conf"
NEEDED = {
    "eval": ["model=constant", "task=[pope]"],
    "train": ["train=nano"],
    "score": ["task=pope", f"predictions={Path(__file__).name}"],
    "data": ["what=mini"],
    "study": ["study=routing"],
    "compare": ["a=x", "b=y"],
    "gate": ["policy=gate.yaml", "candidate=runs"],
    "bench": ["bench=startup"],
    "reproduce": ["cases=."],
    "serve-model": ["model=constant"],
    "report": [],
    "serve": [],
    "controls": ["model=constant", "task=[pope]"],
}
GROUPS = {
    "eval": ["model", "suite", "frames", "decoding", "engine", "judge", "paths"],
    "train": ["train", "train/data"],
    "data": ["mixture"],
}
CHOICES = [
    (verb, group, file.stem)
    for verb, groups in GROUPS.items()
    for group in groups
    for file in sorted((CONF / group).glob("*.yaml"))
]
NAMED_BY_WHAT_THEY_ASK = ("openai", "api_chat", "hf_chat", "vllm_chat", "vlmeval")
"""Models that many models can stand behind: a server's, a folder's, another toolkit's."""
REQUIRED = ("model", "task", "train", "predictions", "what", "study", "bench", "a", "b", "policy", "candidate", "cases", "known")


def composed(verb, *overrides):
    with initialize_config_module("conf", version_base="1.3"):
        values = OmegaConf.to_container(compose(config_name=verb, overrides=[*NEEDED[verb], *overrides]), resolve=True)
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("verb", SHAPES)
def test_the_settings_of_every_verb_compose_and_fit_its_schema(verb, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)
    read(SHAPES[verb], composed(verb))


@pytest.mark.parametrize("verb", SHAPES)
def test_yaml_and_schema_agree_on_what_can_be_set_and_on_defaults(verb, monkeypatch):
    """Settings that only the schema knows would be hidden from ``--cfg job``; defaults that differ would depend on the caller."""
    monkeypatch.chdir(Path(__file__).parent)
    values = composed(verb)
    config = read(SHAPES[verb], values)
    minimal = read(SHAPES[verb], {key: values[key] for key in REQUIRED if key in values})
    assert config == minimal
    assert set(vars(config)) - set(values) <= {"suite", "model"}  # groups that nothing was chosen from


@pytest.mark.parametrize(("verb", "group", "name"), CHOICES)
def test_every_choice_of_every_group_composes(verb, group, name, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)
    empty = [] if group != "suite" else ["task=[]"]
    missing = ["model._target_=models.constant.Constant"] if (group, name) == ("model", "custom") else []
    if group == "model" and name.startswith("sphinx"):
        missing = ["model.weights=folder"]
    if group == "model" and name in NAMED_BY_WHAT_THEY_ASK:
        missing = ["model.model=one"] if name in ("openai", "api_chat", "vlmeval") else ["model.path=folder"]
    if group == "judge":
        missing = {"local": ["judge.model=judge-7b"], "replay": ["judge.folder=judged"]}.get(name, [])
    read(SHAPES[verb], composed(verb, f"{group}={name}", *empty, *missing))


@pytest.mark.parametrize("name", [name for verb, group, name in CHOICES if group == "model" and name != "custom"])
def test_every_model_names_a_class_with_its_arguments(name):
    spec = composed("eval", f"model={name}")["model"]
    assert list(target_problems(spec, (), "model")) == []
    assert spec["name"] == (None if name in NAMED_BY_WHAT_THEY_ASK else name)


@pytest.mark.parametrize("name", [name for verb, group, name in CHOICES if group == "suite"])
def test_every_suite_names_benchmarks_that_exist(name):
    suite = composed("eval", f"suite={name}", "task=[]")["suite"]
    assert suite["name"] == name
    assert Catalog().find_tasks(suite["tasks"])


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=lambda file: file.relative_to(CONF).as_posix())
def test_every_file_says_in_its_first_line_what_it_is_for(file):
    assert file.read_text().startswith("# ")


def test_required_values_are_left_to_the_user():
    values = composed("eval", "model=custom")
    assert values["model"]["_target_"] == MISSING


def test_a_model_without_weights_of_its_own_asks_for_a_folder():
    with pytest.raises(ConfigError, match=r"model\.weights: missing; say model\.weights="):
        read(SHAPES["eval"], composed("eval", "model=sphinx_moe"))

import dataclasses

import pytest

from harness.commands.describe import SHAPES
from harness.config import EvalConfig, ScoreConfig, SuiteConfig
from harness.errors import ConfigError
from harness.schema import descriptions, read

MODEL = {"_target_": "models.constant.Constant"}


@pytest.mark.parametrize("verb", SHAPES)
def test_every_setting_is_described(verb):
    shape = SHAPES[verb]
    described = descriptions(shape)
    assert set(described) == {field.name for field in dataclasses.fields(shape)}
    assert all(described.values())


def test_an_evaluation_needs_a_model_and_a_benchmark():
    with pytest.raises(ConfigError) as caught:
        read(EvalConfig, {})
    model, task = str(caught.value).splitlines()
    assert model == "model: missing; say model=NAME (see riddle ls models)"
    assert task.startswith("task: missing; say task=NAME")


def test_task_and_suite_together_are_a_contradiction():
    suite = {"name": "mini", "tasks": ["pope"]}
    assert read(EvalConfig, {"model": MODEL, "suite": suite}).benchmarks == ("pope",)
    with pytest.raises(ConfigError, match="task=mme and suite=mini: give one of them"):
        read(EvalConfig, {"model": MODEL, "suite": suite, "task": "mme"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"limit": 0}, "limit=0: must be at least 1"),
        ({"max_failures": 5}, "max_failures=5: is a share of the samples"),
        ({"confidence": 95}, "confidence=95: must be between 0 and 1"),
        ({"control": "blnd"}, r"control=blnd: must be one of none, blind, swapped \(did you mean 'blind'"),
        ({"decoding": {"temperature": -1}}, "decoding.temperature=-1: must not be negative"),
        ({"mini": {"n": 0}}, "mini.n=0: must be at least 1"),
    ],
)
def test_values_out_of_range_are_named_with_their_range(values, message):
    with pytest.raises(ConfigError, match=message):
        read(EvalConfig, {"model": MODEL, "task": "pope", **values})


def test_replies_to_score_must_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"predictions=.*nowhere.jsonl: no such file or folder"):
        read(ScoreConfig, {"task": "pope", "predictions": str(tmp_path / "nowhere.jsonl")})


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SuiteConfig(name="mini", tasks=("pope",)).name = "other"

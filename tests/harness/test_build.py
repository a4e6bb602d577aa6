import sys

import pytest

from harness.build import build, resolve, target_problems
from harness.errors import ConfigError
from models.constant import Constant


def test_builds_what_is_named_with_its_arguments():
    made = build({"_target_": "models.constant.Constant", "reply": "no", "name": "naysayer"})
    assert isinstance(made, Constant)
    assert made.name == "naysayer"


def test_unknown_and_missing_arguments_are_named_together():
    spec = {"_target_": "models.sphinx_x.plugin.SphinxXModel", "wieghts": "nano", "device": "cpu"}
    assert list(target_problems(spec, (), "model")) == [
        "model.wieghts: unknown setting (did you mean 'weights'?); known: weights, name, dtype, device, attention, variant, "
        "active_experts, pruned_experts, expert_cache, tensor_parallel, trace_routing, max_batch, "
        "batch_tokens, window, threads, long_prompts",
        "model.weights: missing",
    ]


@pytest.mark.parametrize(
    "target", ["os.system", "subprocess.run", "builtins.eval", "modelsx.Evil", "tasks.pope.from_lines", "posixpath:join"]
)
def test_nothing_outside_of_our_rooms_is_called(target):
    with pytest.raises(ConfigError, match="may only name something in models, harness"):
        build({"_target_": target})


@pytest.mark.parametrize("target", ["harness.provenance.subprocess.run", "harness.catalog.importlib.import_module"])
def test_modules_that_ours_import_cannot_be_reached_through_them(target):
    with pytest.raises(ConfigError):
        build({"_target_": target})


def test_a_function_that_ours_imported_from_elsewhere_is_refused():
    with pytest.raises(ConfigError, match="is defined in dataclasses, outside of"):
        resolve("harness.types.dataclass")


def test_a_private_name_is_refused_and_a_misspelt_one_gets_the_nearest():
    with pytest.raises(ConfigError, match="has no '_open_media'"):
        resolve("models.constant._open_media")
    with pytest.raises(ConfigError, match="has no 'Constnt'.*did you mean 'Constant'"):
        resolve("models.constant.Constnt")
    with pytest.raises(ConfigError, match="there is no module models.constnt"):
        resolve("models.constnt.Constant")


def test_a_package_of_the_users_own_needs_to_be_named(tmp_path, monkeypatch):
    (tmp_path / "their_package.py").write_text("class Model:\n    def __init__(self, size=1): self.size = size\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"say plugins=\[their_package\]"):
        build({"_target_": "their_package.Model"})
    assert build({"_target_": "their_package.Model", "size": 2}, plugins=["their_package"]).size == 2
    sys.modules.pop("their_package")


def test_nested_targets_are_built_and_checked_but_not_in_lists():
    spec = {"_target_": "models.constant.Constant", "reply": {"_target_": "os.getcwd"}}
    with pytest.raises(ConfigError, match=r"model.reply._target_=os.getcwd: may only name"):
        build(spec)
    hidden = {"_target_": "models.constant.Constant", "reply": [{"_target_": "os.getcwd"}]}
    with pytest.raises(ConfigError, match="model.reply: _target_ inside a list is not allowed"):
        build(hidden)

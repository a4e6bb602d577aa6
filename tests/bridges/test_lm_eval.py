"""lm-eval's tasks with our models, and our models in lm-eval: the same numbers both ways, on local files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.errors import CapabilityError, ConfigError
from harness.plan import Settings, check
from harness.run import evaluate

lm_eval = pytest.importorskip("lm_eval", reason="needs lm-eval: pip install 'riddle-eval[bridges]'")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # lm-eval and datasets warn of their own matters

COLOURS = ("red", "green", "blue", "yellow")
HEAD = "dataset_path: json\ntest_split: train\nfewshot_split: train\ndataset_kwargs: {{data_files: {file}}}\n"
CLOSED = """task: closed
output_type: multiple_choice
num_fewshot: 1
doc_to_text: "{{question}}\\nAnswer:"
doc_to_target: "{{gold}}"
doc_to_choice: "{{choices}}"
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}]
"""
OPEN = """task: open
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{choices[gold]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}
filter_list:
  - {name: strict, filter: [{function: regex, regex_pattern: "^(red|green|blue|yellow)"}, {function: take_first}]}
  - {name: loose, filter: [{function: regex, regex_pattern: "(red|a|e)"}, {function: take_first}]}
"""
LONE = """task: lone
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: "{{choices[gold]}}"
target_delimiter: " "
metric_list: [{metric: acc}, {metric: perplexity}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("lm_eval")
    file = root / "docs.jsonl"
    rows = [
        {
            "question": f"What colour is thing {number}?",
            "choices": [*COLOURS[number % 3 :], "a longer answer"],
            "gold": number % 2,
        }
        for number in range(12)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("closed", CLOSED), ("open", OPEN), ("lone", LONE)):
        (root / f"{name}.yaml").write_text(HEAD.format(file=file) + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DATASETS_CACHE", str(root / "cache"))
        patch.setattr("datasets.config.HF_DATASETS_CACHE", root / "cache")
        yield root


@pytest.fixture(scope="module")
def nano():
    from models.bridges.lm_eval import model_of

    return model_of("nano", ["model.threads=0"])


@pytest.fixture(scope="module")
def theirs(folder, nano):
    """What lm-eval's own evaluator says of our model."""
    from lm_eval.tasks import TaskManager

    from models.bridges.lm_eval import RiddleLM

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    names = ["closed", "open", "lone"]
    return lm_eval.simple_evaluate(RiddleLM(nano), tasks=names, task_manager=manager, bootstrap_iters=0)


@pytest.mark.parametrize("name", ["closed", "open", "lone"])
def test_scores_are_lm_evals_to_the_last_digit(name, folder, nano, theirs, tmp_path):
    task = Catalog(task_dirs=(folder,)).find_task(f"lm_eval/{name}")
    result = evaluate(task, nano, folder / "docs.jsonl", Settings(kind=task.kind), tmp_path / "runs")
    ours = {one.name: one.value for one in result.metrics}
    stated = {key: value for key, value in theirs["results"][name].items() if "," in key and "_stderr" not in key}
    expected = {key.removesuffix(",none").replace(",", "."): value for key, value in stated.items() if "perplexity" not in key}
    assert ours == expected
    assert result.failed == 0 and result.n == 12
    by_sample = {str(one["doc_id"]): one for one in theirs["samples"][name] if one["filter"] in ("none", "strict")}
    assert len(by_sample) == 12
    again = evaluate(task, nano, folder / "docs.jsonl", Settings(kind=task.kind), tmp_path / "runs")
    assert {one.name: one.value for one in again.metrics} == ours


def test_the_scores_tell_documents_apart(theirs):
    """A test on scores that are all 0 or all 1 would hold nothing."""
    closed = theirs["results"]["closed"]
    assert 0 < closed["acc,none"] < 1 or 0 < closed["acc_norm,none"] < 1


def test_what_cannot_be_asked_is_refused_by_name(folder, nano):
    catalog = Catalog(task_dirs=(folder,))
    closed = catalog.find_task("lm_eval/closed")
    with pytest.raises(ConfigError, match="kind=generate.*kind=loglikelihood"):
        check(closed, Settings(), nano.name, nano.capabilities)
    with pytest.raises(CapabilityError, match="weigh"):
        check(closed, Settings(kind="loglikelihood"), "mute", type(nano.capabilities)())
    with pytest.raises(ConfigError, match="task of lm-eval 'closd'.*'closed'"):
        catalog.find_task("lm_eval/closd")
    rolling = (folder / "lone.yaml").read_text().replace("lone", "rolling").replace("loglikelihood", "loglikelihood_rolling")
    (folder / "rolling.yaml").write_text(rolling.replace("{metric: acc}, {metric: perplexity}", "{metric: word_perplexity}"))
    with pytest.raises(ConfigError, match="loglikelihood_rolling is not supported"):
        catalog.find_task("lm_eval/rolling")


def test_the_model_is_in_lm_evals_registry():
    from lm_eval.api.registry import get_model

    import models.bridges.lm_eval as bridge

    assert get_model("riddle") is bridge.RiddleLM
    made = get_model("riddle").create_from_arg_obj({"model": "nano", "threads": 0}, {"device": "cuda:0", "batch_size": 1})
    assert made.model.name == "nano"  # the command fills in a device by itself
    assert Path(bridge.__file__).name == "lm_eval.py"

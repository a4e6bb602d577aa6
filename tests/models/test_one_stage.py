"""One-stage training on annotation files: what a step computes, how runs go on after a kill, and on how many processes."""

from __future__ import annotations

import csv
import importlib.util
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from harness.errors import ConfigError, DatasetError
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.train.annotations import Annotations, read_data_config
from models.sphinx_x.train.examples import Example, Maker, Skipped, collate, pack
from models.sphinx_x.train.loading import Steps
from models.sphinx_x.train.objective import Objective, losses_of
from models.sphinx_x.train.one_stage import train
from models.sphinx_x.variants import MICRO, MICRO_MOE, Variant
from tests.models.annotated import mixture, recipe
from tests.models.processes import call, end_of, start

needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed: pip install 'riddle-eval[train-deepspeed]'"
)
ZERO = {"engine": "deepspeed"}
ZERO3 = {"engine": "deepspeed", "zero": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixture(tmp_path_factory.mktemp("annotated") / "data")


@pytest.fixture(scope="module")
def maker(data: Path) -> Maker:
    annotations = Annotations(read_data_config(data / "data_config.yaml"))
    return Maker(annotations, Tokenizer.load(data / checkpoint.TOKENIZER), MICRO, 160)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in this process."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(recipe(data, folder))
    return folder


def rows(folder: Path, name: str = "train.csv") -> list[dict[str, str]]:
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def losses(folder: Path) -> list[tuple[float, float]]:
    return [(float(row["loss"]), float(row["grad_norm"])) for row in rows(folder)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / checkpoint.WEIGHTS)


def same(one: Path, other: Path, tolerance: float = 0.0) -> None:
    assert [pytest.approx(pair, rel=max(tolerance, 1e-12) * 100) for pair in losses(one)] == losses(other)
    first, second = weights(one), weights(other)
    for name, value in first.items():
        assert torch.allclose(value.float(), second[name].float(), rtol=0, atol=tolerance), name


def objective(variant: Variant, scale: float = 0.2) -> Objective:
    torch.manual_seed(0)
    model = SphinxX(variant)
    for parameter in model.language_model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=scale)
    return Objective(model, 0.01, train_encoders=False)


def examples(maker: Maker, places: range) -> list[Example]:
    found = [maker(place) for place in places]
    assert all(isinstance(one, Example) for one in found)
    return [one for one in found if isinstance(one, Example)]


def test_packed_rows_have_the_losses_of_single_examples(maker: Maker) -> None:
    module = objective(MICRO)
    chosen = [*examples(maker, range(6)), *examples(maker, range(26, 32))]
    with torch.no_grad():
        single = [float(losses_of(module, collate([[one]], 0), 1, 1).tokens) for one in chosen]
        padded = losses_of(module, collate([[one] for one in chosen], 0), 1, 1)
        laid = collate(pack(chosen, 160), 0)
        packed = losses_of(module, laid, 1, 1)
    assert laid.packed and len(laid.rows) < len(chosen)
    assert float(padded.tokens) == pytest.approx(sum(single), rel=1e-5)
    assert float(packed.tokens) == pytest.approx(sum(single), rel=1e-5)


def test_a_target_is_the_token_behind_its_position(maker: Maker) -> None:
    chosen = examples(maker, range(2))
    batch = collate([chosen], 0)
    at = 0
    wanted = []
    for one in chosen:
        wanted += [(at + one.visual + k - 1, target) for k, target in enumerate(one.labels) if target]
        at += one.positions
    assert list(zip(batch.where.tolist(), batch.targets.tolist(), strict=True)) == wanted


def test_frozen_encoders_get_no_gradient_and_all_else_gets_one_even_without_pictures(maker: Maker) -> None:
    module = objective(MICRO_MOE)
    losses_of(module, collate([[one] for one in examples(maker, range(26, 28))], 0), 10, 1).loss.backward()
    without = {name for name, weight in module.named_parameters() if weight.grad is None}
    assert without and all(name.startswith("model.vision.") for name in without)
    assert float(module.model.projector.norm.weight.grad.abs().max()) == 0


def test_packing_fills_rows_and_loses_nothing(maker: Maker) -> None:
    chosen = examples(maker, range(24))
    packed = pack(chosen, 200)
    assert sorted(map(id, chosen)) == sorted(id(one) for row in packed for one in row)
    assert max(sum(one.positions for one in row) for row in packed) <= 200
    assert len(packed) <= -(-sum(one.positions for one in chosen) // 200) + 2


def test_bad_records_are_counted_and_named_and_not_replaced(tmp_path: Path) -> None:
    folder = mixture(tmp_path / "data", pictures=6, texts=4)
    with (folder / "pictures.jsonl").open("a") as file:
        file.write('{"conversations": \n')
        file.write(json.dumps({"id": "odd", "conversations": [{"from": "gpt", "value": "?"}]}) + "\n")
        turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "red"}]
        file.write(json.dumps({"id": "lost", "image": "none.png", "conversations": turns}) + "\n")
        file.write(json.dumps({"id": "out", "image": "../data_config.yaml", "conversations": turns}) + "\n")
        long = [{"from": "human", "value": "What " * 200}, {"from": "gpt", "value": "red"}]
        file.write(json.dumps({"id": "long", "conversations": long}) + "\n")
    found = Annotations(read_data_config(folder / "data_config.yaml"))
    assert len(found) == 13 and len(found.bad) == 2
    assert "pictures.jsonl line 7: not JSON" in found.bad[0]
    maker = Maker(found, Tokenizer.load(folder / checkpoint.TOKENIZER), MICRO, 160)
    made = [maker(place) for place in (6, 7, 8)]
    assert [one.name for one in made if isinstance(one, Skipped)] == ["lost", "out", "long"]
    reasons = [one.reason for one in made if isinstance(one, Skipped)]
    assert "none.png" in reasons[0] and "lies outside of" in reasons[1] and "no answer is left within 160" in reasons[2]
    run = recipe(folder, tmp_path / "run", batch=4, micro=2, steps=0)
    train(run)
    named = {row["record"] for row in rows(tmp_path / "run", "skipped.csv")}
    assert named <= {"lost", "out", "long"} and named
    assert rows(tmp_path / "run")[-1]["skipped"] == str(len(rows(tmp_path / "run", "skipped.csv")))
    with pytest.raises(DatasetError, match="2 records cannot be read, such as"):
        train(replace(run, folder=str(tmp_path / "strict"), data=replace(run.data, max_bad=0.01)))


def test_lists_and_compressed_files_are_read_too_and_ratios_sample_as_the_authors(tmp_path: Path) -> None:
    import gzip
    import random

    folder = mixture(tmp_path / "data")
    lines = (folder / "texts.jsonl").read_text().splitlines()
    (folder / "texts.json").write_text(json.dumps([json.loads(line) for line in lines]))
    (folder / "more.jsonl.gz").write_bytes(gzip.compress((folder / "texts.jsonl").read_bytes()))
    listed = [{"path": name, "type": "text", "ratio": ratio} for name, ratio in (("texts.json", 0.5), ("more.jsonl.gz", None))]
    (folder / "other.yaml").write_text(json.dumps({"META": listed}))
    found = Annotations(read_data_config(folder / "other.yaml"))
    ids = [found.conversation(place).id for place in range(len(found))]
    random.seed(0)
    assert ids == [f"text-{n}" for n in random.sample(range(16), 8)] + [f"text-{n}" for n in range(16)]


@pytest.mark.parametrize("text", ["META: []", "META: 3", "x: [", "META: [{type: text}]"])
def test_a_list_of_files_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(DatasetError, match="c.yaml"):
        read_data_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_step_holds_the_same_records_on_any_number_of_processes(processes: int, data: Path, maker: Maker) -> None:
    config = recipe(data, Path("x"), batch=4, micro=2)
    alone = Steps(config, maker)
    shared = [Steps(config, maker, rank, processes) for rank in range(processes)]
    for step in range(2 * len(alone)):
        assert sorted(place for one in shared for place in one.places(step)) == sorted(alone.places(step))
        kinds = {maker.annotations.kinds[place] for place in alone.places(step)}
        assert len(kinds) == 1


def test_a_run_stopped_twice_goes_on_with_the_same_losses_and_weights(data: Path, whole: Path, tmp_path: Path) -> None:
    for stop in (1, 3, 0):
        train(recipe(data, tmp_path / "run", stop_after=stop))
    same(whole, tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run")] == [str(n) for n in range(1, 6)]
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["step-00000004", "step-00000005"]


def test_the_finished_model_loads_and_the_curves_are_drawn(whole: Path) -> None:
    model, words = checkpoint.load(whole / "model")
    assert model.variant.name == "micro" and words.size <= 512
    assert (whole / "curves.png").stat().st_size > 1000
    assert {"tokens_per_s", "samples_per_s", "lr", "epoch"} <= set(rows(whole)[0])


def test_the_schedule_is_the_authors(whole: Path) -> None:
    rates = [float(row["lr"]) for row in rows(whole)]
    assert rates[0] == 0 and rates[1] == pytest.approx(2e-3) and rates[2:] == sorted(rates[2:], reverse=True)


def test_another_runs_checkpoint_is_refused(data: Path, whole: Path) -> None:
    with pytest.raises(ConfigError, match=r"lr=0.1, was 0.002.*choose another train.folder"):
        train(recipe(data, whole, lr=0.1))


def test_a_sparse_variant_writes_its_experts_load(data: Path, tmp_path: Path) -> None:
    train(recipe(data, tmp_path / "run", variant="micro_moe", steps=2, packing="packed", recompute=True, precision="bf16"))
    found = rows(tmp_path / "run", "experts.csv")
    assert len(found) == 2 * MICRO_MOE.backbone.layers * 4
    first = [float(row["share"]) for row in found if row["step"] == "1" and row["layer"] == "0"]
    assert sum(first) == pytest.approx(1, abs=1e-3)
    assert float(rows(tmp_path / "run")[0]["balance"]) >= 1


@pytest.mark.slow  # a process that imports everything again
def test_worker_processes_prepare_the_same_steps(data: Path, whole: Path, tmp_path: Path) -> None:
    train(recipe(data, tmp_path / "run", workers=1))
    same(whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 0}, "train.batch=0"),
        ({"batch": 5}, "cannot be shared out evenly"),
        ({"row": 10, "packing": "packed"}, "shorter than the longest"),
        ({"parallel": {"tensor": 2, "engine": "deepspeed"}}, "DeepSpeed does not take"),
        ({"parallel": {"tensor": 2}}, "does not divide 1 processes"),
        ({"parallel": {"zero": 3}}, "is a stage of engine=deepspeed, not of engine=torch"),
        ({"parallel": {"zero": 1, "engine": "deepspeed"}}, "zero=1: must be 2 or 3"),
        ({"warmup": 2.0}, "less than epochs"),
        ({"tokenizer": "nowhere"}, "holds no tokenizer"),
        ({"batch": 64}, "no kind fills a batch"),
        ({"loggers": ("tensorboard",)}, "tensorboard is not installed"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str, data: Path, tmp_path: Path) -> None:
    if "loggers" in changes and importlib.util.find_spec("tensorboard"):
        pytest.skip("tensorboard is installed")
    with pytest.raises(ConfigError, match=message):
        train(recipe(data, tmp_path / "run", **changes))


@pytest.mark.slow  # seconds for each process
@pytest.mark.parametrize("moment", [{"die_after": 3}, {"die_saving": 4}], ids=["between checkpoints", "while saving"])
def test_a_killed_run_goes_on_as_if_it_had_not_been(moment: dict[str, int], data: Path, whole: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"data": str(data), "folder": str(tmp_path / "run")}
    (killed,) = start("train_runs:annotated", 1, **settings, **moment)
    assert end_of(killed) == -signal.SIGKILL
    assert losses(tmp_path / "run") == losses(whole)[: 3 if "die_after" in moment else 4]
    call("train_runs:annotated", 1, **settings)
    same(whole, tmp_path / "run", 1e-7)


def run(data: Path, folder: Path, processes: int, **changes: Any) -> Path:
    call("train_runs:annotated", processes, data=str(data), folder=str(folder), **changes)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="data parallel"),
        pytest.param({"packing": "packed"}, id="packed"),
        pytest.param({"parallel": {"engine": "fsdp"}}, id="FSDP"),
        pytest.param({"parallel": ZERO}, id="ZeRO-2", marks=needs_deepspeed),
        pytest.param({"parallel": ZERO3}, id="ZeRO-3", marks=needs_deepspeed),
        pytest.param({"parallel": ZERO3, "recompute": True, "packing": "packed"}, id="ZeRO-3, recompute", marks=needs_deepspeed),
    ],
)
def test_two_processes_train_what_one_does(changes: dict[str, Any], data: Path, whole: Path, tmp_path: Path) -> None:
    same(whole, run(data, tmp_path / "two", 2, **changes), 2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "parallel", "variant"),
    [
        pytest.param(2, {"tensor": 2}, "micro_even", id="tensor parallel"),
        pytest.param(2, {"tensor": 2}, "micro_moe_even", id="tensor parallel, experts"),
        pytest.param(4, {"tensor": 2, "engine": "fsdp"}, "micro_even", id="tensor and data parallel"),
    ],
)
def test_processes_hold_one_language_model(
    processes: int, parallel: dict[str, Any], variant: str, data: Path, tmp_path: Path
) -> None:
    """Tensor parallel by transformers' plan, in one group or two: losses, gradient norms and weights are those of one process."""
    one = run(data, tmp_path / "one", 1, variant=variant, steps=3)
    same(one, run(data, tmp_path / "cut", processes, variant=variant, steps=3, parallel=parallel), 2e-6)


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of which many pictures are missing, so that one process has a picture to look at while another has none."""
    folder = mixture(tmp_path_factory.mktemp("gaps") / "data")
    for number in range(0, 24, 3):
        (folder / "images" / f"{number}.png").unlink()
    return folder


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize("parallel", [ZERO, ZERO3], ids=["ZeRO-2", "ZeRO-3"])
@pytest.mark.parametrize("variant", ["micro", "micro_moe"])
def test_processes_agree_though_only_some_have_a_picture(
    variant: str, parallel: dict[str, Any], gaps: Path, tmp_path: Path
) -> None:
    """Gradients arrive in one order and modules that are gathered are called equally often, whatever a process has to look at."""
    settings = {"variant": variant, "micro": 1, "train_encoders": variant == "micro_moe", "max_bad": 1.0}
    one = run(gaps, tmp_path / "one", 1, **settings)
    same(one, run(gaps, tmp_path / "two", 2, parallel=parallel, **settings), 2e-6)


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize("parallel", [ZERO, ZERO3], ids=["ZeRO-2", "ZeRO-3"])
def test_a_killed_sharded_run_goes_on_with_any_engine_and_number_of_processes(
    parallel: dict[str, Any], data: Path, whole: Path, tmp_path: Path
) -> None:
    import shutil

    killed = tmp_path / "two"
    settings: dict[str, Any] = {"data": str(data), "folder": str(killed)}
    for process in start("train_runs:annotated", 2, **settings, parallel=parallel, die_after=3):
        assert end_of(process)  # killed, or fallen with its partner
    assert [path.name for path in (killed / "checkpoints").glob("step-*")] == ["step-00000002"]
    shutil.copytree(killed, tmp_path / "one")
    same(whole, run(data, killed, 2, parallel=parallel), 2e-6)
    same(whole, run(data, tmp_path / "one", 1), 2e-6)


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize("parallel", [ZERO, ZERO3], ids=["ZeRO-2", "ZeRO-3"])
def test_bfloat16_with_master_weights_follows_full_precision(
    parallel: dict[str, Any], data: Path, whole: Path, tmp_path: Path
) -> None:
    half = run(data, tmp_path / "half", 2, parallel=parallel, precision="bf16")
    for (loss, _), (other, _) in zip(losses(whole), losses(half), strict=True):
        assert other == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize(
    "name", ["sphinx_tiny", "sphinx_intern2", "sphinx_plus", "sphinx_plus_2k", "sphinx_moe", "nano_annotated"]
)
def test_the_papers_recipe_is_what_the_configuration_says(name: str) -> None:
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    from harness.schema import read
    from models.sphinx_x.train.recipe import RecipeConfig

    with initialize_config_module("conf", version_base="1.3"):
        composed = compose("train", overrides=[f"train={name}", "train/data=paper"])
    values: Any = OmegaConf.to_container(composed, resolve=True)
    assert values["train"].pop("_target_") == "models.sphinx_x.train.one_stage.train"
    found = read(RecipeConfig, values["train"])
    assert name == found.variant or name.startswith(found.variant)
    assert (found.betas, found.weight_decay, found.epochs) == ((0.9, 0.95), 0.0, 1.0)
    if name.startswith("sphinx"):
        assert (found.batch, found.warmup, found.train_encoders, found.precision) == (256, 0.01, False, "bf16")
        assert found.lr == (5e-6 if name == "sphinx_moe" else 2e-5)
        assert found.parallel.tensor == {"sphinx_moe": 8, "sphinx_plus": 2, "sphinx_plus_2k": 2}.get(name, 1)

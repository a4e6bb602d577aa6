"""SPHINX-X behind the model protocol: settings, fingerprint, and the bench that compares it with transformers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import ConfigError
from harness.keys import hash_of
from models.local import digest_of
from models.sphinx_x import checkpoint
from models.sphinx_x.plugin import SphinxXModel, weights_folder
from models.sphinx_x.template import answer_piece, conversation
from models.sphinx_x.variants import Variant
from tests.models.specimens import mixed_requests, sparse_specimen, specimen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("weights") / "micro"
    checkpoint.save(where, *specimen(), "float32")
    return where


@pytest.fixture(scope="module")
def sparse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("weights") / "micro_moe"
    checkpoint.save(where, *sparse_specimen(), "float32")
    return where


def test_importing_the_plugin_takes_no_torch() -> None:
    code = "import sys, models.sphinx_x.plugin; print(sorted({'torch', 'transformers', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_saved_model_answers_as_the_one_in_memory(folder: Path) -> None:
    from models.sphinx_x.inference.engine import Engine

    requests = mixed_requests(20)
    loaded = {r.key: r.text for r in SphinxXModel(str(folder)).generate(requests)}
    assert loaded == {r.key: r.text for r in Engine(*specimen()).generate(requests)}


def test_the_fingerprint_covers_what_answers_depend_on(folder: Path, sparse_folder: Path, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "other", *specimen(seed=1), "float32")
    prints = [
        SphinxXModel(str(folder)).fingerprint,
        SphinxXModel(str(folder), dtype="bfloat16").fingerprint,
        SphinxXModel(str(folder), dtype="int8").fingerprint,
        SphinxXModel(str(folder), long_prompts="cut").fingerprint,
        SphinxXModel(str(folder), attention="eager").fingerprint,
        SphinxXModel(str(tmp_path / "other")).fingerprint,
        SphinxXModel(str(sparse_folder)).fingerprint,
        SphinxXModel(str(sparse_folder), active_experts=1).fingerprint,
    ]
    assert len(set(prints)) == len(prints)


def test_the_fingerprint_leaves_out_what_no_answer_depends_on(folder: Path, sparse_folder: Path) -> None:
    plain = SphinxXModel(str(folder))
    if not torch.cuda.is_available():
        assert SphinxXModel(str(folder), dtype="auto", device="auto").fingerprint == plain.fingerprint
    other = SphinxXModel(str(folder), name="renamed", max_batch=3, batch_tokens=100, window=9, threads=0)
    assert plain.fingerprint == other.fingerprint
    assert (plain.name, other.name) == ("micro", "renamed")
    assert SphinxXModel(str(sparse_folder), active_experts=2).fingerprint == SphinxXModel(str(sparse_folder)).fingerprint


@pytest.mark.parametrize("weights", ["nano", "nano_moe"])
def test_the_fingerprint_of_shipped_weights_is_made_of_these_parts_in_this_order(weights: str) -> None:
    """Runs are found again by it: whoever changes a part on purpose raises ``ENGINE_VERSION``."""
    folder = weights_folder(weights)
    files = [digest_of(folder / name) for name in ("model.safetensors", "tokenizer.json")]
    template = conversation([("?", "!"), ("?", None)]) + answer_piece("!")
    variant = checkpoint.load_config(folder)["variant"]
    parts = ["sphinx_x", 1, *files, template, Variant.from_json(variant).to_json()]
    exact, reduced = SphinxXModel(weights), SphinxXModel(weights, dtype="bfloat16", long_prompts="cut", attention="eager")
    assert exact.fingerprint == hash_of([*parts, "float32", "fail"])
    assert reduced.fingerprint == hash_of([*parts, ["bfloat16", "cpu", "float32 angles"], "cut", "attention", "eager"])


def test_attention_is_checked_and_told_to_the_encoders(folder: Path) -> None:
    requests = mixed_requests(6)
    eager, plain = (list(SphinxXModel(str(folder), attention=how).generate(requests)) for how in ("eager", None))
    assert {r.key: r.text for r in eager} == {r.key: r.text for r in plain}
    model: Any = checkpoint.load(folder)[0]
    parts = [model.language_model, model.vision.encoders["dinov2"].trunk]
    assert {part.config._attn_implementation for part in parts} == {"sdpa"}
    model.set_attention("eager")
    assert {part.config._attn_implementation for part in parts} == {"eager"}
    with pytest.raises(ConfigError, match="model.attention='flash' "):
        SphinxXModel(str(folder), attention="flash")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="computes in bfloat16 or float16 only"):
        SphinxXModel(str(folder), attention="flash_attention_2")


def test_reduced_precision_keeps_the_digits_of_rotary_frequencies(folder: Path) -> None:
    model, _ = checkpoint.load(folder)
    exact = {name: value.clone() for name, value in model.language_model.named_buffers()}
    model.place(torch.device("cpu"), torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert exact and all(torch.equal(value, exact[name]) for name, value in model.language_model.named_buffers())


def test_float32_means_float32_on_a_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    SphinxXModel(str(folder))
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_fewer_active_experts_change_replies(sparse_folder: Path) -> None:
    requests = mixed_requests(20)
    two, one = (
        {r.key: r.text for r in SphinxXModel(str(sparse_folder), active_experts=count).generate(requests)} for count in (2, 1)
    )
    assert two != one


def test_unknown_weights_are_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"model\.weights=nowhere: no such folder.*shipped:"):
        SphinxXModel("nowhere")


def test_a_folder_without_weights_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json"):
        SphinxXModel(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "int4"}, r"dtype='int4'"),
        ({"device": "abacus"}, r"device='abacus'"),
        ({"device": f"cuda:{torch.cuda.device_count()}"}, r"CUDA device"),
        ({"max_batch": 0}, r"max_batch=0"),
        ({"variant": "sphinx_moe"}, r"holds variant micro, not sphinx_moe"),
        ({"active_experts": 2}, r"active_experts=2"),
    ],
)
def test_bad_settings_are_named(folder: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SphinxXModel(str(folder), **settings)  # type: ignore[arg-type]


def test_tokens_are_counted_as_the_responses_report_them(folder: Path) -> None:
    model = SphinxXModel(str(folder))
    requests = mixed_requests(20)
    counted = {response.key: response.prompt_tokens for response in model.generate(requests)}
    assert {request.key: model.prompt_tokens(request) for request in requests} == counted

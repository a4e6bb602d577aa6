"""Parts from model hubs start a model, and a saved model's parts are what plain transformers loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoTokenizer

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.convert import convert
from models.sphinx_x.official.encoders import encoder_pieces
from models.sphinx_x.official.export import preprocessor, push
from models.sphinx_x.official.hub import initialise_from
from models.sphinx_x.sources import parts
from models.sphinx_x.template import conversation
from models.sphinx_x.tiling import square
from models.sphinx_x.variants import MICRO, find_variant
from tests.models.official_specimens import DENSE, random_model, small_layout
from tests.models.specimens import sparse_specimen, specimen


def fresh(name: str = "sphinx_1k") -> tuple[SphinxX, SphinxX]:
    """A model to start, and one whose parts it is started from."""
    variant = small_layout(name)
    return random_model(variant, 0), random_model(variant, 1)


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("name", [pytest.param("sphinx_1k", marks=pytest.mark.slow), "sphinx_moe_1k"])
def test_a_language_model_saved_by_transformers_starts_a_model(name: str, tmp_path: Path) -> None:
    model, donor = fresh(name)
    before = model.start_img.clone()
    donor.language_model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    initialise_from(model, language=tmp_path)
    assert_same(model.language_model, donor.language_model)
    assert torch.equal(model.start_img, before)


def test_pickled_weights_start_a_model_too(tmp_path: Path) -> None:
    model, donor = fresh()
    torch.save(donor.language_model.state_dict(), tmp_path / "pytorch_model.bin")
    initialise_from(model, language=tmp_path)
    assert_same(model.language_model, donor.language_model)


def test_tied_embeddings_give_both_ends(tmp_path: Path) -> None:
    model, donor = fresh()
    weights = {name: value for name, value in donor.language_model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, tmp_path / "model.safetensors")
    initialise_from(model, language=tmp_path)
    assert torch.equal(model.language_model.lm_head.weight, weights["model.embed_tokens.weight"])


def test_internlm2_is_unpacked(tmp_path: Path) -> None:
    """Built by hand: rows of ``wqkv`` are, per key-value head, its queries, then its key, then its value."""
    model, donor = fresh()
    own, size = donor.language_model.state_dict(), DENSE.width // DENSE.heads
    weights = {
        "model.tok_embeddings.weight": own["model.embed_tokens.weight"],
        "model.norm.weight": own["model.norm.weight"],
        "output.weight": own["lm_head.weight"],
    }
    each = DENSE.heads // DENSE.kv_heads
    for layer in range(DENSE.layers):
        ours, theirs = f"model.layers.{layer}", f"model.layers.{layer}"
        q, k, v = (own[f"{ours}.self_attn.{part}_proj.weight"] for part in "qkv")
        rows = []
        for head in range(DENSE.kv_heads):
            rows += [q[(head * each + one) * size : (head * each + one + 1) * size] for one in range(each)]
            rows += [k[head * size : (head + 1) * size], v[head * size : (head + 1) * size]]
        weights[f"{theirs}.attention.wqkv.weight"] = torch.cat(rows)
        names = {"attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj"}
        names |= {"feed_forward.w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
        weights |= {f"{theirs}.{one}.weight": own[f"{ours}.{other}.weight"] for one, other in names.items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "model.safetensors")
    initialise_from(model, language=tmp_path)
    assert_same(model.language_model, donor.language_model)


@pytest.mark.parametrize("encoder", ["clip", "convnext", "dinov2"])
def test_encoders_saved_by_transformers_start_a_model(encoder: str, tmp_path: Path) -> None:
    model, donor = fresh()
    trunk = donor.vision.encoders[encoder].trunk
    trunk.save_pretrained(tmp_path)
    initialise_from(model, encoders={encoder: tmp_path})
    assert_same(model.vision.encoders[encoder].trunk, trunk)


@pytest.mark.parametrize(("encoder", "prefix"), [("clip", ""), ("convnext", "visual.trunk."), ("convnext", ""), ("dinov2", "")])
def test_encoders_as_their_authors_publish_them_start_a_model(encoder: str, prefix: str, tmp_path: Path) -> None:
    model, donor = fresh()
    own = donor.vision.encoders[encoder].state_dict()
    weights = {
        prefix + name: value.contiguous()
        for piece in encoder_pieces(encoder, list(own))
        for name, value in zip(piece.theirs, piece.store([own[part] for part in piece.ours]), strict=True)
    }
    beside = {"clip": "token_embedding.weight", "convnext": "visual.head.proj.weight", "dinov2": "mask_token"}[encoder]
    torch.save({**weights, beside: torch.ones(1)}, tmp_path / "weights.pth")
    initialise_from(model, encoders={encoder: tmp_path / "weights.pth"})
    assert_same(model.vision.encoders[encoder], donor.vision.encoders[encoder])


def test_the_whole_of_blip2_gives_its_qformer(tmp_path: Path) -> None:
    model, donor = fresh()
    weights = {**donor.vision.encoders["qformer"].state_dict(), "language_model.lm_head.weight": torch.ones(2)}
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "model.safetensors")
    initialise_from(model, encoders={"qformer": tmp_path})
    assert_same(model.vision.encoders["qformer"], donor.vision.encoders["qformer"])


def test_all_that_does_not_fit_is_told_at_once_and_nothing_copied(tmp_path: Path) -> None:
    model, donor = fresh()
    wide = SphinxX(replace(donor.variant, backbone=replace(DENSE, ffn=64, vocab=50, rope_theta=500.0)))
    wide.language_model.save_pretrained(tmp_path / "language")
    donor.vision.encoders["dinov2"].trunk.save_pretrained(tmp_path / "dinov2")
    held = load_file(tmp_path / "dinov2" / "model.safetensors")
    del held["layernorm.bias"]
    save_file({**held, "more": torch.ones(1)}, tmp_path / "dinov2" / "model.safetensors")
    before = {name: value.clone() for name, value in parts(model).items()}
    with pytest.raises(ConfigError) as caught:
        initialise_from(model, language=tmp_path / "language", encoders={"dinov2": tmp_path / "dinov2"})
    for line in (
        "rope_theta=500.0, the variant has 10000.0",
        "model.embed_tokens.weight: shape (50, 32), expected (48, 32)",
        "mlp.up_proj.weight: shape (64, 32), expected (96, 32)",
        "layernorm.bias: missing",
        "more: unknown",
    ):
        assert line in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in parts(model).items())


def test_unknown_encoders_and_empty_folders_are_named(tmp_path: Path) -> None:
    model, _ = fresh()
    with pytest.raises(ConfigError, match="no encoder siglip; it has clip, convnext"):
        initialise_from(model, encoders={"siglip": tmp_path})
    with pytest.raises(ConfigError, match="holds no model.safetensors"):
        initialise_from(model, language=tmp_path)


def exported(tmp_path: Path, make: Any) -> tuple[SphinxX, Path, Any]:
    """A model of ours, saved and turned into a folder for others, and its tokenizer."""
    model, tokenizer = make()
    checkpoint.save(tmp_path / "ours", model, tokenizer, "float32")
    convert((tmp_path / "ours",), tmp_path / "theirs", "hf", max_shard_mb=1)
    return model, tmp_path / "theirs", tokenizer


@pytest.mark.parametrize("make", [specimen, sparse_specimen])
def test_the_language_model_of_a_saved_model_loads_in_plain_transformers(make: Any, tmp_path: Path) -> None:
    model, folder, tokenizer = exported(tmp_path, make)
    kind = {"llama": "LlamaForCausalLM", "mixtral": "MixtralForCausalLM"}[model.variant.backbone.kind]
    plain = getattr(transformers, kind).from_pretrained(folder, subfolder="language_model", local_files_only=True).eval()
    assert_same(plain, model.language_model)
    ids = torch.tensor([tokenizer.encode_prompt("is there a red circle")])
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, model.language_model(ids).logits)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sphinx_1k", "sphinx_moe_1k"])
def test_the_encoders_of_a_saved_model_load_in_plain_transformers(name: str, tmp_path: Path) -> None:
    model = random_model(small_layout(name))
    checkpoint.save(tmp_path / "ours", model, specimen()[1], "float32")
    convert((tmp_path / "ours",), tmp_path / "theirs", "hf")
    for encoder, kind in (("convnext", "ConvNextModel"), ("dinov2", "Dinov2Model"), ("clip", "CLIPVisionModel")):
        plain = getattr(transformers, kind).from_pretrained(tmp_path / "theirs", subfolder=f"vision/{encoder}")
        assert_same(plain, model.vision.encoders[encoder].trunk)
    loaded, _ = checkpoint.load(tmp_path / "theirs")
    assert_same(loaded, model)


@pytest.mark.parametrize("subfolder", ["", "language_model"])
def test_tokenizer_and_template_load_in_plain_transformers(subfolder: str, tmp_path: Path) -> None:
    _, folder, tokenizer = exported(tmp_path, specimen)
    plain = AutoTokenizer.from_pretrained(folder, subfolder=subfolder, local_files_only=True)
    asked = [{"role": "user", "content": "<image>\nhow many"}]
    text = plain.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert text == "<s>" + conversation([("how many", None)])
    found = plain.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    assert found == tokenizer.encode_prompt("how many")
    turns = [*asked, {"role": "assistant", "content": "7"}, {"role": "user", "content": [{"type": "text", "text": "where"}]}]
    text = plain.apply_chat_template(turns, tokenize=False)
    assert text == "<s>" + conversation([("how many", "7"), ("where", None)]).removesuffix(" Assistant:")


def test_the_preprocessor_says_what_tiling_does() -> None:
    """Read by transformers' processor where it exists without torchvision; else its numbers are compared by hand."""
    variant = small_layout("sphinx_1k")
    said = preprocessor(variant)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 70, 3), dtype=np.uint8)
    mean = tuple(int(255 * value) for value in said["image_mean"])
    canvas = Image.new("RGB", (70, 70), mean)
    canvas.paste(Image.fromarray(pixels), (0, 20))
    resized = canvas.resize((said["size"]["width"], said["size"]["height"]), said["resample"])
    values = torch.from_numpy(np.array(resized)).permute(2, 0, 1) * said["rescale_factor"]
    ours = square(Image.fromarray(pixels), variant)
    theirs = (values - torch.tensor(said["image_mean"]).view(3, 1, 1)) / torch.tensor(said["image_std"]).view(3, 1, 1)
    assert torch.allclose(ours, theirs.float(), atol=1e-5)
    assert said["image_processor_type"] == "LlavaImageProcessor"
    assert preprocessor(MICRO)["image_processor_type"] == "SphinxXImageProcessor"
    assert preprocessor(find_variant("sphinx_moe_1k"))["sphinx_x"]["view_sizes"] == [224, 512]


class FakeApi:
    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        self.calls.append(("create_repo", {"repo_id": repo_id, "private": private, "exist_ok": exist_ok}))

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str, ignore_patterns: Sequence[str]) -> str:
        self.calls.append(("upload_folder", {"repo_id": repo_id, "folder_path": folder_path, "ignored": list(ignore_patterns)}))
        return "done"


def test_a_folder_is_pushed_privately_unless_told_otherwise(tmp_path: Path) -> None:
    _, folder, _ = exported(tmp_path, specimen)
    api = FakeApi()
    assert push(folder, "me/model", api=api) == "done"
    assert api.calls[0] == ("create_repo", {"repo_id": "me/model", "private": True, "exist_ok": True})
    assert api.calls[1][1]["folder_path"] == str(folder)
    with pytest.raises(ConfigError, match="holds no config.json"):
        push(tmp_path, "me/model", api=api)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sphinx_x"

"""One sparse layer against the authors' code, in float32 and in bfloat16: who is chosen, how much each weighs, what comes out."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.sphinx_x.llm import build_language_model
from models.sphinx_x.official.names import pieces
from models.sphinx_x.sources import Converted, Memory, fill
from models.sphinx_x.train.step import balance, expert_load
from models.sphinx_x.variants import Backbone, find_variant
from tests.models.golden_sphinx import BUNDLED

FOLDER = BUNDLED / "router"
FACTS = json.loads((FOLDER / "router.json").read_text())
TENSORS = load_file(FOLDER / "router.safetensors")


def case_of(precision: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{precision}."): value for name, value in TENSORS.items() if name.startswith(f"{precision}.")}


def layer_of(precision: str) -> nn.Module:
    """The sparse block of a one-layer model, filled through the conversion of the authors' names."""
    backbone = Backbone(
        kind="mixtral",
        vocab=8,
        width=FACTS["dim"],
        layers=1,
        heads=1,
        kv_heads=1,
        ffn=FACTS["hidden_dim"],
        experts=FACTS["num_experts"],
        active_experts=FACTS["top_k"],
    )
    block = build_language_model(backbone).model.layers[0].mlp
    case, stem = case_of(precision), "llma.layers.0.feed_forward."
    theirs = Memory({stem + name: case[name] for name in ("gate.weight", "w1", "w2", "w3")})
    variant = find_variant("sphinx_moe_1k")
    table = pieces(type(variant)(name="x", encoders=variant.encoders, backbone=backbone, image_size=1024), [])
    converted = Converted(theirs, table)
    ours = "language_model.model.layers.0.mlp."
    fill(block, Memory({name.removeprefix(ours): converted.read(name) for name in converted.shapes()}))
    return block.eval()


@pytest.mark.parametrize(("precision", "atol"), [("fp32", 2e-6), ("bf16", 4e-3)])
@torch.no_grad()
def test_the_sparse_block_is_the_authors(precision: str, atol: float) -> None:
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    block, case = layer_of(precision).to(dtype), case_of(precision)
    hidden = case["x"].to(dtype)
    logits, weights, chosen = block.gate(hidden)
    order = weights.float().argsort(dim=-1, descending=True, stable=True)
    assert torch.equal(chosen.gather(1, order), case["selected_experts"])
    torch.testing.assert_close(weights.float().gather(1, order), case["weights"], atol=atol, rtol=0)
    torch.testing.assert_close(logits.float(), case["gate_logits"], atol=atol, rtol=2**-7 if precision == "bf16" else 0)
    made = block(hidden[None])
    out = (made[0] if isinstance(made, tuple) else made).reshape(hidden.shape)
    coarse = {"atol": 2e-2, "rtol": 2**-7}  # two steps of bfloat16, which kernels that add in another order may differ by
    torch.testing.assert_close(out.float(), case["y"], **(coarse if precision == "bf16" else {"atol": 2e-6, "rtol": 0}))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_load_and_its_loss_are_the_authors(precision: str) -> None:
    case = case_of(precision)
    load = expert_load(case["gate_logits"].softmax(-1), FACTS["top_k"])
    assert load.tolist() == case["tokens_per_expert"].tolist()
    found = balance((case["gate_logits"],), FACTS["top_k"])
    torch.testing.assert_close(found[None], case["load_balancing_loss"], atol=1e-6 if precision == "fp32" else 4e-3, rtol=0)

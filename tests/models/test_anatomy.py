"""What a variant is made of, by formula, against models on the ``meta`` device and a counter of matrix products."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.sphinx_x.anatomy import (
    active_parameters,
    anatomy,
    card,
    encoder_flops,
    kv_bytes,
    language_flops,
    language_parameters,
    parameters,
    prompt,
    view_flops,
)
from models.sphinx_x.model import SphinxX
from models.sphinx_x.variants import PAPER, PUBLISHED, SCALING, VARIANTS, find_variant

COUNTS = {  # of models built on the meta device
    "nano": 2_570_368,
    "nano_moe": 8_968_320,
    "micro": 67_912,
    "micro_moe": 105_032,
    "scale_100k": 94_532,
    "scale_250k": 238_952,
    "scale_500k": 525_888,
    "scale_1m": 1_035_264,
    "scale_2m": 1_967_488,
    "scale_100k_moe": 122_564,
    "scale_250k_moe": 350_312,
    "scale_500k_moe": 933_440,
    "scale_1m_moe": 1_978_368,
    "scale_2m_moe": 4_000_128,
    "sphinx_tiny": 3_089_375_104,
    "sphinx_intern2": 9_736_484_736,
    "sphinx_plus": 15_019_365_248,
    "sphinx_plus_2k": 15_019_365_248,
    "sphinx_moe": 48_701_568_896,
    "sphinx": 16_422_844_800,
    "sphinx_1k": 16_422_844_800,
    "sphinx_1k_pooled": 16_422_844_800,
    "sphinx_2k": 16_422_844_800,
    "sphinx_tiny_1view": 3_089_373_056,
    "sphinx_tiny_1k": 3_089_373_056,
    "sphinx_moe_1view": 50_103_211_392,
    "sphinx_moe_1k": 50_103_211_392,
}
BASES = {  # language models and encoders whose sizes are known from elsewhere, in parameters
    "sphinx_tiny": {"language_model": 1_100_048_384, "convnext": 843_398_016, "dinov2": 1_136_479_232},
    "sphinx_intern2": {"language_model": 7_737_708_544},
    "sphinx_plus": {"language_model": 13_015_864_320},
    "sphinx_moe": {"language_model": 46_702_792_704},
    "sphinx": {"clip": 303_179_776, "qformer": 1_091_114_496},
}
SMALL = ("micro", "micro_moe", "scale_100k")
SLOW = [pytest.param(name, marks=pytest.mark.slow if name not in SMALL else ()) for name in VARIANTS]


def on_meta(name: str) -> SphinxX:
    with torch.device("meta"):
        return SphinxX(find_variant(name)).eval().requires_grad_(False)


def size(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_its_pinned_number_of_parameters(name: str) -> None:
    variant = find_variant(name)
    assert sum(parameters(variant).values()) == COUNTS[name]
    known = parameters(variant) | {"language_model": language_parameters(variant)}
    assert {part: known[part] for part in BASES.get(name, {})} == BASES.get(name, {})


@pytest.mark.parametrize("name", SLOW)
def test_the_formulas_count_what_a_model_has(name: str) -> None:
    model, counted = on_meta(name), parameters(find_variant(name))
    parts = {**dict(model.vision.encoders.named_children()), "projector": model.projector}
    assert {part: size(module) for part, module in parts.items()} == {part: counted[part] for part in parts}
    assert size(model.language_model) == language_parameters(find_variant(name))
    assert size(model) == sum(counted.values())


@pytest.mark.parametrize("name", SLOW)
def test_the_formulas_count_the_operations_that_are_carried_out(name: str) -> None:
    variant, model = find_variant(name), on_meta(name).to(torch.bfloat16)
    for encoder in variant.visual_experts:
        view = torch.zeros(1, 3, encoder.input_size, encoder.input_size, device="meta", dtype=torch.bfloat16)
        with FlopCounterMode(display=False) as counter:
            model.vision.encoders[encoder.name](view)
        assert counter.get_total_flops() == encoder_flops(encoder), encoder.name
    if variant.backbone.experts:
        return  # which kernel multiplies experts differs between devices, and the counter does not know all of them
    embeddings = torch.zeros(1, 50, variant.backbone.width, device="meta", dtype=torch.bfloat16)
    mask = torch.ones(1, 1, 50, 50, dtype=torch.bool, device="meta")
    with FlopCounterMode(display=False) as counter:
        model(embeddings, attention_mask=mask, logits_to_keep=1, use_cache=False)
    rotary = 2 * 50 * (variant.backbone.width // variant.backbone.heads // 2)  # a matrix product in some versions of transformers
    assert counter.get_total_flops() - language_flops(variant.backbone, 50) in (0, rotary)


def test_a_projected_view_is_its_encoders_and_its_projections() -> None:
    variant, model = find_variant("micro"), on_meta("micro")
    pixels = {24: torch.zeros(1, 3, 24, 24, device="meta")}
    with FlopCounterMode(display=False) as counter:
        model.features(pixels)
    assert counter.get_total_flops() == view_flops(variant)


def test_a_token_passes_the_experts_that_it_is_routed_to() -> None:
    sparse = find_variant("sphinx_moe")
    assert active_parameters(sparse) == 12_879_925_248
    assert active_parameters(sparse.with_options(active_experts=8)) == language_parameters(sparse)
    dense = find_variant("sphinx_plus")
    assert active_parameters(dense) == language_parameters(dense)


def test_arithmetic_of_experts_is_that_of_as_many_feed_forward_networks_and_a_router() -> None:
    sparse, dense = find_variant("sphinx_moe").backbone, find_variant("sphinx_intern2").backbone
    head = 2 * sparse.width * (dense.vocab - sparse.vocab)
    expert = 2 * 10 * 3 * sparse.width * sparse.ffn
    router = 2 * 10 * sparse.width * sparse.experts
    assert language_flops(sparse, 10) + head == language_flops(dense, 10) + sparse.layers * (expert + router)


def test_grouped_heads_keep_fewer_keys_and_values() -> None:
    assert kv_bytes(find_variant("sphinx_moe").backbone) == 2 * 32 * 8 * 128 * 2
    assert kv_bytes(find_variant("sphinx_plus").backbone) == 2 * 40 * 40 * 128 * 2


@pytest.mark.parametrize(
    ("name", "square", "wide"),
    [
        ("sphinx_moe", 1295, 779),
        ("sphinx_plus_2k", 2590, 1816),
        ("sphinx", 291, 291),
        ("sphinx_1k", 1455, 1455),
        ("sphinx_1k_pooled", 687, 687),
        ("sphinx_2k", 2910, 2910),
        ("sphinx_tiny_1view", 259, 259),
        ("sphinx_tiny_1k", 1295, 1295),
        ("sphinx_moe_1view", 291, 291),
        ("sphinx_moe_1k", 1455, 1455),
    ],
)
def test_visual_positions_are_the_published_ones_and_fewer_where_tiles_are_skipped(name: str, square: int, wide: int) -> None:
    assert prompt(find_variant(name), 800, 800)["visual_positions"] == square
    assert prompt(find_variant(name), 800, 400)["visual_positions"] == wide


def test_sizes_of_the_scaling_family_are_what_they_are_called() -> None:
    wanted = (100e3, 250e3, 500e3, 1e6, 2e6)
    for variant, count in zip(SCALING, wanted, strict=True):
        assert abs(COUNTS[variant.name] / count - 1) < 0.06
        assert variant.side == find_variant("nano").side and variant.backbone.vocab == find_variant("nano").backbone.vocab


def test_every_member_of_the_family_has_a_file_of_settings() -> None:
    from harness.catalog import Catalog

    assert {variant.name for variant in (*PAPER, *PUBLISHED)} <= set(Catalog().choices("model"))


def test_a_card_says_in_words_what_the_numbers_say() -> None:
    numbers, lines = card({"variant": "sphinx_moe"})
    assert json.loads(json.dumps(numbers)) == numbers == anatomy(find_variant("sphinx_moe"))
    assert lines["parameters"].startswith("48.7 B: convnext 843.4 M, dinov2 1.136 B")
    assert "2 of 8 experts" in lines["experts"] and "12.88 B" in lines["experts"]
    assert "779 visual positions (3 of 5 views encoded)" in lines["picture 2:1"]
    assert "experts" not in card({"weights": "nano"})[1]


def test_models_of_unknown_variants_have_no_card() -> None:
    assert card({"weights": "/somewhere/else"}) == ({}, {})


def test_counting_imports_nothing_heavy() -> None:
    program = (
        "import sys; from models.sphinx_x.anatomy import card; card({'variant': 'sphinx_moe'}); "
        "print([name for name in ('torch', 'numpy', 'transformers', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Variants are values: they survive JSON, refuse nonsense, and say how many positions a picture takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.errors import ConfigError
from models.sphinx_x.model import SphinxX
from models.sphinx_x.variants import MICRO, MICRO_MOE, NANO, NANO_MOE, SPHINX_TINY_1K, VARIANTS, Variant, find_variant


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_survives_its_json(name: str) -> None:
    assert Variant.from_json(find_variant(name).to_json()) == VARIANTS[name]


def test_unknown_variants_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="nanno.*nano"):
        find_variant("nanno")


def test_json_with_unknown_fields_names_them() -> None:
    with pytest.raises(ConfigError, match="colour_depth"):
        Variant.from_json(MICRO.to_json() | {"colour_depth": 3})


def test_json_with_an_unknown_encoder_names_it() -> None:
    with pytest.raises(ConfigError, match="clap"):
        Variant.from_json(MICRO.to_json() | {"encoders": [{"kind": "clap"}]})


def test_encoders_must_agree_on_the_grid() -> None:
    with pytest.raises(ConfigError, match="token grid"):
        replace(MICRO, encoders=(MICRO.encoders[0], replace(MICRO.encoders[1], input_size=36)))


def test_a_dense_backbone_has_no_experts() -> None:
    with pytest.raises(ConfigError, match="experts=4"):
        replace(MICRO, backbone=replace(MICRO.backbone, experts=4))


def test_more_active_experts_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="9 active"):
        MICRO_MOE.with_options(active_experts=9)


def test_the_published_two_encoder_layout_has_its_published_number_of_positions() -> None:
    assert sum(SPHINX_TINY_1K.view_tokens(view) for view in range(SPHINX_TINY_1K.views)) == 1295
    assert SPHINX_TINY_1K.channels == 4608


def test_the_published_layout_has_its_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = SphinxX(SPHINX_TINY_1K)
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert parts["language_model"] == 1_100_048_384
    assert parts["projector"] == 4608 * 2048 + 3 * 2048


def test_the_shipped_variants_share_all_but_the_experts() -> None:
    sparse = NANO_MOE.backbone
    assert (sparse.experts, sparse.active_experts) == (8, 2)
    assert replace(NANO_MOE, name="nano", backbone=NANO.backbone) == NANO
    assert replace(sparse, kind="llama", ffn=NANO.backbone.ffn, experts=0, active_experts=0, load_balance=0.0) == NANO.backbone

"""The authors' ``meta.json`` and ``config.json`` as a variant, and back.

Not here: weights (``names``, ``shards``). The file stem in ``meta.json`` (``llama_type``) decides encoders, views and picture
size; the fields in ``config.json`` decide the language model (LLaMA2-Accessory, ``accessory/model/LLM/``, class ``ModelArgs``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError
from harness.names import suggestion
from models.sphinx_x.variants import Backbone, Variant, find_variant

CONFIG, META = "config.json", "meta.json"

LAYOUTS: Final[Mapping[str, str]] = {
    "llama_ens": "sphinx",
    "llama_ens5": "sphinx_1k",
    "llama_ens5p2": "sphinx_1k_pooled",
    "llama_ens10": "sphinx_2k",
    "llama_ens_light": "sphinx_tiny_1view",
    "llama_ens5_light": "sphinx_tiny_1k",
    "mixtral_sparse_ens": "sphinx_moe_1view",
    "mixtral_sparse_ens5": "sphinx_moe_1k",
}
"""``llama_type`` to the variant with the same encoders and views."""

_SHARED: Final[Mapping[str, Any]] = {
    "n_layers": 32,
    "n_heads": 32,
    "n_kv_heads": None,
    "vocab_size": -1,
    "norm_eps": 1e-5,
    "rope_theta": 10000,
    "max_batch_size": 32,
    "max_seq_len": 2048,
    "rope_scaling": None,
    "load_pretrained_visual_encoder": False,
    "trainable_mode": "mm_stage2",
}
_DENSE: Final[Mapping[str, Any]] = {
    **_SHARED,
    "dim": 5120,
    "n_layers": 40,
    "n_heads": 40,
    "multiple_of": 256,
    "ffn_dim_multiplier": None,
}
_SPARSE: Final[Mapping[str, Any]] = {
    **_SHARED,
    "dim": 4096,
    "hidden_dim": 16384,
    "head_dim": 128,
    "rope_theta": 1e6,
    "moe": {"num_experts_per_tok": 2, "num_experts": 8},
    "load_balancing_weight": None,
}
"""Fields and defaults of the authors' argument classes. ``head_dim`` is there but unused: heads share the width evenly."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises `ConfigError` naming the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: holds no object")
    return found


def read_variant(folder: Path, *, vocab: int | None = None) -> Variant:
    """The variant that a folder's ``meta.json`` and ``config.json`` describe. Raises `ConfigError` naming file and field."""
    kind = str(read_json(folder / META).get("llama_type", ""))
    try:
        return variant_of(kind, read_json(folder / CONFIG), vocab=vocab)
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}") from error


def variant_of(kind: str, config: Mapping[str, Any], *, vocab: int | None = None) -> Variant:
    """The variant of a ``llama_type`` and the fields of its ``config.json``.

    Args:
        kind: file stem of the authors' model, such as ``llama_ens5``.
        config: fields; what is absent has the authors' default.
        vocab: number of the tokenizer's ids, which overrides that of the configuration, as in the authors' loader.

    Raises:
        ConfigError: the type is unknown, fields are unknown (the authors' loader refuses them too), or a number is no good.
    """
    if kind not in LAYOUTS:
        raise ConfigError(f"{META}: llama_type {kind!r} is unknown{suggestion(kind, LAYOUTS)}; known are {', '.join(LAYOUTS)}")
    base = find_variant(LAYOUTS[kind])
    sparse = base.backbone.kind == "mixtral"
    defaults = _SPARSE if sparse else _DENSE
    if unknown := sorted(set(config) - set(defaults)):
        raise ConfigError(f"{CONFIG}: {kind} knows no field {', '.join(unknown)}; known are {', '.join(sorted(defaults))}")
    values = {**defaults, **config}
    try:
        backbone = _backbone(values, base.backbone, vocab)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{CONFIG}: holds no number where one belongs ({type(error).__name__}: {error})") from error
    return replace(base, backbone=backbone)


def _backbone(values: Mapping[str, Any], base: Backbone, vocab: int | None) -> Backbone:
    heads, width = int(values["n_heads"]), int(values["dim"])
    kv_heads = heads if values["n_kv_heads"] is None else int(values["n_kv_heads"])
    shape = {"vocabulary": vocab or int(values["vocab_size"]), "width": width, "heads": heads, "kv_heads": kv_heads}
    if wrong := [f"{name}={value}" for name, value in shape.items() if value < 1]:
        raise ConfigError(f"{CONFIG}: {', '.join(wrong)} must be positive (a tokenizer in the folder would give the vocabulary)")
    if width % heads or heads % kv_heads:
        raise ConfigError(f"{CONFIG}: {width} channels, {heads} heads and {kv_heads} key-value heads do not divide")
    sparse: dict[str, Any] = {}
    if base.experts:
        weight = values["load_balancing_weight"]
        sparse = {
            "experts": int(values["moe"]["num_experts"]),
            "active_experts": int(values["moe"]["num_experts_per_tok"]),
            "load_balance": base.load_balance if weight is None else float(weight),
        }
    return Backbone(
        kind=base.kind,
        vocab=shape["vocabulary"],
        width=width,
        layers=int(values["n_layers"]),
        heads=heads,
        kv_heads=kv_heads,
        ffn=int(values["hidden_dim"]) if base.experts else ffn_width(width, values["multiple_of"], values["ffn_dim_multiplier"]),
        norm_eps=float(values["norm_eps"]),
        rope_theta=float(values["rope_theta"]),
        rope_scaling=None if values["rope_scaling"] is None else float(values["rope_scaling"]),
        max_positions=int(values["max_seq_len"]),
        **sparse,
    )


def ffn_width(width: int, multiple_of: int, multiplier: float | None) -> int:
    """Width of a dense feed-forward block: two thirds of four times the width, times ``multiplier``, rounded up."""
    wide = int(2 * (4 * width) / 3)
    if multiplier is not None:
        wide = int(multiplier * wide)
    return multiple_of * -(-wide // multiple_of)


def kind_of(variant: Variant) -> str:
    """The ``llama_type`` of a variant.

    Raises:
        ConfigError: the authors have published no such layout (it differs in more than the language model).
    """
    for kind, name in LAYOUTS.items():
        base = find_variant(name)
        if replace(base, name=variant.name, backbone=variant.backbone) == variant and base.backbone.kind == variant.backbone.kind:
            return kind
    raise ConfigError(
        f"variant {variant.name}: is none of the authors' layouts ({', '.join(sorted(LAYOUTS.values()))}), "
        "so their code cannot read it; convert to format=hf instead"
    )


def config_of(variant: Variant) -> dict[str, Any]:
    """The fields of ``config.json`` for a variant of a published layout; `variant_of` reads them back."""
    backbone = variant.backbone
    config = {
        "dim": backbone.width,
        "n_layers": backbone.layers,
        "n_heads": backbone.heads,
        "n_kv_heads": backbone.kv_heads,
        "vocab_size": backbone.vocab,
        "norm_eps": backbone.norm_eps,
        "rope_theta": backbone.rope_theta,
        "max_batch_size": 32,
        "max_seq_len": backbone.max_positions,
        "rope_scaling": backbone.rope_scaling,
        "load_pretrained_visual_encoder": False,
    }
    if not backbone.experts:
        return config | _ffn_fields(backbone)
    return config | {
        "hidden_dim": backbone.ffn,
        "head_dim": backbone.width // backbone.heads,
        "moe": {"num_experts_per_tok": backbone.active_experts, "num_experts": backbone.experts},
        "load_balancing_weight": backbone.load_balance,
    }


def _ffn_fields(backbone: Backbone) -> dict[str, Any]:
    """``multiple_of`` and ``ffn_dim_multiplier`` that give the width of the feed-forward block."""
    for multiple in (256, 4096, 2048, 1024, 512, 128, 64, 32, 16, backbone.ffn):
        if ffn_width(backbone.width, multiple, None) == backbone.ffn:
            return {"multiple_of": multiple, "ffn_dim_multiplier": None}
    multiplier = (backbone.ffn + 0.5) / int(2 * (4 * backbone.width) / 3)
    return {"multiple_of": 1, "ffn_dim_multiplier": multiplier}

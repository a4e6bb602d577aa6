"""Every member of the SPHINX-X family as a value, composed of the axes in ``axes``: never a copied file.

Four kinds. The paper's models (`PAPER`) have two encoders, corner padding and skip tokens; what the paper leaves open (how many
skip tokens, where the padding lies, how ConvNeXt sees a 224 px view) is chosen here and said in the docstrings. The published
layouts (`PUBLISHED`) are what the authors' code and checkpoints are: older encoders beside the two, centred padding, every view
encoded. ``nano`` and ``micro`` are trained here or used in tests. The scaling family (`SCALING`) is for studies of size.
Not here: code that builds anything from these values (``vision``, ``llm``, ``model``), their counts (``anatomy``), and no
numbers of a training run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.errors import ConfigError
from models.sphinx_x.axes import Backbone, Variant
from models.sphinx_x.encoders import ClipEncoder, ConvNextEncoder, Dinov2Encoder, QFormerEncoder

__all__ = ["PAPER", "PUBLISHED", "SCALING", "SCALING_MOE", "VARIANTS", "Backbone", "Variant", "find_variant"]


def _small(
    name: str, *, size: int, widths: tuple[int, ...], depths: tuple[int, ...], vit: tuple[int, int, int], backbone: Backbone
) -> Variant:
    """A variant trained here: both encoders see views of ``size`` px, patch 12, the paper's corner padding with skip tokens."""
    width, layers, heads = vit
    return Variant(
        name=name,
        encoders=(
            ConvNextEncoder(input_size=size, stem=3, widths=widths, depths=depths, layer_scale=0.1),
            Dinov2Encoder(input_size=size, patch=12, width=width, layers=layers, heads=heads, mlp_ratio=2),
        ),
        backbone=backbone,
        image_size=2 * size,
        padding="corner",
        fill="zero",
        skip_token="bare",
        class_token=False,
        max_pictures=4,
    )


_NANO = Backbone(vocab=1024, width=128, layers=8, heads=4, kv_heads=4, ffn=352, max_positions=1024, init_std=0.05)

NANO = _small("nano", size=48, widths=(32, 64, 128), depths=(1, 2, 2), vit=(96, 3, 3), backbone=_NANO)
"""Trained here on the mini world; weights in the repository."""

NANO_MOE = replace(
    NANO,
    name="nano_moe",
    backbone=replace(_NANO, kind="mixtral", ffn=304, experts=8, active_experts=2, load_balance=0.01),
)
"""``nano`` with eight experts a layer, two active; each is somewhat narrower, so that the weights stay below 20 MB."""

MICRO = _small(
    "micro",
    size=24,
    widths=(8, 8, 16),
    depths=(1, 1, 1),
    vit=(16, 1, 2),
    backbone=Backbone(vocab=512, width=32, layers=2, heads=2, kv_heads=1, ffn=64, max_positions=512),
)
"""For tests: random weights, built in milliseconds."""

MICRO_MOE = replace(
    MICRO, name="micro_moe", backbone=replace(MICRO.backbone, kind="mixtral", experts=4, active_experts=2, load_balance=0.01)
)
"""For tests of the sparse backbone."""

TINYLLAMA_1B = Backbone(vocab=32000, width=2048, layers=22, heads=32, kv_heads=4, ffn=5632)
INTERNLM2_7B = Backbone(vocab=92544, width=4096, layers=32, heads=32, kv_heads=8, ffn=14336, rope_theta=1e6, max_positions=32768)
"""A Llama in shape once its joint query-key-value weights are unpacked."""
LLAMA2_13B = Backbone(vocab=32000, width=5120, layers=40, heads=40, kv_heads=40, ffn=13824)
MIXTRAL_8X7B = Backbone(
    kind="mixtral",
    vocab=32000,
    width=4096,
    layers=32,
    heads=32,
    kv_heads=8,
    ffn=14336,
    rope_theta=1e6,
    max_positions=32768,
    experts=8,
    active_experts=2,
    load_balance=0.01,
)

CONVNEXT_XXL = ConvNextEncoder(input_size=512, stem=4, widths=(384, 768, 1536, 3072), depths=(3, 4, 30, 3), norm_eps=1e-5)
CONVNEXT_XXL_SMALL_VIEWS = replace(CONVNEXT_XXL, input_size=256, view_size=224, repeat=2)
"""ConvNeXt beside encoders that see 224 px: its 8 x 8 map is brought to their 16 x 16 cells."""
DINOV2_G = Dinov2Encoder(
    input_size=224,
    patch=14,
    width=1536,
    layers=40,
    heads=24,
    swiglu=True,
    trained_size=518,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
CLIP_L = ClipEncoder(input_size=224, patch=14, width=1024, layers=24, heads=16)
BLIP2_QFORMER = QFormerEncoder(
    input_size=224,
    patch=14,
    width=1408,
    layers=39,
    heads=16,
    mlp=6144,
    queries=32,
    query_width=768,
    query_layers=12,
    query_heads=12,
    query_mlp=3072,
)

SPHINX_TINY = Variant(
    name="sphinx_tiny",
    encoders=(CONVNEXT_XXL_SMALL_VIEWS, DINOV2_G),
    backbone=TINYLLAMA_1B,
    image_size=448,
    padding="corner",
    fill="zero",
    skip_token="bare",
)
"""The paper's default: 448 px, four tiles of 224 px and the global view, one skip token for an empty tile (as its figure draws).

The paper says zero padding, which can empty a quarter only if the picture lies at an edge: here the top left corner. How
ConvNeXt sees a 224 px view is not in the paper; it is as in the published layouts of 448 px.
"""
SPHINX_INTERN2 = replace(SPHINX_TINY, name="sphinx_intern2", backbone=INTERNLM2_7B)
SPHINX_PLUS = replace(SPHINX_TINY, name="sphinx_plus", backbone=LLAMA2_13B)
SPHINX_PLUS_2K = replace(SPHINX_PLUS, name="sphinx_plus_2k", image_size=672, grid=3)
SPHINX_MOE = replace(SPHINX_TINY, name="sphinx_moe", backbone=MIXTRAL_8X7B)
"""The paper states no load-balancing weight; it is that of the published layout with tiles."""

SPHINX_TINY_1K = Variant(
    name="sphinx_tiny_1k",
    encoders=(CONVNEXT_XXL, DINOV2_G),
    backbone=TINYLLAMA_1B,
    image_size=1024,
    resize="float16",
)
"""The published two-encoder layout on TinyLlama-1.1B: every tile encoded, centred padding in the mean colour."""
SPHINX_TINY_1VIEW = replace(
    SPHINX_TINY_1K,
    name="sphinx_tiny_1view",
    encoders=(replace(CONVNEXT_XXL, view_size=512), DINOV2_G),
    image_size=512,
    grid=0,
)
"""Published as SPHINX-Tiny: the whole picture at 512 px, without tiles."""

SPHINX_1K = Variant(
    name="sphinx_1k",
    encoders=(CLIP_L, CONVNEXT_XXL_SMALL_VIEWS, DINOV2_G),
    qformer=BLIP2_QFORMER,
    backbone=LLAMA2_13B,
    image_size=448,
    resize="float16",
)
"""Published as SPHINX-1k and SPHINX-v2-1k: four encoders, 448 px."""
SPHINX = replace(SPHINX_1K, name="sphinx", image_size=224, grid=0)
SPHINX_1K_POOLED = replace(SPHINX_1K, name="sphinx_1k_pooled", local_pool=2)
"""In the authors' code (``llama_ens5p2``), of no listed checkpoint: the token grid of tiles is halved."""
SPHINX_2K = replace(SPHINX_1K, name="sphinx_2k", image_size=672, grid=3)
"""In the authors' code (``llama_ens10``), of no listed checkpoint: nine tiles."""
SPHINX_MOE_1K = replace(
    SPHINX_1K,
    name="sphinx_moe_1k",
    encoders=(CLIP_L, CONVNEXT_XXL, DINOV2_G),
    backbone=MIXTRAL_8X7B,
    image_size=1024,
)
"""Published as SPHINX-MoE-1k: four encoders, against the paper's two."""
SPHINX_MOE_1VIEW = replace(
    SPHINX_MOE_1K,
    name="sphinx_moe_1view",
    encoders=(CLIP_L, replace(CONVNEXT_XXL, view_size=512), DINOV2_G),
    backbone=replace(MIXTRAL_8X7B, load_balance=0.1),
    image_size=512,
    grid=0,
)
"""Published as SPHINX-MoE."""

PAPER = (SPHINX_TINY, SPHINX_INTERN2, SPHINX_PLUS, SPHINX_PLUS_2K, SPHINX_MOE)
PUBLISHED = (
    SPHINX,
    SPHINX_1K,
    SPHINX_1K_POOLED,
    SPHINX_2K,
    SPHINX_TINY_1VIEW,
    SPHINX_TINY_1K,
    SPHINX_MOE_1VIEW,
    SPHINX_MOE_1K,
)


def _scaled(name: str, widths: tuple[int, int, int], vit: tuple[int, int, int], width: int, layers: int, heads: int) -> Variant:
    """``nano`` at another size: the same pictures, tokens and vocabulary, so that only the size differs."""
    backbone = replace(_NANO, width=width, layers=layers, heads=heads, kv_heads=heads, ffn=round(2.8 * width / 16) * 16)
    return _small(name, size=48, widths=widths, depths=(1, 2, 2), vit=vit, backbone=backbone)


SCALING = (
    _scaled("scale_100k", (8, 12, 24), (16, 2, 1), 24, 2, 2),
    _scaled("scale_250k", (12, 24, 40), (32, 2, 2), 48, 2, 3),
    _scaled("scale_500k", (16, 32, 64), (48, 3, 3), 64, 4, 4),
    _scaled("scale_1m", (24, 48, 96), (64, 3, 4), 96, 4, 6),
    _scaled("scale_2m", (32, 64, 128), (96, 3, 3), 128, 5, 4),
)
"""About 0.1 to 2 million parameters on the pictures and vocabulary of ``nano``."""

SCALING_MOE = tuple(
    replace(
        dense,
        name=f"{dense.name}_moe",
        backbone=replace(
            dense.backbone, kind="mixtral", ffn=dense.backbone.ffn // 2, experts=8, active_experts=2, load_balance=0.01
        ),
    )
    for dense in SCALING
)
"""The same with eight experts of half the width, two active: as much computation a token, more parameters."""

VARIANTS: Mapping[str, Variant] = {
    variant.name: variant for variant in (NANO, NANO_MOE, MICRO, MICRO_MOE, *SCALING, *SCALING_MOE, *PAPER, *PUBLISHED)
}
"""All variants by name."""


def find_variant(name: str) -> Variant:
    """Look a variant up. Raises `ConfigError` naming those that exist."""
    if name not in VARIANTS:
        raise ConfigError(f"model variant {name!r} is unknown; known are {', '.join(VARIANTS)}")
    return VARIANTS[name]

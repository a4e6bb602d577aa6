"""What a variant consists of and costs, counted by formula: parameters by part, positions, memory, arithmetic.

Not here: measured times (``bench``). Nothing of torch is imported, so that ``riddle ls model NAME`` answers at once; slow tests
hold the counts against models built on the ``meta`` device. One choice a reader may question: the arithmetic counts what a
profiler of matrix products counts (two operations a multiply-add, attention scores in full although half of them are masked),
and nothing of norms, activations and rotary positions, which are below a hundredth of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from models.sphinx_x.axes import Backbone, Variant
from models.sphinx_x.encoders import ClipEncoder, ConvNextEncoder, Dinov2Encoder, Encoder, QFormerEncoder
from models.sphinx_x.geometry import empty_views, positions
from models.sphinx_x.variants import VARIANTS

BYTES = 2
"""Bytes of a value in bfloat16."""

BYTE_UNITS, FLOP_UNITS = ("TB", "GB", "MB", "KB"), ("TFLOPs", "GFLOPs", "MFLOPs", "KFLOPs")

TEXT = 64
"""Positions of text in the prompt that a card counts."""

FORMULA = (
    "FLOPs = 2 x multiply-adds of all matrix products and convolutions: each encoded view through each encoder and projection; "
    "per layer of the language model T x (attention + active feed-forward weights) and 2 x T^2 x width for the attention of T "
    "positions; the head for the last position"
)


def linear(inputs: int, outputs: int, bias: bool = True) -> int:
    """Parameters of a linear layer."""
    return inputs * outputs + (outputs if bias else 0)


def parameters(variant: Variant) -> dict[str, int]:
    """Parameters by part; their sum is the whole model. Each visual encoder is a part under its name."""
    backbone, width = variant.backbone, variant.backbone.width
    parts = {encoder.name: encoder_parameters(encoder) for encoder in variant.visual_experts}
    parts["projector"] = linear(variant.channels, width) + 2 * width
    if variant.qformer:
        parts["qformer_projector"] = linear(variant.qformer.query_width, width) + 2 * width
    parts["image_marks"] = width * (2 + (variant.skip_token != "none"))
    parts["embeddings"] = parts["head"] = backbone.vocab * width
    parts["attention"] = backbone.layers * attention_parameters(backbone)
    if backbone.experts:
        parts["router"] = backbone.layers * width * backbone.experts
        parts["experts"] = backbone.layers * backbone.experts * expert_parameters(backbone)
    else:
        parts["feed_forward"] = backbone.layers * expert_parameters(backbone)
    return parts | {"norms": (2 * backbone.layers + 1) * width}


def attention_parameters(backbone: Backbone) -> int:
    """Parameters of the four attention projections of one layer, without biases."""
    return 2 * backbone.width**2 + 2 * backbone.width * backbone.kv_heads * (backbone.width // backbone.heads)


def expert_parameters(backbone: Backbone) -> int:
    """Parameters of one expert, or of the one feed-forward network, of one layer: gate, up and down projection."""
    return 3 * backbone.width * backbone.ffn


LANGUAGE = ("embeddings", "attention", "router", "experts", "feed_forward", "norms", "head")
"""The parts of the language model."""


def language_parameters(variant: Variant) -> int:
    """Parameters of the language model."""
    return sum(count for part, count in parameters(variant).items() if part in LANGUAGE)


def active_parameters(variant: Variant) -> int:
    """Parameters of the language model that one token passes through: all but the experts it is not routed to."""
    return language_parameters(variant) - idle_parameters(variant.backbone)


def idle_parameters(backbone: Backbone) -> int:
    """Parameters of the experts that a token is not routed to."""
    return (backbone.experts - backbone.active_experts) * backbone.layers * expert_parameters(backbone)


def encoder_parameters(encoder: Encoder) -> int:
    """Parameters of a visual encoder as transformers builds it."""
    if isinstance(encoder, ConvNextEncoder):
        return _convnext_parameters(encoder)
    width = encoder.width
    tokens = 1 + (encoder.input_size // encoder.patch) ** 2
    norms = 4 * width
    attention = 4 * linear(width, width)
    if isinstance(encoder, Dinov2Encoder):
        tokens = 1 + ((encoder.trained_size or encoder.input_size) // encoder.patch) ** 2
        block = attention + norms + 2 * width + _mlp(encoder, bias=True)  # with two layer scales
        return (tokens + 1) * width + linear(3 * encoder.patch**2, width) + encoder.layers * block + 2 * width
    block = attention + norms + _mlp(encoder, bias=True)
    if isinstance(encoder, ClipEncoder):
        return (tokens + 1) * width + linear(3 * encoder.patch**2, width, bias=False) + encoder.layers * block + 4 * width
    vision = (tokens + 1) * width + linear(3 * encoder.patch**2, width) + encoder.layers * block + 2 * width
    return vision + _query_parameters(encoder)


def _mlp(encoder: Dinov2Encoder | ClipEncoder | QFormerEncoder, bias: bool) -> int:
    """Weights of the feed-forward part of one block, with or without biases."""
    width = encoder.width
    inner = encoder.mlp if isinstance(encoder, QFormerEncoder) else width * encoder.mlp_ratio
    if isinstance(encoder, Dinov2Encoder) and encoder.swiglu:
        inner = (inner * 2 // 3 + 7) // 8 * 8
        return 2 * linear(width, inner, bias) + linear(inner, width, bias)
    return linear(width, inner, bias) + linear(inner, width, bias)


def _query_parameters(encoder: QFormerEncoder) -> int:
    """Query tokens and Q-Former; each attention and each feed-forward part ends in a LayerNorm of its own."""
    width, mlp = encoder.query_width, encoder.query_mlp
    each = 4 * linear(width, width) + 2 * width + linear(width, mlp) + linear(mlp, width) + 2 * width
    cross = 2 * linear(width, width) + 2 * linear(encoder.width, width) + 2 * width
    return encoder.queries * width + 2 * width + encoder.query_layers * each + _crossings(encoder) * cross


def _crossings(encoder: QFormerEncoder) -> int:
    """Layers of the Q-Former that look at the picture: the first and every ``cross_every`` th from there."""
    return -(-encoder.query_layers // encoder.cross_every)


def _convnext_parameters(encoder: ConvNextEncoder) -> int:
    widths = encoder.widths
    stem = linear(3 * encoder.stem**2, widths[0]) + 2 * widths[0]
    shrinks = sum(2 * before + linear(4 * before, after) for before, after in pairwise(widths))
    scale = int(encoder.layer_scale > 0)
    blocks = sum(
        depth * (linear(49, width) + 2 * width + linear(width, 4 * width) + linear(4 * width, width) + scale * width)
        for width, depth in zip(widths, encoder.depths, strict=True)
    )
    return stem + shrinks + blocks + 2 * widths[-1]


def encoder_flops(encoder: Encoder) -> int:
    """Floating point operations for one view."""
    if isinstance(encoder, ConvNextEncoder):
        return _convnext_flops(encoder)
    width = encoder.width
    cells = (encoder.input_size // encoder.patch) ** 2
    tokens = cells + 1
    block = 2 * tokens * (4 * width**2 + _mlp(encoder, bias=False)) + 4 * tokens**2 * width
    flops = 2 * cells * 3 * encoder.patch**2 * width + encoder.layers * block
    return flops + (_query_flops(encoder, tokens) if isinstance(encoder, QFormerEncoder) else 0)


def _query_flops(encoder: QFormerEncoder, tokens: int) -> int:
    width, queries = encoder.query_width, encoder.queries
    each = 2 * queries * (4 * width**2 + 2 * width * encoder.query_mlp) + 4 * queries**2 * width
    cross = 4 * queries * width**2 + 4 * tokens * encoder.width * width + 4 * queries * tokens * width
    return encoder.query_layers * each + _crossings(encoder) * cross


def _convnext_flops(encoder: ConvNextEncoder) -> int:
    widths = encoder.widths
    sides: list[int] = [encoder.input_size // (encoder.stem << stage) for stage in range(len(widths))]
    flops = 2 * sides[0] ** 2 * 3 * encoder.stem**2 * widths[0]
    for stage, (width, depth, side) in enumerate(zip(widths, encoder.depths, sides, strict=True)):
        shrink = 4 * widths[stage - 1] * width if stage else 0
        flops += 2 * side**2 * (shrink + depth * (49 * width + 8 * width**2))
    return flops


def view_flops(variant: Variant, view: int = 1) -> int:
    """Floating point operations for one encoded view, projection included; ``view`` 0 is the global one."""
    width = variant.backbone.width
    flops = sum(encoder_flops(encoder) for encoder in variant.visual_experts)
    if variant.qformer:
        flops += 2 * variant.queries * variant.qformer.query_width * width
    return flops + 2 * (variant.view_tokens(view) - 2 - variant.queries) * variant.channels * width


def language_flops(backbone: Backbone, count: int) -> int:
    """Floating point operations of a prompt of ``count`` positions, for the logits of the last one."""
    forward = (backbone.active_experts or 1) * expert_parameters(backbone) + backbone.width * backbone.experts
    layer = 2 * count * (attention_parameters(backbone) + forward) + 4 * count**2 * backbone.width
    return backbone.layers * layer + 2 * backbone.width * backbone.vocab


def kv_bytes(backbone: Backbone) -> int:
    """Bytes of keys and values that one position leaves in the cache, in bfloat16."""
    return 2 * backbone.layers * backbone.kv_heads * (backbone.width // backbone.heads) * BYTES


def prompt(variant: Variant, width: int, height: int, text: int = TEXT) -> dict[str, int]:
    """What one picture of this size and ``text`` positions of text cost: views, positions, bytes of cache, operations."""
    empty = empty_views(width, height, variant)
    visual = positions([(width, height)], variant)
    vision = sum(view_flops(variant, view) for view, flag in enumerate(empty) if not flag)
    return {
        "views": len(empty),
        "views_encoded": len(empty) - sum(empty),
        "visual_positions": visual,
        "kv_bytes": (visual + text) * kv_bytes(variant.backbone),
        "vision_flops": vision,
        "language_flops": language_flops(variant.backbone, visual + text),
    }


def anatomy(variant: Variant) -> dict[str, Any]:
    """All counts of a variant as plain numbers; prompts are of one picture, square and twice as wide as high."""
    parts = parameters(variant)
    total = sum(parts.values())
    size = variant.image_size
    return {
        "variant": variant.name,
        "parameters": {**parts, "language_model": language_parameters(variant), "total": total},
        "active_parameters": active_parameters(variant),
        "weights_bytes": BYTES * total,
        "kv_bytes_a_position": kv_bytes(variant.backbone),
        "text_positions": TEXT,
        "square_picture": prompt(variant, size, size),
        "wide_picture": prompt(variant, size, size // 2),
        "formula": FORMULA,
    }


def card(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The counts of a configured model and the same as lines of text; both empty if its variant cannot be told from its name."""
    name = str(settings.get("variant") or settings.get("weights"))
    if name not in VARIANTS:
        return {}, {}
    variant = VARIANTS[name]
    counts = anatomy(variant)
    parts = counts["parameters"]
    vision = ", ".join(f"{one} {_short(parts[one])}" for one in (*(e.name for e in variant.visual_experts), "projector"))
    text = {
        "parameters": f"{_short(parts['total'])}: {vision}, language model {_short(parts['language_model'])}",
        "memory": f"{_short(counts['weights_bytes'], BYTE_UNITS)} of weights in bfloat16",
        "cache": f"{counts['kv_bytes_a_position']:,} bytes a position in bfloat16",
        "square picture": _cost(counts["square_picture"]),
        "picture 2:1": _cost(counts["wide_picture"]),
        "counted": counts["formula"],
    }
    if backbone := variant.backbone if variant.backbone.experts else None:
        routed = f"{backbone.active_experts} of {backbone.experts} experts a layer"
        text["experts"] = f"{_short(parts['experts'])}; a token passes {_short(counts['active_parameters'])} ({routed})"
    return counts, text


def _cost(cost: Mapping[str, int]) -> str:
    see, read = (_short(cost[key], FLOP_UNITS) for key in ("vision_flops", "language_flops"))
    views = f"{cost['views_encoded']} of {cost['views']} views encoded"
    return f"{cost['visual_positions']:,} visual positions ({views}); {see} to see, {read} to read with {TEXT} text positions"


def _short(count: int, units: Sequence[str] = ("T", "B", "M", "K")) -> str:
    """Four significant digits with the unit of 10^12, 10^9, 10^6 or 10^3."""
    for power, unit in zip((12, 9, 6, 3), units, strict=True):
        if count >= 10**power:
            return f"{count / 10**power:.4g} {unit}"
    return str(count)

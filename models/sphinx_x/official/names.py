"""Which tensor of the authors' files is which of ours: language model, projection, start and end of image.

Not here: encoders (``encoders``) and files (``shards``). The authors rotate neighbouring channels of queries and keys,
transformers rotates the halves of a head, so rows of ``wq`` and ``wk`` change places. The authors hold the experts of a layer as
one matrix a weight, expert after expert, ``w2`` transposed; transformers holds gate and up in one tensor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from models.sphinx_x.official.encoders import encoder_pieces
from models.sphinx_x.sources import Convert, Piece, split_rows
from models.sphinx_x.variants import Backbone, Variant

PREFIX = "llma."

_UNUSED = re.compile(
    r"llma\.(rope\.freqs"
    r"|dinov2_vitg14\.mask_token"
    r"|clip\.(logit_scale|text_projection|positional_embedding|token_embedding\..*|ln_final\..*|transformer\..*|attn_mask)"
    r"|clip\.visual\.proj)"
)
"""What the files may hold beside the model: tables that are computed, a token of pretraining, CLIP's side of texts."""

_SPLIT: tuple[tuple[re.Pattern[str], Literal["rows", "columns", "experts"]], ...] = (
    (re.compile(r"llma\.(output|layers\.\d+\.(attention\.w[qkv]|feed_forward\.w[13]))\.weight"), "rows"),
    (re.compile(r"llma\.(tok_embeddings|layers\.\d+\.(attention\.wo|feed_forward\.w2))\.weight"), "columns"),
    (re.compile(r"llma\.layers\.\d+\.feed_forward\.w[123]"), "experts"),
)

ENCODER_NAMES = {"dinov2": "dinov2_vitg14", "convnext": "openclip_convnext_xxl", "clip": "clip", "qformer": "qformer"}
"""Kind of an encoder to its name in the authors' files."""


def split_of(name: str) -> Literal["rows", "columns", "experts"] | None:
    """How a tensor is cut over model-parallel ranks; None if every rank holds the whole."""
    return next((how for pattern, how in _SPLIT if pattern.fullmatch(name)), None)


def is_unused(name: str) -> bool:
    """Whether a tensor of the authors' files has no place in the model."""
    return _UNUSED.fullmatch(name) is not None


def is_encoder(name: str) -> bool:
    """Whether a tensor of the authors' files belongs to a visual encoder."""
    return name.startswith(tuple(f"{PREFIX}{encoder}." for encoder in ENCODER_NAMES.values()))


def pieces(variant: Variant, ours: Sequence[str]) -> list[Piece]:
    """All pieces of a model of this variant; ``ours`` are its names (the encoders' depend on the version of transformers)."""
    found = [*_language(variant.backbone), *_connector(variant)]
    for encoder in variant.visual_experts:
        stem = f"vision.encoders.{encoder.name}."
        own = [name.removeprefix(stem) for name in ours if name.startswith(stem)]
        for piece in encoder_pieces(encoder.kind, own):
            theirs = tuple(f"{PREFIX}{ENCODER_NAMES[encoder.kind]}.{name}" for name in piece.theirs)
            found.append(Piece(theirs, tuple(stem + name for name in piece.ours), piece.load, piece.store))
    return found


def _connector(variant: Variant) -> list[Piece]:
    found = [_renamed("start_img", "start_img"), _renamed("end_img", "end_img")]
    if variant.skip_token != "none":
        found.append(_renamed("skip_token", "skip_token"))
    projectors = [("visual_proj", "projector"), *([("qformer_proj", "qformer_projector")] if variant.qformer else [])]
    return found + [
        _renamed(f"{theirs}.{place}.{kind}", f"{ours}.{module}.{kind}")
        for theirs, ours in projectors
        for place, module in enumerate(("linear", "norm"))
        for kind in ("weight", "bias")
    ]


def _language(backbone: Backbone) -> list[Piece]:
    found = [
        _renamed("tok_embeddings.weight", "language_model.model.embed_tokens.weight"),
        _renamed("norm.weight", "language_model.model.norm.weight"),
        _renamed("output.weight", "language_model.lm_head.weight"),
    ]
    for layer in range(backbone.layers):
        theirs, ours = f"layers.{layer}", f"language_model.model.layers.{layer}"
        for kind, heads in (("q", backbone.heads), ("k", backbone.kv_heads)):
            names = f"{theirs}.attention.w{kind}.weight", f"{ours}.self_attn.{kind}_proj.weight"
            found.append(_renamed(*names, partial(halved, heads=heads), partial(interleaved, heads=heads)))
        plain = [("attention.wv", "self_attn.v_proj"), ("attention.wo", "self_attn.o_proj")]
        plain += [("attention_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")]
        plain += [("feed_forward.gate", "mlp.gate")] if backbone.experts else _DENSE
        found += [_renamed(f"{theirs}.{one}.weight", f"{ours}.{other}.weight") for one, other in plain]
        if backbone.experts:
            found += _experts(f"{PREFIX}{theirs}.feed_forward", f"{ours}.mlp.experts", backbone.experts)
    return found


_DENSE = [("feed_forward.w1", "mlp.gate_proj"), ("feed_forward.w3", "mlp.up_proj"), ("feed_forward.w2", "mlp.down_proj")]


def _experts(theirs: str, ours: str, count: int) -> list[Piece]:
    def join(values: Sequence[Tensor]) -> Sequence[Tensor]:
        return [torch.cat([split_rows(value, count, -1) for value in values], dim=1)]

    def part(values: Sequence[Tensor]) -> Sequence[Tensor]:
        return [half.flatten(0, 1) for half in values[0].chunk(2, dim=1)]

    def down(values: Sequence[Tensor]) -> Sequence[Tensor]:
        return [split_rows(values[0], count, -1).transpose(1, 2)]

    def up(values: Sequence[Tensor]) -> Sequence[Tensor]:
        return [values[0].transpose(1, 2).flatten(0, 1)]

    return [
        Piece((f"{theirs}.w1", f"{theirs}.w3"), (f"{ours}.gate_up_proj",), join, part),
        Piece((f"{theirs}.w2",), (f"{ours}.down_proj",), down, up),
    ]


def halved(values: Sequence[Tensor], heads: int) -> Sequence[Tensor]:
    """Rows of each head from neighbouring pairs to halves: 0, 2, 4, ... first, then 1, 3, 5, ... [heads * d, width]."""
    return [split_rows(values[0], heads, -1, 2).transpose(1, 2).flatten(0, 2)]


def interleaved(values: Sequence[Tensor], heads: int) -> Sequence[Tensor]:
    """The inverse of `halved`."""
    return [split_rows(values[0], heads, 2, -1).transpose(1, 2).flatten(0, 2)]


def _renamed(theirs: str, ours: str, load: Convert = tuple, store: Convert = tuple) -> Piece:
    return Piece((PREFIX + theirs,), (ours,), load, store)

"""Which tensor of a folder on a model hub is which of ours: parts of a model as transformers or their own authors save them.

A part can come under several names (transformers has renamed some, and the authors of a model have their own). Each is a scheme;
the one that finds the most of its names in a folder is taken. Not here: reading folders (``hub``) and writing them (``export``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from models.sphinx_x.official.encoders import encoder_pieces
from models.sphinx_x.sources import Piece, split_rows
from models.sphinx_x.variants import Backbone

Scheme = Callable[[Sequence[str]], list[Piece]]
"""Names of ours, relative to a part, to pieces from the folder's names."""

BESIDE = re.compile(
    r".*(rotary_emb\.inv_freq|position_ids|mask_token)|logit_scale|(classifier|head|text_model|language_model|language_projection"
    r"|text_projection|visual_projection|token_embedding|transformer|ln_final|qformer_projection)\..*|text_projection|visual\.proj"
    r"|positional_embedding|visual\.head\..*|pooler\..*"
)
"""What such folders may hold beside the part that is wanted: heads, sides of texts, tables that are computed."""


def prefixed(scheme: Scheme, prefix: str) -> Scheme:
    """The same scheme under a prefix."""

    def made(ours: Sequence[str]) -> list[Piece]:
        return [
            Piece(tuple(prefix + name for name in piece.theirs), piece.ours, piece.load, piece.store) for piece in scheme(ours)
        ]

    return made


def same(ours: Sequence[str]) -> list[Piece]:
    """Names as they are."""
    return [Piece((name,), (name,)) for name in ours]


def _own(kind: str) -> Scheme:
    """The names that an encoder's own authors give."""

    def made(ours: Sequence[str]) -> list[Piece]:
        found = encoder_pieces(kind, [f"trunk.{name}" for name in ours])
        return [
            Piece(piece.theirs, tuple(name.removeprefix("trunk.") for name in piece.ours), piece.load, piece.store)
            for piece in found
        ]

    return made


def _dinov2(ours: Sequence[str]) -> list[Piece]:
    """DINOv2 as it lies on hubs: the names of transformers 4, gate and up in one tensor."""
    words = {"attention.q_proj": "attention.attention.query", "attention.k_proj": "attention.attention.key"}
    words |= {"attention.v_proj": "attention.attention.value", "attention.o_proj": "attention.output.dense"}
    words |= {"mlp.down_proj": "mlp.weights_out"}
    found = []
    for name in ours:
        if ".mlp.gate_proj." in name:
            names = (name, name.replace("gate_proj", "up_proj"))
            found.append(Piece((name.replace("gate_proj", "weights_in"),), names, _halves, _joined))
        elif ".mlp.up_proj." not in name:
            theirs = name
            for new, old in words.items():
                theirs = theirs.replace(f".{new}.", f".{old}.")
            found.append(Piece((theirs,), (name,)))
    return found


def _halves(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return values[0].chunk(2)


def _joined(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return [torch.cat(list(values))]


def mixtral(backbone: Backbone) -> Scheme:
    """Mixtral as it lies on hubs: every expert's three weights on their own."""

    def made(ours: Sequence[str]) -> list[Piece]:
        return [_mixtral(name, backbone.experts) for name in ours]

    return made


def _mixtral(name: str, experts: int) -> Piece:
    stem, found, leaf = name.partition(".mlp.")
    if not found:
        return Piece((name,), (name,))
    theirs = f"{stem}.block_sparse_moe"
    if leaf == "experts.gate_up_proj":
        names = tuple(f"{theirs}.experts.{expert}.{part}.weight" for expert in range(experts) for part in ("w1", "w3"))
        return Piece(names, (name,), _stacked_pairs, _pairs)
    if leaf == "experts.down_proj":
        names = tuple(f"{theirs}.experts.{expert}.w2.weight" for expert in range(experts))
        return Piece(names, (name,), _stacked, _unstacked)
    return Piece((f"{theirs}.{leaf}",), (name,))


def _stacked_pairs(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return [torch.stack([torch.cat([gate, up]) for gate, up in zip(values[::2], values[1::2], strict=True)])]


def _pairs(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return [half for expert in values[0].unbind(0) for half in expert.chunk(2)]


def _stacked(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return [torch.stack(list(values))]


def _unstacked(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return values[0].unbind(0)


def internlm2(backbone: Backbone) -> Scheme:
    """InternLM2: queries, keys and values in one tensor, grouped by key-value head."""
    renames = {"model.embed_tokens.": "model.tok_embeddings.", "lm_head.": "output.", "self_attn.o_proj.": "attention.wo."}
    renames |= {"mlp.gate_proj.": "feed_forward.w1.", "mlp.up_proj.": "feed_forward.w3.", "mlp.down_proj.": "feed_forward.w2."}
    renames |= {"post_attention_layernorm.": "ffn_norm.", "input_layernorm.": "attention_norm."}

    def made(ours: Sequence[str]) -> list[Piece]:
        found: list[Piece] = []
        for name in ours:
            if ".self_attn.q_proj." in name:
                names = tuple(name.replace("q_proj", f"{part}_proj") for part in "qkv")
                load, store = partial(unpacked, backbone=backbone), partial(packed, backbone=backbone)
                found.append(Piece((name.replace("self_attn.q_proj", "attention.wqkv"),), names, load, store))
            elif not re.search(r"\.self_attn\.[kv]_proj\.", name):
                theirs = name
                for new, old in renames.items():
                    theirs = theirs.replace(new, old)
                found.append(Piece((theirs,), (name,)))
        return found

    return made


def unpacked(values: Sequence[Tensor], backbone: Backbone) -> Sequence[Tensor]:
    """InternLM2's ``wqkv`` [(heads + 2 * kv_heads) * d, width] as query, key and value weights.

    Rows lie by key-value head: its queries, then its key, then its value.
    """
    groups = split_rows(values[0], backbone.kv_heads, backbone.heads // backbone.kv_heads + 2, backbone.width // backbone.heads)
    return [part.flatten(0, 2) for part in (groups[:, :-2], groups[:, -2:-1], groups[:, -1:])]


def packed(values: Sequence[Tensor], backbone: Backbone) -> Sequence[Tensor]:
    """The inverse of `unpacked`."""
    size = backbone.width // backbone.heads
    return [torch.cat([split_rows(value, backbone.kv_heads, -1, size) for value in values], dim=1).flatten(0, 2)]


ENCODER_SCHEMES: Mapping[str, Sequence[Scheme]] = {
    "dinov2": (_dinov2, same, prefixed(_dinov2, "dinov2."), prefixed(same, "dinov2."), _own("dinov2")),
    "convnext": (same, prefixed(same, "convnext."), _own("convnext"), prefixed(_own("convnext"), "visual.trunk.")),
    "clip": (prefixed(same, "vision_model."), same, _own("clip")),
    "qformer": (same,),
}
"""How each kind of encoder is named; the first is how it is saved."""


def language_schemes(backbone: Backbone) -> Sequence[Scheme]:
    """How a language model of this shape is named; the first is how it is saved."""
    return (mixtral(backbone), same) if backbone.experts else (same, internlm2(backbone))


def best(schemes: Iterable[Scheme], ours: Sequence[str], have: Iterable[str]) -> list[Piece]:
    """The pieces of the scheme that finds most of its names."""
    held = set(have)

    def share(pieces: list[Piece]) -> float:
        names = [name for piece in pieces for name in piece.theirs]
        return sum(name in held for name in names) / len(names)

    return max((scheme(ours) for scheme in schemes), key=share)

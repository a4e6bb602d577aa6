"""Which tensor of an encoder as its authors publish it is which of transformers' module.

DINOv2 (its own repository), ConvNeXt and CLIP (open_clip), and the Q-Former (transformers' ``Blip2Model``), under the names they
have inside of the authors' files. Not here: corrections to how transformers computes them (``vision``). Modules of some versions
of transformers have other names or joint tensors; the pieces are made from the names that a module has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from models.sphinx_x.sources import Piece

Rename = tuple[re.Pattern[str], str]


def _rules(*pairs: tuple[str, str]) -> tuple[Rename, ...]:
    return tuple((re.compile(ours), theirs) for ours, theirs in pairs)


_CONVNEXT = _rules(
    (r"trunk\.embeddings\.patch_embeddings", "stem.0"),
    (r"trunk\.embeddings\.layernorm", "stem.1"),
    (r"trunk\.encoder\.stages\.(\d+)\.downsampling_layer\.", r"stages.\1.downsample."),
    (r"trunk\.encoder\.stages\.(\d+)\.layers\.(\d+)\.dwconv", r"stages.\1.blocks.\2.conv_dw"),
    (r"trunk\.encoder\.stages\.(\d+)\.layers\.(\d+)\.layernorm", r"stages.\1.blocks.\2.norm"),
    (r"trunk\.encoder\.stages\.(\d+)\.layers\.(\d+)\.pwconv([12])", r"stages.\1.blocks.\2.mlp.fc\3"),
    (r"trunk\.encoder\.stages\.(\d+)\.layers\.(\d+)\.layer_scale_parameter", r"stages.\1.blocks.\2.gamma"),
    (r"trunk\.layernorm", "head.norm"),
)
_DINOV2 = _rules(
    (r"trunk\.embeddings\.(cls_token|mask_token)", r"\1"),
    (r"trunk\.embeddings\.position_embeddings", "pos_embed"),
    (r"trunk\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"trunk\.layernorm", "norm"),
    (r"trunk\.encoder\.layer\.(\d+)\.norm([12])", r"blocks.\1.norm\2"),
    (r"trunk\.encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
    (r"trunk\.encoder\.layer\.(\d+)\.attention\.(o_proj|output\.dense)", r"blocks.\1.attn.proj"),
    (r"trunk\.encoder\.layer\.(\d+)\.mlp\.(down_proj|weights_out)", r"blocks.\1.mlp.w3"),
    (r"trunk\.encoder\.layer\.(\d+)\.mlp\.weights_in", r"blocks.\1.mlp.w12"),
    (r"trunk\.encoder\.layer\.(\d+)\.mlp\.fc([12])", r"blocks.\1.mlp.fc\2"),
)
_CLIP = _rules(
    (r"trunk\.(vision_model\.)?embeddings\.class_embedding", "visual.class_embedding"),
    (r"trunk\.(vision_model\.)?embeddings\.patch_embedding", "visual.conv1"),
    (r"trunk\.(vision_model\.)?embeddings\.position_embedding\.weight", "visual.positional_embedding"),
    (r"trunk\.(vision_model\.)?pre_layrnorm", "visual.ln_pre"),
    (r"trunk\.(vision_model\.)?post_layernorm", "visual.ln_post"),
    (r"trunk\.(vision_model\.)?encoder\.layers\.(\d+)\.self_attn\.out_proj", r"visual.transformer.resblocks.\2.attn.out_proj"),
    (r"trunk\.(vision_model\.)?encoder\.layers\.(\d+)\.layer_norm([12])", r"visual.transformer.resblocks.\2.ln_\3"),
    (r"trunk\.(vision_model\.)?encoder\.layers\.(\d+)\.mlp\.fc1", r"visual.transformer.resblocks.\2.mlp.c_fc"),
    (r"trunk\.(vision_model\.)?encoder\.layers\.(\d+)\.mlp\.fc2", r"visual.transformer.resblocks.\2.mlp.c_proj"),
)
_RENAMES: Mapping[str, tuple[Rename, ...]] = {"convnext": _CONVNEXT, "dinov2": _DINOV2, "clip": _CLIP, "qformer": ()}

Joint = tuple[re.Pattern[str], tuple[str, ...], str]
"""A name of ours, the endings of all that are one tensor of theirs, in its order, and the name of that."""

_DINOV2_JOINT: tuple[Joint, ...] = (
    (
        re.compile(r"trunk\.encoder\.layer\.(\d+)\.attention\.(?:attention\.)?(?:q_proj|query)\.(weight|bias)"),
        ("q_proj", "k_proj", "v_proj"),
        r"blocks.\1.attn.qkv.\2",
    ),
    (
        re.compile(r"trunk\.encoder\.layer\.(\d+)\.mlp\.gate_proj\.(weight|bias)"),
        ("gate_proj", "up_proj"),
        r"blocks.\1.mlp.w12.\2",
    ),
)
_CLIP_JOINT: tuple[Joint, ...] = (
    (
        re.compile(r"trunk\.(?:vision_model\.)?encoder\.layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)"),
        ("q_proj", "k_proj", "v_proj"),
        r"visual.transformer.resblocks.\1.attn.in_proj_\2",
    ),
)
_JOINTS: Mapping[str, tuple[Joint, ...]] = {"dinov2": _DINOV2_JOINT, "clip": _CLIP_JOINT}
_OLD_WORDS = {"q_proj": "query", "k_proj": "key", "v_proj": "value"}


def encoder_pieces(kind: str, ours: Sequence[str]) -> list[Piece]:
    """Pieces for the tensors ``ours`` of an encoder's module; names are relative to the encoder, in both formats."""
    found = [piece for name in ours for piece in _joined(kind, name)]
    taken = {name for piece in found for name in piece.ours}
    return found + [Piece((_renamed(kind, name),), (name,)) for name in ours if name not in taken]


def _joined(kind: str, name: str) -> list[Piece]:
    for pattern, words, theirs in _JOINTS.get(kind, ()):
        if match := pattern.fullmatch(name):
            first = words[0] if f".{words[0]}." in name else _OLD_WORDS[words[0]]
            others = words if first == words[0] else tuple(_OLD_WORDS[word] for word in words)
            names = tuple(name.replace(f".{first}.", f".{word}.") for word in others)
            return [Piece((match.expand(theirs),), names, *_stacked(len(names)))]
    return []


def _stacked(count: int) -> tuple[Callable[[Sequence[Tensor]], Sequence[Tensor]], Callable[[Sequence[Tensor]], Sequence[Tensor]]]:
    return (lambda values: values[0].chunk(count)), (lambda values: [torch.cat(list(values))])


def _renamed(kind: str, name: str) -> str:
    for pattern, theirs in _RENAMES[kind]:
        if match := pattern.match(name):
            return match.expand(theirs) + name[match.end() :]
    return name

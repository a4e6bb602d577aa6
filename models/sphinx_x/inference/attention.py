"""The two attention computations of the decoder: a prefix to itself, and new tokens to a shared prefix and their own columns.

Not here: where tokens lie and what is kept (``decoder``, ``ragged``). The choice a reader may question: keys and values of
grouped heads are repeated where no fused kernel takes groups. On CUDA that is so in float32 (memory-efficient attention wants
as many key-value heads as heads, flash attention half precision), and torch would silently write out the scores of all heads:
16 prefixes of 2900 positions and 32 heads take 17 GB. Letters in shapes are those of ``decoder``; L is the length of a prefix.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def repeats_heads(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether no fused kernel of torch's takes fewer key-value heads than heads."""
    return device.type == "cuda" and dtype == torch.float32


def attend_causally(queries: Tensor, keys: Tensor, values: Tensor, scale: float, *, repeat: bool) -> Tensor:
    """Causal attention: [G, H, L, D] to keys and values [G, K, L, D] -> [G, H, L, D]; ``repeat`` copies these for every head."""
    groups = queries.shape[1] // keys.shape[1]
    if repeat and groups > 1:
        keys, values = keys.repeat_interleave(groups, dim=1), values.repeat_interleave(groups, dim=1)
    grouped = keys.shape[1] != queries.shape[1]
    return scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scale, enable_gqa=grouped)


def attend_both(asked: Tensor, prefix: Tensor, own: Tensor, mask: Tensor | None) -> Tensor:
    """One softmax over a group's shared columns and each slot's own: asked and result are [G, K, Q, R, T, D].

    Shared keys and values are [2, G, K, P, D], own ones [2, G, K, Q, S, D], the mask broadcasts to [G, K, Q, R, T, P + S].
    """
    groups, heads, slots, _, _, dim = asked.shape
    prefix, own = prefix.flatten(1, 2), own.flatten(1, 3)
    by_group, by_slot = asked.view(groups * heads, -1, dim), asked.view(groups * heads * slots, -1, dim)
    width = prefix.shape[2]
    shared = torch.bmm(by_group, prefix[0].mT).view(*by_slot.shape[:2], width)
    scores = torch.cat([shared, torch.bmm(by_slot, own[0].mT)], dim=-1)
    if mask is not None:
        scores.view(*asked.shape[:-1], -1).add_(mask)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(asked.dtype)
    out = torch.bmm(weights[..., :width].reshape(len(by_group), -1, width), prefix[1])
    return out.view(by_slot.shape).baddbmm_(weights[..., width:], own[1]).view(asked.shape)

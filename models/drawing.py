"""Draws of the next token that depend on their own request only, so that a sampled reply, too, is the same in any company."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.types import Generation
from models.seeding import unit_of


def sample(logits: Tensor, generation: Generation, key: str, step: int) -> int:
    """Draw from ``softmax(logits / temperature)`` [vocabulary], cut to the nucleus.

    A token is dropped if the probability of those before it exceeds ``top_p`` (the published rule). The draw is the inverse of
    the cumulative distribution at a hash of key, seed and step.
    """
    probabilities, order = torch.softmax(logits.float() / generation.temperature, dim=-1).sort(descending=True, stable=True)
    before = probabilities.cumsum(0) - probabilities
    probabilities = probabilities.masked_fill(before > generation.top_p, 0.0)
    reached = probabilities.double().cumsum(0)
    point = unit_of("sample", generation.seed, key, step) * float(reached[-1])
    place = int(torch.searchsorted(reached, torch.tensor(point, dtype=reached.dtype, device=reached.device), right=True))
    return int(order[min(place, int((probabilities > 0).sum()) - 1)])

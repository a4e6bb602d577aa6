"""From concatenated visual channels to the language model's width: Linear, then LayerNorm, no activation (as published)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class Projector(nn.Module):
    """``LayerNorm(Linear(x))`` with epsilon 1e-5."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, width)
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., channels] -> [..., width]."""
        return cast(Tensor, self.norm(self.linear(tokens)))

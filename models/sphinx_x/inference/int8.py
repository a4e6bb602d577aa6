"""Linear layers whose weights are eight-bit integers, one scale an output channel; activations stay floating.

Not here: embeddings, the output head and experts, which stay as they are (the head decides close calls, and experts are one
tensor in transformers). What it saves is memory: the weights of each product are widened for it, so on a CPU it is slower than
float32. The rounding is symmetric to the nearest, from the weights alone, without calibration data.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from harness.errors import ConfigError


class Int8Linear(nn.Module):
    """In the place of an ``nn.Linear``: ``weight`` int8 [out, in], ``scale`` float32 [out]."""

    weight: Tensor
    scale: Tensor

    def __init__(self, exact: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = exact.in_features, exact.out_features
        wide = exact.weight.detach().float()
        scale = wide.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        self.register_buffer("weight", (wide / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = exact.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out] in the inputs' precision."""
        return scaled_linear(inputs, self.weight, self.scale, self.bias)


def scaled_linear(inputs: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    """``inputs @ (scale * weight).T + bias`` with integer weights."""
    out = (linear(inputs, weight.to(inputs.dtype)) * scale).to(inputs.dtype)
    return out if bias is None else out + bias


def quantise(language_model: Any) -> None:
    """Replace the linear layers of all decoder layers. Raises `ConfigError` for a sparse model, whose experts are none."""
    if getattr(language_model.config, "num_local_experts", 0):
        raise ConfigError("model.dtype=int8 is for dense models: most weights of a sparse one are experts, which it leaves out")
    for layer in language_model.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, module in list(part.named_children()):
                if isinstance(module, nn.Linear):
                    setattr(part, name, Int8Linear(module))

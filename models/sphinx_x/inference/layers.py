"""The weights of transformers' decoder layers, fused where several products share their input.

Not here: attention (``decoder``). Experts and routers stay transformers' own modules, so that hooks on them see every real
token once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, silu

from models.sphinx_x.inference.int8 import scaled_linear


@dataclass(frozen=True, slots=True)
class Matrix:
    """A linear layer: ``weight`` [out, in], and for integer weights ``scale`` [out].

    ``total`` makes a sum over processes of what each has of a layer that is cut (``cut``).
    """

    weight: Tensor
    scale: Tensor | None = None
    bias: Tensor | None = None
    total: Callable[[Tensor], Tensor] | None = None

    @staticmethod
    def of(*modules: Any) -> Matrix:
        """Linear layers over one input, stacked; the modules' own tensors become views of the stack: no second copy."""
        weight, scale, bias = (_stacked(modules, name) for name in ("weight", "scale", "bias"))
        return Matrix(weight, scale, bias, getattr(modules[0], "total", None))

    def __call__(self, inputs: Tensor) -> Tensor:
        """[N, in] -> [N, out]."""
        if self.scale is None:
            return linear(inputs, self.weight, self.bias)
        return scaled_linear(inputs, self.weight, self.scale, self.bias)

    def add_to(self, hidden: Tensor, inputs: Tensor) -> Tensor:
        """Add the product to [N, out] in place, and return it."""
        if self.total is not None:
            return hidden.add_(self.total(self(inputs)))
        if self.scale is not None:
            return hidden.add_(self(inputs))
        hidden.addmm_(inputs, self.weight.t())
        return hidden if self.bias is None else hidden.add_(self.bias)

    def below(self, row: int) -> Matrix:
        """The same without its first ``row`` outputs."""
        return Matrix(*(None if part is None else part[row:] for part in (self.weight, self.scale, self.bias)))  # type: ignore[arg-type]


def _stacked(modules: Sequence[Any], name: str) -> Any:
    parts: list[Any] = [getattr(module, name, None) for module in modules]
    if parts[0] is None:
        return None
    if len(parts) == 1:
        return parts[0].data
    stack = torch.cat([part.data for part in parts])
    for part, view in zip(parts, torch.split(stack, [len(part) for part in parts]), strict=True):
        part.data = view
    return stack


class DecoderLayer:
    """One layer of a Llama or Mixtral model; its methods take packed tokens, [N, width]."""

    def __init__(self, layer: Any, eps: float) -> None:
        attention = layer.self_attn
        self.qkv = Matrix.of(attention.q_proj, attention.k_proj, attention.v_proj)
        self._out = Matrix.of(attention.o_proj)
        self._before: Tensor = layer.input_layernorm.weight
        self._after: Tensor = layer.post_attention_layernorm.weight
        self._eps = eps
        self._experts = layer.mlp if hasattr(layer.mlp, "gate") else None
        if self._experts is None:
            self._gate_up = Matrix.of(layer.mlp.gate_proj, layer.mlp.up_proj)
            self._down = Matrix.of(layer.mlp.down_proj)

    @property
    def is_sparse(self) -> bool:
        """Whether it has experts."""
        return self._experts is not None

    def norm_before_attention(self, hidden: Tensor) -> Tensor:
        """[N, width] -> [N, width]."""
        return rms_norm(hidden, self._before.shape, self._before, self._eps)

    def add_attention(self, hidden: Tensor, out: Tensor) -> Tensor:
        """Add the output projection of what attention found, [N, H * D], in place."""
        return self._out.add_to(hidden, out)

    def add_feed_forward(self, hidden: Tensor) -> Tensor:
        """Add the normed SwiGLU or mixture of experts in place."""
        normed = rms_norm(hidden, self._after.shape, self._after, self._eps)
        if self._experts is not None:
            return hidden.add_(self._experts(normed[None])[0])
        gate, up = self._gate_up(normed).chunk(2, dim=-1)
        return self._down.add_to(hidden, silu(gate, inplace=True).mul_(up))

"""Muon: momentum whose update is orthogonalised, for weights that are matrices; all else takes AdamW.

Source: K. Jordan et al., Muon (2024), with the scale of Moonlight (arXiv 2502.16982) that lets both optimisers share one
learning rate and weight decay. PyTorch's own takes two dimensions only and iterates in bfloat16, which a CPU without such
instructions does slowly; here matrices of one shape, experts too, go through the iteration as one batch in their own precision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5
_SCALE = 0.2


def orthogonalised(matrices: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices of [n, rows, columns], roughly: Newton-Schulz, singular values between 0.7 and 1.2."""
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; ``params`` are matrices [rows, columns] or stacks of them [n, rows, columns]."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.shape].append(weight)
            for shape, weights in alike.items():
                self._update(weights, shape, group)

    def _update(self, weights: list[Tensor], shape: torch.Size, group: dict[str, float]) -> None:
        ahead = []
        for weight in weights:
            state = self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"]
            momentum.lerp_(weight.grad, 1 - group["momentum"])
            ahead.append(torch.lerp(weight.grad, momentum, group["momentum"]))
        updates = orthogonalised(torch.stack(ahead).reshape(-1, *shape[-2:])).reshape(len(weights), *shape)
        scale = _SCALE * max(shape[-2:]) ** 0.5
        for weight, update in zip(weights, updates, strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * scale)

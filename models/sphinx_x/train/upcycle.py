"""Starts a model from a trained one: the same shape as it is, or a sparse one from a dense one (sparse upcycling).

Every expert becomes a copy of the dense feed-forward block, disturbed a little so that experts can part ways; the router
starts at random. With renormalised weights of the chosen experts, the sparse model then begins where the dense one stood.
Experts narrower than the dense block keep its strongest neurons.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX

_LAYERS = "language_model.model.layers."
_NOISE = 0.05
"""Standard deviation of the disturbance, as a share of the weights' own."""


def initialise(model: SphinxX, folder: Path, seed: int) -> None:
    """Load the weights of ``folder`` into the model, turning a dense backbone into experts where the model is sparse."""
    weights = {name: value.float() for name, value in load_file(folder / checkpoint.WEIGHTS).items()}
    dense = checkpoint.load_variant(folder).backbone.experts == 0
    if dense and model.variant.backbone.experts:
        weights = _upcycle(model, weights, torch.Generator().manual_seed(seed))
    checkpoint.assign(model, weights, source=str(folder))


def _upcycle(model: SphinxX, weights: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    experts = model.variant.backbone.experts
    own = model.state_dict()
    found = {name: value for name, value in weights.items() if not (name.startswith(_LAYERS) and ".mlp." in name)}
    for layer in range(model.variant.backbone.layers):
        stem = f"{_LAYERS}{layer}.mlp"
        gate, up, down = (weights[f"{stem}.{part}_proj.weight"] for part in ("gate", "up", "down"))
        strength = gate.norm(dim=1) * up.norm(dim=1) * down.norm(dim=0)
        kept = strength.topk(min(model.variant.backbone.ffn, len(strength))).indices.sort().values
        gate, up, down = gate[kept], up[kept], down[:, kept]
        found[f"{stem}.experts.gate_up_proj"] = _copies(torch.cat([gate, up]), experts, generator)
        found[f"{stem}.experts.down_proj"] = _copies(down, experts, generator)
        found[f"{stem}.gate.weight"] = own[f"{stem}.gate.weight"]
    return found


def _copies(weight: Tensor, experts: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(experts, *weight.shape, generator=generator) * weight.std() * _NOISE
    return weight[None] + noise

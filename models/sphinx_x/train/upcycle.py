"""Starts a model from a trained one: the same shape as it is, or a sparse one from a dense one (sparse upcycling).

Every expert becomes a copy of the dense feed-forward block, disturbed a little so that experts can part ways; the router
starts at random. With renormalised weights of the chosen experts, the sparse model then begins where the dense one stood.
Experts narrower than the dense block keep its strongest neurons. Copies stay much alike for long; where a share of each expert's
neurons starts afresh, with the spread of the dense block's weights, they part (drop-upcycling, arXiv 2502.19261).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer

_TABLES = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
_LAYERS = "language_model.model.layers."
_NOISE = 0.05
"""Standard deviation of the disturbance, as a share of the weights' own."""


def initialise(model: SphinxX, folder: Path, seed: int, tokenizer: Tokenizer | None = None, fresh: float = 0.0) -> None:
    """Load the weights of ``folder`` into the model, turning a dense backbone into experts where the model is sparse.

    ``fresh`` is the share of each expert's neurons, of its own choice, that do not come from the dense block. Where
    ``tokenizer`` is another than the folder's, a word starts as the mean of the pieces that it was written with.
    """
    weights = {name: value.float() for name, value in load_file(folder / checkpoint.WEIGHTS).items()}
    if tokenizer is not None:
        known = Tokenizer.load(folder / checkpoint.TOKENIZER)
        weights |= {name: _translated(weights[name], known, tokenizer) for name in _TABLES}
    dense = checkpoint.load_variant(folder).backbone.experts == 0
    if dense and model.variant.backbone.experts:
        weights = _upcycle(model, weights, torch.Generator().manual_seed(seed), fresh)
    checkpoint.assign(model, weights, source=str(folder))


def _translated(table: Tensor, known: Tokenizer, wanted: Tokenizer) -> Tensor:
    """Rows of a table [vocabulary, width] for another vocabulary of at most that size."""
    rows = torch.zeros_like(table)
    for index in range(wanted.size):
        token = wanted.backend.id_to_token(index)
        same = known.backend.token_to_id(token)
        pieces = [same] if same is not None else known.encode(wanted.backend.decode([index], skip_special_tokens=False))
        rows[index] = table[pieces].mean(0)
    return rows


def _upcycle(model: SphinxX, weights: dict[str, Tensor], generator: torch.Generator, fresh: float) -> dict[str, Tensor]:
    experts = model.variant.backbone.experts
    own = model.state_dict()
    found = {name: value for name, value in weights.items() if not (name.startswith(_LAYERS) and ".mlp." in name)}
    for layer in range(model.variant.backbone.layers):
        stem = f"{_LAYERS}{layer}.mlp"
        gate, up, down = (weights[f"{stem}.{part}_proj.weight"] for part in ("gate", "up", "down"))
        strength = gate.norm(dim=1) * up.norm(dim=1) * down.norm(dim=0)
        kept = strength.topk(min(model.variant.backbone.ffn, len(strength))).indices.sort().values
        gate, up, down = gate[kept], up[kept], down[:, kept]
        gates_ups, downs = _copies(torch.cat([gate, up]), experts, generator), _copies(down, experts, generator)
        if fresh:
            _refresh(gates_ups, downs, fresh, generator)
        found[f"{stem}.experts.gate_up_proj"], found[f"{stem}.experts.down_proj"] = gates_ups, downs
        found[f"{stem}.gate.weight"] = own[f"{stem}.gate.weight"]
    return found


def _copies(weight: Tensor, experts: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(experts, *weight.shape, generator=generator) * weight.std() * _NOISE
    return weight[None] + noise


def _refresh(gates_ups: Tensor, downs: Tensor, share: float, generator: torch.Generator) -> None:
    """Draw a share of every expert's neurons anew: their rows of gate and up, their columns of down, each with its own spread."""
    experts, _, neurons = downs.shape
    spread_in, spread_out = gates_ups.std(), downs.std()
    for expert in range(experts):
        chosen = torch.randperm(neurons, generator=generator)[: round(share * neurons)]
        for rows in (chosen, chosen + neurons):
            gates_ups[expert, rows] = torch.randn(len(rows), gates_ups.shape[2], generator=generator) * spread_in
        downs[expert][:, chosen] = torch.randn(downs.shape[1], len(chosen), generator=generator) * spread_out

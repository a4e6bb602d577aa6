"""The loss of one-stage training: cross-entropy of the answers' tokens, and the router's balance for sparse models.

A process's losses are its part of those of the whole step: token losses are divided by the targets of the step over all
processes and micro-batches, so that how a step is cut does not matter. The authors average within each micro-batch and then over
those. Balance is per micro-batch as theirs, averaged over them. Not here: gradients and updates (``engines``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from models.sphinx_x.model import SphinxX
from models.sphinx_x.train.examples import MicroBatch
from models.sphinx_x.train.step import balance, expert_load


@dataclass(frozen=True, slots=True)
class Losses:
    """What a micro-batch adds: ``loss`` to descend; for the log the token losses' sum, the balance, load [layers, experts]."""

    loss: Tensor
    tokens: Tensor
    balance: Tensor
    load: Tensor


def losses_of(module: nn.Module, batch: MicroBatch, targets: float, micro: float, bf16: bool = False) -> Losses:
    """Losses by an `Objective` or what an engine has made of it."""
    return Losses(*module(batch, targets, micro, bf16))


class Objective(nn.Module):
    """The model with its loss, as one module, so that engines may wrap it."""

    def __init__(self, model: SphinxX, load_balance: float, *, train_encoders: bool) -> None:
        super().__init__()
        self.model = model
        self.load_balance = load_balance
        self.sparse = model.variant.backbone.experts > 0
        model.vision.requires_grad_(train_encoders)

    def forward(self, batch: MicroBatch, targets: float, micro: float, bf16: bool) -> tuple[Tensor, ...]:
        """The fields of `Losses`, as a tuple that DeepSpeed's hooks can go through.

        Args:
            batch: this process's micro-batch.
            targets: of the whole step, over all processes; ``micro`` its micro-batches.
            micro: see there.
            bf16: compute under autocast.
        """
        language = self.model.language_model
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=bf16):
            out = language.model(
                inputs_embeds=self.embeddings(batch),
                attention_mask=_mask(batch),
                position_ids=batch.positions,
                use_cache=False,
                **({"output_router_logits": True} if self.sparse else {}),
            )
            logits = language.lm_head(out.last_hidden_state.flatten(0, 1)[batch.where])
        tokens = cross_entropy(logits.float(), batch.targets, reduction="sum") if len(batch.where) else logits.float().sum() * 0
        loss = tokens / max(targets, 1.0)
        if not self.sparse:
            return loss, tokens.detach(), tokens.new_zeros(()), tokens.new_zeros(0, 0)
        active = self.model.variant.backbone.active_experts
        found = balance(out.router_logits, active)
        with torch.no_grad():
            load = torch.stack([expert_load(each.float().softmax(-1), active) for each in out.router_logits])
        return loss + self.load_balance * found / micro, tokens.detach(), found.detach(), load

    def embeddings(self, batch: MicroBatch) -> Tensor:
        """Spliced and padded rows [n, t, width]."""
        unused = self._unused()  # first, so that the backward pass completes these gradients last, and in one order everywhere
        texts = self.model.embed(batch.ids).split(batch.cuts)
        visual = iter(self.model.encode(batch.views))
        pieces = [
            torch.cat([text[:1], next(visual), text[1:]]) if shown else text
            for text, shown in zip(texts, batch.shown, strict=True)
        ]
        ends = [0, *accumulate(batch.rows)]
        rows = [torch.cat(pieces[first:last]) for first, last in pairwise(ends)]
        return pad_sequence(rows, batch_first=True) + unused

    def _unused(self) -> Tensor:
        """Zero, with a gradient of zero for what a batch without pictures does not touch: processes must agree on who has one."""
        return torch.stack([value.sum() * 0 for value in self.visual()]).sum()

    def visual(self) -> list[Tensor]:
        """Trained weights that only pictures use."""
        named = self.model.named_parameters()
        return [value for name, value in named if value.requires_grad and not name.startswith("language_model.")]


def _mask(batch: MicroBatch) -> Tensor:
    """[n, t], 1 for an example's position; in packed rows [n, 1, t, t], true where a position sees another."""
    if not batch.packed:
        return (batch.segments > 0).long()
    segments = batch.segments
    causal = torch.ones(segments.shape[1], segments.shape[1], dtype=torch.bool, device=segments.device).tril()
    same = (segments[:, :, None] == segments[:, None, :]) & causal
    return same[:, None]  # padding sees padding, so that no row of the softmax is empty

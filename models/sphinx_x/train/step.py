"""One training step's mathematics: splice by gathering, block-masked forward, losses averaged per answer.

Not here: schedules, data order, files. Coordinates get a soft target around the true hundredth, because 0.41 for 0.40 is
nearly right and plain cross-entropy does not know that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from models.sphinx_x.corpus.turns import HINTS
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import FRACTIONS, Tokenizer
from models.sphinx_x.train.attention import NAME
from models.sphinx_x.train.batch import Batch
from models.sphinx_x.train.dense import DenseHead, DenseTargets
from models.sphinx_x.train.together import ALONE, Together

_HINTED = 4
"""After so many eighths of the layers a question's tokens are to hold what hints tell, so that the others can use it."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Ids of the coordinate tokens and, a row for each, the soft target over all of them."""

    ids: Tensor
    targets: Tensor

    @staticmethod
    def of(tokenizer: Tokenizer, blur: float) -> Coordinates:
        """Gaussian targets of ``blur`` hundredths; raises ValueError if the vocabulary splits a coordinate."""
        pieces = [tokenizer.encode(f"[{text}") for text in FRACTIONS]
        ids = [piece[-1] for piece in pieces]
        if any(len(piece) != 2 for piece in pieces):
            raise ValueError("the tokenizer must hold every two-decimal fraction as one token")
        steps = torch.arange(len(ids), dtype=torch.float32)
        soft = torch.exp(-((steps[None] - steps[:, None]) ** 2) / (2 * max(blur, 1e-3) ** 2))
        return Coordinates(torch.tensor(ids), soft / soft.sum(-1, keepdim=True))

    def loss(self, log_probs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each row [k, vocabulary], soft where the target is a coordinate."""
        plain = -log_probs.gather(1, targets[:, None])[:, 0]
        index = torch.full((log_probs.shape[1],), -1, dtype=torch.long)
        index[self.ids] = torch.arange(len(self.ids))
        which = index[targets]
        some = which >= 0
        if not some.any():
            return plain
        soft = -(log_probs[some][:, self.ids] * self.targets[which[some]]).sum(-1)
        return plain.masked_scatter(some, soft)


class TrainingModel(nn.Module):
    """The model with the heads that only training needs."""

    def __init__(self, model: SphinxX) -> None:
        super().__init__()
        self.model = model
        model.language_model.set_attn_implementation(NAME)
        width = model.variant.backbone.width
        self.see = DenseHead(width, relations=False)
        self.keep = DenseHead(width, relations=True)
        self.hints = HintHead(width)


class HintHead(nn.Module):
    """Reads off a question's tokens what hints tell: where the thing just named is, or which letter the picture has instead."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.read = nn.ModuleDict({kind: nn.Linear(width, values) for kind, values in HINTS.items()})

    def forward(self, hidden: Tensor, hints: Mapping[str, tuple[Tensor, Tensor]], together: Together = ALONE) -> Tensor:
        """This process's part of the sum over kinds of the mean loss; ``hidden`` are states of a middle layer [n * t, width]."""
        loss = hidden.new_zeros((), dtype=torch.float32)
        for kind, (where, values) in hints.items():
            share = together.share_of(len(where))
            if len(where):
                loss = loss + cross_entropy(self.read[kind](self.norm(hidden[where])).float(), values) * share
        return loss


@dataclass(frozen=True, slots=True)
class StepResult:
    """Loss to descend, and what to log: per answer its loss and whether every token would be written rightly."""

    loss: Tensor
    answer_loss: float
    dense: dict[str, float]
    per_answer: Tensor
    exact: Tensor


def picture_table(training: TrainingModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """Rows that `Batch.rows` points into, and the projected visual tokens [views, tokens, width]."""
    model = training.model
    visual = model.features(batch.views)
    width = visual.shape[-1]
    skip = model.skip_token if model.variant.skip_token != "none" else model.end_img
    table = torch.cat([model.start_img[0], model.end_img[0], skip[0], visual.reshape(-1, width), model.embed(batch.text)])
    return table, visual


def forward(
    training: TrainingModel,
    batch: Batch,
    coordinates: Coordinates,
    dense: float,
    bf16: bool,
    together: Together = ALONE,
    hints: float = 0.0,
) -> StepResult:
    """Losses of one batch, or this process's part of those of the whole step; ``dense`` and ``hints`` weigh auxiliary labels."""
    model = training.model
    sparse = model.variant.backbone.experts > 0
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        table, visual = picture_table(training, batch)
        embeddings = table[batch.rows]
        out = model.language_model.model(
            inputs_embeds=embeddings.to(torch.bfloat16) if bf16 else embeddings,
            attention_mask=batch.masks.prefix,
            packing=batch.masks,
            position_ids=batch.positions,
            use_cache=False,
            output_hidden_states=dense > 0 or hints > 0,
            **({"output_router_logits": True} if sparse else {}),
        )
        hidden = out.last_hidden_state.flatten(0, 1)[batch.where]
        logits = model.language_model.lm_head(hidden)
    token_loss = coordinates.loss(log_softmax(logits.float(), dim=-1), batch.targets)
    count = len(batch.families)
    answer_loss = (token_loss * batch.weights).sum() / count
    loss = answer_loss * together.share_of(count)
    scores: dict[str, float] = {}
    if dense > 0:
        seen, kept, scores = _dense(training, batch, visual, out.hidden_states, together)
        loss = loss + dense * (seen + kept)
    if hints > 0:
        late = out.hidden_states[_HINTED * len(out.hidden_states) // 8].flatten(0, 1)
        loss = loss + hints * training.hints(late, batch.hints, together)
    if sparse:
        backbone = model.variant.backbone
        loss = loss + backbone.load_balance * balance(out.router_logits, backbone.active_experts, together)
    with torch.no_grad():
        per_answer = torch.zeros(count).index_add_(0, batch.answers, (token_loss * batch.weights).detach())
        wrong = torch.zeros(count).index_add_(0, batch.answers, (logits.argmax(-1) != batch.targets).float())
    return StepResult(loss, float(answer_loss.detach()), scores, per_answer, wrong == 0)


def _dense(
    training: TrainingModel, batch: Batch, visual: Tensor, hidden: tuple[Tensor, ...], together: Together
) -> tuple[Tensor, Tensor, dict[str, float]]:
    seen, _ = training.see(visual[batch.labelled].float(), batch.dense, together)
    middle = hidden[len(hidden) // 2].flatten(0, 1)[batch.visual].view_as(visual)
    kept, scores = training.keep(middle[batch.labelled].float(), batch.dense, together)
    return seen, kept, scores


def see(
    training: TrainingModel, views: dict[int, Tensor], targets: DenseTargets, bf16: bool, together: Together = ALONE
) -> tuple[Tensor, dict[str, float]]:
    """Loss of the dense labels alone, for pretraining."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        visual = training.model.features(views)
    loss, scores = training.see(visual.float(), targets, together)
    return loss, scores


def balance(router_logits: tuple[Tensor, ...], active: int, together: Together = ALONE) -> Tensor:
    """Mean over layers of experts / (tokens * active) * sum over experts of load times mean probability; 1 when balanced.

    Load and tokens are those of all processes; only the probabilities carry a gradient, so the parts add up to the whole.
    """
    total = router_logits[0].new_zeros((), dtype=torch.float32)
    experts = router_logits[0].shape[-1]
    probabilities = [logits.float().softmax(-1) for logits in router_logits]
    loads = torch.stack([expert_load(each, active) for each in probabilities])
    part = together.share_of(len(probabilities[0]))
    for each, load in zip(probabilities, together.whole(loads), strict=True):
        total = total + experts / float(load.sum()) * (load * each.mean(0)).sum() * part
    return total / len(router_logits)


def expert_load(probabilities: Tensor, active: int) -> Tensor:
    """How many of the tokens [n, experts] choose each expert."""
    chosen = probabilities.topk(active).indices.flatten()
    ones = torch.ones(len(chosen), device=chosen.device)
    return torch.zeros(probabilities.shape[-1], device=chosen.device).index_add_(0, chosen, ones)


def by_family(families: tuple[str, ...], result: StepResult) -> dict[str, list[tuple[float, bool]]]:
    """Per family the (loss, exact) of each answer."""
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for family, loss, exact in zip(families, result.per_answer.tolist(), result.exact.tolist(), strict=True):
        found[family].append((loss, exact))
    return found

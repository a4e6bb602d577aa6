"""`train(config)`: the whole of a training run, resumable at any moment.

    vocabulary -> encoders on dense labels ("see") -> all parts on conversations ("talk") -> the model's folder

The clock is the CPU time of the processes that train, so a run beside other work gets what it was promised.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.sphinx_x import checkpoint
from models.sphinx_x.corpus.mini import EARLY, LATE, Mixture, blend, with_motley
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.train.batch import Batch, collate, draw_pictures
from models.sphinx_x.train.config import PretrainConfig, TrainConfig
from models.sphinx_x.train.curves import append, plot
from models.sphinx_x.train.muon import Muon
from models.sphinx_x.train.state import Progress, load_state, save_state
from models.sphinx_x.train.step import Coordinates, TrainingModel, by_family, forward, see
from models.sphinx_x.train.together import Together
from models.sphinx_x.train.upcycle import initialise
from models.sphinx_x.train.vocabulary import learn_vocabulary
from models.sphinx_x.variants import find_variant

log = logging.getLogger("riddle.train")

_HELD_OUT_SEED = 900_000
_HELD_OUT_BATCHES = 8
_LOG_EVERY = 25
_SCALE = 0.2


def train(config: TrainConfig) -> Path:
    """Train (or go on training) and return the folder of the finished model."""
    torch.set_num_threads(config.threads)
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    together = Together.join(config.batch)
    if together.leads:
        (folder / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    run = _Run(config, folder, together)
    run.see()
    run.talk()
    weights = Path(config.weights) if config.weights else folder / "model"
    if not together.leads:
        return weights
    checkpoint.save(weights, run.training.model, run.tokenizer)
    checkpoint.write_training(weights, run.account())
    plot(folder)
    log.info("finished after %.0f core-seconds in all; model in %s", run.progress.total, weights)
    return weights


def _tokenizer(config: TrainConfig, folder: Path) -> Tokenizer:
    path = folder / checkpoint.TOKENIZER
    if path.is_file():
        return Tokenizer.load(path)
    if config.init and not config.new_words:
        tokenizer = Tokenizer.load(Path(config.init) / checkpoint.TOKENIZER)
    else:
        tokenizer = learn_vocabulary(find_variant(config.variant).backbone.vocab, config.seed, motley=config.motley)
    tokenizer.save(path)
    return tokenizer


class _Run:
    """State of one run in this process."""

    def __init__(self, config: TrainConfig, folder: Path, together: Together) -> None:
        self.config, self.folder, self.together = config, folder, together
        self.tokenizer = together.in_turn(lambda: _tokenizer(config, folder))
        torch.manual_seed(config.seed)
        variant = find_variant(config.variant)
        self.training = TrainingModel(SphinxX(variant))
        self.variant = variant
        if config.init:
            initialise(self.training.model, Path(config.init), config.seed, self.tokenizer, config.fresh)
        self.optimizers = self._optimizers()
        self.coordinates = Coordinates.of(self.tokenizer, config.loss_blur)
        self.bf16 = config.precision == "bf16"
        self.progress = load_state(folder, self.training, self.optimizers, variant.name) or Progress()
        self.clock = time.process_time()

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices of all blocks, AdamW for embeddings, heads, the router, norms and biases."""
        config, named = self.config, list(self.training.named_parameters())
        matrices = [p for name, p in named if config.muon and _is_matrix(name, p)]
        chosen = {id(p) for p in matrices}
        decayed = [p for _, p in named if p.dim() >= 2 and id(p) not in chosen]
        plain = [p for _, p in named if p.dim() < 2]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)]
        return [*found, Muon(matrices, config.lr, config.weight_decay)] if matrices else found

    def _tick(self) -> None:
        now = time.process_time()
        spent = self.together.total(now - self.clock)
        self.progress.spent += spent
        self.progress.total += spent
        self.clock = now

    def _descend(self, loss: torch.Tensor, lr: float) -> float:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.together.sum_gradients(list(self.training.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.training.parameters(), self.config.clip)
        if not math.isfinite(float(norm)):
            log.warning("step %d: gradient is not finite, step left out", self.progress.step)
            return float(norm)
        for optimizer in self.optimizers:
            optimizer.step()
        return float(norm)

    def account(self) -> dict[str, Any]:
        """What the model was trained with, in pictures and core-seconds, as its folder keeps it for those who study scaling."""
        config = self.config
        pretrained = 0 if config.init else config.pretrain.steps * config.pretrain.batch
        pictures = {"pictures": self.progress.step * config.batch, "pictures_dense": pretrained}
        return {**pictures, "seed": config.seed, "init": Path(config.init).name, "core_seconds": round(self.progress.total)}

    def _save(self) -> None:
        if self.together.leads:
            save_state(self.folder, self.training, self.optimizers, self.progress, self.variant.name)

    def see(self) -> None:
        """Encoders and projector on dense labels."""
        config = self.config.pretrain
        if self.progress.phase != "see" or config.budget_s <= 0 or self.config.init:
            self._enter_talk()
            return
        saved = self.progress.spent
        while (share := self._share(config)) < 1 and not self._stopped():
            mixture = with_motley(EARLY, self.config.motley)
            pictures = draw_pictures(self.progress.step, self.config.seed + 7, mixture, config.batch, 1)
            pictures = self.together.share(pictures)
            batch = collate(pictures, self.variant, self.tokenizer, 1)
            keep = {size: views[batch.labelled] for size, views in batch.views.items()}
            loss, scores = see(self.training, keep, batch.dense, self.bf16, self.together)
            norm = self._descend(loss, config.lr * _shape(share, self.config.warmup))
            self._tick()
            self.progress.step += 1
            if self.progress.step % _LOG_EVERY == 0 and self.together.leads:
                told = {"step": self.progress.step, "spent_s": round(self.progress.spent), "loss": round(float(loss.detach()), 3)}
                log.info("see %s grad %.2f %s", told, norm, scores)
            if self.progress.spent - saved > self.config.save_s:
                saved = self.progress.spent
                self._save()
        if not self._stopped():
            self._enter_talk()

    def _enter_talk(self) -> None:
        if self.progress.phase == "talk":
            return
        if not self.config.init:
            _even_out(self.training.model)
        self.progress = Progress("talk", 0, 0.0, self.progress.total)
        self.optimizers = self._optimizers()
        self._save()

    def _stopped(self) -> bool:
        return bool(self.config.stop_after) and self.progress.step >= self.config.stop_after

    def _share(self, config: TrainConfig | PretrainConfig) -> float:
        """How much of a phase's budget is used, 1 at its end."""
        return self.progress.step / config.steps if config.steps else self.progress.spent / config.budget_s

    def mixture(self) -> Mixture:
        """What is asked at this moment."""
        share, turn = self._share(self.config), self.config.early
        found = blend(EARLY, LATE, (share - turn / 3) / (turn * 2 / 3) if turn > 0 else 1.0)
        return with_motley(replace(found, kinds={**found.kinds, **self.config.kinds}), self.config.motley)

    def _batch(self, step: int, seed: int, mixture: Mixture) -> Batch:
        pictures = draw_pictures(step, seed, mixture, self.config.batch, self.config.turns)
        return collate(self.together.share(pictures), self.variant, self.tokenizer, self.config.chunks)

    def talk(self) -> None:
        """All parts at once, loss on answers."""
        config, progress = self.config, self.progress
        saved = evaluated = progress.spent
        losses: list[float] = []
        while (share := self._share(config)) < 1 and not self._stopped():
            batch = self._batch(progress.step, config.seed, self.mixture())
            dense = config.dense * max(0.1, 1 - share * 1.5)
            result = forward(self.training, batch, self.coordinates, dense, self.bf16, self.together, config.hints)
            lr = config.lr * _shape(share, config.warmup)
            norm = self._descend(result.loss, lr)
            self._tick()
            progress.step += 1
            losses.append(self.together.total(result.answer_loss * float(self.together.share_of(len(result.per_answer)))))
            if progress.step % _LOG_EVERY == 0 and self.together.leads:
                self._log(losses, lr, norm, result.dense)
                losses = []
            if progress.spent - saved > config.save_s:
                saved = progress.spent
                self._save()
            if progress.spent - evaluated > config.evaluate_s:
                evaluated = progress.spent
                self._look()
        self._look()

    def _log(self, losses: list[float], lr: float, norm: float, dense: dict[str, float]) -> None:
        progress = self.progress
        loss = sum(losses) / len(losses)
        row = {"step": progress.step, "spent_s": round(progress.spent, 1), "total_s": round(progress.total, 1)}
        row |= {"pictures": progress.step * self.config.batch, "loss": round(loss, 4), "lr": round(lr, 7)}
        row |= {"grad_norm": round(norm, 3)}
        append(self.folder / "train.csv", row)
        log.info("talk %s %s", row, {key: round(value, 2) for key, value in dense.items()})

    def _look(self) -> None:
        """Save the run, the model as it stands, and how well it answers."""
        self._save()
        if self.together.leads:
            checkpoint.save(self.folder / "model", self.training.model, self.tokenizer)
            self.evaluate()
        self._tick()

    def evaluate(self) -> None:
        """Held-out loss and exact answers by family, on pictures of the training split that training never draws."""
        found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        with torch.no_grad():
            for step in range(_HELD_OUT_BATCHES):
                batch = self._batch(step, self.config.seed + _HELD_OUT_SEED, LATE)
                result = forward(self.training, batch, self.coordinates, 0.0, self.bf16)
                for family, values in by_family(batch.families, result).items():
                    found[family] += values
        for family, values in sorted(found.items()):
            loss, exact = (sum(v[i] for v in values) / len(values) for i in (0, 1))
            row = {"step": self.progress.step, "total_s": round(self.progress.total, 1), "family": family, "n": len(values)}
            append(self.folder / "heldout.csv", row | {"loss": round(loss, 4), "exact": round(exact, 4)})
        summary = {family: round(100 * sum(v[1] for v in values) / len(values)) for family, values in sorted(found.items())}
        log.info("held out at %.0fs: exact %s", self.progress.spent, summary)


def _is_matrix(name: str, weight: Tensor) -> bool:
    """Whether a weight maps one width to another inside a block (a stack of experts counts), unlike tables and heads."""
    if any(part in name for part in ("embed", "lm_head", ".mlp.gate.", ".read.")):
        return False
    return weight.dim() == 2 or (weight.dim() == 3 and ".experts." in name)


def _even_out(model: SphinxX) -> None:
    """Bring visual tokens and text embeddings to one scale before they meet.

    The projector ends in a LayerNorm, whose outputs are tens of times larger than fresh embeddings: the language model's
    layers could hardly add anything (such as where a token lies) to them. Dense heads do not notice, they normalise first.
    """
    with torch.no_grad():
        for value in (*model.projector.norm.parameters(), model.start_img, model.end_img, getattr(model, "skip_token", None)):
            if value is not None:
                value.mul_(_SCALE)
        model.language_model.get_input_embeddings().weight.normal_(std=_SCALE)


def _shape(share: float, warmup: float) -> float:
    """Linear warm-up, then cosine to zero, as a factor of the peak rate."""
    if share < warmup:
        return max(share / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * min((share - warmup) / (1 - warmup), 1.0)))

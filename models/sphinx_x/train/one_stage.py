"""`train(config)`: one-stage training of any variant on annotation files, as the paper does it, resumable at any moment.

    conversations -> steps of one kind and similar lengths -> frozen encoders, projector, language model -> loss on answers

Not here: the mini world's dense labels and core-second budgets, by which nano is trained from nothing (``run``).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import ConfigError, DatasetError
from harness.results import write_json
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.hub import initialise_from
from models.sphinx_x.official.tokenizer import find_tokenizer
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.train.annotations import Annotations, read_data_config
from models.sphinx_x.train.engines import WEIGHT, Engine, build_engine
from models.sphinx_x.train.examples import Maker
from models.sphinx_x.train.journal import Journal
from models.sphinx_x.train.loading import Step, Steps, load
from models.sphinx_x.train.objective import Losses, Objective, losses_of
from models.sphinx_x.train.parallel import Grid, cut_language_model, shard
from models.sphinx_x.train.recipe import RecipeConfig
from models.sphinx_x.train.sampler import learning_rate
from models.sphinx_x.train.snapshots import Snapshot, Standing, save_snapshot
from models.sphinx_x.train.upcycle import initialise
from models.sphinx_x.variants import find_variant

log = logging.getLogger("riddle.train")


def train(config: RecipeConfig) -> Path:
    """Train (or go on training) and return the folder of the finished model."""
    if config.threads:
        torch.set_num_threads(config.threads)
    run = _Run(config, Grid.meet(config.parallel))
    run.go()
    return run.finish()


@dataclass
class _Tally:
    """What happened since the last row of the log, in this process."""

    since: float = field(default_factory=time.perf_counter)
    steps: int = 0
    examples: int = 0
    positions: int = 0
    skipped: int = 0
    targets: float = 0.0
    tokens: float = 0.0
    balance: float = 0.0
    micro: int = 0
    load: Tensor | None = None

    def add(self, losses: Losses) -> None:
        """Count a micro-batch."""
        self.tokens += float(losses.tokens)
        self.micro += 1
        self.balance += float(losses.balance)
        if losses.load.numel():
            self.load = losses.load if self.load is None else self.load + losses.load


class _Run:
    """State of one run in this process."""

    def __init__(self, config: RecipeConfig, grid: Grid) -> None:
        self.config, self.grid = config, grid
        self.folder = Path(config.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.words = _tokenizer(config)
        annotations = Annotations(read_data_config(Path(config.data.config)))
        maker = Maker(annotations, self.words, find_variant(config.variant), config.max_words)
        self.steps = Steps(config, maker, grid.together.rank, grid.together.world)
        found = Snapshot.newest(self.folder / "checkpoints", self._agrees())
        self.standing = found.standing if found else Standing(agrees=self._agrees())
        self.journal = Journal(
            self.folder, config.loggers, grid.together.rank, leads=grid.leads, speaks=grid.speaks, name=config.variant
        )
        if grid.leads:
            write_json(self.folder / "data.json", {"records": len(annotations), "bad": annotations.bad[:1000]})
            log.info("%d records, %d left out, %d steps", len(annotations), len(annotations.bad), len(self.steps))
        if annotations.bad and len(annotations.bad) > config.data.max_bad * len(annotations):
            raise DatasetError(f"{len(annotations.bad)} records cannot be read, such as: {annotations.bad[0]}")
        self.journal.go_back(self.standing.step)
        self.objective = self._objective()
        self.engine: Engine = build_engine(self.objective, config, grid)
        if found:
            self.engine.restore(found.read, found.standing.applied)

    def _agrees(self) -> dict[str, Any]:
        """Settings that a checkpoint must share with the run that goes on from it."""
        names = ("variant", "seed", "batch", "max_words", "epochs", "lr", "warmup", "weight_decay", "clip", "train_encoders")
        return {name: getattr(self.config, name) for name in names} | {"records": len(self.steps.maker.annotations)}

    def _objective(self) -> Objective:
        config, grid = self.config, self.grid
        torch.manual_seed(config.seed)
        variant = find_variant(config.variant)
        if self.words.size > variant.backbone.vocab:
            raise ConfigError(f"the tokenizer has {self.words.size} tokens, variant {variant.name} {variant.backbone.vocab}")
        if variant.backbone.kv_heads % config.parallel.tensor:
            raise ConfigError(
                f"train.parallel.tensor={config.parallel.tensor}: does not divide the {variant.backbone.kv_heads} "
                f"key-value heads of variant {variant.name}"
            )
        model = SphinxX(variant)
        if config.init:
            initialise(model, Path(config.init), config.seed)
        if config.base.language or config.base.encoders:
            encoders = {name: Path(path) for name, path in config.base.encoders.items()}
            initialise_from(model, language=Path(config.base.language) if config.base.language else None, encoders=encoders)
        if grid.cut:
            cut_language_model(model, grid, self.folder / ".cut")
        weight = variant.backbone.load_balance if config.load_balance < 0 else config.load_balance
        objective = Objective(model, weight, train_encoders=config.train_encoders).train()
        if config.parallel.zero != 3:  # which moves weights to the device one by one
            objective.to(grid.device)
        if config.precision == "bf16" and not config.train_encoders:
            model.vision.to(torch.bfloat16)
        if config.recompute:
            language: Any = model.language_model
            older = getattr(language, "gradient_checkpointing_enable", None)  # its name until transformers 5.22
            getattr(language, "activation_checkpointing_enable", older)({"use_reentrant": False})
        if grid.shards is not None:
            shard(objective, model.vision, grid)
        return objective

    def go(self) -> None:
        """All steps that are left, or those up to ``stop_after``."""
        last = min(len(self.steps), self.config.stop_after or len(self.steps))
        tally = _Tally()
        for step in load(self.steps, self.standing.step, last):
            lr, norm = self._descend(step, tally)
            self._stand(step)
            if self.standing.step % self.config.log_steps == 0 or self.standing.step == last:
                self._log(tally, lr, norm)
                tally = _Tally()
            if self.standing.step % self.config.save_steps == 0 and self.standing.step < len(self.steps):
                self._save()

    def _stand(self, step: Step) -> None:
        number = self.standing.step + 1
        self.journal.skip(number, step.skipped)
        skipped = self.standing.skipped + round(self.grid.together.total(len(step.skipped)))
        self.standing = Standing(step=number, applied=self.engine.applied, skipped=skipped, agrees=self.standing.agrees)
        allowed = self.config.data.max_bad * len(self.steps.maker.annotations) * self.config.epochs
        if skipped > max(allowed, 1):
            raise DatasetError(f"{skipped} records were left out, more than data.max_bad allows; see {self.folder}/skipped.csv")

    def _descend(self, step: Step, tally: _Tally) -> tuple[float, float]:
        together, config = self.grid.together, self.config
        torch.manual_seed(config.seed * 1_000_003 + self.standing.step)
        epoch = self.standing.step / self.steps.per_epoch
        lr = learning_rate(epoch, peak=config.lr, epochs=config.epochs, warmup=config.warmup)
        counts = torch.tensor([float(sum(len(one.where) for one in step.micro)), float(len(step.micro))], device=self.grid.device)
        targets, micro = together.whole(counts).tolist()
        rounds = round(together.most(len(step.micro)))
        dtype = next(self.objective.model.vision.parameters()).dtype
        for number in range(rounds):
            batch = step.micro[number] if number < len(step.micro) else _nothing(self.words.bos)
            autocast = config.precision == "bf16" and config.parallel.engine != "deepspeed"
            losses = losses_of(self.engine.module, batch.to(self.grid.device, dtype), targets, micro, autocast)
            share = losses.loss if number < len(step.micro) else losses.loss * 0
            self.engine.backward(share, last=number == rounds - 1)
            if number < len(step.micro):
                tally.add(losses)
        norm = self.engine.update(lr)
        tally.steps += 1
        tally.examples += step.examples
        tally.positions += step.positions
        tally.skipped += len(step.skipped)
        tally.targets += float(counts[0])
        return lr, norm

    def _log(self, tally: _Tally, lr: float, norm: float) -> None:
        own = [tally.tokens, tally.targets, tally.balance, tally.micro, tally.examples, tally.positions, tally.skipped]
        counted = torch.tensor(own, dtype=torch.float64 if self.grid.device.type == "cpu" else torch.float32)
        tokens, targets, balance, micro, examples, positions, _ = self.grid.together.whole(counted.to(self.grid.device)).tolist()
        seconds = time.perf_counter() - tally.since
        row: dict[str, Any] = {"step": self.standing.step, "epoch": round(self.standing.step / self.steps.per_epoch, 4)}
        row |= {"loss": round(tokens / max(targets, 1), 6), "lr": lr, "grad_norm": round(norm, 5)}
        row |= {"balance": round(balance / max(micro, 1), 5), "tokens_per_s": round(positions / seconds, 1)}
        row |= {"samples_per_s": round(examples / seconds, 2), "skipped": self.standing.skipped}
        shares: list[list[float]] = []
        if tally.load is not None:
            load = self.grid.together.whole(tally.load)
            shares = (load / load.sum(-1, keepdim=True)).tolist()
        self.journal.write(row, shares)
        if self.grid.leads:
            log.info("%s", row)

    def _save(self) -> None:
        save_snapshot(
            self.folder / "checkpoints", self.standing, self.engine.state(), leads=self.grid.leads, keep=self.config.keep
        )
        self.grid.barrier()

    def finish(self) -> Path:
        """Save the run's end and write the model's folder, if the run has come to its end."""
        weights = Path(self.config.weights) if self.config.weights else self.folder / "model"
        self._save()
        if self.standing.step >= len(self.steps):
            trained = {name: parts[WEIGHT].cpu() for name, parts in self.engine.state() if self.grid.leads}
            if self.grid.leads:
                self._write_model(weights, {name.removeprefix("model."): value for name, value in trained.items()})
                self.journal.close()
        self.grid.barrier()
        return weights

    def _write_model(self, folder: Path, trained: dict[str, Tensor]) -> None:
        frozen = {name: value for name, value in self.objective.model.state_dict().items() if name not in trained}
        with torch.device("meta"):
            model = SphinxX(self.objective.model.variant)
        model.load_state_dict({**frozen, **trained}, assign=True)
        checkpoint.save(folder, model, self.words, "bfloat16" if self.config.precision == "bf16" else "float32")


def _nothing(start: int) -> Any:
    """A micro-batch for a process that has none left while others do: they must compute as many."""
    from models.sphinx_x.train.examples import collate

    return collate([], start)


def _tokenizer(config: RecipeConfig) -> Tokenizer:
    named = config.tokenizer or config.init or config.base.language
    found = find_tokenizer(Path(named)) if named else None
    if found is None:
        raise ConfigError(f"train.tokenizer={named!r}: holds no tokenizer; name the folder of the base model")
    return found

"""What a one-stage training run on annotation files is told: the paper's recipe, the schema behind ``conf/train/paper.yaml``.

Where the paper is silent the value is that of the authors' code or README (LLaMA2-Accessory) and said so below. Not here: the
training of nano on the mini world (``config``), which counts core-seconds and has dense labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class AnnotationConfig:
    """The training conversations.

    Attributes:
        config: the authors' data file (``META``: path, type, root, ratio), as ``riddle data corpus`` writes it.
        workers: processes that read pictures and encode text ahead of the training; 0 does it in between steps.
        ahead: steps that each worker prepares in advance.
        max_bad: share of an epoch's records that may be skipped before the run stops.
    """

    config: str
    workers: int = 4
    ahead: int = 2
    max_bad: float = 0.01


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How the processes of ``torchrun`` share the work: ``tensor`` of them hold one language model, the others share the batch.

    Attributes:
        tensor: tensor-parallel size of the language model (paper: 8 for Mixtral, 2 for LLaMA2-13B, else 1).
        engine: ``deepspeed`` shards optimiser states and gradients (ZeRO); ``torch`` keeps them whole and sums gradients;
            ``fsdp`` shards weights too (torch's, by transformers' plan) and is the one that goes with ``tensor``.
        zero: DeepSpeed's stage: 2 (paper), or 3, which shards the weights of the language model too; encoders and projection
            stay whole in every process.
    """

    tensor: int = 1
    engine: Literal["torch", "fsdp", "deepspeed"] = "torch"
    zero: Literal[2, 3] = 2


@dataclass(frozen=True, kw_only=True)
class BaseConfig:
    """Published weights of parts to start from, as they lie on model hubs.

    Attributes:
        language: folder of the language model; its tokenizer is taken too.
        encoders: name of an encoder to its folder or file, such as ``convnext`` and ``dinov2``.
    """

    language: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RecipeConfig:
    """One-stage training of a variant.

    Attributes:
        variant: name in ``variants``.
        folder: the run's folder: checkpoints, curves, skipped records. The same command goes on from what stands there.
        weights: folder that receives the finished model; empty for ``folder/model``.
        init: model folder to start from; a dense one may start a sparse one. Empty starts from random weights.
        base: weights of parts to start from instead (paper: base language model, original encoders, random projections).
        tokenizer: folder of the tokenizer; empty is that of ``init`` or of the base language model.
        data: conversations.
        parallel: processes.
        batch: examples of an optimiser step over all processes (paper: 256).
        micro: examples that one process computes at once; the rest of its share of the step is accumulated.
        packing: ``length`` pads micro-batches of similar lengths (authors); ``packed`` fills rows of ``row`` positions with
            several examples that do not see one another.
        row: positions of a packed row.
        max_words: longest sequence, visual positions included; what is longer loses its end.
        epochs: passes over the data (paper: implied one); with ``steps`` above 0 the run ends there, on the same schedule.
        lr: peak learning rate (paper: 2e-5, 5e-6 for the mixture of experts).
        warmup: epochs of linear warm-up (paper: 0.01); a cosine to 0 follows.
        clip: greatest norm of the gradient (authors' README: 8).
        load_balance: weight of the router's balance loss; below 0 takes the variant's.
        train_encoders: the paper freezes its encoders; nano's are trained with the rest.
        precision: ``bf16`` computes in bfloat16 and keeps fp32 master weights.
        recompute: activation checkpointing of every block of the language model.
        save_steps, keep: steps between checkpoints, and how many of them stay.
        loggers: besides CSV files, ``tensorboard`` or ``wandb``.
        stop_after: end after this step as a kill would; 0 goes to the end.
    """

    variant: str
    folder: str
    data: AnnotationConfig
    weights: str = ""
    init: str = ""
    base: BaseConfig = field(default_factory=BaseConfig)
    tokenizer: str = ""
    seed: int = 0
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    batch: int = 256
    micro: int = 1
    packing: Literal["length", "packed"] = "length"
    row: int = 4096
    max_words: int = 4096
    epochs: float = 1.0
    steps: int = 0
    lr: float = 2e-5
    warmup: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 8.0
    load_balance: float = -1.0
    train_encoders: bool = False
    precision: Literal["bf16", "fp32"] = "bf16"
    recompute: bool = True
    save_steps: int = 500
    keep: int = 2
    log_steps: int = 10
    loggers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    threads: int = 0
    stop_after: int = 0

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("batch", "micro", "row", "max_words", "save_steps", "keep", "log_steps")}
        wrong = [f"train.{name}={value}: must be at least 1" for name, value in counts.items() if value < 1]
        if self.epochs <= 0 or self.lr <= 0 or not 0 <= self.warmup < self.epochs:
            wrong.append(f"train.epochs={self.epochs}, lr={self.lr}: must be positive, and warmup={self.warmup} less than epochs")
        if self.packing == "packed" and self.row < self.max_words:
            wrong.append(f"train.row={self.row}: is shorter than the longest example, max_words={self.max_words}")
        if self.parallel.tensor > 1 and self.parallel.engine == "deepspeed":
            wrong.append(
                "train.parallel: DeepSpeed does not take tensor-parallel weights; say engine=fsdp where tensor is above 1"
            )
        if self.parallel.zero not in (2, 3):
            wrong.append(f"train.parallel.zero={self.parallel.zero}: must be 2 or 3")
        elif self.parallel.zero == 3 and self.parallel.engine != "deepspeed":
            wrong.append(f"train.parallel.zero=3: is a stage of engine=deepspeed, not of engine={self.parallel.engine}")
        if wrong:
            raise ConfigError("\n".join(wrong))

    def accumulate(self, processes: int) -> int:
        """Micro-batches of a step on each of so many data-parallel processes. Raises `ConfigError` if they do not divide it."""
        if self.batch % (self.micro * processes):
            raise ConfigError(
                f"train.batch={self.batch}: cannot be shared out evenly in micro-batches of {self.micro} on {processes} processes"
            )
        return self.batch // (self.micro * processes)

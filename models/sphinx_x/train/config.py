"""What a training run is told; the schema behind ``conf/train.yaml``.

Time is budgeted in core-seconds of all processes: the learning rate's cosine ends when the budget ends, on any machine. Where
``steps`` are given the schedules follow them instead, so that a run repeats. A finished or killed run goes on when started
again with a larger budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Encoders and projector on the mini world's dense labels. ``budget_s`` 0 leaves this step out; ``steps`` as below."""

    budget_s: float = 600.0
    batch: int = 24
    lr: float = 2e-3
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One-stage training of all parts.

    Attributes:
        variant: name in ``variants``.
        folder: the run's folder: state, curves, log. Training resumes from what stands there.
        weights: folder that receives the finished model; empty for ``folder/model``.
        init: folder of a trained model to start from; a dense one may start a sparse one (experts become copies).
        new_words: learn the vocabulary from the corpus although the model starts from another, whose words are then translated.
        fresh: share of each expert's neurons that start at random where experts start from a dense model.
        budget_s: core-seconds for this step, without pretraining.
        batch: pictures a step. Each is asked about ``turns`` questions, as many as fit into ``chunks`` chunks of positions.
        early: share of the budget after which the mixture of questions has fully changed from long and open answers to all;
            the change begins at a third of it.
        dense: weight of the dense labels as an auxiliary loss at the start; fades to a tenth over the budget.
        kinds: weights of kinds of pictures that replace the mixture's own.
        motley: share of the scenes that show colours and shapes which evaluation does not know.
        hints: weight of the hints, by which the tokens of a question learn to hold what it names.
        muon: orthogonalised momentum for the matrices of all blocks; without it all weights take AdamW.
        loss_blur: width, in hundredths, of the soft target around a coordinate.
        threads: compute threads. ``precision`` is ``bf16`` (autocast) or ``fp32``.
        evaluate_s, save_s: core-seconds between held-out losses and between checkpoints.
        steps: schedules follow this number of steps instead of core-seconds, so that a run repeats exactly; 0 for time.
        stop_after: leave each phase after this step, as a kill would; 0 goes to the end.
    """

    variant: str = "nano"
    folder: str = "runs/train/nano"
    weights: str = ""
    init: str = ""
    new_words: bool = False
    fresh: float = 0.0
    seed: int = 1
    budget_s: float = 4000.0
    batch: int = 16
    turns: int = 10
    chunks: int = 3
    lr: float = 1.5e-3
    warmup: float = 0.02
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0
    muon: bool = True
    early: float = 0.45
    dense: float = 0.5
    kinds: Mapping[str, float] = field(default_factory=dict)
    motley: float = 0.0
    hints: float = 0.0
    loss_blur: float = 1.5
    threads: int = 1
    precision: str = "bf16"
    evaluate_s: float = 300.0
    save_s: float = 120.0
    steps: int = 0
    stop_after: int = 0
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)

    def __post_init__(self) -> None:
        if self.precision not in ("bf16", "fp32"):
            raise ConfigError(f"train.precision={self.precision!r} is neither bf16 nor fp32")
        if self.budget_s <= 0 or self.batch < 1 or self.turns < 1:
            raise ConfigError(f"train.budget_s={self.budget_s}, batch={self.batch} and turns={self.turns} must all be positive")

"""What steps of decoding read from memory, counted by formula, and the share of a bandwidth that this is.

Not here: clocks and the bandwidth (``bench_meter``). Counted is what a step must read at least once: weights, and keys and values
as they lie, padding included. What it writes, and what a way of decoding copies besides, is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.sphinx_x.anatomy import BYTES, kv_bytes, language_parameters
from models.sphinx_x.axes import Backbone, Variant


@dataclass(frozen=True, slots=True)
class Traffic:
    """Decoding steps, and the bytes of keys and values that they read together, padding included."""

    steps: int
    kv_bytes: int

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.steps + other.steps, self.kv_bytes + other.kv_bytes)

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(self.steps - other.steps, self.kv_bytes - other.kv_bytes)

    def share(self, weight_bytes: int, seconds: float, bandwidth: float) -> float | None:
        """Part of the bandwidth limit that was reached; None if the steps took no time that the clock could see.

        (steps x bytes of weights + bytes of keys and values) / (seconds x bandwidth): what a step reads at least once.
        """
        return (self.steps * weight_bytes + self.kv_bytes) / (seconds * bandwidth) if seconds > 0 else None


def padded_traffic(rows: int, positions: int, new_tokens: int, position_bytes: int) -> Traffic:
    """A static batch: ``rows`` prompts padded to ``positions``, then ``new_tokens`` each.

    The first token comes with the prompt; the step to token t + 1 reads positions + t of each row.
    """
    steps = new_tokens - 1
    return Traffic(steps, rows * (steps * positions + steps * (steps + 1) // 2) * position_bytes)


def step_weight_bytes(variant: Variant, itemsize: int) -> int | None:
    """Bytes of weights that one step of decoding reads: all of the language model's but the table of embeddings.

    None for sparse models, where it hangs on which experts the rows choose.
    """
    backbone = variant.backbone
    return None if backbone.experts else itemsize * (language_parameters(variant) - backbone.vocab * backbone.width)


def position_bytes(backbone: Backbone, itemsize: int) -> int:
    """Bytes of keys and values of one position."""
    return kv_bytes(backbone) // BYTES * itemsize

"""What the layout of a step costs: the same examples in random order, by length as the authors batch them, and packed.

A measurement of batching alone: conversations of drawn lengths as token ids, one thread, CPU seconds of forward and backward
pass, so that a busy machine disturbs little. Not here: how fast records are read and encoded.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import torch

from models.sphinx_x.model import SphinxX
from models.sphinx_x.train.examples import Example, MicroBatch, collate, pack
from models.sphinx_x.train.objective import Objective, losses_of
from models.sphinx_x.train.sampler import LengthGroupedSampler, pools
from models.sphinx_x.variants import find_variant

_MEDIAN, _SPREAD, _SHORTEST = 55.0, 0.7, 8


def bench_train(n: int = 128, batch: int = 32, micro: int = 8, row: int = 256, variant: str = "nano") -> list[dict[str, Any]]:
    """Return a row a layout: positions computed for each that is needed, examples per CPU second, and how it compares.

    The last two rows are ``ok`` if they are not slower than random order and have its loss.

    Args:
        n: examples, of log-normal length (median 55 tokens).
        batch: examples of a step.
        micro: examples of a micro-batch.
        row: positions of a packed row, and of the longest example.
        variant: which model.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        module = Objective(SphinxX(find_variant(variant)), 0.0, train_encoders=False).train()
        return _rows(module, _examples(n, row, module.model.variant.backbone.vocab), batch, micro, row)
    finally:
        torch.set_num_threads(threads)


def _examples(n: int, longest: int, vocab: int) -> list[Example]:
    rng = random.Random(0)
    found = []
    for _ in range(n):
        length = min(longest, max(_SHORTEST, round(rng.lognormvariate(0, _SPREAD) * _MEDIAN)))
        ids = tuple(rng.randrange(3, vocab) for _ in range(length))
        found.append(Example(ids, (0, *ids[1:])))
    return found


def _rows(module: Objective, examples: Sequence[Example], batch: int, micro: int, row: int) -> list[dict[str, Any]]:
    lengths = [example.positions for example in examples]
    order = LengthGroupedSampler(pools=pools(["text"] * len(examples), lengths), batch=batch).epoch(0)
    shuffled = random.Random(1).sample(order, len(order))
    packed = [
        collate(rows[at : at + max(1, micro * sum(lengths) // (row * len(lengths)))], 0)
        for start in range(0, len(order), batch)
        for rows in [pack([examples[place] for place in order[start : start + batch]], row)]
        for at in range(0, len(rows), max(1, micro * sum(lengths) // (row * len(lengths))))
    ]
    layouts = {"random order": _padded(examples, shuffled, micro), "by length": _padded(examples, order, micro), "packed": packed}
    _measure(module, packed[:1])  # warm now
    needed = sum(lengths[place] for place in order)
    measured = {name: _measure(module, batches) for name, batches in layouts.items()}
    base_s, base_loss = measured["random order"]
    return [
        {
            "name": name,
            "n": len(order),
            "cpu_s": seconds,
            "positions_per_needed": sum(one.positions.numel() for one in layouts[name]) / needed,
            "examples_per_cpu_s": len(order) / seconds,
            "times_as_fast": base_s / seconds,
            **({"ok": seconds <= base_s and abs(loss - base_loss) < 1e-3 * base_loss} if name != "random order" else {}),
        }
        for name, (seconds, loss) in measured.items()
    ]


def _padded(examples: Sequence[Example], order: Sequence[int], micro: int) -> list[MicroBatch]:
    return [collate([[examples[place]] for place in order[at : at + micro]], 0) for at in range(0, len(order), micro)]


def _measure(module: Objective, batches: Sequence[MicroBatch]) -> tuple[float, float]:
    """CPU seconds of forward and backward passes, and the sum of the token losses."""
    started, total = time.process_time(), 0.0
    for batch in batches:
        losses = losses_of(module, batch, 1.0, 1.0)
        losses.loss.backward()
        module.zero_grad(set_to_none=True)
        total += float(losses.tokens)
    return time.process_time() - started, total

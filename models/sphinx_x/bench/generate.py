"""How fast the engine answers the mini suite, against transformers' ``generate`` on the same prompts in the same run.

Not here: accuracy, and what is measured and how it is compared (``bench_contest``). ``one by one`` is transformers as its
examples use it: open, encode and ``generate`` for each question. The other rows of ``generate`` are given every picture encoded
once, by the engine's own code and at its cost, which they would not do by themselves; the ratios to them are about generation.
On a CPU: one thread and CPU seconds of the process; on a GPU: the wall clock. The median of several rounds in which all ways
take turns, each round with a new engine that has kept nothing, so that a busy machine disturbs little. The first token's time
is that of a lone question on a picture not seen before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.catalog import find_task
from harness.commands.places import place_of
from harness.config import MiniConfig, PathsConfig
from harness.plan import Settings, Source, plan
from harness.types import Request
from models.sphinx_x.assembly import Assembled, Computing, Dtype
from models.sphinx_x.bench.contest import Contest, with_room
from models.sphinx_x.bench.meter import Meter
from models.sphinx_x.bench.noise import noise_model
from models.sphinx_x.inference.engine import EngineOptions
from models.sphinx_x.plugin import SHIPPED, weights_folder
from models.sphinx_x.variants import VARIANTS

TASKS = ("pope", "mme", "mmbench_en", "mathvista", "refcoco_val", "docvqa", "videobench")
ONE_PICTURE = tuple(name for name in TASKS if name != "videobench")
"""Asked of random weights: the frames of a clip, all views each, would not fit the positions of large variants."""

BATCHES = {"cpu": (1, 8, 16, 32, 64), "cuda": (16, 32, 64, 128, 256)}
"""Static batches. On a GPU one by one stands for batch 1, which takes minutes."""

GPU_POSITIONS = 2048
"""Positions that each prompt of a batch may have on a GPU, about, where ``batch_tokens`` is not given."""


def bench_generate(
    n: int = 40,
    rounds: int = 3,
    model: str = "nano",
    tasks: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    dtype: Dtype = "auto",
    new_tokens: int = 64,
    batches: Sequence[int] | None = None,
    singles: int | None = None,
    max_batch: int | None = None,
    batch_tokens: int | None = None,
) -> list[dict[str, Any]]:
    """Return a row a way of asking: seconds, questions and tokens per second, peak memory, and how the engine compares.

    The engine's row is ``ok`` if it is five times as fast as one by one and 1.15 times as fast as the best static batch sorted
    by length (on a GPU ten times and 1.5 times), and, in float32, says the same. ``engine again`` is a second pass over the
    same questions, whose pictures it has kept. In float32 one more row is ``ok`` if logits differ so little between a batch
    and a lone prompt that what the engine takes for a close call covers it.

    Args:
        n: questions of each benchmark (MMBench asks each in several rotations).
        rounds: how often everything is measured.
        model: a shipped name, a folder of weights, or the name of a variant, which is then built with random weights.
        tasks: which mini benchmarks; by default all of `TASKS`, or `ONE_PICTURE` for random weights.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        dtype: as `models.sphinx_x.plugin.SphinxXModel` takes it; ``auto`` is bfloat16 on a GPU, else float32.
        new_tokens: length of every reply of random weights.
        batches: sizes of static batches.
        singles: questions, evenly drawn, that are asked one by one and whose replies are compared; by default all.
        max_batch: the engine's; by default its own, on a GPU the largest static batch.
        batch_tokens: the engine's; by default its own, on a GPU `GPU_POSITIONS` for each of ``max_batch``.

    Raises:
        ConfigError: there is no such model, device or precision.
    """
    how = Computing.of(dtype, device, None)
    meter = Meter(how.device)
    built, is_noise = _built(model, how)
    sizes = tuple(batches or BATCHES[meter.device.type])
    threads = torch.get_num_threads()
    if not meter.on_gpu:
        torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
            requests = list(mini_requests(Path(folder), n, tasks or (ONE_PICTURE if is_noise else TASKS)))
            if is_noise:
                requests = [with_room(request, new_tokens) for request in requests]
            options = _engine_options(meter, sizes, max_batch, batch_tokens)
            return Contest(built, how, requests, meter, options, sizes, singles, new_tokens if is_noise else None).rows(rounds)
    finally:
        torch.set_num_threads(threads)


def mini_requests(root: Path, n: int, tasks: Sequence[str]) -> Iterator[Request]:
    """The questions of the mini suite as an evaluation asks them."""
    for name in tasks:
        task = find_task(name)
        place = place_of(task, ("mini",), PathsConfig(data=root), MiniConfig(n=n))
        planned = plan(Source.find(task, place.where), Settings(), model="bench")
        yield from {one.request.key: one.request for one in planned}.values()


def _built(model: str, how: Computing) -> tuple[Assembled, bool]:
    """Model and tokenizer, placed, and whether the weights are random. Raises `ConfigError`."""
    is_noise = model in VARIANTS and not (SHIPPED / model).is_dir() and not Path(model).is_dir()
    built = Assembled(Path(model), *noise_model(model, how.device), None) if is_noise else Assembled.load(weights_folder(model))
    built.place(how)
    return built, is_noise


def _engine_options(meter: Meter, sizes: Sequence[int], max_batch: int | None, batch_tokens: int | None) -> EngineOptions:
    if not meter.on_gpu:
        usual = EngineOptions()
        rows, tokens = max_batch or usual.max_batch, batch_tokens or usual.batch_tokens
        return EngineOptions(threads=0, max_batch=rows, batch_tokens=tokens)
    rows = max_batch or max(sizes)
    return EngineOptions(threads=2, max_batch=rows, batch_tokens=batch_tokens or GPU_POSITIONS * rows)

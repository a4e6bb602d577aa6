"""How fast the engine answers the mini suite, against transformers' ``generate`` on the same prompts in the same run.

Not here: accuracy. ``one by one`` is transformers as its examples use it: open, encode and ``generate`` for each question. The
other rows of ``generate`` are given every picture encoded once, by the engine's own code and at its cost, which they would not
do by themselves; the ratios to them are about generation. One thread, CPU seconds of the process, the median of several
rounds in which all ways take turns, each round with a new engine that has kept nothing, so that a busy machine disturbs little.
The first token's time is that of a lone question on a picture not seen before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from harness.catalog import find_task
from harness.commands.places import place_of
from harness.config import MiniConfig, PathsConfig
from harness.plan import Settings, Source, plan
from harness.types import Request, Text
from models.sphinx_x import checkpoint
from models.sphinx_x.engine import Engine, EngineOptions
from models.sphinx_x.model import SphinxX
from models.sphinx_x.pictures import Pictures, views_together
from models.sphinx_x.plugin import weights_folder
from models.sphinx_x.schedule import group_of
from models.sphinx_x.template import cut_reply
from models.sphinx_x.tokenizer import Tokenizer

TASKS = ("pope", "mme", "mmbench_en", "mathvista", "refcoco_val", "docvqa", "videobench")
STATIC_BATCHES = (8, 16, 32, 64)
AIM_OVER_SINGLE, AIM_OVER_STATIC = 5.0, 1.15

FIRST_TOKENS = 32
"""Questions by which the time to the first token is measured."""

SINGLE, PICTURES = "transformers, one by one", "of this, pictures once each"

Result = TypeVar("Result")
Ask = Callable[[], dict[str, str]]
Measured = tuple[dict[str, str], float]
"""Replies by key, and the CPU seconds they took."""


def bench_generate(n: int = 40, rounds: int = 3, weights: str = "nano", tasks: Sequence[str] = TASKS) -> list[dict[str, Any]]:
    """Return a row a way of asking: CPU seconds, questions and tokens per CPU second, and how the engine compares.

    The engine's row is ``ok`` if it is five times as fast as one by one, 1.15 times as fast as the best static batch sorted by
    length, and says the same. ``engine again`` is a second pass over the same questions, whose pictures it has kept.

    Args:
        n: questions of each benchmark (MMBench asks each in several rotations).
        rounds: how often everything is measured.
        weights: as `models.sphinx_x.plugin.SphinxXModel` takes them.
        tasks: which mini benchmarks.
    """
    model, tokenizer = checkpoint.load(weights_folder(weights))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
            return _rows(model, tokenizer, list(mini_requests(Path(folder), n, tasks)), rounds)
    finally:
        torch.set_num_threads(threads)


def mini_requests(root: Path, n: int, tasks: Sequence[str]) -> Iterator[Request]:
    """The questions of the mini suite as an evaluation asks them."""
    for name in tasks:
        task = find_task(name)
        place = place_of(task, ("mini",), PathsConfig(data=root), MiniConfig(n=n))
        planned = plan(Source.find(task, place.where), Settings(), model="bench")
        yield from {one.request.key: one.request for one in planned}.values()


def _rows(model: SphinxX, tokenizer: Tokenizer, requests: Sequence[Request], rounds: int) -> list[dict[str, Any]]:
    peer = _Transformers(model, tokenizer)
    list(Engine(model, tokenizer, EngineOptions(threads=0)).generate(requests))
    _one_by_one(peer, requests[:: max(1, len(requests) // 16)])  # both are warm now
    measured = [_round(model, tokenizer, peer, requests) for _ in range(rounds)]
    said = measured[0]
    seconds = {name: median(one[name][1] for one in measured) for name in said}
    best = min(seconds[f"generate, batch {size}"] for size in STATIC_BATCHES)
    rows = [
        {
            "name": name,
            "n": len(requests),
            "cpu_s": cpu_s,
            "questions_per_cpu_s": len(requests) / cpu_s,
            "tokens_per_cpu_s": sum(len(tokenizer.encode(text)) + 1 for text in said[name][0].values()) / cpu_s,
            "engine_is_times_as_fast": cpu_s / seconds["engine"],
            "replies_equal": sum(said[SINGLE][0][key] == text for key, text in said[name][0].items()),
        }
        for name, cpu_s in seconds.items()
        if name != PICTURES
    ]
    engine = next(row for row in rows if row["name"] == "engine")
    fast = seconds[SINGLE] / seconds["engine"] >= AIM_OVER_SINGLE and best / seconds["engine"] >= AIM_OVER_STATIC
    engine["ok"] = fast and engine["replies_equal"] == len(requests)
    pictures = len({group_of(request) for request in requests} - {""})
    rows.append({"name": PICTURES, "n": pictures, "cpu_s": seconds[PICTURES]})
    return [*rows, *_first_tokens(model, tokenizer, peer, requests)]


def _round(model: SphinxX, tokenizer: Tokenizer, peer: _Transformers, requests: Sequence[Request]) -> dict[str, Measured]:
    """Replies and CPU seconds of every way of asking; static batches are given the pictures at their cost."""
    engine = Engine(model, tokenizer, EngineOptions(threads=0))
    found = {SINGLE: timed(lambda: _one_by_one(peer, requests))}
    prompts, pictures_s = timed(lambda: peer.prompts(requests))
    for size in (1, *STATIC_BATCHES):
        replies, seconds = timed(_static(peer, prompts, size))
        found[f"generate, batch {size}"] = replies, seconds + pictures_s
    for name in ("engine", "engine again"):
        found[name] = timed(lambda: {reply.key: reply.text for reply in engine.generate(requests)})
    return found | {PICTURES: ({}, pictures_s)}


def _first_tokens(
    model: SphinxX, tokenizer: Tokenizer, peer: _Transformers, requests: Sequence[Request]
) -> Iterator[dict[str, Any]]:
    """A row each for transformers and the engine: median CPU milliseconds from a question to its first token."""
    lone = list({group_of(request): request for request in requests if group_of(request)}.values())
    asked = [replace(request, generation=replace(request.generation, max_new_tokens=1)) for request in lone[:FIRST_TOKENS]]
    engine = Engine(model, tokenizer, EngineOptions(threads=0))
    for name, ask in (
        ("first token, transformers", lambda request: _one_by_one(peer, [request])),
        ("first token, engine", lambda request: list(engine.generate([request]))),
    ):
        milliseconds = [1000 * timed(partial(ask, request))[1] for request in asked]
        yield {"name": name, "n": len(asked), "first_token_cpu_ms": median(milliseconds)}


def _one_by_one(peer: _Transformers, requests: Sequence[Request]) -> dict[str, str]:
    return {key: text for request in requests for key, text in peer.replies(peer.prompts([request]), 1).items()}


def _static(peer: _Transformers, prompts: Sequence[tuple[Request, Tensor]], size: int) -> Ask:
    return lambda: peer.replies(prompts, size)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result and the CPU seconds it took."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


class _Transformers:
    """The usual way: embeddings padded on the left, ``generate`` until the longest reply of the batch ends."""

    def __init__(self, model: SphinxX, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer

    @torch.inference_mode()
    def prompts(self, requests: Sequence[Request]) -> list[tuple[Request, Tensor]]:
        """Each request with the embeddings of its prompt, [positions, width]."""
        found: list[tuple[Request, Tensor]] = []
        pictures = Pictures(self._model, threads=0, batch=views_together(self._model.variant))
        for window, visual in pictures.windows(requests, size=1024):
            for request in window:
                shown = visual.get(group_of(request))
                text = "\n".join(part.text for part in request.parts if isinstance(part, Text))
                own = [shown] if isinstance(shown, Tensor) else []
                found.append((request, self._model.splice(own, self._tokenizer.encode_prompt(text))))
        return found

    @torch.inference_mode()
    def replies(self, prompts: Sequence[tuple[Request, Tensor]], size: int) -> dict[str, str]:
        """Replies by key, in static batches of prompts sorted by the length of reply that is allowed and their own."""
        replies: dict[str, str] = {}
        ordered = sorted(prompts, key=lambda prompt: (prompt[0].generation.max_new_tokens, len(prompt[1])))
        language_model = cast(Any, self._model.language_model)
        for start in range(0, len(ordered), size):
            batch = ordered[start : start + size]
            longest = max(len(embeddings) for _, embeddings in batch)
            embeddings = torch.zeros(len(batch), longest, batch[0][1].shape[-1])
            mask = torch.zeros(len(batch), longest, dtype=torch.long)
            for row, (_, prompt) in enumerate(batch):
                embeddings[row, longest - len(prompt) :] = prompt
                mask[row, longest - len(prompt) :] = 1
            out = language_model.generate(
                inputs_embeds=embeddings,
                attention_mask=mask,
                max_new_tokens=max(request.generation.max_new_tokens for request, _ in batch),
                do_sample=False,
                eos_token_id=[self._tokenizer.stop, self._tokenizer.eos],
                pad_token_id=self._tokenizer.pad,
            )
            for (request, _), ids in zip(batch, out.tolist(), strict=True):
                replies[request.key] = cut_reply(self._tokenizer.decode(ids[: request.generation.max_new_tokens]))
        return replies

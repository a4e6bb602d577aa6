"""How fast the engine answers the mini suite, against transformers' ``generate`` on the same prompts in the same run.

Not here: accuracy. ``one by one`` is transformers as its examples use it: open, encode and ``generate`` for each question. The
other rows of ``generate`` are given every picture encoded once, by the engine's own code and at its cost, which they would not
do by themselves; the ratios to them are about generation. One thread, CPU seconds of the process, so that a busy machine
disturbs little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
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
from models.sphinx_x.pictures import Pictures
from models.sphinx_x.plugin import weights_folder
from models.sphinx_x.schedule import group_of
from models.sphinx_x.template import cut_reply
from models.sphinx_x.tokenizer import Tokenizer

TASKS = ("pope", "mme", "mmbench_en", "mathvista", "refcoco_val", "docvqa", "videobench")
STATIC_BATCHES = (16, 32, 64)
AIM_OVER_SINGLE, AIM_OVER_STATIC = 5.0, 1.0

Result = TypeVar("Result")
Ask = Callable[[], dict[str, str]]


def bench_generate(n: int = 48, weights: str = "nano", tasks: Sequence[str] = TASKS) -> list[dict[str, Any]]:
    """Return a row a way of asking: CPU seconds, questions per CPU second, and how the engine compares.

    The engine's row is ``ok`` if it is five times as fast as one by one, not slower than the best static batch sorted by
    length, and says the same.

    Args:
        n: questions of each benchmark (MMBench asks each in several rotations).
        weights: as `models.sphinx_x.plugin.SphinxXModel` takes them.
        tasks: which mini benchmarks.
    """
    model, tokenizer = checkpoint.load(weights_folder(weights))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
            return _rows(model, tokenizer, list(_mini_requests(Path(folder), n, tasks)))
    finally:
        torch.set_num_threads(threads)


def _mini_requests(root: Path, n: int, tasks: Sequence[str]) -> Iterator[Request]:
    """The questions of the mini suite as an evaluation asks them."""
    for name in tasks:
        task = find_task(name)
        place = place_of(task, ("mini",), PathsConfig(data=root), MiniConfig(n=n))
        planned = plan(Source.find(task, place.where), Settings(), model="bench")
        yield from {one.request.key: one.request for one in planned}.values()


def _rows(model: SphinxX, tokenizer: Tokenizer, requests: Sequence[Request]) -> list[dict[str, Any]]:
    peer = _Transformers(model, tokenizer)
    engine = Engine(model, tokenizer, EngineOptions(threads=0))
    few = requests[:: max(1, len(requests) // 16)]
    peer.replies(peer.prompts(few), 8)
    list(engine.generate(few))  # both are warm now
    single, single_s = _timed(lambda: _one_by_one(peer, requests))
    prompts, pictures_s = _timed(lambda: peer.prompts(requests))
    timed = {size: _timed(_static(peer, prompts, size)) for size in (1, *STATIC_BATCHES)}
    said, engine_s = _timed(lambda: {reply.key: reply.text for reply in engine.generate(requests)})
    rows = [("transformers, one by one", single, single_s)]
    rows += [(f"generate, batch {size}", replies, seconds + pictures_s) for size, (replies, seconds) in timed.items()]
    best = min(seconds for _, _, seconds in rows[2:])
    fast = single_s / engine_s >= AIM_OVER_SINGLE and best / engine_s >= AIM_OVER_STATIC
    found = [
        {
            "name": name,
            "n": len(requests),
            "cpu_s": seconds,
            "questions_per_cpu_s": len(requests) / seconds,
            "engine_is_times_as_fast": seconds / engine_s,
            "replies_equal": sum(single[key] == text for key, text in replies.items()),
        }
        for name, replies, seconds in [*rows, ("engine", said, engine_s)]
    ]
    found[-1]["ok"] = fast and found[-1]["replies_equal"] == len(requests)
    pictures = len({group_of(request) for request in requests} - {""})
    return [*found, {"name": "of this, pictures once each", "n": pictures, "cpu_s": pictures_s}]


def _one_by_one(peer: _Transformers, requests: Sequence[Request]) -> dict[str, str]:
    return {key: text for request in requests for key, text in peer.replies(peer.prompts([request]), 1).items()}


def _static(peer: _Transformers, prompts: Sequence[tuple[Request, Tensor]], size: int) -> Ask:
    return lambda: peer.replies(prompts, size)


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
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
        for window, visual in Pictures(self._model, threads=0, batch=8).windows(requests, size=1024):
            for request in window:
                shown = visual.get(group_of(request))
                text = "\n".join(part.text for part in request.parts if isinstance(part, Text))
                pictures = [shown] if isinstance(shown, Tensor) else []
                found.append((request, self._model.splice(pictures, self._tokenizer.encode_prompt(text))))
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

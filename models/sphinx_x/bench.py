"""How fast the engine answers, against transformers' ``generate`` on the same prompts in the same run.

Not here: accuracy. All ways get the pictures encoded once, by the same code, and the cost of that is added to each of them:
``generate`` is thus given what it would not do by itself, and the ratios are about generation. One thread, CPU seconds of the
process, so that a busy machine disturbs little.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from harness.types import Generation, Image, Part, Request, Text
from harness.world import Clip
from models.sphinx_x import checkpoint
from models.sphinx_x.corpus.mini import LATE, converse, draw_training_world, pick_kind
from models.sphinx_x.engine import Engine, EngineOptions
from models.sphinx_x.model import SphinxX
from models.sphinx_x.pictures import Pictures
from models.sphinx_x.plugin import weights_folder
from models.sphinx_x.schedule import group_of
from models.sphinx_x.template import cut_reply
from models.sphinx_x.tokenizer import Tokenizer

STATIC_BATCHES = (16, 32, 64)
QUESTIONS_A_PICTURE = 4
MAX_NEW_TOKENS = 32

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A drawn picture as a media source."""

    data: bytes
    label: str

    def read(self) -> bytes:
        """The PNG's bytes."""
        return self.data

    def locator(self) -> dict[str, Any]:
        """Nothing that could be found again."""
        return {"kind": "drawn"}


def bench_generate(n: int = 256, weights: str = "nano", requests: Sequence[Request] | None = None) -> dict[str, Any]:
    """Time the three ways over the same requests.

    Args:
        n: questions to draw, about four a picture, in the mix of the training corpus; ignored where ``requests`` are given.
        weights: as `models.sphinx_x.plugin.SphinxXModel` takes them.
        requests: the questions to ask instead, such as those of the mini suite; greedy.

    Returns:
        ``n``, ``pictures``, ``pictures_cpu_s`` (decode, tile, encode), ``ways`` (name -> ``cpu_s``, ``questions_per_cpu_s``,
        ``times_batch_1``, ``replies_equal`` to those of batch 1), ``times_batch_1`` and ``times_best_static`` of the engine.
    """
    model, tokenizer = checkpoint.load(weights_folder(weights))
    asked = list(requests) if requests is not None else drawn_requests(n)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure(model, tokenizer, asked)
    finally:
        torch.set_num_threads(threads)


def _measure(model: SphinxX, tokenizer: Tokenizer, requests: Sequence[Request]) -> dict[str, Any]:
    peer = _Transformers(model, tokenizer)
    engine = Engine(model, tokenizer, EngineOptions(threads=0))
    few = requests[:32]
    peer.replies(peer.prompts(few), 8)
    list(engine.generate(few))  # both are warm now
    prompts, pictures_s = _timed(lambda: peer.prompts(requests))
    runs: dict[str, tuple[dict[str, str], float]] = {}
    for size in (1, *STATIC_BATCHES):
        replies, seconds = _timed(lambda size=size: peer.replies(prompts, size))  # type: ignore[misc]
        runs[f"generate {size}"] = replies, seconds + pictures_s
    runs["engine"] = _timed(lambda: {reply.key: reply.text for reply in engine.generate(requests)})
    base, base_s = runs["generate 1"]
    ways = {
        name: {
            "cpu_s": seconds,
            "questions_per_cpu_s": len(requests) / seconds,
            "times_batch_1": base_s / seconds,
            "replies_equal": sum(base[key] == text for key, text in replies.items()),
        }
        for name, (replies, seconds) in runs.items()
    }
    best = min(runs[f"generate {size}"][1] for size in STATIC_BATCHES)
    return {
        "n": len(requests),
        "pictures": len({group_of(request) for request in requests} - {""}),
        "pictures_cpu_s": pictures_s,
        "ways": ways,
        "times_batch_1": base_s / runs["engine"][1],
        "times_best_static": best / runs["engine"][1],
    }


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
        for window, visual in Pictures(self._model, threads=0, batch=16).windows(requests, size=256):
            for request in window:
                shown = visual.get(group_of(request))
                text = "\n".join(part.text for part in request.parts if isinstance(part, Text))
                pictures = [shown] if isinstance(shown, Tensor) else []
                found.append((request, self._model.splice(pictures, self._tokenizer.encode_prompt(text))))
        return found

    @torch.inference_mode()
    def replies(self, prompts: Sequence[tuple[Request, Tensor]], size: int) -> dict[str, str]:
        """Replies by key, in static batches of prompts sorted by length."""
        replies: dict[str, str] = {}
        ordered = sorted(prompts, key=lambda prompt: len(prompt[1]))
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


def drawn_requests(n: int, seed: int = 0) -> list[Request]:
    """Questions about drawn pictures of all kinds, in the form of the benchmarks."""
    rng = random.Random(seed)
    requests: list[Request] = []
    number = 0
    while len(requests) < n:
        number += 1
        world = draw_training_world(pick_kind(LATE, rng), number, seed)
        pictures = world.frames if isinstance(world, Clip) else (world.image,)
        shown: list[Part] = []
        for place, picture in enumerate(pictures):
            target = io.BytesIO()
            picture.save(target, "PNG")
            shown.append(Image(_Drawn(target.getvalue(), f"drawn picture {number}.{place}")))
        for turn in converse(world, rng, LATE, QUESTIONS_A_PICTURE):
            key = f"{len(requests):032x}"
            parts = (*shown, Text(turn.question))
            generation = Generation(max_new_tokens=MAX_NEW_TOKENS)
            requests.append(Request(key=key, sample_id=key, parts=parts, generation=generation, group=str(number)))
    return requests[:n]

"""All ways of asking one model the same questions, in turns: how long each takes, what it says, and how they compare.

Not here: which model and which questions (``bench``), clocks (``bench_meter``), and the other side (``bench_peer``).

Random weights say noise. Then all ways are held to the same number of new tokens for every question, and a second run with one
new token each tells reading the prompts from decoding: the difference is time of decoding steps, and what these must at least
read from memory (``traffic``) in that time is their share of the bandwidth limit, which a large copy measures in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import torch

from harness.types import Request
from models.sphinx_x.assembly import Assembled, Computing
from models.sphinx_x.bench.meter import Meter, percentile
from models.sphinx_x.bench.peer import Prompts, Transformers
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.replies import lead_of
from models.sphinx_x.inference.schedule import group_of
from models.sphinx_x.inference.traffic import Traffic, step_weight_bytes
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer

AIMS = {"cpu": (5.0, 1.15), "cuda": (10.0, 1.5)}
"""How many times as fast as one by one, and as the best static batch, the engine is to be."""

FIRST_TOKENS = 32
"""Questions by which the time to the first token is measured."""

TOGETHER = 16
"""Prompts whose logits in a batch are compared with those of each alone."""

SINGLE, PICTURES = "transformers, one by one", "of this, pictures once each"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of asking said, by key, what it took, and what its decoding steps read."""

    replies: Mapping[str, str]
    seconds: float
    peak_mib: float = 0.0
    traffic: Traffic = Traffic(0, 0)


Round = Mapping[str, Measured | None]
"""By way of asking; None where memory ran out."""


@dataclass(frozen=True, slots=True)
class Contest:
    """All ways of asking the same requests; ``new_tokens`` is the length of every reply if that is fixed."""

    built: Assembled
    how: Computing
    requests: Sequence[Request]
    meter: Meter
    options: EngineOptions
    sizes: Sequence[int]
    singles: int | None
    new_tokens: int | None

    @property
    def model(self) -> SphinxX:
        """The model that all ask."""
        return self.built.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self.built.tokenizer

    @property
    def exact(self) -> bool:
        """Whether replies must not depend on the way of asking."""
        return self.how.arithmetic == torch.float32

    def rows(self, rounds: int) -> list[dict[str, Any]]:
        """Measure everything ``rounds`` times."""
        list(self._engine().generate(self.requests))
        self._peer().one_by_one(self.requests[:: max(1, len(self.requests) // (2 if self.meter.on_gpu else 16))])
        measured = [self.round(self.requests) for _ in range(rounds)]  # all are warm now
        rows = [*self._compared(measured), *self._first_tokens()]
        if self.new_tokens:
            rows += self._decoding(measured)
        if self.exact:
            rows.append(self._rounding())
        return rows

    def round(self, requests: Sequence[Request]) -> Round:
        """Every way of asking once; static batches are given the pictures at their cost."""
        drawn = requests[:: max(1, len(requests) // self.singles)][: self.singles] if self.singles else requests
        peer, engine = self._peer(), self._engine()
        found = {SINGLE: self._measured(lambda: peer.one_by_one(drawn), lambda: peer.traffic)}
        prompts, pictures_s = self.meter.timed(lambda: peer.prompts(requests))
        for size in self.sizes:
            one = self._measured(_static(peer, prompts, size), lambda: peer.traffic)
            found[_static_name(size)] = one and replace(one, seconds=one.seconds + pictures_s)
        del prompts  # the engine is to have as much memory
        for name in ("engine", "engine again"):
            found[name] = self._measured(
                lambda: {reply.key: reply.text for reply in engine.generate(requests)}, lambda: engine.traffic
            )
        return found | {PICTURES: Measured({}, pictures_s)}

    def _peer(self) -> Transformers:
        return Transformers(self.model, self.tokenizer, self.options.threads)

    def _engine(self) -> Engine:
        return Engine(self.model, self.tokenizer, self.options)

    def _measured(self, ask: Callable[[], dict[str, str]], read: Callable[[], Traffic]) -> Measured | None:
        """Ask; None if the GPU's memory runs out."""
        before = read()
        try:
            (replies, seconds), peak = self.meter.peaked(lambda: self.meter.timed(ask))
            return Measured(replies, seconds, peak, read() - before)
        except torch.OutOfMemoryError:
            pass  # only after this block is what was asked for let go
        torch.cuda.empty_cache()
        return None

    def _compared(self, measured: Sequence[Round]) -> list[dict[str, Any]]:
        """A row for each way of asking, and one for the pictures."""
        each = {name: _per_question(measured, name) for name in measured[0] if name != PICTURES}
        rows = [self._row(name, measured, each) for name in each]
        static = [each[_static_name(size)] for size in self.sizes if size > 1 or len(self.sizes) == 1]
        (single, ours), best = (each[name] for name in (SINGLE, "engine")), min(static)
        over_single, over_static = AIMS[self.meter.device.type]
        engine = next(row for row in rows if row["name"] == "engine")
        if "note" not in engine:
            fast = single / ours >= over_single and best / ours >= over_static
            asked = len(_replies(measured, SINGLE))
            engine["ok"] = fast and (not self.exact or engine["replies_equal"] == asked)
        pictures = len({group_of(request) for request in self.requests} - {""})
        seconds = median(one.seconds for one in _all(measured, PICTURES))
        return [*rows, {"name": PICTURES, "n": pictures, f"{self.meter.clock}s": seconds}]

    def _row(self, name: str, measured: Sequence[Round], each: Mapping[str, float]) -> dict[str, Any]:
        several, clock = _all(measured, name), self.meter.clock
        if len(several) < len(measured):
            return {"name": name, "n": len(self.requests), "note": "out of memory"}
        said, expected = several[0].replies, _replies(measured, SINGLE)
        tokens = sum(self.new_tokens or len(self.tokenizer.encode(text)) + 1 for text in said.values())
        seconds = each[name] * len(said)
        return {
            "name": name,
            "n": len(said),
            f"{clock}s": seconds,
            f"questions_per_{clock}s": len(said) / seconds,
            f"tokens_per_{clock}s": tokens / seconds,
            "engine_is_times_as_fast": each[name] / each["engine"],
            "replies_equal": sum(expected.get(key) == text for key, text in said.items()),
            "peak_mib": max(one.peak_mib for one in several),
        }

    def _first_tokens(self) -> Iterator[dict[str, Any]]:
        """A row each for transformers and the engine: milliseconds from a question to its first token, median and p95."""
        lone = list({group_of(request): request for request in self.requests if group_of(request)}.values())
        asked = [with_room(request, 1) for request in lone[:FIRST_TOKENS]]
        peer, engine, clock = self._peer(), self._engine(), self.meter.clock
        for name, ask in (
            ("first token, transformers", lambda request: peer.one_by_one([request])),
            ("first token, engine", lambda request: {one.key: one.text for one in engine.generate([request])}),
        ):
            times = [1000 * self.meter.timed(partial(ask, request))[1] for request in asked]
            p95 = percentile(times, 0.95)
            yield {"name": name, "n": len(asked), f"first_token_{clock}ms": median(times), f"first_token_p95_{clock}ms": p95}

    def _decoding(self, measured: Sequence[Round]) -> Iterator[dict[str, Any]]:
        """A row for the copy that measures the bandwidth, and one for the decoding steps of each way of asking."""
        bandwidth, clock = self.meter.bandwidth(), self.meter.clock
        place = torch.cuda.get_device_name(self.meter.device) if self.meter.on_gpu else "CPU"
        yield {"name": f"copy on this {place}", "gb_per_s": bandwidth / 1e9}
        weights = step_weight_bytes(self.model.variant, self.how.arithmetic.itemsize) if self.how.dtype != "int8" else None
        prompts_only = self.round([with_room(request, 1) for request in self.requests])
        for name in (SINGLE, *map(_static_name, self.sizes), "engine"):
            whole, first = _all(measured, name), prompts_only[name]
            if first is None or len(whole) < len(measured):
                continue
            seconds = median(one.seconds for one in whole) - first.seconds
            traffic = whole[0].traffic
            share = None if weights is None else traffic.share(weights, seconds, bandwidth)
            row = {"name": f"steps of {name}", "n": traffic.steps, f"{clock}s": seconds}
            yield {**row, "gb_read": (traffic.steps * (weights or 0) + traffic.kv_bytes) / 1e9, "share_of_bandwidth": share}

    @torch.inference_mode()
    def _rounding(self) -> dict[str, Any]:
        """By how much logits after a prompt differ between a batch and transformers' forward pass over the prompt alone.

        Two tokens may each be off by that, so a lead of twice as much could turn.
        """
        peer = self._peer()
        prompts = peer.prompts(self.requests[:: max(1, len(self.requests) // TOGETHER)][:TOGETHER])
        decoder = Decoder(self.model.language_model)
        prefixes = decoder.prefill([embeddings[:-1] for _, embeddings in prompts])
        _, hidden = decoder.extend(prefixes, [[peer.ids(request)[-1:]] for request, _ in prompts], range(len(prompts)))
        alone = [self.model(embeddings[None], use_cache=False, logits_to_keep=1).logits[0, -1] for _, embeddings in prompts]
        worst, lead = float((decoder.logits(hidden) - torch.stack(alone)).abs().max()), lead_of(self.meter.device)
        return {
            "name": "logits, batch against alone",
            "n": len(prompts),
            "differ_by": worst,
            "close": lead,
            "ok": 2 * worst < lead,
        }


def _static(peer: Transformers, prompts: Prompts, size: int) -> Callable[[], dict[str, str]]:
    return lambda: peer.replies(prompts, size)


def _static_name(size: int) -> str:
    return f"generate, batch {size}"


def with_room(request: Request, new_tokens: int) -> Request:
    """The same request with so many new tokens at most."""
    return replace(request, generation=replace(request.generation, max_new_tokens=new_tokens))


def _all(measured: Sequence[Round], name: str) -> list[Measured]:
    """All rounds' measurements of one way of asking in which memory was enough."""
    return [one for found in measured if (one := found[name]) is not None]


def _replies(measured: Sequence[Round], name: str) -> Mapping[str, str]:
    several = _all(measured, name)
    return several[0].replies if several else {}


def _per_question(measured: Sequence[Round], name: str) -> float:
    """Median seconds of a question; infinite where memory ran out."""
    several = _all(measured, name)
    return median(one.seconds / len(one.replies) for one in several) if len(several) == len(measured) else float("inf")

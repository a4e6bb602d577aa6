"""The local engine: from a stream of requests to a stream of responses, batched, for one SPHINX-X model.

A window of requests is taken from the stream with its pictures encoded (``pictures``); prompts are grouped by their pictures and
put in order (``schedule``); as many as fit are begun together and decoded side by side, and the next of the window join them as
soon as enough replies have ended (``flights``, ``decoder``, ``replies``). A picture that cannot be read, or a prompt that does
not fit, becomes a failure of its own requests. Not here: what a task is, retries, storage. The keys and values of pictures are
kept, so that one that comes back, in another window or benchmark, is not read twice. Two choices a reader may question. A window
is decoded to its end before the next is begun, because the stream may wait for replies before it goes on. And where two tokens
are so close that rounding decides, which differs from batch to batch, the request is run once more on its own by transformers'
forward pass, and that decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, get_args

import torch
from torch import Tensor

from harness.errors import ConfigError
from harness.types import Failure, Request, Response
from models.sphinx_x.inference.cut import ALONE, Share
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.flights import Flight, room
from models.sphinx_x.inference.kept import Kept, memory_for
from models.sphinx_x.inference.pictures import Pictures, Visual, views_together
from models.sphinx_x.inference.prompts import Prompts
from models.sphinx_x.inference.replies import Replies, Reply, close_calls
from models.sphinx_x.inference.routing import Asked, Detail, Tracer, TracingDecoder
from models.sphinx_x.inference.rows import Prefixes, Rows
from models.sphinx_x.inference.schedule import Group, Prompt, Waiting, group_of
from models.sphinx_x.inference.traffic import Traffic
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer

PREFIX_BYTES = 256 * 2**20
"""Memory that the keys and values of pictures may take on a CPU (`kept.memory_for`)."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the engine spends memory and time. In float32 none of it changes a greedy reply, save ``long_prompts``.

    Attributes:
        max_batch: prompts decoded side by side.
        batch_tokens: positions of these prompts.
        window: requests taken from the stream before batches are planned.
        threads: workers that decode pictures ahead; 0 decodes them when they are needed.
        encode_batch: views that go through the encoders together, about; by default 64 small ones or 32 (`views_together`).
        long_prompts: what becomes of a prompt that leaves no room for its reply: a recorded failure, or its text cut from the
            left (as the published code does), with a warning in the log.
        trace_routing: whether responses to `Engine.generate` carry traces of which experts their tokens went to (``routing``).
    """

    max_batch: int = 64
    batch_tokens: int = 16384
    window: int = 1024
    threads: int = 2
    encode_batch: int | None = None
    long_prompts: Literal["fail", "cut"] = "fail"
    trace_routing: Detail = "none"

    def __post_init__(self) -> None:
        for name, least in (("max_batch", 1), ("batch_tokens", 1), ("window", 1), ("encode_batch", 1), ("threads", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"model.{name}={value} (must be at least {least})")
        if self.long_prompts not in ("fail", "cut"):
            raise ConfigError(f"model.long_prompts={self.long_prompts!r} (must be fail or cut)")
        if self.trace_routing not in get_args(Detail):
            raise ConfigError(f"model.trace_routing={self.trace_routing!r} (must be true, false, counts or tokens)")


Answered = tuple[Prompt, Response]


class Engine:
    """Answers requests with one model; it reuses its buffers, so it serves one stream at a time."""

    def __init__(self, model: SphinxX, tokenizer: Tokenizer, options: EngineOptions | None = None, share: Share = ALONE) -> None:
        """Serve a model, or this process's share of one; all its processes then serve the same stream."""
        self.options = options or EngineOptions()
        self._share = share
        self._model = model.eval()
        self._replies = Replies(tokenizer)
        self._tracer: Tracer | None = None
        if self.options.trace_routing == "none":
            self._decoder = Decoder(model.language_model)
        elif not model.variant.backbone.experts:
            raise ConfigError("model.trace_routing: this model has no experts to trace")
        else:
            self._decoder = decoder = TracingDecoder(model.language_model, model.expert_names)
            self._tracer = Tracer(decoder, model.variant.views, self.options.trace_routing == "tokens")
        self._pictures = Pictures(model, self.options.threads, self.options.encode_batch or views_together(model.variant))
        if self._tracer:
            self._pictures.views = {}
        self._prompts = Prompts(tokenizer, self._decoder.max_positions, self.options.long_prompts == "cut")
        self._prefixes = Kept(memory_for(self._decoder.device, PREFIX_BYTES))

    @property
    def traffic(self) -> Traffic:
        """What decoding steps have read from memory so far."""
        return self._decoder.traffic

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, as replies end; with traces, as batches do, of which one is decoded at a time."""
        return self._serve(requests, self._prompts.of_reply, self._generate)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` are the summed log-probabilities (nats) of the request's choices as replies.

        A choice's tokens are those that follow the open prompt when both are encoded as one; the end signal is not weighed.
        """
        return self._serve(requests, self._prompts.of_choices, self._weigh)

    def prompt_tokens(self, request: Request) -> int:
        """Positions of one prompt; its pictures are opened but not encoded. Raises `MediaError`."""
        return len(self._prompts.asked(request)) + self._pictures.positions(request)

    def _serve(
        self,
        requests: Iterable[Request],
        prompts_of: Callable[[Request, int], list[Prompt] | Failure],
        answer: Callable[[Waiting, Visual], Iterator[Answered]],
    ) -> Iterator[Response]:
        """Turn requests into prompts, run these in batches, and join the answers of each request."""
        for window, visual in self._pictures.windows(requests, self.options.window):
            prompts: list[Prompt] = []
            parts: dict[int, list[Response | None]] = {}  # number of a request in the window -> answers to its prompts
            for number, request in enumerate(window):
                shown = visual.get(group_of(request))
                found = shown if isinstance(shown, Failure) else prompts_of(request, 0 if shown is None else len(shown))
                if isinstance(found, Failure):
                    yield Response(key=request.key, finish_reason="error", failure=found)
                    continue
                parts[number] = [None] * len(found)
                prompts += [prompt.numbered(number, index) for index, prompt in enumerate(found)]
            for prompt, response in answer(Waiting(prompts, self.options.max_batch), visual):
                parts[prompt.number][prompt.index] = response
                if all(parts[prompt.number]):
                    yield _joined([part for part in parts.pop(prompt.number) if part])

    def _begin(self, batch: Sequence[Group], visual: Visual) -> tuple[Rows, list[Prompt], Tensor]:
        """Run the prompts of a batch.

        Returns its rows, its prompts in the rows' order, and the logits of what follows each prompt, or of each token of its
        tail if it has one: [prompts or tails, vocabulary].
        """
        batch, prefixes = self._read(batch, visual)
        suffixes = [[prompt.ids[group.shared :] for prompt in group.prompts] for group in batch]
        prompts = [prompt for group in batch for prompt in group.prompts]
        ends = accumulate(len(suffix) for group in suffixes for suffix in group)
        # the token at one place is predicted from the place before it
        wanted = [
            end - 1 - back
            for prompt, end in zip(prompts, ends, strict=True)
            for back in (range(prompt.tail, 0, -1) if prompt.tail else (0,))
        ]
        rows, hidden = self._decoder.extend(prefixes, suffixes, wanted)
        return rows, prompts, self._decoder.logits(hidden)

    def _read(self, batch: Sequence[Group], visual: Visual) -> tuple[list[Group], Prefixes]:
        """Run what the prompts of each group share, or take it from what was kept of its pictures.

        Returns the groups, which share less where their pictures were kept, because the text behind these is run anew.
        """
        kept = [self._kept_prefix(group) for group in batch]
        told = [
            (known is None, *(prompt.request.key for prompt in group.prompts)) for group, known in zip(batch, kept, strict=True)
        ]
        self._share.require_same(told, self._decoder.device)
        groups = [group if known is None else replace(group, shared=1) for group, known in zip(batch, kept, strict=True)]
        sequences: list[Tensor] = []
        for group, known in zip(groups, kept, strict=True):
            shown = visual.get(group.prompts[0].group)
            pictures = [shown] if isinstance(shown, Tensor) else []
            sequences.append(self._model.splice(pictures, group.prompts[0].ids[: group.shared]) if known is None else known)
        prefixes = self._decoder.prefill(sequences)
        for place, group in enumerate(groups):
            if kept[place] is None and group.prompts[0].visual:
                self._prefixes.put(group.prompts[0].group, prefixes.first(place, 1 + group.prompts[0].visual))
        if self._tracer:
            self._tracer.begin([self._asked(group, known is not None) for group, known in zip(groups, kept, strict=True)])
        return groups, prefixes

    def _kept_prefix(self, group: Group) -> Tensor | None:
        """What was kept of a group's pictures, if reading it again is worth it (and is all that a trace needs)."""
        name, visual = group.prompts[0].group, group.prompts[0].visual
        if group.reread >= visual or (self._tracer and not self._tracer.knows(name)):
            return None
        return self._prefixes.get(name)

    def _asked(self, group: Group, kept: bool) -> Asked:
        """A group as its traces need it."""
        name = group.prompts[0].group
        views = (self._pictures.views or {}).get(name, torch.zeros(0, dtype=torch.long))
        return Asked(name, views, group.shared, [len(prompt.ids) - group.shared for prompt in group.prompts], kept)

    @torch.inference_mode()
    def _generate(self, waiting: Waiting, visual: Visual) -> Iterator[Answered]:
        """Decode what waits; the next prompts board as soon as enough replies have ended."""
        flights: list[Flight] = []
        while waiting or flights:
            started = time.perf_counter()
            batch = waiting.take(*self._room(flights), some=not flights)
            if batch:
                rows, prompts, logits = self._begin(batch, visual)
                grown = [Flight(rows, [Reply(prompt) for prompt in prompts], sum(group.positions for group in batch))]
                flights += grown
            else:
                grown, logits = flights, self._step(flights)
            ended = self._grow(grown, logits, started)
            yield from self._answers(ended, grown[0])
            flights = [flight for flight in flights if flight.live]

    def _room(self, flights: Sequence[Flight]) -> tuple[int, int]:
        """Rows and positions of prompts that may join the flights; a trace is of one flight."""
        if self._tracer and flights:
            return 0, 0
        return room(flights, self.options.max_batch, self.options.batch_tokens)

    def _step(self, flights: Sequence[Flight]) -> Tensor:
        """Logits of what follows in all flights, [live, vocabulary]."""
        if self._tracer:
            self._tracer.step(flights[0].live)
        tokens = torch.cat([flight.tokens for flight in flights])
        return self._decoder.logits(self._decoder.step([flight.rows for flight in flights], tokens))

    def _grow(self, flights: Sequence[Flight], logits: Tensor, started: float) -> list[Reply]:
        """Give every live reply its next token, and return those that end with it."""
        live = [flight.replies[place] for flight in flights for place in flight.live]
        tokens = self._next(logits, live)
        goes_on = [self._replies.append(reply, token) for reply, token in zip(live, tokens.tolist(), strict=True)]
        first = 0
        for flight in flights:
            own = slice(first, first + len(flight.live))
            first = own.stop
            flight.go_on(tokens[own], goes_on[own])
        share = (time.perf_counter() - started) / len(live)
        for reply in live:
            reply.seconds += share
        return [reply for reply, on in zip(live, goes_on, strict=True) if not on]

    def _answers(self, ended: Sequence[Reply], flight: Flight) -> Iterator[Answered]:
        """What goes out: replies as they end, or all of the flight with their traces once it has landed."""
        if not self._tracer:
            yield from ((reply.prompt, self._response(reply, {})) for reply in ended)
        elif not flight.live:
            for reply, traces in zip(flight.replies, self._tracer.traces(), strict=True):
                yield reply.prompt, self._response(reply, traces)

    def _next(self, logits: Tensor, live: Sequence[Reply]) -> Tensor:
        """The next token of each live reply, [n] ids: the first process's choice where there are several."""
        tokens = self._replies.choose(logits, live)
        close = close_calls(logits, live) if self._decoder.dtype == torch.float32 else []
        if self._share.world > 1:
            marks = torch.zeros_like(tokens)
            marks[close] = 1
            tokens, marks = self._share.agree(torch.stack([tokens, marks]))
            close = marks.nonzero()[:, 0].tolist()
        for place in close:
            tokens[place] = self._alone(live[place])
        return tokens

    def _alone(self, reply: Reply) -> int:
        """The next token of a greedy reply, from its own pictures and text in no company and without any cache."""
        pictures = self._pictures.alone(reply.prompt.request)
        sequence = self._model.splice(pictures, [*reply.prompt.ids, *reply.ids])
        return int(self._model(sequence[None], use_cache=False, logits_to_keep=1).logits[0, -1].argmax())

    def _response(self, reply: Reply, traces: Mapping[str, bytes]) -> Response:
        return Response(
            key=reply.prompt.request.key,
            text=self._replies.text(reply),
            finish_reason=reply.finished or "length",
            prompt_tokens=reply.prompt.positions,
            completion_tokens=len(reply.ids),
            seconds=reply.seconds,
            traces=traces,
        )

    def _weigh(self, waiting: Waiting, visual: Visual) -> Iterator[Answered]:
        """Log-probability of each prompt's tail, given all before it."""
        while waiting:
            yield from self._weighed(waiting.take(self.options.max_batch, self.options.batch_tokens), visual)

    @torch.inference_mode()
    def _weighed(self, batch: Sequence[Group], visual: Visual) -> list[Answered]:
        """The same of one batch."""
        started = time.perf_counter()
        rows, prompts, logits = self._begin(batch, visual)
        rows.release()
        tails = [token for prompt in prompts for token in prompt.ids[len(prompt.ids) - prompt.tail :]]
        picked = torch.tensor(tails, device=logits.device)[:, None]
        said = logits.log_softmax(dim=-1).gather(1, picked)[:, 0].tolist()
        share = (time.perf_counter() - started) / len(prompts)
        answered: list[Answered] = []
        for prompt, stop in zip(prompts, accumulate(prompt.tail for prompt in prompts), strict=True):
            total = float(sum(said[stop - prompt.tail : stop]))
            response = Response(
                key=prompt.request.key, prompt_tokens=prompt.positions, completion_tokens=0, seconds=share, logprobs=(total,)
            )
            answered.append((prompt, response))
        return answered


def _joined(parts: Sequence[Response]) -> Response:
    """One response of the answers to a request's prompts, in order."""
    if len(parts) == 1:
        return parts[0]
    return Response(
        key=parts[0].key,
        prompt_tokens=max(part.prompt_tokens or 0 for part in parts),
        completion_tokens=0,
        seconds=sum(part.seconds or 0.0 for part in parts),
        logprobs=tuple(value for part in parts for value in part.logprobs),
    )

"""From a stream of requests to a stream of responses, batched, for one model of the transformers library.

A window of requests is taken from the stream with its pictures decoded ahead in threads, sorted by number and size of pictures
and length of text, and cut into batches that are padded on the left. A batch that does not fit in memory is halved, and the rest
of the run keeps to that size. In float32 a greedy reply is the same in any batch: where two tokens are so close that rounding may
have decided (`models.hf.steering.CLOSE`), the request is run once more on its own, and that counts.
Not here: what is chosen at each step (`models.hf.steering`) and what a prompt looks like (`models.hf.prompts`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import torch
from transformers import GenerationConfig

from harness.engine.ahead import ahead
from harness.errors import ConfigError
from harness.types import Failure, Request, Response
from models.hf.loading import Loaded
from models.hf.prompts import Prompt, Prompter
from models.hf.steering import Row, Steering

_log = logging.getLogger(__name__)

_KEPT = ("suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "cache_implementation")
"""What of a checkpoint's own generation settings holds here: tokens that must not be said. Its sampling habits do not."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How memory and time are spent. In float32 none of it changes a greedy reply.

    Attributes:
        max_batch: prompts that run side by side; window: requests taken before batches are made; threads: that decode ahead.
    """

    max_batch: int = 8
    window: int = 64
    threads: int = 2

    def __post_init__(self) -> None:
        for name, least in (("max_batch", 1), ("window", 1), ("threads", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"model.{name}={getattr(self, name)} (must be at least {least})")


Joined = tuple[Request, list[Row]]


class Engine:
    """Answers requests with one model, one stream at a time.

    Attributes:
        halvings: how large each batch was that did not fit in memory.
    """

    def __init__(self, loaded: Loaded, prompter: Prompter, options: Options) -> None:
        self._loaded = loaded
        self._prompter = prompter
        self._options = options
        self._most = options.max_batch
        self._limit = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None)
        self._ends = _end_tokens(loaded)
        self.halvings: list[int] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, batch by batch."""
        return self._serve(requests, _open_rows, self._reply)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` are the summed log-probabilities (nats) of the request's choices as replies."""
        return self._serve(requests, self._choice_rows, self._weights)

    def prompt_tokens(self, request: Request) -> int:
        """Tokens of a prompt, those of pictures included. Raises `ConfigError` with the reason if it cannot be laid out."""
        prompt = self._prompter.prompt(request)
        if isinstance(prompt, Failure):
            raise ConfigError(prompt.message)
        return int(self._encoded([Row(request, prompt)])["input_ids"].shape[1])

    def _serve(
        self,
        requests: Iterable[Request],
        rows_of: Callable[[Request, Prompt], list[Row] | Failure],
        response: Callable[[Request, list[Row]], Response],
    ) -> Iterator[Response]:
        options = self._options
        near = min(options.window, 2 * options.max_batch)  # decoded pictures are large
        opened = ahead(requests, lambda one: (one, self._prompter.prompt(one)), workers=options.threads, window=near)
        while window := list(islice(opened, options.window)):
            rows: list[Row] = []
            for request, prompt in window:
                found = prompt if isinstance(prompt, Failure) else rows_of(request, prompt)
                if isinstance(found, Failure):
                    yield _failed(request, found)
                else:
                    rows += found
            waiting = {key: len(list(several)) for key, several in groupby(row.request.key for row in rows)}
            done: dict[str, list[Row]] = {}
            for row, failure in self._answered(rows):
                done.setdefault(row.request.key, []).append(row)
                if failure and waiting.pop(row.request.key, 0):
                    yield _failed(row.request, failure)
                elif len(done[row.request.key]) == waiting.get(row.request.key):
                    yield response(row.request, done.pop(row.request.key))

    def _answered(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Failure | None]]:
        """Run rows in batches; yield each with what it became, or with why it could not be run."""
        ordered = sorted(rows, key=lambda row: (*row.prompt.size, row.room))
        for _, alike in groupby(ordered, key=lambda row: row.prompt.size[:2]):
            waiting = list(alike)
            while waiting:
                batch, waiting = waiting[: self._most], waiting[self._most :]
                try:
                    yield from self._run(batch)
                    continue
                except torch.OutOfMemoryError as error:
                    short = str(error)
                # outside of the except clause, which would keep the batch's tensors alive
                waiting = self._halved(batch, short) + waiting
                if len(batch) == 1:
                    yield (
                        batch[0],
                        Failure("memory", f"sample {batch[0].request.sample_id}: not even alone does it fit ({short:.200})"),
                    )

    def _halved(self, batch: Sequence[Row], short: str) -> list[Row]:
        """Halve the batches from now on; return the rows to run again, none if it was a single one."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(batch) == 1:
            return []
        self._most = len(batch) // 2
        self.halvings.append(len(batch))
        _log.warning("a batch of %d does not fit in memory; going on with batches of %d (%.200s)", len(batch), self._most, short)
        return [row.fresh() for row in batch]

    def _run(self, batch: Sequence[Row]) -> list[tuple[Row, Failure | None]]:
        """Run one batch to its end, and those rows again on their own where rounding may have decided."""
        inputs = self._encoded(batch)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        fitting = [row for row, length in zip(batch, lengths, strict=True) if not self._too_long(row, length)]
        answers: list[tuple[Row, Failure | None]] = []
        if len(fitting) < len(batch):
            for row, length in zip(batch, lengths, strict=True):
                if self._too_long(row, length):
                    fits = f"{length} tokens and {row.room} of reply, above {self._limit}"
                    answers.append((row, Failure("model", f"sample {row.request.sample_id}: the prompt does not fit ({fits})")))
            return answers + (self._run(fitting) if fitting else [])
        self._generate(batch, inputs, lengths, exact=self._loaded.exact and len(batch) > 1)
        for row in batch:
            if row.close:
                row = row.fresh()
                alone = self._encoded([row])
                self._generate([row], alone, alone["attention_mask"].sum(dim=1).tolist(), exact=False)
            answers.append((row, None))
        return answers

    def _too_long(self, row: Row, length: int) -> bool:
        return self._limit is not None and length + row.room > self._limit

    def _encoded(self, batch: Sequence[Row]) -> Any:
        """Token ids and pixels of a batch, on the model's device in its precision."""
        loaded = self._loaded
        words: dict[str, Any] = {
            "text": [row.prompt.text for row in batch],
            "padding": True,
            "padding_side": "left",
            "return_tensors": "pt",
            "add_special_tokens": batch[0].prompt.special,
        }
        if loaded.processor is not None and batch[0].prompt.pictures:
            words["images"] = [list(row.prompt.pictures) for row in batch]
        made = (loaded.processor or loaded.tokenizer)(**words)
        for name in ("labels", *(() if loaded.processor else ("token_type_ids",))):
            made.pop(name, None)
        moved = {name: value.to(loaded.model.device) for name, value in made.items()}
        return {name: value.to(loaded.model.dtype) if value.is_floating_point() else value for name, value in moved.items()}

    @torch.inference_mode()
    def _generate(self, batch: Sequence[Row], inputs: Any, lengths: Sequence[int], *, exact: bool) -> None:
        started = time.perf_counter()
        steering = Steering(batch, self._ends, self._text, exact)
        model = self._loaded.model
        own = {name: value for name in _KEPT if (value := getattr(model.generation_config, name, None)) is not None}
        settings = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            num_beams=1,
            max_new_tokens=max(row.room for row in batch),
            eos_token_id=None,
            pad_token_id=self._loaded.tokenizer.pad_token_id or 0,
            bos_token_id=self._loaded.tokenizer.bos_token_id,
            **own,
        )
        before = model.generation_config
        model.generation_config = settings  # what a call leaves open, transformers takes from here
        try:
            model.generate(**inputs, generation_config=settings, logits_processor=[steering], stopping_criteria=[steering])
        finally:
            model.generation_config = before
        share = (time.perf_counter() - started) / len(batch)
        for row, length in zip(batch, lengths, strict=True):
            row.prompt_tokens, row.seconds = length, share

    def _choice_rows(self, request: Request, prompt: Prompt) -> list[Row] | Failure:
        """The rows that weigh a request's choices: one for all that differ in their last tokens only."""
        tails = self._prompter.tails(prompt, request)
        if isinstance(tails, Failure):
            return tails
        starts = {tail[:-1] for tail in tails}
        paths = [one for one in starts if not any(other[: len(one)] == one for other in starts if other != one)]
        return [Row(request, prompt, path, tails) for path in sorted(paths)]

    @staticmethod
    def _weights(request: Request, rows: list[Row]) -> Response:
        known = {before: said for row in rows for before, said in row.weighed.items()}
        said = [sum(known[tail[:place]][token] for place, token in enumerate(tail)) for tail in rows[0].tails]
        return Response(
            key=request.key,
            prompt_tokens=rows[0].prompt_tokens,
            completion_tokens=0,
            seconds=sum(row.seconds for row in rows),
            logprobs=tuple(said),
        )

    def _reply(self, request: Request, rows: list[Row]) -> Response:
        (row,) = rows
        text = self._text(row.ids)
        for stop in filter(None, request.generation.stop):
            text = text.split(stop, 1)[0]
        return Response(
            key=request.key,
            text=text.strip(),
            finish_reason=row.finished or "length",
            prompt_tokens=row.prompt_tokens,
            completion_tokens=len(row.ids),
            seconds=row.seconds,
        )

    def _text(self, ids: list[int]) -> str:
        return str(self._loaded.tokenizer.decode(ids, skip_special_tokens=True))


def _open_rows(request: Request, prompt: Prompt) -> list[Row] | Failure:
    if request.generation.max_new_tokens < 1:
        return Failure("model", f"sample {request.sample_id}: max_new_tokens={request.generation.max_new_tokens} leaves no reply")
    return [Row(request, prompt)]


def _failed(request: Request, failure: Failure) -> Response:
    return Response(key=request.key, finish_reason="error", failure=failure)


def _end_tokens(loaded: Loaded) -> frozenset[int]:
    """The tokens that end a reply, by the checkpoint's generation settings and its tokenizer."""
    own = loaded.model.generation_config.eos_token_id
    several = own if isinstance(own, list) else [own]
    return frozenset(token for token in (*several, loaded.tokenizer.eos_token_id) if token is not None)

"""Transformers' own ``generate`` on the prompts of the engine: what the bench compares with.

Not here: clocks and rows (``bench``). Pictures are opened and encoded by the engine's own code, which transformers would not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from harness.types import Request
from models.sphinx_x.inference.pictures import Pictures, views_together
from models.sphinx_x.inference.prompts import question
from models.sphinx_x.inference.schedule import group_of
from models.sphinx_x.inference.traffic import Traffic, padded_traffic, position_bytes
from models.sphinx_x.model import SphinxX
from models.sphinx_x.template import cut_reply
from models.sphinx_x.tokenizer import Tokenizer

Prompts = Sequence[tuple[Request, Tensor]]
"""Requests, each with the embeddings of its prompt, [positions, width]."""


class Transformers:
    """The usual way: embeddings padded on the left, ``generate`` until the longest reply of the batch ends.

    ``traffic`` counts what the steps of all calls read.
    """

    def __init__(self, model: SphinxX, tokenizer: Tokenizer, threads: int = 0) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._threads = threads
        self.traffic = Traffic(0, 0)

    @torch.inference_mode()
    def prompts(self, requests: Sequence[Request]) -> list[tuple[Request, Tensor]]:
        """Each request with the embeddings of its prompt, [positions, width]."""
        found: list[tuple[Request, Tensor]] = []
        pictures = Pictures(self._model, threads=self._threads, batch=views_together(self._model.variant))
        for window, visual in pictures.windows(requests, size=1024):
            for request in window:
                shown = visual.get(group_of(request))
                own = [shown] if isinstance(shown, Tensor) else []
                found.append((request, self._model.splice(own, self.ids(request))))
        return found

    def ids(self, request: Request) -> list[int]:
        """The text of a prompt."""
        return self._tokenizer.encode_prompt(question(request))

    def one_by_one(self, requests: Sequence[Request]) -> dict[str, str]:
        """Replies by key: each request is opened, encoded and answered before the next."""
        return {key: text for request in requests for key, text in self.replies(self.prompts([request]), 1).items()}

    @torch.inference_mode()
    def replies(self, prompts: Prompts, size: int) -> dict[str, str]:
        """Replies by key, in static batches of prompts sorted by the length of reply that is allowed and their own."""
        replies: dict[str, str] = {}
        ordered = sorted(prompts, key=lambda prompt: (prompt[0].generation.max_new_tokens, len(prompt[1])))
        language_model = cast(Any, self._model.language_model)
        for start in range(0, len(ordered), size):
            batch = ordered[start : start + size]
            embeddings, mask = _padded([embeddings for _, embeddings in batch])
            out = language_model.generate(
                inputs_embeds=embeddings,
                attention_mask=mask,
                max_new_tokens=max(request.generation.max_new_tokens for request, _ in batch),
                do_sample=False,
                eos_token_id=[self._tokenizer.stop, self._tokenizer.eos],
                pad_token_id=self._tokenizer.pad,
            )
            each = position_bytes(self._model.variant.backbone, embeddings.element_size())
            self.traffic += padded_traffic(len(batch), embeddings.shape[1], out.shape[1], each)
            for (request, _), ids in zip(batch, out.tolist(), strict=True):
                replies[request.key] = cut_reply(self._tokenizer.decode(ids[: request.generation.max_new_tokens]))
        return replies


def _padded(prompts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Embeddings [positions, width] of several prompts, padded on the left: [n, longest, width], and their mask [n, longest]."""
    longest = max(map(len, prompts))
    embeddings = prompts[0].new_zeros(len(prompts), longest, prompts[0].shape[-1])
    mask = torch.zeros(len(prompts), longest, dtype=torch.long, device=embeddings.device)
    for row, prompt in enumerate(prompts):
        embeddings[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1
    return embeddings, mask

"""A model inside vLLM, in this process: vLLM schedules, batches and shares prefixes; here requests become its chat messages.

Needs the extra ``vllm`` and a GPU that vLLM supports; vLLM is imported only when this is built. Requests are handed over a window
at a time, in the order in which they come, so that questions on one picture stand together for vLLM's prefix cache. vLLM decides
what runs with what, so greedy replies, too, may differ from run to run where rounding decides; the fingerprint says who answered.
Not here: a vLLM server of its own process, which is asked as any server is (`models.openai_chat`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, MediaError
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Failure, FinishReason, Request, Response
from models.chat_protocol import messages_of
from models.local import contents_of
from models.seeding import integer_of

_FINISHED: Mapping[str, FinishReason] = {"length": "length"}


class VLLMChat:
    """A vision-language model that vLLM runs.

    Args:
        path: a folder, or a name on the hub.
        name: how the model appears in tables; by default the last part of the path.
        revision: of the hub; a name without one is whatever the hub holds that day, and the fingerprint cannot tell.
        dtype: vLLM's name of a precision.
        window: requests handed over at once.
        images: most pictures and frames of one prompt; vLLM reserves memory for them.
        engine: further settings of ``vllm.LLM``, such as ``tensor_parallel_size`` or ``max_model_len``.

    Raises:
        ConfigError: vLLM is not installed, or a setting is out of range.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        revision: str | None = None,
        dtype: str = "auto",
        window: int = 512,
        images: int = 8,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        if window < 1 or images < 1:
            raise ConfigError(f"model.window={window} and model.images={images} must be at least 1")
        try:
            vllm: Any = importlib.import_module("vllm")
        except ModuleNotFoundError as error:
            raise ConfigError(
                "model=vllm_chat needs vLLM, in an environment of its own: pip install 'riddle-eval[vllm]'"
            ) from error
        settings = dict(engine or {})
        self.name = name or Path(path).name
        self.window = window
        self.capabilities = Capabilities(images=True, several_images=images > 1, video=images > 1)
        self.fingerprint = hash_of(
            ["vllm_chat", 1, *(contents_of(Path(path)) or [path]), revision, dtype, settings, str(vllm.__version__)]
        )
        self._sampling = vllm.SamplingParams
        self._llm = vllm.LLM(model=path, revision=revision, dtype=dtype, limit_mm_per_prompt={"image": images}, **settings)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, window by window."""
        source = iter(requests)
        while window := list(islice(source, self.window)):
            asked: list[Request] = []
            conversations: list[list[dict[str, Any]]] = []
            for request in window:
                try:
                    conversations.append(messages_of(request.parts))
                except MediaError as error:
                    yield Response(key=request.key, finish_reason="error", failure=Failure("media", str(error)))
                else:
                    asked.append(request)
            if asked:
                yield from self._chat(asked, conversations)

    def _chat(self, asked: Sequence[Request], conversations: list[list[dict[str, Any]]]) -> Iterator[Response]:
        parameters = [self._parameters(request) for request in asked]
        outputs = self._llm.chat(conversations, sampling_params=parameters, use_tqdm=False)
        for request, output in zip(asked, outputs, strict=True):
            (reply,) = output.outputs
            yield Response(
                key=request.key,
                text=reply.text.strip(),
                finish_reason=_FINISHED.get(reply.finish_reason or "", "stop"),
                prompt_tokens=len(output.prompt_token_ids or ()),
                completion_tokens=len(reply.token_ids),
            )

    def _parameters(self, request: Request) -> Any:
        """Sampling by the request's settings; a draw is seeded by the request, whatever runs beside it."""
        generation = request.generation
        drawn = generation.temperature > 0
        return self._sampling(
            max_tokens=generation.max_new_tokens,
            temperature=generation.temperature,
            top_p=generation.top_p if drawn else 1.0,
            stop=list(generation.stop) or None,
            seed=integer_of("vllm", generation.seed, request.key) % 2**31 if drawn else None,
        )

"""Any vision-language or language model of the transformers library, through its own processor and chat template.

Not here: how replies are made (`models.hf`). Importing this file takes no torch; building the class loads the weights. The
fingerprint covers the weights (by commit or digest), processor, template and precision, and for reduced precision the kind of
device; batch sizes are not in it, because in float32 greedy replies do not depend on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from harness.boxes import Frame
from harness.errors import ConfigError
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Request, Response

ENGINE_VERSION = 1
"""Goes up whenever the same weights would answer otherwise."""


class HFChat:
    """An image-text-to-text model, or a causal language model, of the transformers library.

    Clips are shown as their frames, a picture each. Replies are greedy or drawn as the benchmark says; what a checkpoint's
    ``generation_config.json`` says of sampling and penalties is not used.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        revision: str | None = None,
        dtype: Literal["float32", "bfloat16", "float16", "auto"] = "auto",
        device: str = "auto",
        attention: str | None = None,
        processor: Mapping[str, Any] | None = None,
        max_batch: int = 8,
        window: int = 64,
        threads: int = 2,
        single_image: bool = False,
        box_frame: Frame | None = None,
        trust_remote_code: bool = False,
        download: bool = False,
    ) -> None:
        """Load a model.

        Args:
            path: a folder that ``from_pretrained`` reads, or a name on the hub.
            name: how the model appears in tables; by default the last part of the path.
            revision: of the hub.
            dtype: precision; ``auto`` is float32 on a CPU and bfloat16 on a GPU.
            device: ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU if there is one, ``spread`` all of them (accelerate).
            attention: transformers' implementation (``sdpa``, ``eager``, ``flash_attention_2``); by default the model's.
            processor: settings of the processor, such as the least and most pixels of a picture.
            max_batch: prompts that run side by side; halved when memory does not suffice.
            window: requests taken from the stream before batches are made.
            threads: workers that decode pictures ahead.
            single_image: whether the model was made for one picture only.
            box_frame: what the coordinates count that the model writes (`harness.boxes.Frame`), such as ``thousandths``; by
                default what the family is known for (`models.hf.frames`), if it is.
            trust_remote_code: run code that comes with the weights.
            download: fetch what is not in the local cache.

        Raises:
            ConfigError: there is no such model, it cannot be loaded, or a setting is out of range.
        """
        if box_frame not in (None, *get_args(Frame)):
            raise ConfigError(f"model.box_frame={box_frame!r} (must be one of {', '.join(get_args(Frame))})")
        from models.hf.engine import Engine, Options
        from models.hf.frames import box_frame_of
        from models.hf.loading import Source, load
        from models.hf.prompts import Prompter

        options = Options(max_batch=max_batch, window=window, threads=threads)
        source = Source(
            path=path,
            revision=revision,
            dtype=dtype,
            device=device,
            attention=attention,
            processor=dict(processor or {}),
            trust_remote_code=trust_remote_code,
            download=download,
        )
        loaded = load(source)
        prompter = Prompter(loaded)
        sees = loaded.processor is not None
        self.name = name or Path(path).name
        self.capabilities = Capabilities(
            images=sees,
            several_images=sees and not single_image,
            video=sees and not single_image,
            loglikelihood=True,
            box_frame=box_frame or box_frame_of(str(loaded.model.config.model_type)),
        )
        self.fingerprint = hash_of(["hf_chat", ENGINE_VERSION, *loaded.identity, str(prompter.template)])
        self._engine = Engine(loaded, prompter, options)

    @property
    def halvings(self) -> list[int]:
        """How large each batch was that did not fit in memory."""
        return self._engine.halvings

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, batch by batch, in any order."""
        return self._engine.generate(requests)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` weigh each request's choices (nats)."""
        return self._engine.loglikelihood(requests)

    def prompt_tokens(self, request: Request) -> int:
        """Tokens of a request's prompt, pictures included, for previews."""
        return self._engine.prompt_tokens(request)

"""SPHINX-X as a model of the harness: the only file that a configuration names.

Not here: how the model is put together (``assembly``), and how replies are made (``inference``). Importing this file takes no
torch; building the class loads the weights. The fingerprint covers weights, tokenizer, template, variant, precision, attention,
active and pruned experts, and for reduced precision the kind of device; batch sizes are not in it, because in float32 greedy
replies do not depend on them, nor is where experts lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ConfigError, RunStopped
from harness.keys import hash_of
from harness.model import Capabilities
from harness.names import suggestion
from harness.types import Request, Response
from models.local import devices_of

if TYPE_CHECKING:
    from models.sphinx_x.assembly import Attention, Dtype

SHIPPED = Path(__file__).parent / "weights"
"""Folders of weights that come with the package."""

ENGINE_VERSION = 1
"""Goes up whenever the same weights would answer otherwise."""


class SphinxXModel:
    """A SPHINX-X checkpoint behind the local engine."""

    def __init__(
        self,
        weights: str,
        *,
        name: str | None = None,
        dtype: Dtype = "float32",
        device: str = "cpu",
        attention: Attention | None = None,
        variant: str | None = None,
        active_experts: int | None = None,
        pruned_experts: Mapping[str, Any] | None = None,
        expert_cache: int | None = None,
        tensor_parallel: int = 1,
        trace_routing: bool | Literal["counts", "tokens"] = False,
        max_batch: int = 64,
        batch_tokens: int = 16384,
        window: int = 1024,
        threads: int = 2,
        long_prompts: Literal["fail", "cut"] = "fail",
    ) -> None:
        """Load a checkpoint.

        Args:
            weights: a shipped name (``nano``) or a folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
            name: how the model appears in tables; by default the folder's name.
            dtype: precision of weights and arithmetic; ``int8`` stores the decoder layers' weights as integers (dense models)
                and computes as ``auto`` does: float32 on a CPU, bfloat16 on a GPU.
            device: ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU if there is one.
            attention: by which of transformers' implementations the encoders attend; by default ``sdpa``, which on a GPU is a
                fused kernel already. The decoder has its own attention. ``flash_attention_2`` needs reduced precision.
            variant: the member of the family that the weights must be; by default any.
            active_experts: experts a token is routed to; by default as trained.
            pruned_experts: which experts to take out (`models.sphinx_x.pruning.PrunedExperts`); by default none.
            expert_cache: experts a layer keeps in memory while the others stay in their file
                (`models.sphinx_x.inference.offload`), for sparse models that do not fit; by default all are in memory. No answer
                depends on it.
            tensor_parallel: processes that hold a share of the language model each (`models.sphinx_x.inference.team`), on
                neighbouring GPUs from ``device`` on, or on the CPU.
            trace_routing: record which experts the tokens of each request went to: true or ``counts``, or ``tokens`` for the
                choices of every token as well (`models.sphinx_x.inference.routing`). No answer depends on it.
            max_batch: prompts decoded side by side.
            batch_tokens: positions in one batch.
            window: requests taken from the stream before batches are planned.
            threads: workers that decode pictures ahead.
            long_prompts: whether a prompt that does not fit fails or is cut from the left.

        Raises:
            ConfigError: there are no such weights, or a setting is out of range.
        """
        from models.sphinx_x.assembly import Computing
        from models.sphinx_x.inference.engine import EngineOptions
        from models.sphinx_x.inference.routing import TOKENS, TRACE
        from models.sphinx_x.inference.team import Order, asked

        folder = weights_folder(weights)
        how = Computing.of(dtype, device, attention)
        options = EngineOptions(
            max_batch=max_batch, batch_tokens=batch_tokens, window=window, threads=threads, long_prompts=long_prompts,
            trace_routing={True: "counts", False: "none"}.get(trace_routing, trace_routing),  # type: ignore[arg-type]
        )  # fmt: skip
        built, self._engine = asked(
            Order(folder, how, options, variant, active_experts, pruned_experts, expert_cache),
            devices_of(device, tensor_parallel),
        )
        self.name = name or folder.name
        self.capabilities = Capabilities(images=True, several_images=True, video=True, loglikelihood=True, box_frame="square")
        identity = built.identity(how, long_prompts, tensor_parallel)
        self.fingerprint = hash_of(["sphinx_x", ENGINE_VERSION, *identity])
        self.details = built.account()
        self.traces = {"none": (), "counts": (TRACE,), "tokens": (TRACE, TOKENS)}[options.trace_routing]

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, batch by batch, in any order."""
        return self._engine.generate(requests)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` weigh each request's choices (nats). Raises `RunStopped` if routing is traced."""
        if self.traces:
            raise RunStopped("model.trace_routing: only replies are traced; say kind=generate, or leave the tracing out")
        return self._engine.loglikelihood(requests)

    def prompt_tokens(self, request: Request) -> int:
        """Positions of a request's prompt, pictures included, for previews. Raises `MediaError` for an unreadable picture."""
        return self._engine.prompt_tokens(request)


def weights_folder(weights: str) -> Path:
    """The folder of a shipped name, or the path itself. Raises `ConfigError` naming the shipped ones if it is neither."""
    shipped = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()) if SHIPPED.is_dir() else []
    if weights in shipped:
        return SHIPPED / weights
    if Path(weights).is_dir():
        return Path(weights)
    raise ConfigError(
        f"model.weights={weights}: no such folder, and not shipped{suggestion(weights, shipped)} "
        f"(shipped: {', '.join(shipped) or 'none'}; `riddle train` makes a folder of weights)"
    )

"""From a folder of weights and a few settings to a model that can be asked: loaded, pruned, placed; and what names it.

Not here: all settings that a user may give (``plugin``), how folders are read (``checkpoint``), how replies are made
(``inference``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from harness.errors import ConfigError
from models.local import compute_exactly, device_of, digest_of
from models.sphinx_x import checkpoint, pruning
from models.sphinx_x.anatomy import idle_parameters, parameters
from models.sphinx_x.inference.cut import ALONE, Share
from models.sphinx_x.inference.int8 import quantise
from models.sphinx_x.model import SphinxX
from models.sphinx_x.template import answer_piece, conversation
from models.sphinx_x.tokenizer import Tokenizer

Dtype = Literal["float32", "bfloat16", "float16", "int8", "auto"]
Attention = Literal["eager", "sdpa", "flash_attention_2"]

ANGLES = "float32 angles"
"""Told to fingerprints of reduced precision, in which rotary frequencies were rounded at first."""


@dataclass(frozen=True)
class Computing:
    """In which precision, where, and by which attention is computed; ``dtype`` is never ``auto``."""

    dtype: Dtype
    device: torch.device
    attention: Attention | None

    @classmethod
    def of(cls, dtype: Dtype, device: str, attention: Attention | None) -> Computing:
        """Read the settings. Raises `ConfigError` if one is unknown, not to be had here, or does not go with the others."""
        if dtype not in get_args(Dtype):
            raise ConfigError(f"model.dtype={dtype!r} (must be one of {', '.join(get_args(Dtype))})")
        if attention not in (None, *get_args(Attention)):
            raise ConfigError(f"model.attention={attention!r} (must be one of {', '.join(get_args(Attention))})")
        place = device_of(device)
        if dtype == "auto":
            dtype = "bfloat16" if place.type == "cuda" else "float32"
        found = cls(dtype, place, attention)
        if attention == "flash_attention_2" and found.arithmetic == torch.float32:
            raise ConfigError("model.attention=flash_attention_2: computes in bfloat16 or float16 only; set model.dtype")
        return found

    @property
    def arithmetic(self) -> torch.dtype:
        """What is computed in; ``int8`` is only how weights are stored."""
        if self.dtype == "int8":
            return torch.bfloat16 if self.device.type == "cuda" else torch.float32
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]


@dataclass(frozen=True)
class Assembled:
    """A model of a folder, with its tokenizer and what was taken out of it."""

    folder: Path
    model: SphinxX
    tokenizer: Tokenizer
    pruned: pruning.Pruned | None

    @classmethod
    def load(
        cls,
        folder: Path,
        active_experts: int | None = None,
        pruned_experts: Mapping[str, Any] | None = None,
        expert_cache: int | None = None,
        dtype: torch.dtype = torch.float32,
        share: Share = ALONE,
    ) -> Assembled:
        """Load a folder, or this process's share of it, into memory of the CPU, in this precision if no expert is taken out.

        The other arguments, and errors, are those of `models.sphinx_x.plugin.SphinxXModel`.
        """
        taken_out = pruning.settings(pruned_experts)
        if expert_cache is not None and taken_out:
            raise ConfigError("model.expert_cache: goes with all experts of the file; leave model.pruned_experts out")
        model, tokenizer = checkpoint.load(
            folder,
            active_experts=active_experts,
            expert_cache=expert_cache,
            share=share,
            dtype=torch.float32 if taken_out else dtype,
        )
        return cls(folder, model, tokenizer, pruning.prune(model, tokenizer, taken_out))

    def place(self, how: Computing) -> None:
        """Bring the model to its device and precision. Raises `ConfigError` if the attention is not installed."""
        if how.arithmetic == torch.float32:
            compute_exactly()
        self.model.place(how.device, how.arithmetic)
        if how.attention is not None:
            self.model.set_attention(how.attention)
        if how.dtype == "int8":
            quantise(self.model.language_model)

    def identity(self, how: Computing, long_prompts: str, processes: int = 1) -> list[Any]:
        """All that answers depend on, for a fingerprint; in float32 they do not depend on the number of processes."""
        return [
            *(digest_of(path) for path in checkpoint.weight_files(self.folder)),
            conversation([("?", "!"), ("?", None)]) + answer_piece("!"),
            self.model.variant.to_json(),
            how.dtype if how.dtype == "float32" else [how.dtype, how.device.type, ANGLES],
            long_prompts,
            *([] if self.pruned is None else [self.pruned.identity()]),
            *([] if how.attention is None else ["attention", how.attention]),
            *([] if processes == 1 or how.dtype == "float32" else ["processes", processes]),
        ]

    def account(self) -> dict[str, Any]:
        """What a run records of the model besides its fingerprint: variant, sizes, sparsity, training."""
        variant = self.model.variant
        whole = sum(parameters(variant).values())
        size = {"parameters": whole, "active_parameters": whole - idle_parameters(variant.backbone)}
        sparse = pruning.sparsity(self.model, self.pruned)
        return {"variant": variant.name, **size, **sparse, **checkpoint.read_training(self.folder)}

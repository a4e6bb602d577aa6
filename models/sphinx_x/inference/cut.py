"""A language model cut over several processes: each holds some heads and some feed-forward channels of every layer.

The cut is Megatron-LM's (arXiv 1909.08053, section 3), as in transformers' ``tp_plan``: what goes into heads and channels is cut
by rows, what comes out of them by columns, so that two sums a layer make the result whole. Embeddings, norms, routers, encoders
and the head are whole everywhere. The modules stay transformers' own, with smaller weights, so ``decoder`` and transformers'
forward pass both run on them. Not here: how processes meet (``team``).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import ConfigError, RunStopped
from models.sphinx_x.model import SphinxX
from models.sphinx_x.sources import Shape, Source
from models.sphinx_x.variants import Backbone

_CUT = {
    r"self_attn\.[qkv]_proj\.weight": (0, 1),
    r"self_attn\.o_proj\.weight": (1, 1),
    r"mlp\.(gate|up)_proj\.weight": (0, 1),
    r"mlp\.down_proj\.weight": (1, 1),
    r"mlp\.experts\.gate_up_proj": (1, 2),
    r"mlp\.experts\.down_proj": (2, 1),
}
"""Of a layer's tensors, the dimension that is cut, and how many equal parts lie behind one another along it."""


@dataclass
class Share:
    """Which part of the model this process holds, and how parts become whole.

    Attributes:
        number: of this process among ``world``; the first speaks with the user.
        group: torch's process group, once the processes have met.
    """

    number: int = 0
    world: int = 1
    group: Any = None

    def total(self, part: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.world > 1:
            self.group.allreduce([part]).wait()
        return part

    def agree(self, value: Tensor) -> Tensor:
        """What the first process says."""
        return self.total(value if self.number == 0 else torch.zeros_like(value))

    def require_same(self, told: object, device: torch.device) -> None:
        """Make sure that all processes do the same next. Raises `RunStopped` if they do not."""
        if self.world == 1:
            return
        digest = zlib.crc32(repr(told).encode()) >> 8  # short, so that its square can be summed
        both = self.total(torch.tensor([digest, digest**2], device=device))  # equal numbers have no variance
        if int(both[0]) != digest * self.world or int(both[1]) != digest**2 * self.world:
            raise RunStopped(
                f"model.tensor_parallel={self.world}: the processes of the model saw different pictures or prompts (was a "
                "file unreadable for some?); the same command goes on from what is stored"
            )

    def of(self, name: str, whole: Tensor) -> Tensor:
        """This process's part of a language model's tensor; a view."""
        dimension, parts = _dimension(name)
        if dimension is None:
            return whole
        pieces = [piece.chunk(self.world, dimension)[self.number] for piece in whole.chunk(parts, dimension)]
        return pieces[0] if parts == 1 else torch.cat(pieces, dimension)


ALONE = Share()
"""One process with all of the model."""


def _dimension(name: str) -> tuple[int | None, int]:
    found = re.fullmatch(r"language_model\.model\.layers\.\d+\.(.+)", name)
    if found:
        for pattern, how in _CUT.items():
            if re.fullmatch(pattern, found[1]):
                return how
    return None, 1


class Shared:
    """The tensors of a source, of which those that are cut come as this process's part."""

    def __init__(self, source: Source, share: Share) -> None:
        self._source, self._share = source, share

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor as it is read."""
        return {
            name: tuple(self._share.of(name, torch.empty(shape, device="meta")).shape)
            for name, shape in self._source.shapes().items()
        }

    def read(self, name: str) -> Tensor:
        """One tensor or a part of it; of a mapped file only the part is touched."""
        return self._share.of(name, self._source.read(name))

    def release(self) -> None:
        """Let go of what the source holds."""
        self._source.release()


def check_cut(backbone: Backbone, world: int) -> None:
    """Raise `ConfigError` unless heads and channels can be shared out evenly among so many processes."""
    for what, count in (("key-value heads", backbone.kv_heads), ("heads", backbone.heads), ("channels", backbone.ffn)):
        if count % world:
            raise ConfigError(f"model.tensor_parallel={world}: this model's {count} {what} cannot be shared out evenly")


def cut(model: SphinxX, share: Share) -> None:
    """Make a model without memory (``meta``) one of this process's part, whose outputs are made whole by sums.

    Raises:
        ConfigError: heads or channels cannot be shared out evenly.
    """
    check_cut(model.variant.backbone, share.world)
    for name, value in list(model.named_parameters()):
        if _dimension(name)[0] is not None:
            stem, _, leaf = name.rpartition(".")
            part = torch.empty_like(share.of(name, value))
            model.get_submodule(stem).register_parameter(leaf, nn.Parameter(part, requires_grad=value.requires_grad))
    language: Any = model.language_model
    for layer in language.model.layers:
        for module in (layer.self_attn.o_proj, getattr(layer.mlp, "down_proj", None) or layer.mlp.experts):
            module.total = share.total  # for `layers`, which goes past the module
            module.register_forward_hook(lambda module, _, out: module.total(out))

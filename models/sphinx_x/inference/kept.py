"""Tensors kept for later by name, the longest unused dropped first, so that pictures that come back cost nothing again.

Not here: what is kept. The bound is in bytes, because a picture takes from kilobytes to hundreds of megabytes.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

GPU_SHARE = 1 / 16
"""Part of a GPU's memory that one kind of kept tensors may take."""


def memory_for(device: torch.device, least: int) -> int:
    """Bytes that one kind of kept tensors may take: ``least``, and on a GPU that share of its memory which is more."""
    if device.type != "cuda":
        return least
    return max(least, int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE))


class Kept:
    """At most ``limit`` bytes of tensors."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __len__(self) -> int:
        return len(self._held)

    def get(self, name: str) -> Tensor | None:
        """The tensor of this name, if it is still there; it counts as used now."""
        found = self._held.get(name)
        if found is not None:
            self._held.move_to_end(name)
        return found

    def put(self, name: str, value: Tensor) -> None:
        """Keep a tensor (in place of one of the same name), and drop others to make room."""
        self._drop(name)
        self._held[name] = value
        self._bytes += value.nbytes
        while self._bytes > self._limit:
            self._drop(next(iter(self._held)))

    def _drop(self, name: str) -> None:
        value = self._held.pop(name, None)
        if value is not None:
            self._bytes -= value.nbytes

"""A variant with random weights and a tokenizer without meaning, to measure speed and memory of models that nobody shipped.

Not here: anything that can be right or wrong. Replies of random weights are noise, so none of them ends by itself: no id stands
for the end, no text of an id is a stop string, and every reply is as long as it may be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import torch

from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.variants import find_variant

_PIECE = re.compile(r"\s?\w{1,4}|\s?[^\w\s]|\s")
"""About as many pieces as a vocabulary of 32,000 makes of English, four letters each."""

_RESERVED = 2


class NoiseTokenizer(Tokenizer):
    """Pieces of text hashed to ids below ``vocab``; ids read as numbers. It cannot be saved."""

    def __init__(self, vocab: int) -> None:
        self._vocab = vocab
        self.pad, self.bos = range(_RESERVED)
        self.eos = self.stop = vocab  # which no model says

    @property
    def size(self) -> int:
        """Number of ids."""
        return self._vocab

    def encode(self, text: str) -> list[int]:
        """Ids of the text, the same in every process."""
        span = self._vocab - _RESERVED
        return [_RESERVED + zlib.crc32(piece.encode()) % span for piece in _PIECE.findall(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The ids themselves, parted by spaces."""
        return " ".join(map(str, ids))


def noise_model(variant: str, device: torch.device, seed: int = 0) -> tuple[SphinxX, Tokenizer]:
    """A variant built on its device with random float32 weights, in evaluation mode.

    Raises:
        ConfigError: there is no such variant.
    """
    found = find_variant(variant)
    torch.manual_seed(seed)
    with device:
        model = SphinxX(found)
    return model.eval(), NoiseTokenizer(found.backbone.vocab)

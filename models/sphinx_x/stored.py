"""Names under which tensors are stored, whatever version of transformers made the model.

A module's own names and shapes change between versions (DINOv2's attention and gated block did within 5.x), those in files must
not. They are those of transformers 5.23; on older versions tensors are renamed on the way. Not here: files (``checkpoint``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from models.sphinx_x.sources import Piece

_LAYER = r"(vision\.encoders\.[^.]+\.trunk\.encoder\.layer\.\d+)"
_OLD = (
    (re.compile(rf"{_LAYER}\.attention\.attention\.query"), r"\1.attention.q_proj"),
    (re.compile(rf"{_LAYER}\.attention\.attention\.key"), r"\1.attention.k_proj"),
    (re.compile(rf"{_LAYER}\.attention\.attention\.value"), r"\1.attention.v_proj"),
    (re.compile(rf"{_LAYER}\.attention\.output\.dense"), r"\1.attention.o_proj"),
    (re.compile(rf"{_LAYER}\.mlp\.weights_out"), r"\1.mlp.down_proj"),
)
_JOINT = re.compile(rf"{_LAYER}\.mlp\.weights_in\.(weight|bias)")


def stored_pieces(names: Sequence[str]) -> list[Piece]:
    """Pieces from stored names (``theirs``) to the names that a model has here (``ours``)."""
    return [_piece(name) for name in names]


def _piece(name: str) -> Piece:
    if match := _JOINT.fullmatch(name):
        theirs = tuple(f"{match[1]}.mlp.{part}_proj.{match[2]}" for part in ("gate", "up"))
        return Piece(theirs, (name,), _joined, _halves)
    for pattern, stored in _OLD:
        if match := pattern.match(name):
            return Piece((match.expand(stored) + name[match.end() :],), (name,))
    return Piece((name,), (name,))


def _joined(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return [torch.cat(list(values))]


def _halves(values: Sequence[Tensor]) -> Sequence[Tensor]:
    return values[0].chunk(2)

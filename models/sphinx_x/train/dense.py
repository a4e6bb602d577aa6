"""Dense labels as targets: what every quarter of a visual token's cell shows, and where the whole of it is.

Two uses: encoders and projector learn to see on these alone first, and during training they keep the picture's content
within reach of the language model (heads on its hidden states at picture positions). The heads are not part of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss

from harness.world import ALPHABET, CLASSES, COLOURS, KEYS, UNNAMED, World, dense_labels
from models.sphinx_x.train.together import ALONE, Together
from models.sphinx_x.variants import Variant

_KINDS, _COLOURS, _CHARS = len(CLASSES), len(COLOURS) + 1, len(ALPHABET) + 1
_BINS = 24
_QUARTERS = 4
_NOTHING = 0.15
_FIELDS = ("kind", "colour", "char", "key", "column", "dx", "dy", "width", "height")


@dataclass(frozen=True, slots=True)
class DenseTargets:
    """Per encoded view and token, for the four quarters of its cell.

    Attributes:
        classes: kind, colour, character, and the names by which it is looked up, key and column [views, tokens, 4, 5].
        extent: offset to the middle and size of what is shown, in units of half a view [views, tokens, 4, 4].
        place: bin of its middle in the padded square, x and y [views, tokens, 4, 2].
    """

    classes: Tensor
    extent: Tensor
    place: Tensor


def _view_labels(world: World, variant: Variant, cell_px: int, cells: int) -> np.ndarray:
    """Labels in a grid of ``cells`` x ``cells`` over the padded square (corner padding): [cells, cells, 9 + 2]."""
    labels = dense_labels(world, cell_px)
    grid = np.zeros((cells, cells, len(_FIELDS) + 2), dtype=np.float32)
    rows, columns = labels.kind.shape
    for index, name in enumerate(_FIELDS):
        grid[:rows, :columns, index] = getattr(labels, name)[:cells, :cells]
    middles = np.arange(cells) * cell_px + cell_px / 2
    side = max(world.image.size)
    grid[..., 9] = np.clip((middles[None, :] + grid[..., 5]) * _BINS / side, 0, _BINS - 1)
    grid[..., 10] = np.clip((middles[:, None] + grid[..., 6]) * _BINS / side, 0, _BINS - 1)
    return grid


def _quarters(grid: np.ndarray, side: int) -> np.ndarray:
    """[2 * side, 2 * side, f] -> [side * side, 4, f]."""
    return grid.reshape(side, 2, side, 2, -1).transpose(0, 2, 1, 3, 4).reshape(side * side, _QUARTERS, -1)


def view_targets(world: World, variant: Variant, empty: Sequence[bool]) -> list[np.ndarray]:
    """Raw labels of each encoded view, [tokens, 4, 11]: global first, then tiles that are not empty."""
    side, picture = variant.side, max(world.image.size)
    coarse = picture // (2 * side)
    scale = np.ones(11, dtype=np.float32)
    scale[5:9] = 2.0 / picture  # the global view's half side
    found = [_quarters(_view_labels(world, variant, coarse, 2 * side), side) * scale]
    if len(empty) == 1:
        return found
    fine_side = 2 * side * variant.grid
    fine = _view_labels(world, variant, picture // fine_side, fine_side)
    scale = scale.copy()
    scale[5:9] *= variant.grid
    step = 2 * side
    for index, flag in enumerate(empty[1:]):
        if not flag:
            row, column = divmod(index, variant.grid)
            tile = fine[row * step : (row + 1) * step, column * step : (column + 1) * step]
            found.append(_quarters(tile, side) * scale)
    return found


def stack_targets(views: Sequence[np.ndarray]) -> DenseTargets:
    """Targets of all encoded views of a batch."""
    raw = torch.from_numpy(np.stack(views))
    return DenseTargets(raw[..., :5].long(), raw[..., 5:9], raw[..., 9:].long())


class DenseHead(nn.Module):
    """Reads the labels off a vector a token; ``relations`` also reads what only a view of the whole tells: place and names."""

    def __init__(self, width: int, *, relations: bool) -> None:
        super().__init__()
        self.relations = relations
        self.sizes = (_KINDS, _COLOURS, _CHARS, 4, *((len(KEYS), len(KEYS), _BINS, _BINS) if relations else ()))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, _QUARTERS * sum(self.sizes))

    def forward(self, tokens: Tensor, targets: DenseTargets, together: Together = ALONE) -> tuple[Tensor, dict[str, float]]:
        """This process's part of the loss over tokens [views, tokens, width], and accuracies on cells that show something."""
        parts = list(self.read(self.norm(tokens)).float().unflatten(-1, (_QUARTERS, -1)).split(self.sizes, dim=-1))
        extent = parts.pop(3)
        shown = (targets.classes[..., 0] != 0) | (targets.classes[..., 2] > 0)
        loss = tokens.new_zeros((), dtype=torch.float32)
        scores: dict[str, float] = {}
        for index, (name, read) in enumerate(zip(_FIELDS[: 5 if self.relations else 3], parts, strict=False)):
            wanted = targets.classes[..., index]
            each = cross_entropy(read.flatten(0, -2), wanted.flatten(), reduction="none", ignore_index=UNNAMED).view_as(wanted)
            weight = torch.where(wanted > 0, 1.0, _NOTHING).masked_fill(wanted == UNNAMED, 0.0)
            loss = loss + (each * weight).sum() / weight.sum() * together.share_of(weight.sum())
            some = wanted > 0
            if some.any():
                scores[name] = float((read.argmax(-1) == wanted)[some].float().mean())
        share = together.share_of(shown.sum())
        if shown.any():
            loss = loss + smooth_l1_loss(extent[shown], targets.extent[shown], beta=0.1) * share
            if self.relations:
                for axis in range(2):
                    loss = loss + 0.5 * cross_entropy(parts[5 + axis][shown], targets.place[..., axis][shown]) * share
                right = (parts[5].argmax(-1) - targets.place[..., 0]).abs() <= 1
                scores["place"] = float(right[shown].float().mean())
        return loss, scores

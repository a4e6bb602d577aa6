"""From a record to an example with its views, and from examples to the tensors of a micro-batch, padded or packed.

A packed row holds several examples one behind another; each has positions of its own and sees only itself. A record that cannot
be learned from is a `Skipped`, never another record in its place (as the authors would have it). Not here: the order of records
(``sampler``), what a label is (``dialog``), and the forward pass (``objective``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from harness.data.media import open_image
from harness.errors import DatasetError, MediaError
from harness.types import FileSource
from models.sphinx_x.geometry import positions
from models.sphinx_x.segments import Words
from models.sphinx_x.tiling import Views, views_of
from models.sphinx_x.train.annotations import Annotations
from models.sphinx_x.train.dialog import IGNORED, label
from models.sphinx_x.variants import Variant


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids with their labels, cut after the last target, and the views of the picture that stands behind the first id."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    views: Views | None = None
    visual: int = 0

    @property
    def positions(self) -> int:
        """Length of its sequence."""
        return len(self.ids) + self.visual


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Maker:
    """Makes the example of a record, by the record's number."""

    annotations: Annotations
    words: Words
    variant: Variant
    max_words: int

    def __call__(self, place: int) -> Example | Skipped:
        """The example, or why there is none."""
        name = f"record {place}"
        try:
            conversation = self.annotations.conversation(place)
            name = conversation.id
            views, visual = None, 0
            if conversation.image is not None:
                picture = open_image(FileSource(self.annotations.picture(place, conversation.image)))
                visual = positions([picture.size], self.variant)
                views = views_of(picture, self.variant)
        except (DatasetError, MediaError, OSError) as error:
            return Skipped(name, str(error))
        room = self.max_words - visual
        found = label(self.words, conversation.turns, room) if room > 0 else None
        if found is None:
            return Skipped(name, f"no answer is left within {self.max_words} positions, {visual} of them visual")
        last = max(place for place, target in enumerate(found.labels) if target != IGNORED)
        return Example(found.ids[: last + 1], found.labels[: last + 1], views, visual)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Examples laid out as rows [n, t].

    Attributes:
        ids: all text ids [m]; ``cuts`` are the lengths of the examples in them, ``rows`` how many examples each row holds.
        views: of the examples with a picture, in order; ``shown`` says for each example whether it has one.
        positions: [n, t], counted from 0 in each example.
        segments: [n, t], number of the example in its row from 1; 0 is padding.
        where: flat indices into [n * t] of positions that predict a target; ``targets`` are those.
    """

    ids: Tensor
    cuts: tuple[int, ...]
    rows: tuple[int, ...]
    views: tuple[Views, ...]
    shown: tuple[bool, ...]
    positions: Tensor
    segments: Tensor
    where: Tensor
    targets: Tensor

    @property
    def packed(self) -> bool:
        """Whether a row holds several examples."""
        return max(self.rows) > 1

    def to(self, device: torch.device, dtype: torch.dtype) -> MicroBatch:
        """The same on a device, pictures in a precision."""
        views = tuple(
            replace(one, pixels={size: pixels.to(device, dtype) for size, pixels in one.pixels.items()}) for one in self.views
        )
        moved = {name: getattr(self, name).to(device) for name in ("ids", "positions", "segments", "where", "targets")}
        return replace(self, views=views, **moved)


def collate(rows: Sequence[Sequence[Example]], start: int) -> MicroBatch:
    """Lay examples out in rows. Without any (all were skipped) there is one row of the ``start`` token and nothing to learn."""
    rows = [row for row in rows if row] or [[Example((start,), (IGNORED,))]]
    examples = [example for row in rows for example in row]
    longest = max(sum(example.positions for example in row) for row in rows)
    place, segment, label_ = (np.zeros((len(rows), longest), dtype=np.int64) for _ in range(3))
    for number, row in enumerate(rows):
        at = 0
        for index, example in enumerate(row, start=1):
            end = at + example.positions
            place[number, at:end] = np.arange(example.positions)
            segment[number, at:end] = index
            label_[number, at + example.visual + 1 : end] = example.labels[1:]  # the picture stands behind the first id
            at = end
    ahead = np.zeros_like(label_)
    ahead[:, :-1] = np.where(segment[:, 1:] == segment[:, :-1], label_[:, 1:], IGNORED)
    where = np.flatnonzero(ahead.reshape(-1) != IGNORED)
    return MicroBatch(
        ids=torch.tensor([token for example in examples for token in example.ids]),
        cuts=tuple(len(example.ids) for example in examples),
        rows=tuple(len(row) for row in rows),
        views=tuple(example.views for example in examples if example.views is not None),
        shown=tuple(example.views is not None for example in examples),
        positions=torch.from_numpy(place),
        segments=torch.from_numpy(segment),
        where=torch.from_numpy(where),
        targets=torch.from_numpy(ahead.reshape(-1)[where]),
    )


def pack(examples: Sequence[Example], row: int) -> list[list[Example]]:
    """Fill rows of ``row`` positions, longest examples first, each into the fullest row that has room for it."""
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in sorted(examples, key=lambda one: -one.positions):
        fitting = [index for index, left in enumerate(room) if left >= example.positions]
        if fitting:
            best = min(fitting, key=lambda index: room[index])
            rows[best].append(example)
            room[best] -= example.positions
        else:
            rows.append([example])
            room.append(row - example.positions)
    return rows

"""From drawn pictures and their questions to tensors: several questions packed behind one picture with a block mask.

The picture's positions are paid once; every question sees the picture and itself, at the positions it would have alone, so a
packed sequence trains exactly what single prompts ask. Which pictures and questions a step holds follows from the seed and
the step's number alone.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from harness.world import Clip, World
from models.sphinx_x.corpus.mini import Mixture, converse, draw_training_world, pick_kind
from models.sphinx_x.corpus.turns import HINTS, Hint, Turn
from models.sphinx_x.template import SEPARATOR, SYSTEM, answer_piece, question_piece
from models.sphinx_x.tiling import cut, empty_views, normalise, shown
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.train.attention import CHUNK, Masks
from models.sphinx_x.train.dense import DenseTargets, stack_targets, view_targets
from models.sphinx_x.variants import Variant

START, END, SKIP = 0, 1, 2
"""Rows of the table that `Batch.rows` points into; visual tokens follow, then text."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture or clip with its questions."""

    world: World
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's tensors; ``n`` pictures, each a sequence of ``t`` positions laid out as `Masks` says.

    Attributes:
        views: input size -> all encoded views [v, 3, size, size].
        dense: labels of the views that have them; ``labelled`` are their indices.
        text: all text ids [m].
        rows: [n, t], rows of the table [start, end, skip, visual tokens, text tokens].
        positions: [n, t].
        where: flat indices into [n * t] of positions that predict an answer's token; ``targets``, ``weights`` go with them.
        answers: for each of those the number of its answer, ``families`` the family of each answer.
        visual: flat index into [n * t] of each visual token, [v * tokens].
        hints: kind of hint -> flat indices into [n * t] of the tokens that have one, and its values.
    """

    views: dict[int, Tensor]
    dense: DenseTargets
    labelled: Tensor
    text: Tensor
    rows: Tensor
    positions: Tensor
    masks: Masks
    where: Tensor
    targets: Tensor
    weights: Tensor
    answers: Tensor
    families: tuple[str, ...]
    visual: Tensor
    hints: dict[str, tuple[Tensor, Tensor]]


def draw_pictures(step: int, seed: int, mixture: Mixture, count: int, turns: int) -> list[Picture]:
    """The pictures of one step."""
    rng = random.Random(seed * 1_000_003 + step)
    pictures = []
    for index in range(count):
        world = draw_training_world(pick_kind(mixture, rng), step * count + index, seed)
        pictures.append(Picture(world, tuple(converse(world, rng, mixture, turns))))
    return pictures


def frames_of(world: World, variant: Variant) -> list[np.ndarray]:
    """uint8 pictures [h, w, 3] that a model is shown: one, or the frames of a clip."""
    if not isinstance(world, Clip):
        return [np.asarray(world.image)]
    return [np.asarray(world.frames[index]) for index in shown(len(world.frames), variant)]


def squares(frames: Sequence[np.ndarray], variant: Variant) -> Tensor:
    """Normalised pictures of one size in the top left corner of a zero square: [n, 3, image_size, image_size]."""
    height, width = frames[0].shape[:2]
    side, size = max(height, width), variant.image_size
    padded = torch.zeros(len(frames), 3, side, side)
    padded[:, :, :height, :width] = normalise(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2), variant)
    if side == size:
        return padded
    return interpolate(padded, size=(size, size), mode="bicubic", align_corners=False, antialias=True)


@lru_cache(maxsize=200_000)
def _encode(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text))


def _hints(tokenizer: Tokenizer, text: str, hints: Sequence[Hint]) -> list[tuple[int, str, int]]:
    """Number of the token, kind and value of each hint whose phrase stands in the text."""
    if not hints:
        return []
    ends = [end for _, end in tokenizer.backend.encode(text, add_special_tokens=False).offsets]
    at = [hint.position(text) for hint in hints]
    return [
        (bisect_right(ends, place), hint.kind, hint.value) for hint, place in zip(hints, at, strict=True) if place is not None
    ]


@dataclass(slots=True)
class _Piece:
    """A run of positions that stay together: a picture's prefix, or one question with its answer."""

    rows: list[int]
    first: int
    labels: list[int]
    answer: int = -1
    hints: list[tuple[int, str, int]] = field(default_factory=list)


class _Packer:
    """Builds the index arrays of one batch, picture by picture."""

    def __init__(self, variant: Variant, tokenizer: Tokenizer, chunks: int) -> None:
        self.variant, self.tokenizer, self.chunks = variant, tokenizer, chunks
        self.tokens = variant.side**2
        self.text: list[int] = []
        self.families: list[str] = []
        self.lengths: list[int] = []
        self.prefixes: list[_Piece] = []
        self.chunked: list[list[list[_Piece]]] = []
        self.encoded = 0

    def add(self, turns: Sequence[Turn], flags: Sequence[bool]) -> None:
        """Append one picture with these views (true: empty) and as many of its questions as fit into its chunks."""
        rows = self._text([self.tokenizer.bos])
        for flag in flags:
            rows += [SKIP] if flag else [START, *self._visual(), END]
        rows += self._text(_encode(self.tokenizer, f"{SYSTEM}\n\n{SEPARATOR}"))
        self.prefixes.append(_Piece(rows, 0, [-1] * len(rows)))
        chunks: list[list[_Piece]] = [[] for _ in range(self.chunks)]
        room = [CHUNK] * self.chunks
        for turn in turns:
            question = question_piece(turn.question)
            ask = _encode(self.tokenizer, question)
            answer = _encode(self.tokenizer, answer_piece(turn.answer))
            size = len(ask) + len(answer) - 1
            index = next((i for i in range(self.chunks) if room[i] >= size), None)
            if index is None:
                continue
            room[index] -= size
            labels = [-1] * (len(ask) - 1) + list(answer)
            hints = _hints(self.tokenizer, question, turn.hints)
            chunks[index].append(_Piece(self._text([*ask, *answer[:-1]]), len(rows), labels, len(self.families), hints))
            self.families.append(turn.family)
            self.lengths.append(len(answer))
        self.chunked.append(chunks)

    def _visual(self) -> list[int]:
        first = 3 + self.encoded * self.tokens
        self.encoded += 1
        return list(range(first, first + self.tokens))

    def _text(self, ids: Sequence[int]) -> list[int]:
        """Row numbers of text, below zero until all views are counted."""
        first = len(self.text)
        self.text += ids
        return [-1 - index for index in range(first, len(self.text))]

    def arrays(self) -> tuple[dict[str, np.ndarray], int]:
        """Rows, positions, labels, answers and segments [n, t], and the length of the padded prefix."""
        prefix = max(len(piece.rows) for piece in self.prefixes)
        total = prefix + self.chunks * CHUNK
        found = {name: np.full((len(self.prefixes), total), fill, dtype=np.int64) for name, fill in _FILLS.items()}
        for number, (head, chunks) in enumerate(zip(self.prefixes, self.chunked, strict=True)):
            self._place(found, number, 0, head, 0)
            for index, chunk in enumerate(chunks):
                at = prefix + index * CHUNK
                for segment, piece in enumerate(chunk, start=1):
                    self._place(found, number, at, piece, segment)
                    at += len(piece.rows)
        return found, prefix

    @staticmethod
    def _place(found: dict[str, np.ndarray], number: int, at: int, piece: _Piece, segment: int) -> None:
        where = slice(at, at + len(piece.rows))
        found["rows"][number, where] = piece.rows
        found["position"][number, where] = np.arange(piece.first, piece.first + len(piece.rows))
        found["label"][number, where] = piece.labels
        found["answer"][number, where] = piece.answer
        found["segment"][number, where] = segment
        for token, kind, value in piece.hints:
            found[kind][number, at + token] = value


_FILLS = {"rows": START, "position": 0, "label": -1, "answer": -1, "segment": -1, **dict.fromkeys(HINTS, -1)}


def collate(pictures: Sequence[Picture], variant: Variant, tokenizer: Tokenizer, chunks: int) -> Batch:
    """Pack pictures and questions into one batch."""
    packer = _Packer(variant, tokenizer, chunks)
    pixels: list[dict[int, Tensor]] = []
    labels: list[np.ndarray] = []
    labelled: list[int] = []
    for picture in pictures:
        frames = frames_of(picture.world, variant)
        first = packer.encoded
        if len(frames) == 1:
            flags = empty_views(*picture.world.image.size, variant)
            keep = [index for index, flag in enumerate(flags) if not flag]
            pixels.append({size: views[0, keep] for size, views in cut(squares(frames, variant), variant).items()})
        else:
            flags = (False,) * len(frames)
            pixels.append({size: views[:, 0] for size, views in cut(squares(frames, variant), variant, tiles=False).items()})
        packer.add(picture.turns, flags)
        found = view_targets(picture.world, variant, flags if len(frames) == 1 else (False,))
        labels += found
        labelled += range(first, first + len(found))
    return _finish(packer, {size: torch.cat([views[size] for views in pixels]) for size in pixels[0]}, labels, labelled)


def _finish(packer: _Packer, views: dict[int, Tensor], labels: list[np.ndarray], labelled: list[int]) -> Batch:
    arrays, prefix = packer.arrays()
    text_base = 3 + packer.encoded * packer.tokens
    rows = np.where(arrays["rows"] < 0, text_base - 1 - arrays["rows"], arrays["rows"])
    label = arrays["label"].reshape(-1)
    where = np.flatnonzero(label >= 0)
    answers = arrays["answer"].reshape(-1)[where]
    flat = rows.reshape(-1)
    visual_at = np.flatnonzero((flat >= 3) & (flat < text_base))
    visual = np.empty(len(visual_at), dtype=np.int64)
    visual[flat[visual_at] - 3] = visual_at
    return Batch(
        views=views,
        dense=stack_targets(labels),
        labelled=torch.tensor(labelled),
        text=torch.tensor(packer.text),
        rows=torch.from_numpy(rows),
        positions=torch.from_numpy(arrays["position"]),
        masks=Masks.of(arrays["segment"], prefix),
        where=torch.from_numpy(where),
        targets=torch.from_numpy(label[where]),
        weights=torch.from_numpy(_weights(np.asarray(packer.lengths, dtype=np.float32), answers)),
        answers=torch.from_numpy(answers),
        families=tuple(packer.families),
        visual=torch.from_numpy(visual),
        hints={kind: _told(arrays[kind].reshape(-1)) for kind in HINTS},
    )


def _told(values: np.ndarray) -> tuple[Tensor, Tensor]:
    """Where values stand, and which."""
    where = np.flatnonzero(values >= 0)
    return torch.from_numpy(where), torch.from_numpy(values[where])


def _weights(lengths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Weight of each answer token: one over the root of the answer's length, but 1 for the first, which holds the verdict."""
    weights = lengths[answers] ** -0.5
    weights[np.flatnonzero(np.diff(answers, prepend=-1))] = 1.0
    return weights

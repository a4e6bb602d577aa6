"""Pictures of a stream of requests: decoded and tiled ahead in threads, encoded once each, in windows.

Not here: prompts and generation. Requests of one group show the same pictures, so only the first of them is opened; what was
encoded is kept for later windows and streams as long as it fits in memory, because benchmarks come back to their pictures (the
rotated options of MMBench) and share them. One unreadable picture fails the requests that show it and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.data.media import open_image
from harness.engine.ahead import ahead
from harness.errors import MediaError
from harness.types import Failure, Image, Request, Video
from models.sphinx_x.geometry import positions
from models.sphinx_x.inference.kept import Kept, memory_for
from models.sphinx_x.inference.schedule import group_of, windows
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tiling import Views, view_numbers, views_of_prompt
from models.sphinx_x.variants import Variant

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Visual = Mapping[str, Tensor | Failure]
"""Group -> the visual positions [n, width] of its pictures, or why there are none."""

VISUAL_BYTES = 512 * 2**20
"""Memory that encoded pictures may take on a CPU (`kept.memory_for`); those of one window take at most half of it."""

SMALL_VIEW = 96
"""Side in pixels up to which views are small: 64 of them take tens of megabytes while they are encoded."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The pictures of one group after decoding and tiling, or why they could not be had."""

    group: str
    views: Sequence[Views] | Failure

    @property
    def count(self) -> int:
        """Views to be encoded."""
        return 0 if isinstance(self.views, Failure) else sum(len(one.empty) - sum(one.empty) for one in self.views)


class Pictures:
    """Opens and encodes for one model; ``threads`` decode ahead, about ``batch`` views go through the encoders together."""

    def __init__(self, model: SphinxX, threads: int, batch: int) -> None:
        self._model = model
        self.views: dict[str, Tensor] | None = None
        """If not None, it gets the view numbers of the visual positions of each group, for traces."""
        self._threads = threads
        self._batch = batch
        self._memory = memory_for(model.start_img.device, VISUAL_BYTES)
        self._kept = Kept(self._memory)

    def windows(self, requests: Iterable[Request], size: int) -> Iterator[tuple[list[Request], Visual]]:
        """Cut the stream into windows of at most ``size`` requests, each with what its pictures became."""
        failed: dict[str, Failure] = {}
        opened: list[_Opened] = []
        most = max(2, self._memory // _bytes_a_picture(self._model.variant))
        feed = _with_new_pictures(windows(requests, size, most // 2), lambda group: group in self._kept or group in failed)
        waiting = max(2 * self._threads, self._batch // self._model.variant.views)
        for item in ahead(feed, self._open, workers=self._threads, window=waiting):
            if isinstance(item, _Opened):
                opened.append(item)
            if isinstance(item, list) or sum(one.count for one in opened) >= self._batch:
                self._encode(opened, failed)
                opened = []
            if isinstance(item, list):
                yield item, self._shown(item, failed)

    def _shown(self, window: Sequence[Request], failed: dict[str, Failure]) -> Visual:
        """What the pictures of a window became."""
        groups = {group_of(request): request for request in window if group_of(request)}
        held = {group: self._kept.get(group) for group in groups}
        # a group that was thought to be kept may have been dropped while the feed ran ahead
        lost = [self._opened(groups[group]) for group, visual in held.items() if visual is None and group not in failed]
        found = self._encode(lost, failed)
        return {group: visual for group, visual in held.items() if visual is not None} | found | failed

    def positions(self, request: Request) -> int:
        """Positions that the pictures of a request take in its prompt. Raises `MediaError` if one cannot be read."""
        return positions([image.size for image in _decoded(request)], self._model.variant)

    @torch.inference_mode()
    def alone(self, request: Request) -> list[Tensor]:
        """Visual positions of a request's pictures, encoded in no company. Raises `MediaError` if one cannot be read."""
        target = self._model.start_img
        views = views_of_prompt(list(_decoded(request)), self._model.variant)
        return self._model.encode([_moved(one, target) for one in views])

    def _open(self, item: Request | list[Request]) -> _Opened | list[Request]:
        """What a worker thread does: open the pictures of a request; a finished window passes through."""
        return item if isinstance(item, list) else self._opened(item)

    def _opened(self, request: Request) -> _Opened:
        """Decode and tile the pictures of a request."""
        try:
            return _Opened(group_of(request), views_of_prompt(list(_decoded(request)), self._model.variant))
        except MediaError as error:
            return _Opened(group_of(request), Failure(kind="media", message=str(error)))

    @torch.inference_mode()
    def _encode(self, opened: Sequence[_Opened], failed: dict[str, Failure]) -> dict[str, Tensor]:
        """Encode the pictures of several groups in one batch and keep them; those that could not be had join ``failed``."""
        failed |= {item.group: item.views for item in opened if isinstance(item.views, Failure)}
        seen = [(item.group, item.views) for item in opened if not isinstance(item.views, Failure)]
        target = self._model.start_img
        encoded = iter(self._model.encode([_moved(views, target) for _, several in seen for views in several]))
        found = {group: torch.cat([next(encoded) for _ in several]) for group, several in seen}
        for group, visual in found.items():
            self._kept.put(group, visual)
        if self.views is not None:
            self.views |= {group: view_numbers(several, self._model.variant) for group, several in seen}
        return found


def views_together(variant: Variant) -> int:
    """How many views are encoded in one batch by default: small ones need more of each other to fill a matrix product."""
    return 64 if max(encoder.input_size for encoder in variant.visual_experts) <= SMALL_VIEW else 32


def _with_new_pictures(cut: Iterable[list[Request]], known: Callable[[str], bool]) -> Iterator[Request | list[Request]]:
    """Before each window, one request for every group of pictures that is neither known yet nor on its way."""
    coming: set[str] = set()
    for window in cut:
        coming = {group for group in coming if not known(group)}
        for request in window:
            group = group_of(request)
            if group and group not in coming and not known(group):
                coming.add(group)
                yield request
        yield window


def _decoded(request: Request) -> Iterator[Picture]:
    """All pictures and frames of a request, in order. Raises `MediaError` at the first that cannot be read."""
    for part in request.parts:
        if isinstance(part, Image):
            yield open_image(part.source)
        elif isinstance(part, Video):
            from harness.data.video import read_frames

            yield from read_frames(part.source, part.frames)


def _moved(views: Views, target: Tensor) -> Views:
    """Views in the model's precision, on its device."""
    return Views(views.empty, {size: pixels.to(target) for size, pixels in views.pixels.items()})


def _bytes_a_picture(variant: Variant) -> int:
    """Float32 bytes of the visual positions of one picture."""
    return sum(variant.view_tokens(view) for view in range(variant.views)) * variant.backbone.width * 4

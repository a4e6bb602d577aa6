"""Pictures of a stream of requests: decoded and tiled ahead in threads, encoded once each, in windows.

Not here: prompts and generation. Requests of one group show the same pictures, so only the first of them is opened; what was
encoded is kept for later windows as long as it fits in memory, because some benchmarks come back to their pictures (the
rotated options of MMBench). One unreadable picture fails the requests that show it and nothing else.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.data.media import open_image
from harness.engine.ahead import ahead
from harness.errors import MediaError
from harness.types import Failure, Image, Request, Video
from models.sphinx_x.geometry import positions
from models.sphinx_x.model import SphinxX
from models.sphinx_x.schedule import group_of, windows
from models.sphinx_x.tiling import Views, views_of_prompt
from models.sphinx_x.variants import Variant

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Visual = Mapping[str, Tensor | Failure]
"""Group -> the visual positions [n, width] of its pictures, or why there are none."""

VISUAL_BYTES = 512 * 2**20
"""Memory that encoded pictures may take: a window's own at most half of it, the rest is kept for windows to come."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The pictures of one group after decoding and tiling, or why they could not be had."""

    group: str
    views: Sequence[Views] | Failure


class Pictures:
    """Opens and encodes for one model; ``threads`` decode ahead, ``batch`` pictures go through the encoders together."""

    def __init__(self, model: SphinxX, threads: int, batch: int) -> None:
        self._model = model
        self._threads = threads
        self._batch = batch

    def windows(self, requests: Iterable[Request], size: int) -> Iterator[tuple[list[Request], Visual]]:
        """Cut the stream into windows of at most ``size`` requests, each with what its pictures became."""
        visual: dict[str, Tensor | Failure] = {}
        opened: list[_Opened] = []
        most = max(2, VISUAL_BYTES // _bytes_a_picture(self._model.variant))
        feed = _with_new_pictures(windows(requests, size, most // 2), visual)
        for item in ahead(feed, self._open, workers=self._threads, window=max(2 * self._threads, self._batch)):
            if isinstance(item, _Opened):
                opened.append(item)
            if isinstance(item, list) or len(opened) >= self._batch:
                visual |= self._encode(opened)
                opened = []
            if isinstance(item, list):
                groups = {group_of(request): request for request in item if group_of(request)}
                # a group that was thought to be kept may have been dropped while the feed ran ahead
                lost = [self._opened(request) for group, request in groups.items() if group not in visual]
                visual |= self._encode(lost)
                yield item, visual
                if len(visual) > most // 2:
                    for group in visual.keys() - groups.keys():
                        del visual[group]

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
    def _encode(self, opened: Sequence[_Opened]) -> dict[str, Tensor | Failure]:
        """Encode the pictures of several groups in one batch."""
        found: dict[str, Tensor | Failure] = {}
        seen: list[tuple[str, Sequence[Views]]] = []
        for item in opened:
            if isinstance(item.views, Failure):
                found[item.group] = item.views
            else:
                seen.append((item.group, item.views))
        target = self._model.start_img
        encoded = iter(self._model.encode([_moved(views, target) for _, several in seen for views in several]))
        for group, several in seen:
            found[group] = torch.cat([next(encoded) for _ in several])
        return found


def _with_new_pictures(cut: Iterable[list[Request]], known: Container[str]) -> Iterator[Request | list[Request]]:
    """Before each window, one request for every group of pictures that is neither known yet nor on its way."""
    coming: set[str] = set()
    for window in cut:
        coming = {group for group in coming if group not in known}
        for request in window:
            group = group_of(request)
            if group and group not in coming and group not in known:
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

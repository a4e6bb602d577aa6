"""Visual encoders as values: their kinds and sizes, and what one view becomes.

Not here: the modules (``vision``), and which encoders a member of the family has (``variants``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from harness.errors import ConfigError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class _SeesViews:
    """What all encoders have in common."""

    input_size: int

    @property
    def cut_size(self) -> int:
        """Side in pixels of the views that this encoder is given."""
        return self.input_size


class _SeesPatches(_SeesViews):
    """What vision transformers have in common: a token a patch."""

    patch: int
    width: int

    @property
    def channels(self) -> int:
        """Channels of one token."""
        return self.width

    @property
    def side(self) -> int:
        """Tokens along one side of a view."""
        return self.input_size // self.patch


@dataclass(frozen=True, kw_only=True)
class ConvNextEncoder(_SeesViews):
    """A ConvNeXt trunk: the map of its last stage, layer-normalised at each pixel.

    The map's side is ``input_size`` / (``stem`` * 2 ** (stages - 1)); each of its cells is repeated ``repeat`` times a side.
    """

    kind: Literal["convnext"] = "convnext"
    name: str = "convnext"
    input_size: int
    stem: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    layer_scale: float = 1e-6
    norm_eps: float = 1e-6
    view_size: int | None = None
    """Side in pixels that views are cut at, if they are then brought to ``input_size`` by nearest neighbour (as published)."""
    repeat: int = 1
    """How often each cell of the map is repeated per side, to match the token grid of the other encoders (published: 2)."""

    @property
    def cut_size(self) -> int:
        """Side in pixels of the views that this encoder is given."""
        return self.view_size or self.input_size

    @property
    def channels(self) -> int:
        """Channels of one token."""
        return self.widths[-1]

    @property
    def side(self) -> int:
        """Tokens along one side of a view."""
        return int(self.input_size // (self.stem * 2 ** (len(self.widths) - 1))) * self.repeat


@dataclass(frozen=True, kw_only=True)
class Dinov2Encoder(_SeesPatches):
    """A DINOv2 vision transformer: patch tokens after the final LayerNorm (and the class token where the variant asks)."""

    kind: Literal["dinov2"] = "dinov2"
    name: str = "dinov2"
    input_size: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp_ratio: int = 4
    swiglu: bool = False
    layer_scale: float = 1.0
    norm_eps: float = 1e-6
    trained_size: int | None = None
    """Side in pixels that the position grid was trained at, where it differs from ``input_size`` (518 for the published ones)."""
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    """Statistics this encoder expects; views arrive normalised with the variant's own and are renormalised if these differ."""


@dataclass(frozen=True, kw_only=True)
class ClipEncoder(_SeesPatches):
    """A CLIP vision transformer: all tokens after the last LayerNorm, without the projection into the space of texts.

    Attributes:
        activation: ``quick_gelu`` as OpenAI trained it, or ``gelu``. Which of them the published four-encoder models were tuned
            with cannot be told from their code.
    """

    kind: Literal["clip"] = "clip"
    name: str = "clip"
    input_size: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp_ratio: int = 4
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"
    norm_eps: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class QFormerEncoder(_SeesViews):
    """BLIP-2's Q-Former over a vision transformer of its own: a fixed number of query tokens a view, of no place in the picture.

    Attributes:
        width, layers, heads, mlp: the vision transformer below the Q-Former.
        queries: tokens that come out.
        query_width, query_layers, query_heads, query_mlp: the Q-Former.
        cross_every: each so manyth layer of the Q-Former looks at the picture.
    """

    kind: Literal["qformer"] = "qformer"
    name: str = "qformer"
    input_size: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp: int
    queries: int
    query_width: int
    query_layers: int
    query_heads: int
    query_mlp: int
    cross_every: int = 2
    norm_eps: float = 1e-6
    query_norm_eps: float = 1e-12


GridEncoder = ConvNextEncoder | Dinov2Encoder | ClipEncoder
"""Encoders whose tokens lie on a grid and are concatenated by channel."""

Encoder = GridEncoder | QFormerEncoder

_KINDS = {"convnext": ConvNextEncoder, "dinov2": Dinov2Encoder, "clip": ClipEncoder, "qformer": QFormerEncoder}


def encoder_from(values: Mapping[str, Any]) -> Any:
    """Rebuild an encoder from plain values. Raises `ConfigError` for a kind or field that does not exist."""
    kind = values.get("kind")
    if kind not in _KINDS:
        raise ConfigError(f"encoder kind {kind!r} is unknown; known are {', '.join(_KINDS)}")
    return value_from(_KINDS[kind], values)


def value_from(kind: Any, values: Mapping[str, Any]) -> Any:
    """Rebuild a dataclass from plain values, lists as tuples. Raises `ConfigError` naming fields that do not fit."""
    names = {entry.name for entry in fields(kind)}
    if unknown := sorted(set(values) - names):
        raise ConfigError(f"{kind.__name__}: unknown field(s) {', '.join(unknown)}; known are {', '.join(sorted(names))}")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except TypeError as error:
        raise ConfigError(f"{kind.__name__}: {error}") from error

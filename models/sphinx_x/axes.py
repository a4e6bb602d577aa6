"""What a member of the family is made of: the axes of variation as fields of frozen values.

Not here: the members themselves (``variants``), and code that builds anything from them (``vision``, ``llm``, ``model``). One
choice a reader may question: resolution is a field of each encoder as well as of the picture, because the published two-encoder
models feed 512 px views to ConvNeXt and 224 px views to DINOv2 cut from the same 1024 px picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from harness.errors import ConfigError
from models.sphinx_x.encoders import CLIP_MEAN, CLIP_STD, Encoder, GridEncoder, QFormerEncoder, encoder_from, value_from


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """The language model. ``experts`` is 0 for a dense (Llama) and above 0 for a sparse (Mixtral) one."""

    kind: Literal["llama", "mixtral"] = "llama"
    vocab: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    rope_scaling: float | None = None
    """Factor that positions are MULTIPLIED with, as the authors' code has it; transformers' linear factor is its inverse."""
    max_positions: int = 4096
    experts: int = 0
    active_experts: int = 0
    load_balance: float = 0.0
    """Weight of the router's load-balancing loss in training."""
    init_std: float = 0.02
    """Standard deviation of random weights; narrow models learn sooner from larger ones."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model of the family.

    Attributes:
        encoders: whose tokens are concatenated by channel, in this order.
        image_size: side in pixels of the padded square that views are cut from.
        grid: tiles along one side; 0 means the global view alone.
        padding: where the picture lies in its square. Only ``corner`` (top left) can leave whole tiles of a 2x2 grid empty.
        fill: padding colour: the CLIP mean in RGB, truncated to integers as published, or zero after normalisation (paper).
        resize: ``antialias`` for models trained here, ``float16`` for the published code's resize without antialias.
        skip_token: ``none`` encodes every view, ``bare`` puts one learned token in the place of an empty tile's whole block,
            ``bracketed`` puts it between start and end of image.
        class_token: whether a class token (for ConvNeXt the mean of its map) leads the tokens of a view.
        local_pool: factor by which the token grid of tiles shrinks per side before projection (published: 2 in one layout).
        qformer: an encoder whose query tokens, projected on their own, lead the tokens of each view (the published old models).
        several_images: a prompt with several pictures or frames shows each by its global view only, or by all its views.
        max_pictures: of more pictures or frames in one prompt, so many evenly spaced ones are shown; 0 shows all.
    """

    name: str
    encoders: tuple[GridEncoder, ...]
    backbone: Backbone
    image_size: int
    grid: int = 2
    padding: Literal["centre", "corner"] = "centre"
    fill: Literal["mean", "zero"] = "mean"
    resize: Literal["antialias", "float16"] = "antialias"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    skip_token: Literal["none", "bare", "bracketed"] = "none"
    class_token: bool = True
    local_pool: int = 1
    qformer: QFormerEncoder | None = None
    several_images: Literal["global", "all"] = "global"
    max_pictures: int = 0

    def __post_init__(self) -> None:
        sides = {encoder.name: encoder.side for encoder in self.encoders}
        if len(set(sides.values())) != 1:
            raise ConfigError(f"variant {self.name}: encoders must agree on the token grid, got {sides}")
        if (self.backbone.kind == "mixtral") != (self.backbone.experts > 0):
            raise ConfigError(f"variant {self.name}: experts={self.backbone.experts} does not fit backbone {self.backbone.kind}")
        if self.backbone.active_experts > self.backbone.experts:
            raise ConfigError(
                f"variant {self.name}: {self.backbone.active_experts} active experts, but there are {self.backbone.experts}"
            )
        names = [encoder.name for encoder in self.visual_experts]
        if len(set(names)) != len(names):
            raise ConfigError(f"variant {self.name}: two encoders have one name, got {', '.join(names)}")
        if self.side % self.local_pool:
            raise ConfigError(f"variant {self.name}: local_pool={self.local_pool} does not divide {self.side} tokens a side")

    @property
    def side(self) -> int:
        """Tokens along one side of a view."""
        return self.encoders[0].side

    @property
    def channels(self) -> int:
        """Channels of a visual token before projection: the encoders' concatenation."""
        return sum(encoder.channels for encoder in self.encoders)

    @property
    def visual_experts(self) -> tuple[Encoder, ...]:
        """All visual encoders, the Q-Former last."""
        return self.encoders if self.qformer is None else (*self.encoders, self.qformer)

    @property
    def queries(self) -> int:
        """Query tokens that lead the tokens of a view."""
        return self.qformer.queries if self.qformer else 0

    @property
    def views(self) -> int:
        """Views of one picture: the global one and the tiles."""
        return 1 + self.grid**2

    def view_tokens(self, view: int) -> int:
        """Positions that view ``view`` (0 is the global one) takes in the prompt, start and end of image included."""
        side = self.side if view == 0 else self.side // self.local_pool
        return self.queries + int(self.class_token) + side**2 + 2

    @property
    def skip_tokens(self) -> int:
        """Positions that an empty tile takes."""
        return {"bare": 1, "bracketed": 3, "none": self.view_tokens(1)}[self.skip_token]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as stored in ``config.json``."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Variant:
        """Rebuild from `to_json`. Raises `ConfigError` naming fields that are unknown or missing."""
        encoders = tuple(encoder_from(encoder) for encoder in values.get("encoders", ()))
        qformer = encoder_from(values["qformer"]) if values.get("qformer") else None
        backbone = value_from(Backbone, values.get("backbone", {}))
        variant: Variant = value_from(Variant, {**values, "encoders": encoders, "qformer": qformer, "backbone": backbone})
        return variant

    def with_options(self, *, active_experts: int | None = None) -> Variant:
        """The same weights with options of inference changed."""
        if active_experts is None:
            return self
        return replace(self, backbone=replace(self.backbone, active_experts=active_experts))

"""Every member of the SPHINX-X family as a value: the axes of variation are fields, never copied files.

Not here: code that builds anything from these values (``vision``, ``llm``, ``model``), and no numbers of a training run. One
choice a reader may question: resolution is a field of each encoder as well as of the picture, because the published two-encoder
models feed 512 px views to ConvNeXt and 224 px views to DINOv2 cut from the same 1024 px picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from harness.errors import ConfigError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class ConvNextEncoder:
    """A ConvNeXt trunk: the map of its last stage, layer-normalised at each pixel.

    ``input_size`` / (``stem`` * 2 ** (stages - 1)) is the token grid's side.
    """

    kind: Literal["convnext"] = "convnext"
    name: str = "convnext"
    input_size: int
    stem: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    layer_scale: float = 1e-6
    norm_eps: float = 1e-6

    @property
    def channels(self) -> int:
        """Channels of one token."""
        return self.widths[-1]

    @property
    def side(self) -> int:
        """Tokens along one side of a view."""
        return int(self.input_size // (self.stem * 2 ** (len(self.widths) - 1)))


@dataclass(frozen=True, kw_only=True)
class Dinov2Encoder:
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

    @property
    def channels(self) -> int:
        """Channels of one token."""
        return self.width

    @property
    def side(self) -> int:
        """Tokens along one side of a view."""
        return self.input_size // self.patch


Encoder = ConvNextEncoder | Dinov2Encoder


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
        image_size: side in pixels of the padded square that views are cut from.
        grid: tiles along one side; 0 means the global view alone.
        padding: where the picture lies in its square. Only ``corner`` (top left) can leave whole tiles of a 2x2 grid empty.
        fill: padding colour: the CLIP mean in RGB, truncated to integers as published, or zero after normalisation (paper).
        resize: ``antialias`` for models trained here, ``float16`` for the published code's resize without antialias.
        skip_token: ``none`` encodes every view, ``bare`` puts one learned token in the place of an empty tile's whole block,
            ``bracketed`` puts it between start and end of image.
        class_token: whether a class token (for ConvNeXt the mean of its map) leads the tokens of a view.
        local_pool: factor by which the token grid of tiles is halved per side before projection (published: 2 in one layout).
        several_images: a prompt with several pictures or frames shows each by its global view only, or by all its views.
        max_pictures: of more pictures or frames in one prompt, so many evenly spaced ones are shown; 0 shows all.
    """

    name: str
    encoders: tuple[Encoder, ...]
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
    def views(self) -> int:
        """Views of one picture: the global one and the tiles."""
        return 1 + self.grid**2

    def view_tokens(self, view: int) -> int:
        """Positions that view ``view`` (0 is the global one) takes in the prompt, start and end of image included."""
        side = self.side if view == 0 else self.side // self.local_pool
        return side**2 + int(self.class_token) + 2

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
        kinds = {"convnext": ConvNextEncoder, "dinov2": Dinov2Encoder}
        encoders = []
        for encoder in values.get("encoders", ()):
            kind = encoder.get("kind")
            if kind not in kinds:
                raise ConfigError(f"encoder kind {kind!r} is unknown; known are {', '.join(kinds)}")
            encoders.append(_build(kinds[kind], encoder))
        backbone = _build(Backbone, values.get("backbone", {}))
        variant: Variant = _build(Variant, {**values, "encoders": tuple(encoders), "backbone": backbone})
        return variant

    def with_options(self, *, active_experts: int | None = None) -> Variant:
        """The same weights with options of inference changed."""
        if active_experts is None:
            return self
        return replace(self, backbone=replace(self.backbone, active_experts=active_experts))


def _build(kind: Any, values: Mapping[str, Any]) -> Any:
    names = {entry.name for entry in fields(kind)}
    if unknown := sorted(set(values) - names):
        raise ConfigError(f"{kind.__name__}: unknown field(s) {', '.join(unknown)}; known are {', '.join(sorted(names))}")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except TypeError as error:
        raise ConfigError(f"{kind.__name__}: {error}") from error


def _small(
    name: str, *, size: int, widths: tuple[int, ...], depths: tuple[int, ...], vit: tuple[int, int, int], backbone: Backbone
) -> Variant:
    """A variant trained here: both encoders see views of ``size`` px, patch 12, the paper's corner padding with skip tokens."""
    width, layers, heads = vit
    return Variant(
        name=name,
        encoders=(
            ConvNextEncoder(input_size=size, stem=3, widths=widths, depths=depths, layer_scale=0.1),
            Dinov2Encoder(input_size=size, patch=12, width=width, layers=layers, heads=heads, mlp_ratio=2),
        ),
        backbone=backbone,
        image_size=2 * size,
        padding="corner",
        fill="zero",
        skip_token="bare",
        class_token=False,
        max_pictures=4,
    )


_NANO = Backbone(vocab=1024, width=160, layers=5, heads=5, kv_heads=5, ffn=448, max_positions=1024, init_std=0.05)

NANO = _small("nano", size=48, widths=(32, 64, 128), depths=(1, 2, 2), vit=(96, 3, 3), backbone=_NANO)
"""Trained here on the mini world; weights in the repository."""

NANO_MOE = replace(
    NANO,
    name="nano_moe",
    backbone=replace(_NANO, kind="mixtral", ffn=384, experts=8, active_experts=2, load_balance=0.01),
)
"""``nano`` with eight experts a layer, two active; each is somewhat narrower, so that the weights stay below 20 MB."""

MICRO = _small(
    "micro",
    size=24,
    widths=(8, 8, 16),
    depths=(1, 1, 1),
    vit=(16, 1, 2),
    backbone=Backbone(vocab=512, width=32, layers=2, heads=2, kv_heads=1, ffn=64, max_positions=512),
)
"""For tests: random weights, built in milliseconds."""

MICRO_MOE = replace(
    MICRO, name="micro_moe", backbone=replace(MICRO.backbone, kind="mixtral", experts=4, active_experts=2, load_balance=0.01)
)
"""For tests of the sparse backbone."""

SPHINX_TINY_1K = Variant(
    name="sphinx_tiny_1k",
    encoders=(
        ConvNextEncoder(input_size=512, stem=4, widths=(384, 768, 1536, 3072), depths=(3, 4, 30, 3), norm_eps=1e-5),
        Dinov2Encoder(
            input_size=224,
            patch=14,
            width=1536,
            layers=40,
            heads=24,
            swiglu=True,
            trained_size=518,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        ),
    ),
    backbone=Backbone(vocab=32000, width=2048, layers=22, heads=32, kv_heads=4, ffn=5632),
    image_size=1024,
    resize="float16",
)
"""The published two-encoder layout on TinyLlama-1.1B: every tile encoded, centred padding in the mean colour."""

VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in (NANO, NANO_MOE, MICRO, MICRO_MOE, SPHINX_TINY_1K)}
"""All variants by name."""


def find_variant(name: str) -> Variant:
    """Look a variant up. Raises `ConfigError` naming those that exist."""
    if name not in VARIANTS:
        raise ConfigError(f"model variant {name!r} is unknown; known are {', '.join(VARIANTS)}")
    return VARIANTS[name]

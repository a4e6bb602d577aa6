"""The mixture of visual experts: encoders from transformers, concatenated by channel at every grid cell.

Not here: projection into the language model (``projector``). Which corrections published weights need (norm epsilons of
ConvNeXt, the position grid of DINOv2, CLIP's last norm on all tokens) follows from the encoder's fields. One choice a reader
may question: the Q-Former lives here too, because it is frozen and fed like the others, but its tokens stand on no grid and
come out of `MixtureOfVisualExperts.queries`, apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import (
    Blip2QFormerConfig,
    Blip2QFormerModel,
    Blip2VisionConfig,
    Blip2VisionModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
)
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

from models.sphinx_x.encoders import ClipEncoder, ConvNextEncoder, Dinov2Encoder, Encoder, QFormerEncoder
from models.sphinx_x.variants import Variant

EncoderBuilder = Callable[[Encoder, Variant], nn.Module]
"""Makes the module of an encoder: [n, 3, input_size, input_size] -> tokens, as those below do."""


class ConvNext(nn.Module):
    """ConvNeXt trunk; the final LayerNorm acts at each pixel of the last map, not on a pooled vector."""

    def __init__(self, encoder: ConvNextEncoder) -> None:
        super().__init__()
        self.trunk = ConvNextModel(
            ConvNextConfig(
                num_channels=3,
                patch_size=encoder.stem,
                num_stages=len(encoder.widths),
                hidden_sizes=list(encoder.widths),
                depths=list(encoder.depths),
                layer_scale_init_value=encoder.layer_scale,
                layer_norm_eps=encoder.norm_eps,
            )
        )
        for module in self.trunk.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = encoder.norm_eps  # transformers hard-codes 1e-6 in some of them

    def forward(self, views: Tensor) -> Tensor:
        """[n, 3, size, size] -> [n, cells, channels], row-major.

        Channels lie last in memory: ConvNeXt's norms and linear layers want them there, so that nothing is copied around them.
        """
        views = views.contiguous(memory_format=torch.channels_last)
        cells = self.trunk(views).last_hidden_state.flatten(2).transpose(1, 2)
        return cast(Tensor, self.trunk.layernorm(cells))


class Dinov2(nn.Module):
    """DINOv2 vision transformer: all tokens after the final LayerNorm, class token first."""

    mean_shift: Tensor
    std_ratio: Tensor

    def __init__(self, encoder: Dinov2Encoder, variant: Variant) -> None:
        super().__init__()
        self.trunk = Dinov2Model(
            Dinov2Config(
                hidden_size=encoder.width,
                num_hidden_layers=encoder.layers,
                num_attention_heads=encoder.heads,
                mlp_ratio=encoder.mlp_ratio,
                image_size=encoder.trained_size or encoder.input_size,
                patch_size=encoder.patch,
                layer_norm_eps=encoder.norm_eps,
                layerscale_value=encoder.layer_scale,
                use_swiglu_ffn=encoder.swiglu,
                use_mask_token=False,
            )
        )
        if encoder.trained_size not in (None, encoder.input_size):
            self.trunk.embeddings = _ShrunkPositions(self.trunk.config)
        self.renormalise = (encoder.mean, encoder.std) != (variant.mean, variant.std)
        ours = torch.tensor([variant.mean, variant.std]).view(2, 3, 1, 1)
        theirs = torch.tensor([encoder.mean, encoder.std]).view(2, 3, 1, 1)
        self.register_buffer("std_ratio", ours[1] / theirs[1], persistent=False)
        self.register_buffer("mean_shift", (ours[0] - theirs[0]) / theirs[1], persistent=False)

    def forward(self, views: Tensor) -> Tensor:
        """[n, 3, size, size] -> [n, 1 + side * side, channels]."""
        if self.renormalise:
            views = views * self.std_ratio + self.mean_shift
        return cast(Tensor, self.trunk(views).last_hidden_state)


class _ShrunkPositions(Dinov2Embeddings):
    """Positions brought to another grid as DINOv2's authors do: by a scale of (side + 0.1) / trained side, not to a size."""

    def interpolate_pos_encoding(self, embeddings: Tensor, height: int, width: int) -> Tensor:
        """[1, 1 + side * side, channels]; the class token's position stays."""
        lead, grid = self.position_embeddings[:, :1], self.position_embeddings[:, 1:]
        side, channels = round(grid.shape[1] ** 0.5), grid.shape[2]
        patch = self.patch_embeddings.projection.kernel_size[0]
        scale = [(pixels // patch + 0.1) / side for pixels in (height, width)]
        grid = grid.float().reshape(1, side, side, channels).permute(0, 3, 1, 2)
        grid = interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False)
        return torch.cat([lead, grid.flatten(2).transpose(1, 2).to(lead.dtype)], dim=1)


class Clip(nn.Module):
    """CLIP vision transformer: all tokens after the last LayerNorm, class token first."""

    def __init__(self, encoder: ClipEncoder) -> None:
        super().__init__()
        self.trunk = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=encoder.width,
                intermediate_size=encoder.width * encoder.mlp_ratio,
                num_hidden_layers=encoder.layers,
                num_attention_heads=encoder.heads,
                image_size=encoder.input_size,
                patch_size=encoder.patch,
                hidden_act=encoder.activation,
                layer_norm_eps=encoder.norm_eps,
            )
        )

    def forward(self, views: Tensor) -> Tensor:
        """[n, 3, size, size] -> [n, 1 + side * side, channels]."""
        return cast(Tensor, self.trunk.post_layernorm(self.trunk(views).last_hidden_state))  # transformers norms the class alone


class QFormer(nn.Module):
    """BLIP-2's vision transformer and Q-Former, named as in transformers' ``Blip2Model``, without its language model."""

    def __init__(self, encoder: QFormerEncoder) -> None:
        super().__init__()
        self.vision_model = Blip2VisionModel(
            Blip2VisionConfig(
                hidden_size=encoder.width,
                intermediate_size=encoder.mlp,
                num_hidden_layers=encoder.layers,
                num_attention_heads=encoder.heads,
                image_size=encoder.input_size,
                patch_size=encoder.patch,
                layer_norm_eps=encoder.norm_eps,
            )
        )
        self.query_tokens = nn.Parameter(torch.zeros(1, encoder.queries, encoder.query_width))
        self.qformer = Blip2QFormerModel(
            Blip2QFormerConfig(
                hidden_size=encoder.query_width,
                num_hidden_layers=encoder.query_layers,
                num_attention_heads=encoder.query_heads,
                intermediate_size=encoder.query_mlp,
                cross_attention_frequency=encoder.cross_every,
                encoder_hidden_size=encoder.width,
                layer_norm_eps=encoder.query_norm_eps,
            )
        )

    def forward(self, views: Tensor) -> Tensor:
        """[n, 3, size, size] -> [n, queries, query_width]."""
        seen = self.vision_model(views).last_hidden_state
        queries = self.query_tokens.expand(len(views), -1, -1)
        return cast(Tensor, self.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state)


class MixtureOfVisualExperts(nn.Module):
    """Encoders side by side; their tokens at the same grid cell become one long vector."""

    def __init__(self, variant: Variant, build: EncoderBuilder | None = None) -> None:
        super().__init__()
        build = build or build_encoder
        self.variant = variant
        self.encoders = nn.ModuleDict({encoder.name: build(encoder, variant) for encoder in variant.visual_experts})

    def forward(self, views: Mapping[int, Tensor]) -> Tensor:
        """Views by their side in pixels, each [n, 3, side, side] -> [n, tokens, channels].

        A class token leads if the variant has one: the encoder's own, or where it has none the mean of its map.
        """
        return torch.cat([self._tokens(encoder, views) for encoder in self.variant.encoders], dim=-1)

    def queries(self, views: Mapping[int, Tensor]) -> Tensor:
        """The Q-Former's tokens, for variants that have one: [n, queries, query_width]."""
        assert self.variant.qformer
        return self._encode(self.variant.qformer, views)

    def _encode(self, encoder: Encoder, views: Mapping[int, Tensor]) -> Tensor:
        pixels = views[encoder.cut_size]
        if isinstance(encoder, ConvNextEncoder) and encoder.view_size:
            exact = self.variant.resize == "float16"  # the published code rounds here even where the size stays
            pixels = interpolate(pixels.half() if exact else pixels, size=(encoder.input_size,) * 2).to(pixels.dtype)
        return cast(Tensor, self.encoders[encoder.name](pixels))

    def _tokens(self, encoder: Encoder, views: Mapping[int, Tensor]) -> Tensor:
        tokens = self._encode(encoder, views)
        if not isinstance(encoder, ConvNextEncoder):
            return tokens if self.variant.class_token else tokens[:, 1:]
        if encoder.repeat > 1:
            tokens = _repeat(tokens, encoder.repeat)
        return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1) if self.variant.class_token else tokens


def _repeat(tokens: Tensor, times: int) -> Tensor:
    """Each cell ``times`` times in both directions: [n, side * side, channels] -> [n, (times * side) ** 2, channels]."""
    side = round(tokens.shape[1] ** 0.5)
    grid = tokens.reshape(len(tokens), side, side, -1)
    return grid.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2).flatten(1, 2)


def build_encoder(encoder: Encoder, variant: Variant) -> nn.Module:
    """The module of an encoder, with random weights."""
    if isinstance(encoder, ConvNextEncoder):
        return ConvNext(encoder)
    if isinstance(encoder, ClipEncoder):
        return Clip(encoder)
    if isinstance(encoder, QFormerEncoder):
        return QFormer(encoder)
    return Dinov2(encoder, variant)

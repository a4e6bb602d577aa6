"""The mixture of visual experts: a ConvNeXt and a DINOv2 from transformers, concatenated by channel at every grid cell.

Not here: projection into the language model (``projector``). Which corrections published weights need (norm epsilons of
ConvNeXt, the position grid of DINOv2) follows from the encoder's fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from transformers import ConvNextConfig, ConvNextModel, Dinov2Config, Dinov2Model

from models.sphinx_x.variants import ConvNextEncoder, Dinov2Encoder, Encoder, Variant


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
        """[n, 3, size, size] -> [n, side * side, channels], row-major."""
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


class MixtureOfVisualExperts(nn.Module):
    """Encoders side by side; their tokens at the same grid cell become one long vector."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.class_token = variant.class_token
        self.sizes = {encoder.name: encoder.input_size for encoder in variant.encoders}
        self.encoders = nn.ModuleDict({encoder.name: _build(encoder, variant) for encoder in variant.encoders})

    def forward(self, views: Mapping[int, Tensor]) -> Tensor:
        """Views by input size, each [n, 3, size, size] -> [n, tokens, channels]; a class token leads if the variant has one."""
        return torch.cat([self._tokens(name, views[size]) for name, size in self.sizes.items()], dim=-1)

    def _tokens(self, name: str, views: Tensor) -> Tensor:
        encoder = self.encoders[name]
        tokens = cast(Tensor, encoder(views))
        if isinstance(encoder, Dinov2):
            return tokens if self.class_token else tokens[:, 1:]
        if self.class_token:
            return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
        return tokens


def _build(encoder: Encoder, variant: Variant) -> nn.Module:
    if isinstance(encoder, ConvNextEncoder):
        return ConvNext(encoder)
    return Dinov2(encoder, variant)

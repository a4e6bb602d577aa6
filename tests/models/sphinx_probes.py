"""The golden data's stand-ins for visual encoders: pooled pixels through one linear map, in the places of the real trunks.

Only transformers' part is replaced. What this repository does around it (renormalisation, class tokens, the last norm on all
tokens, repetition of cells) stays as it is in production.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, layer_norm

from models.sphinx_x.encoders import ClipEncoder, ConvNextEncoder, Encoder, QFormerEncoder
from models.sphinx_x.official.names import ENCODER_NAMES
from models.sphinx_x.variants import Variant
from models.sphinx_x.vision import build_encoder

FILE = "probe_encoders.safetensors"


class Pooled(nn.Module):
    """``W avg(x) + b`` at each cell; keeps what it was given last."""

    def __init__(self, channels: int, kernel: int | tuple[int, int]) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(channels, 3)), nn.Parameter(torch.zeros(channels))
        self.kernel = kernel
        self.seen = torch.empty(0)

    def map(self, views: Tensor) -> Tensor:
        self.seen = views
        return torch.einsum("ck,nkij->ncij", self.w, avg_pool2d(views, self.kernel)) + self.b[:, None, None]

    def tokens(self, views: Tensor) -> Tensor:
        return self.map(views).flatten(2).transpose(1, 2)


class _Map(Pooled):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, kernel)
        self.layernorm = nn.Identity()

    def forward(self, views: Tensor) -> Any:
        return SimpleNamespace(last_hidden_state=self.map(views))


class _Classed(Pooled):
    def forward(self, views: Tensor) -> Any:
        patches = self.tokens(views)
        return SimpleNamespace(last_hidden_state=torch.cat([2 * patches.mean(1, keepdim=True), patches], dim=1))


class _Norm(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return layer_norm(tokens, tokens.shape[-1:])


class _Clip(Pooled):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, kernel)
        self.lead = nn.Parameter(torch.zeros(channels))
        self.post_layernorm = _Norm()

    def forward(self, views: Tensor) -> Any:
        lead = self.lead.expand(len(views), 1, -1)
        return SimpleNamespace(last_hidden_state=self.post_layernorm(torch.cat([lead, self.tokens(views)], dim=1)))


class _Queries(Pooled):
    def forward(self, views: Tensor) -> Tensor:
        return self.tokens(views)


def build_probe(encoder: Encoder, variant: Variant) -> nn.Module:
    """The probe of an encoder."""
    if isinstance(encoder, QFormerEncoder):
        return _Queries(encoder.query_width, (encoder.input_size // 4, encoder.input_size // 8))
    if isinstance(encoder, ConvNextEncoder):
        small = replace(encoder, widths=(8,) * len(encoder.widths), depths=(1,) * len(encoder.depths))
        module, trunk = build_encoder(small, variant), _Map(encoder.widths[-1], 32)
    elif isinstance(encoder, ClipEncoder):
        module, trunk = build_encoder(replace(encoder, width=8, heads=1, layers=1), variant), _Clip(encoder.width, encoder.patch)
    else:
        module, trunk = (
            build_encoder(replace(encoder, width=8, heads=1, layers=1), variant),
            _Classed(encoder.width, encoder.patch),
        )
    module.trunk = trunk
    return module


def probe_of(module: nn.Module) -> Pooled:
    """The probe within an encoder's module."""
    (found,) = [one for one in module.modules() if isinstance(one, Pooled)]
    return found


@torch.no_grad()
def load_probe(module: nn.Module, kind: str, weights: dict[str, Tensor]) -> None:
    """Give a probe its weights, under the names of the golden data."""
    probe = probe_of(module)
    stem = f"llma.{ENCODER_NAMES[kind]}."
    inner = f"{stem}visual.conv1." if kind == "clip" else stem
    probe.w.copy_(weights[f"{inner}w"])
    probe.b.copy_(weights[f"{inner}b"])
    if isinstance(probe, _Clip):
        probe.lead.copy_(weights[f"{stem}visual.class_embedding"])

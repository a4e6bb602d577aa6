"""SPHINX-X, as the paper's figure reads: views -> mixture of visual experts -> projector -> splice -> language model.

Not here: cutting pictures into views (``tiling``), text (``template``, ``tokenizer``), generation (``inference``) and training.
Views that are all padding are never encoded: a learned skip token stands in their place, so a prompt's visual length differs
from picture to picture, and `encode` returns a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from transformers import ConvNextModel, PreTrainedModel

from harness.errors import ConfigError
from models.sphinx_x.llm import build_language_model, set_active_experts
from models.sphinx_x.projector import Projector
from models.sphinx_x.tiling import Views
from models.sphinx_x.variants import Variant
from models.sphinx_x.vision import EncoderBuilder, MixtureOfVisualExperts


class SphinxX(nn.Module):
    """The whole model of one variant, with random weights until a checkpoint is loaded."""

    def __init__(self, variant: Variant, build_encoder: EncoderBuilder | None = None) -> None:
        """Build it; ``build_encoder`` may give other modules in the encoders' places."""
        super().__init__()
        self.variant = variant
        width = variant.backbone.width
        self.vision = MixtureOfVisualExperts(variant, build_encoder)
        self.projector = Projector(variant.channels, width)
        if variant.qformer:
            self.qformer_projector = Projector(variant.qformer.query_width, width)
        self.start_img = nn.Parameter(torch.rand(1, 1, width))
        self.end_img = nn.Parameter(torch.rand(1, 1, width))
        if variant.skip_token != "none":
            self.skip_token = nn.Parameter(torch.rand(1, 1, width))
        self.language_model = build_language_model(variant.backbone)
        self.kept_experts: tuple[tuple[int, ...], ...] = ()

    @property
    def expert_names(self) -> tuple[tuple[int, ...], ...]:
        """For each layer the numbers that its experts were trained under; empty tuples for a dense model."""
        backbone = self.variant.backbone
        return self.kept_experts or (tuple(range(backbone.experts)),) * backbone.layers

    def place(self, device: torch.device, dtype: torch.dtype) -> SphinxX:
        """Move to a device and a precision; rotary frequencies stay float32, because positions multiply their rounding."""
        frequencies = dict(self.language_model.named_buffers())
        self.to(device, dtype)
        for name, value in frequencies.items():
            owner, _, leaf = name.rpartition(".")
            setattr(self.language_model.get_submodule(owner), leaf, value.to(device))
        return self

    def set_attention(self, implementation: str) -> None:
        """Let transformers' modules, the encoders above all, attend by ``eager``, ``sdpa`` or ``flash_attention_2``.

        Raises:
            ConfigError: it is not installed, or transformers knows no such implementation for one of the modules.
        """
        for module in self.modules():
            if isinstance(module, PreTrainedModel) and not isinstance(module, ConvNextModel):
                try:
                    module.set_attn_implementation(implementation)
                except (ImportError, ValueError) as error:
                    raise ConfigError(f"model.attention={implementation}: {type(module).__name__}: {error}") from error

    def set_active_experts(self, count: int) -> None:
        """Route tokens to ``count`` experts (sparse variants only)."""
        set_active_experts(self.language_model, count)
        self.variant = self.variant.with_options(active_experts=count)

    def features(self, pixels: Mapping[int, Tensor]) -> Tensor:
        """Encode and project whole views: their side in pixels -> [n, 3, side, side] becomes [n, tokens, width]."""
        return self._project(self.vision(pixels), self._queries(pixels))

    def encode(self, pictures: Sequence[Views]) -> list[Tensor]:
        """Visual prompt of each picture, [positions, width]: per view start, tokens, end, or the skip token for an empty one.

        All views of all pictures go through the encoders in one batch.
        """
        if not pictures:
            return []
        pixels = {size: torch.cat([views.pixels[size] for views in pictures]) for size in pictures[0].pixels}
        encoded = iter(zip(self.vision(pixels), self._queries(pixels), strict=True))
        return [self._assemble(encoded, views.empty) for views in pictures]

    def _queries(self, pixels: Mapping[int, Tensor]) -> Tensor:
        """What the Q-Former says of each view, [n, queries, channels]; no queries without one."""
        if self.variant.qformer:
            return self.vision.queries(pixels)
        views = next(iter(pixels.values()))
        return views.new_empty(len(views), 0, 0)

    def _project(self, channels: Tensor, queries: Tensor) -> Tensor:
        """[..., tokens, channels] and [..., queries, channels] -> [..., queries + tokens, width]."""
        tokens = cast(Tensor, self.projector(channels))
        return torch.cat([self.qformer_projector(queries), tokens], dim=-2) if self.variant.qformer else tokens

    def _assemble(self, encoded: Iterator[tuple[Tensor, Tensor]], empty: Sequence[bool]) -> Tensor:
        """One picture's visual prompt; takes as many encoded views as are not empty."""
        start, end = self.start_img[0], self.end_img[0]
        parts: list[Tensor] = []
        for index, flag in enumerate(empty):
            if flag:
                skip = self.skip_token[0]
                parts += [skip] if self.variant.skip_token == "bare" else [start, skip, end]
                continue
            channels, queries = next(encoded)
            if index and self.variant.local_pool > 1:
                channels = self._pool(channels)
            parts += [start, self._project(channels, queries), end]
        return torch.cat(parts)

    def _pool(self, tokens: Tensor) -> Tensor:
        """Shrink the token grid of a tile before projection; the class token stays. Halving is the published bilinear resize."""
        lead = tokens[: int(self.variant.class_token)]
        side, channels = self.variant.side, tokens.shape[-1]
        grid = tokens[len(lead) :].T.reshape(1, channels, side, side)
        return torch.cat([lead, avg_pool2d(grid, self.variant.local_pool).reshape(channels, -1).T])

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [...] -> embeddings [..., width]."""
        return cast(Tensor, self.language_model.get_input_embeddings()(ids))

    def splice(self, visual: Sequence[Tensor], ids: Sequence[int]) -> Tensor:
        """One prompt: the first id (start of text), then all pictures, then the remaining ids: [positions, width]."""
        text = self.embed(torch.tensor(ids, dtype=torch.long, device=self.start_img.device))
        return torch.cat([text[:1], *visual, text[1:]])

    def forward(
        self,
        embeddings: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """Run the language model over spliced embeddings [batch, positions, width]; causal unless a 4-D mask says otherwise.

        Returns transformers' causal output: ``logits`` [batch, positions, vocabulary] and what ``options`` (``use_cache``,
        ``past_key_values``, ``output_router_logits``, ``logits_to_keep``) ask for.
        """
        return self.language_model(inputs_embeds=embeddings, attention_mask=attention_mask, position_ids=position_ids, **options)

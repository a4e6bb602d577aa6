"""What skipping all-padding tiles saves: views encoded and visual positions for pictures of growing aspect ratio.

Not here: time (``bench``). Everything is counted from geometry, for SPHINX-X as the paper has it (448 px in 2 x 2 tiles, 672 px
in 3 x 3), once with the picture in a corner of its square and once centred, as the published checkpoints have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.sphinx_x.anatomy import language_flops, view_flops
from models.sphinx_x.axes import Variant
from models.sphinx_x.geometry import empty_views, positions
from models.sphinx_x.variants import find_variant

VARIANTS = ("sphinx_plus", "sphinx_plus_2k")


def bench_views(ratios: Sequence[float] = (1, 1.5, 2, 3, 4, 6, 8), variants: Sequence[str] = VARIANTS) -> list[dict[str, Any]]:
    """Return a row a variant, place of the padding and aspect ratio, for landscape pictures.

    ``views`` and ``tokens`` are what is encoded and what the language model reads with skipping, ``all_views`` and
    ``all_tokens`` without; ``flops_saved`` is the share of a prompt's arithmetic (encoders and language model, no text).

    Args:
        ratios: width over height.
        variants: names of variants with tiles.
    """
    return [
        _row(replace(find_variant(name), padding=padding), ratio)
        for name in variants
        for padding in ("corner", "centre")
        for ratio in ratios
    ]


def _row(variant: Variant, ratio: float) -> dict[str, Any]:
    height = 1000
    size = (round(ratio * height), height)
    whole = replace(variant, skip_token="none")
    skipping, keeping = _flops(variant, size), _flops(whole, size)
    return {
        "name": f"{variant.name} {variant.grid}x{variant.grid} {variant.padding} {ratio:g}:1",
        "views": sum(not flag for flag in empty_views(*size, variant)),
        "all_views": whole.views,
        "tokens": positions([size], variant),
        "all_tokens": positions([size], whole),
        "flops_saved": round(1 - skipping / keeping, 4),
    }


def _flops(variant: Variant, size: tuple[int, int]) -> int:
    """Arithmetic of one picture: its encoded views and the visual positions of the prompt."""
    encoded = [view for view, flag in enumerate(empty_views(*size, variant)) if not flag]
    vision = sum(view_flops(variant, view) for view in encoded)
    return vision + language_flops(variant.backbone, positions([size], variant))

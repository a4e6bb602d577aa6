"""Small models of published layouts with their encoders, and folders of them as their authors would write them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.sphinx_x.model import SphinxX
from models.sphinx_x.official import layout
from models.sphinx_x.official.convert import write_official
from models.sphinx_x.sources import Converted, Memory, parts
from models.sphinx_x.stored import stored_pieces
from models.sphinx_x.variants import Backbone, Variant, find_variant

DENSE = Backbone(vocab=48, width=32, layers=2, heads=4, kv_heads=2, ffn=96, max_positions=256)
SPARSE = replace(DENSE, kind="mixtral", experts=4, active_experts=2, load_balance=0.01)


def small_layout(name: str = "sphinx_1k", backbone: Backbone | None = None) -> Variant:
    """A published layout with tiny encoders of all its kinds."""
    base = find_variant(name)
    sizes = {
        "clip": {"width": 16, "layers": 2, "heads": 2, "mlp_ratio": 2},
        "convnext": {"widths": (8, 8, 12, 16), "depths": (1, 1, 2, 1)},
        "dinov2": {"width": 24, "layers": 2, "heads": 2},
    }
    encoders = tuple(replace(encoder, **sizes[encoder.kind]) for encoder in base.encoders)
    query = {"width": 16, "layers": 1, "heads": 2, "mlp": 32, "query_width": 12, "query_layers": 2, "query_heads": 2}
    qformer = base.qformer and replace(base.qformer, **query, query_mlp=24)
    return replace(base, encoders=encoders, qformer=qformer, backbone=backbone or (SPARSE if "moe" in name else DENSE))


def stored_of(model: SphinxX) -> dict[str, Tensor]:
    """The tensors of a model under their stored names."""
    own = {name: value.detach() for name, value in parts(model).items()}
    source = Converted(Memory(own), [piece.inverse() for piece in stored_pieces(list(own))])
    return {name: source.read(name) for name in source.shapes()}


def random_model(variant: Variant, seed: int = 0, dtype: torch.dtype = torch.float32) -> SphinxX:
    """Every tensor random, norms and tables too."""
    torch.manual_seed(seed)
    model = SphinxX(variant).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    return model.to(dtype)


def official_folder(folder: Path, model: SphinxX, ranks: int = 1, extra: dict[str, Tensor] | None = None) -> Path:
    """A folder as the authors write it."""
    write_official(folder, model.variant, Memory(stored_of(model)), ranks=ranks, unused=Memory(extra or {}))
    return folder


def layouts_are(monkeypatch, *variants: Variant) -> None:  # type: ignore[no-untyped-def]
    """Let the published layouts have these tiny encoders."""
    known = {variant.name: variant for variant in variants}
    monkeypatch.setattr(layout, "find_variant", lambda name: known.get(name) or find_variant(name))


def rewrite(path: Path, **changes: object) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

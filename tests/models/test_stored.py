"""Names in files do not depend on the version of transformers that made the model."""

from __future__ import annotations

import torch

from models.sphinx_x.sources import Converted, Memory
from models.sphinx_x.stored import stored_pieces

LAYER = "vision.encoders.dinov2.trunk.encoder.layer.0"


def test_older_names_and_joint_tensors_are_stored_as_newer_ones() -> None:
    """As transformers 5.17 names them."""
    words = ("attention.attention.query", "attention.attention.key", "attention.attention.value", "attention.output.dense")
    old = {f"{LAYER}.{word}.weight": torch.rand(4, 4) for word in words}
    old |= {f"{LAYER}.mlp.weights_in.weight": torch.rand(6, 4), f"{LAYER}.mlp.weights_out.weight": torch.rand(4, 3)}
    old |= {"vision.encoders.qformer.qformer.encoder.layer.0.attention.attention.query.weight": torch.rand(2, 2)}
    pieces = stored_pieces(list(old))
    stored = Converted(Memory(old), [piece.inverse() for piece in pieces])
    names = [name.removeprefix(f"{LAYER}.").removesuffix(".weight") for name in stored.shapes()]
    assert names[:4] == ["attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"]
    assert names[4:7] == ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
    assert names[7].endswith("attention.attention.query")  # the Q-Former kept its names
    assert stored.shapes()[f"{LAYER}.mlp.up_proj.weight"] == (3, 4)
    back = Converted(Memory({name: stored.read(name) for name in stored.shapes()}), pieces)
    assert all(torch.equal(back.read(name), value) for name, value in old.items())

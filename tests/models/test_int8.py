"""Integer weights: close to the exact ones, smaller, the same in any batch, and refused where they would do nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.errors import ConfigError
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.int8 import Int8Linear, quantise
from tests.models.specimens import mixed_requests, sparse_specimen, specimen


@pytest.mark.parametrize("bias", [False, True])
def test_a_product_with_integer_weights_is_close(bias: bool) -> None:
    torch.manual_seed(0)
    exact = nn.Linear(64, 32, bias=bias)
    with torch.no_grad():
        exact.weight[3] = 0.0
    inputs = torch.randn(10, 64)
    close = Int8Linear(exact)
    step = exact.weight.abs().amax(dim=1) / 127
    most = 0.5 * step * inputs.abs().sum(dim=1, keepdim=True) + 1e-5
    assert close.weight.dtype == torch.int8
    assert bool(((close(inputs) - exact(inputs)).abs() <= most).all())


def test_replies_with_integer_weights_do_not_depend_on_the_batch() -> None:
    model, tokenizer = specimen()
    quantise(model.language_model)
    requests = mixed_requests(60, seed=3)
    alone, together = (
        {r.key: r.text for r in Engine(model, tokenizer, EngineOptions(max_batch=size, threads=0)).generate(requests)}
        for size in (1, 64)
    )
    assert alone == together


def test_integer_weights_take_a_quarter_of_the_memory_of_the_layers() -> None:
    model, _ = specimen()
    layers = model.language_model.model.layers
    before = sum(part.weight.nbytes for part in layers.modules() if isinstance(part, nn.Linear))
    quantise(model.language_model)
    assert not any(isinstance(part, nn.Linear) for part in layers.modules())
    assert sum(part.weight.nbytes for part in layers.modules() if isinstance(part, Int8Linear)) * 4 == before


def test_a_sparse_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="dtype=int8 is for dense models"):
        quantise(sparse_specimen()[0].language_model)

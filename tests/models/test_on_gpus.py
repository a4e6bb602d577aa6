"""What the engine does otherwise on a GPU, tried on a CPU: repeated heads, bounded parts, memory by the card, close calls."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.local import compute_exactly
from models.sphinx_x.inference import decoder, replies
from models.sphinx_x.inference.attention import attend_causally, repeats_heads
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.kept import memory_for
from tests.models.specimens import mixed_requests, specimen


def test_repeated_heads_attend_as_grouped_ones_do() -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(2, 8, 11, 4), torch.randn(2, 2, 11, 4), torch.randn(2, 2, 11, 4)
    grouped = attend_causally(queries, keys, values, 0.5, repeat=False)
    torch.testing.assert_close(attend_causally(queries, keys, values, 0.5, repeat=True), grouped, atol=1e-6, rtol=0)
    wanted = {("cuda", torch.float32): True, ("cuda", torch.bfloat16): False, ("cpu", torch.float32): False}
    assert {(kind, dtype): repeats_heads(torch.device(kind), dtype) for kind, dtype in wanted} == wanted


@pytest.mark.parametrize(("chunk", "scores"), [(10**6, 10**9), (90, 4000)], ids=["all at once", "in parts"])
def test_the_engine_says_the_same_in_the_parts_it_takes_on_a_gpu(
    chunk: int, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = specimen()
    requests = mixed_requests(40, seed=3)
    plain = {one.key: one.text for one in Engine(model, tokenizer, EngineOptions(threads=0)).generate(requests)}
    built = Decoder.__init__

    def as_on_a_gpu(self: Decoder, *args: object, **options: object) -> None:
        built(self, *args, **options)  # type: ignore[arg-type]
        self._on_cpu, self._chunk_tokens = False, chunk

    monkeypatch.setattr(Decoder, "__init__", as_on_a_gpu)
    monkeypatch.setattr(decoder, "GPU_SCORES", scores)
    monkeypatch.setattr(decoder, "repeats_heads", lambda device, dtype: True)
    assert {one.key: one.text for one in Engine(model, tokenizer, EngineOptions(threads=0)).generate(requests)} == plain


def test_memory_for_what_is_kept_grows_with_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=1600))
    cases = [("cpu", 7), ("cuda", 7), ("cuda", 1000)]
    assert [memory_for(torch.device(kind), least) for kind, least in cases] == [7, 100, 1000]


def test_a_call_is_close_further_apart_off_the_cpu() -> None:
    logits = torch.tensor([[0.0, 5e-4, -1.0]])
    asked = SimpleNamespace(prompt=SimpleNamespace(request=SimpleNamespace(generation=SimpleNamespace(temperature=0.0))))
    assert replies.close_calls(logits, [asked]) == []  # type: ignore[list-item]
    assert replies.lead_of(torch.device("cpu")) == replies.CLOSE < 5e-4 < replies.lead_of(torch.device("cuda"))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(32, 4, 64), (32, 8, 128), (40, 40, 128)])
def test_a_fused_kernel_takes_every_family_on_a_gpu(heads: int, kv_heads: int, dim: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    place = torch.device("cuda")
    cache = torch.randn(2, 2, kv_heads, 320, dim, device=place, dtype=dtype)[..., :300, :]  # as it lies in the decoder
    asked = torch.randn(2, 300, heads, dim, device=place, dtype=dtype).transpose(1, 2)
    expected = attend_causally(asked.double(), cache[0].double(), cache[1].double(), dim**-0.5, repeat=True)
    fused = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION]
    with sdpa_kernel(fused):
        found = attend_causally(asked, cache[0], cache[1], dim**-0.5, repeat=repeats_heads(place, dtype))
    torch.testing.assert_close(found.double(), expected, atol=1e-5 if dtype == torch.float32 else 2e-2, rtol=0)


@pytest.mark.gpu
def test_float32_replies_on_a_gpu_are_the_same_in_any_batch() -> None:
    compute_exactly()
    model, tokenizer = specimen()
    model.place(torch.device("cuda"), torch.float32)
    requests = mixed_requests(80, seed=4)
    said = [
        {one.key: one.text for one in Engine(model, tokenizer, EngineOptions(threads=0, max_batch=rows)).generate(requests)}
        for rows in (1, 7, 64)
    ]
    assert said[1] == said[0] and said[2] == said[0]

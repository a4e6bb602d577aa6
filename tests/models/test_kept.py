"""What the engine keeps of pictures: bounded, harmless to replies, and enough that pictures that come back are not read twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.types import Request
from models.sphinx_x.inference import engine as engine_module
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.kept import Kept
from models.sphinx_x.inference.ragged import alike, runs
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from tests.models.specimens import mixed_requests, sparse_specimen, specimen


def floats(count: int) -> torch.Tensor:
    return torch.zeros(count)


def test_the_longest_unused_is_dropped_first() -> None:
    kept = Kept(3 * 40)
    for name in "abc":
        kept.put(name, floats(10))
    assert kept.get("a") is not None
    kept.put("d", floats(10))
    assert [name for name in "abcd" if name in kept] == ["a", "c", "d"]
    kept.put("a", floats(30))
    assert [name for name in "abcd" if name in kept] == ["a"]
    kept.put("huge", floats(31))
    assert len(kept) == 0
    assert kept.get("huge") is None


def answered(engine: Engine, requests: list[Request]) -> dict[str, tuple[str, int | None]]:
    return {response.key: (response.text, response.completion_tokens) for response in engine.generate(requests)}


def weighed(engine: Engine, requests: list[Request]) -> dict[str, tuple[float, ...]]:
    return {response.key: response.logprobs for response in engine.loglikelihood(requests)}


@pytest.mark.parametrize("make", [specimen, sparse_specimen], ids=["dense", "experts"])
@pytest.mark.parametrize("memory", [40_000, 1 << 28])
def test_replies_do_not_depend_on_what_was_kept(
    make: Callable[[], tuple[SphinxX, Tokenizer]], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PREFIX_BYTES", memory)
    built = make()
    requests = mixed_requests(50, seed=11)
    plain = answered(Engine(*built, EngineOptions(threads=0, max_batch=1, window=1)), requests)
    engine = Engine(*built, EngineOptions(threads=0, window=9))
    for turn in range(2):
        random.Random(turn).shuffle(requests)
        assert answered(engine, requests) == plain
    fresh = weighed(Engine(*built, EngineOptions(threads=0)), requests)
    for key, logprobs in weighed(engine, requests).items():
        assert logprobs == pytest.approx(fresh[key], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("make", [specimen, sparse_specimen], ids=["dense", "experts"])
def test_five_hundred_replies_are_the_same_in_any_company(make: Callable[[], tuple[SphinxX, Tokenizer]]) -> None:
    built = make()
    requests = mixed_requests(500, seed=12)
    plain = answered(Engine(*built, EngineOptions(threads=0, max_batch=1, window=1)), requests)
    several = (EngineOptions(max_batch=64), EngineOptions(max_batch=7, window=40), EngineOptions(batch_tokens=500, threads=2))
    for turn, options in enumerate(several):
        engine = Engine(*built, options)
        for _ in range(2):  # the second time with everything kept
            random.Random(turn).shuffle(requests)
            assert answered(engine, requests) == plain


def test_pictures_that_come_back_are_neither_opened_nor_encoded_nor_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = specimen()
    engine = Engine(model, tokenizer, EngineOptions(threads=0, window=7))
    requests = [request for request in mixed_requests(60, seed=13) if request.group]
    read: list[int] = []
    prefill = Decoder._prefill

    def counted(self: Decoder, sequences: Sequence[torch.Tensor], lengths: Sequence[int], cache: torch.Tensor) -> None:
        read.extend(lengths)
        prefill(self, sequences, lengths, cache)

    monkeypatch.setattr(Decoder, "_prefill", counted)
    first = answered(engine, requests)
    assert sum(read) > 0
    read.clear()
    monkeypatch.setattr(model, "encode", lambda views: pytest.fail("encoded again") if views else [])
    monkeypatch.setattr("models.sphinx_x.inference.replies.CLOSE", 0.0)  # no second look at close calls
    again = answered(engine, requests)
    assert read == []
    assert sum(first[key] == again[key] for key in first) >= len(first) - 1


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=30), st.integers(1, 200))
def test_runs_hold_every_new_prefix_once(prefixes: list[tuple[int, bool]], tokens: int) -> None:
    lengths = [length for length, _ in prefixes]
    new = [place for place, (_, is_new) in enumerate(prefixes) if is_new]
    found = list(runs(new, lengths, tokens))
    assert [place for start, stop in found for place in range(start, stop)] == new
    assert all(max(lengths[start:stop]) * (stop - start) <= tokens or stop - start == 1 for start, stop in found)


@given(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=30),
    st.integers(0, 50),
    st.integers(1, 900),
)
def test_suffixes_that_run_together_need_little_padding(lengths: list[list[int]], spare: int, most: int) -> None:
    found = list(alike(lengths, spare))
    assert [place for start, stop in found for place in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        some = lengths[start:stop]
        cells = len(some) * max(map(len, some)) * max(map(max, some))
        assert cells <= 1.25 * sum(map(sum, some)) + spare or stop - start == 1
    assert list(alike(lengths, None)) == [(0, len(lengths))]
    bounded = list(alike(lengths, None, most))
    assert [place for start, stop in bounded for place in range(start, stop)] == list(range(len(lengths)))
    for start, stop in bounded:
        cells = (stop - start) * max(map(len, lengths[start:stop])) * max(max(group) for group in lengths[start:stop])
        assert cells <= most or stop - start == 1

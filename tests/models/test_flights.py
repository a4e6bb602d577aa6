"""Prompts take the place of replies that ended: fewer steps and the same words, within the batch's bounds and bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness.types import Request
from models.sphinx_x.inference import flights
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.flights import MOST, room
from models.sphinx_x.inference.ragged import Pool
from models.sphinx_x.inference.rows import Rows
from models.sphinx_x.inference.traffic import Traffic
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from tests.models.specimens import mixed_requests, sparse_specimen, specimen

CPU = torch.device("cpu")
Stepped = list[tuple[list[int], int]]
"""Of each step: live rows of each flight, and the bytes of keys and values that it read."""


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> Stepped:
    seen: Stepped = []
    step = Decoder.step

    def watched(self: Decoder, several: Sequence[Rows], tokens: Tensor) -> Tensor:
        live, before = [len(rows.live) for rows in several], self.traffic
        assert len(tokens) == sum(live)
        hidden = step(self, several, tokens)
        read = sum(rows.prefix.nbytes + rows.own[..., : rows.column, :].nbytes for rows in several)
        assert self.traffic - before == Traffic(1, read)
        seen.append((live, read))
        return hidden

    monkeypatch.setattr(Decoder, "step", watched)
    return seen


def said(built: tuple[SphinxX, Tokenizer], requests: list[Request], **options: Any) -> dict[str, tuple[str, int | None]]:
    responses = list(Engine(*built, EngineOptions(threads=0, **options)).generate(requests))
    assert sorted(one.key for one in responses) == sorted(one.key for one in requests)  # each once
    return {one.key: (one.text, one.completion_tokens) for one in responses}


@pytest.mark.parametrize("make", [specimen, sparse_specimen], ids=["dense", "experts"])
def test_a_batch_that_is_refilled_says_the_same_in_fewer_steps(
    make: Callable[[], tuple[SphinxX, Tokenizer]], stepped: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, requests = make(), mixed_requests(70, seed=21)  # replies of 1 to 20 tokens
    refilled = said(built, requests, max_batch=16)
    steps = [live for live, _ in stepped]
    assert 1 < max(map(len, steps)) <= MOST and max(map(sum, steps)) <= 16
    stepped.clear()
    monkeypatch.setattr(flights, "MOST", 1)
    assert said(built, requests, max_batch=16) == refilled
    assert {len(live) for live, _ in stepped} == {1}
    assert len(steps) < 0.8 * len(stepped)
    assert sum(map(sum, steps)) == sum(live[0] for live, _ in stepped)  # every token is run once either way


def test_a_traced_batch_flies_alone(stepped: Stepped) -> None:
    requests = mixed_requests(20, seed=22)
    plain = said(sparse_specimen(), requests, max_batch=8)
    assert max(len(live) for live, _ in stepped) > 1
    stepped.clear()
    assert said(sparse_specimen(), requests, max_batch=8, trace_routing="counts") == plain
    assert {len(live) for live, _ in stepped} == {1}


def test_shares_of_time_add_up_to_less_than_the_time_that_passed() -> None:
    engine, started = Engine(*specimen(), EngineOptions(threads=0, max_batch=8)), time.perf_counter()
    seconds = [one.seconds or 0.0 for one in engine.generate(mixed_requests(20, seed=23))]
    assert min(seconds) > 0 and sum(seconds) <= time.perf_counter() - started


def test_prompts_board_when_half_of_rows_and_positions_are_free() -> None:
    def flight(live: int, positions: int) -> Any:
        return type("Flight", (), {"live": range(live), "positions": positions})

    assert room([], 8, 100) == (8, 100)
    assert room([flight(4, 50)], 8, 100) == (4, 50)
    assert room([flight(5, 10)], 8, 100) == room([flight(1, 51)], 8, 100) == (0, 0)
    assert room([flight(1, 20), flight(1, 20)], 8, 100) == (6, 60)
    assert room([flight(1, 1)] * MOST, 8, 100) == (0, 0)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 9)), max_size=40))
def test_a_pool_hands_nothing_out_twice_and_keeps_no_more_than_its_largest_piece(moves: list[tuple[int, int]]) -> None:
    pool, held, largest = Pool(torch.float32, CPU), [], 0
    for size, back in moves:
        taken = pool.take(2, size)
        assert taken.shape == (2, size) and taken.is_contiguous()
        held.append(taken)
        assert len({one.untyped_storage().data_ptr() for one in held}) == len(held)
        largest = max(largest, taken.untyped_storage().nbytes() // 4)
        if back < len(held):
            pool.give(held.pop(back)[:1, size // 2 :])  # a view is as good
        assert sum(flat.numel() for flat in pool._waiting) <= largest


def test_memory_that_was_given_back_is_handed_out_again() -> None:
    pool = Pool(torch.float32, CPU)
    first = pool.take(10, 10)
    place = first.data_ptr()
    pool.give(first)
    assert pool.take(3, 3).data_ptr() != place  # too small a piece for it
    assert pool.take(9, 8).data_ptr() == place
    requests, engine = mixed_requests(40, seed=24), Engine(*specimen(), EngineOptions(threads=0, max_batch=8))
    engine._decoder._pool = pool = Pool(torch.float32, CPU)
    list(engine.generate(requests))
    assert 0 < sum(flat.numel() for flat in pool._waiting) <= pool._largest

"""One model over several processes: the same replies and weights as by one, and clear ends where a process is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from torch.distributed import HashStore, ProcessGroupGloo

from harness.errors import ConfigError, RunStopped
from harness.types import Request
from models.sphinx_x import checkpoint
from models.sphinx_x.inference.cut import Share
from models.sphinx_x.plugin import SphinxXModel, weights_folder
from models.sphinx_x.sources import parts
from models.sphinx_x.variants import MICRO, MICRO_MOE, Variant
from tests.models.specimens import mixed_requests, specimen


def with_heads(variant: Variant) -> Variant:
    return replace(variant, backbone=replace(variant.backbone, heads=4, kv_heads=2))


def saved(folder: Path, variant: Variant) -> Path:
    model, tokenizer = specimen(with_heads(variant))
    checkpoint.save(folder, model, tokenizer, "float32")
    return folder


def all_of(world: int) -> list[Share]:
    return [Share(number, world) for number in range(world)]


def together(shares: list[Share], work: Any) -> list[Any]:
    """Run ``work(share)`` for each in a thread of its own; together they can sum."""
    store, world = HashStore(), len(shares)
    found = [None] * world

    def one(number: int) -> None:
        shares[number].group = ProcessGroupGloo(store, number, world, timedelta(seconds=30))
        try:
            found[number] = work(shares[number])
        except Exception as error:
            found[number] = error  # type: ignore[call-overload]

    threads = [Thread(target=one, args=(number,)) for number in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("variant", [MICRO, MICRO_MOE], ids=["dense", "experts"])
def test_each_process_holds_its_part_of_layers_and_all_of_the_rest(tmp_path: Path, variant: Variant) -> None:
    folder = saved(tmp_path / "m", variant)
    whole, _ = checkpoint.load(folder)
    first, second = (parts(checkpoint.load(folder, share=share)[0]) for share in all_of(2))
    for name, value in parts(whole).items():
        cut = ".layers." in name and "norm" not in name and "gate.weight" not in name and name.startswith("language_model")
        assert first[name].numel() == second[name].numel() == value.numel() // (2 if cut else 1), name
        if not cut:
            assert torch.equal(first[name], value)
    name = "language_model.model.layers.1.self_attn.o_proj.weight"
    assert torch.equal(torch.cat([first[name], second[name]], dim=1), parts(whole)[name])


@pytest.mark.parametrize(("name", "world"), [("nano", 2), ("nano", 4), ("nano_moe", 2)])
def test_logits_are_those_of_the_whole_model(name: str, world: int) -> None:
    """Through transformers' own forward pass, each process a thread."""
    whole, _ = checkpoint.load(weights_folder(name))
    torch.manual_seed(0)
    embeddings = 0.1 * torch.randn(2, 30, whole.variant.backbone.width)

    shares = all_of(world)
    models = [checkpoint.load(weights_folder(name), share=share)[0] for share in shares]

    def run(share: Share) -> torch.Tensor:
        with torch.inference_mode():
            return models[share.number](embeddings).logits

    with torch.inference_mode():
        expected = whole(embeddings).logits
    for logits in together(shares, run):
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_processes_that_go_different_ways_are_stopped_and_the_first_decides() -> None:
    def differ(share: Share) -> None:
        share.require_same([("k", share.number == 1)], torch.device("cpu"))

    assert together(all_of(2), lambda share: share.require_same(["k"], torch.device("cpu"))) == [None, None]
    for error in together(all_of(3), differ):
        assert isinstance(error, RunStopped) and "different pictures or prompts" in str(error)
    assert [list(said) for said in together(all_of(2), lambda share: share.agree(torch.tensor([7 + share.number, 1])))] == [
        [7, 1]
    ] * 2


def test_what_cannot_be_cut_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", MICRO_MOE)
    with pytest.raises(ConfigError, match="model.tensor_parallel=4: this model's 2 key-value heads cannot be shared out evenly"):
        checkpoint.load(folder, share=Share(0, 4))
    with pytest.raises(ConfigError, match="model.tensor_parallel=0 "):
        SphinxXModel(str(folder), tensor_parallel=0)
    for setting in ({"dtype": "int8"}, {"expert_cache": 1}, {"pruned_experts": {"keep": 1}}):
        with pytest.raises(ConfigError, match="model.tensor_parallel"):
            SphinxXModel(str(folder), tensor_parallel=2, **setting)  # type: ignore[arg-type]
    (folder / "meta.json").write_text("{}")
    with pytest.raises(ConfigError, match="riddle data convert"):
        checkpoint.load(folder, share=Share(0, 2))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [MICRO, MICRO_MOE], ids=["dense", "experts"])
def test_replies_weights_and_fingerprint_are_those_of_one_process(tmp_path: Path, variant: Variant) -> None:
    folder = saved(tmp_path / "m", variant)
    one, two = (SphinxXModel(str(folder), threads=0, max_batch=16, tensor_parallel=count) for count in (1, 2))
    requests = mixed_requests(150, seed=3)
    assert one.fingerprint == two.fingerprint and one.details == two.details
    for _ in range(2):  # a second stream, with pictures kept
        replies = [
            {reply.key: (reply.text, reply.completion_tokens) for reply in model.generate(requests)} for model in (one, two)
        ]
        assert replies[0] == replies[1] and len(set(replies[0].values())) > 50
    asked = [replace(request, choices=("a red circle", "7")) for request in requests[:30]]
    weights = [{reply.key: reply.logprobs for reply in model.loglikelihood(asked)} for model in (one, two)]
    assert all(weights[0][key] == pytest.approx(weights[1][key], abs=1e-3) for key in weights[0])


@pytest.mark.slow
def test_a_process_that_dies_or_a_stream_that_is_left_ends_the_model_with_a_reason(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", MICRO)
    lost = SphinxXModel(str(folder), threads=0, tensor_parallel=2, window=20)
    requests = mixed_requests(120)
    other = next(iter(lost._engine._others.values()))  # type: ignore[attr-defined]

    def killing() -> Iterator[Request]:
        for number, request in enumerate(requests):
            if number == 60:
                os.kill(other.pid, signal.SIGKILL)
            yield request

    replies = []
    with pytest.raises(RunStopped, match=r"riddle-share-1 has ended \(exit code -9\)"):
        for reply in lost.generate(killing()):
            replies.append(reply)
    assert 0 < len(replies) < 120
    left = SphinxXModel(str(folder), threads=0, tensor_parallel=2)
    stream = left.generate(requests)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert all(not process.is_alive() for process in left._engine._others.values())  # type: ignore[attr-defined]
    with pytest.raises(RunStopped, match="left in its middle"):
        list(left.generate(requests))

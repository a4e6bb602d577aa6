"""The bench of generation: equal replies of shipped weights, the table of random ones, and its arithmetic by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.bench import contest, generate
from models.sphinx_x.bench import meter as meter_module
from models.sphinx_x.bench.contest import with_room
from models.sphinx_x.bench.generate import bench_generate
from models.sphinx_x.bench.meter import Meter, percentile
from models.sphinx_x.bench.noise import noise_model
from models.sphinx_x.bench.peer import Transformers
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.traffic import Traffic, padded_traffic, position_bytes, step_weight_bytes
from models.sphinx_x.variants import MICRO, MICRO_MOE
from tests.models.specimens import mixed_requests, specimen

CPU = torch.device("cpu")


def test_the_bench_compares_equal_replies(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, *specimen(), dtype="float32")
    rows = {row["name"]: row for row in bench_generate(4, rounds=1, model=str(tmp_path), tasks=("pope", "docvqa"))}
    batches = [f"generate, batch {size}" for size in (1, 8, 16, 32, 64)]
    for name in ("transformers, one by one", *batches, "engine", "engine again"):
        assert rows[name]["replies_equal"] == rows[name]["n"] > 4
        assert rows[name]["cpu_s"] > 0 and rows[name]["peak_mib"] > 0
    for name in ("first token, transformers", "first token, engine"):
        assert rows[name]["first_token_p95_cpu_ms"] >= rows[name]["first_token_cpu_ms"] > 0
    assert rows["logits, batch against alone"]["ok"]
    assert not any(name.startswith("steps of") for name in rows)  # replies of these weights end by themselves


def test_random_weights_are_held_to_one_length_and_their_steps_to_the_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(meter_module.COPY_BYTES, "cpu", 2**16)
    options = {"tasks": ("pope",), "new_tokens": 6, "batches": [2, 4], "singles": 3, "max_batch": 4}
    found = bench_generate(4, rounds=1, model="micro", device="cpu", dtype="float32", **options)  # type: ignore[arg-type]
    rows = {row["name"]: row for row in found}
    asked = rows["engine"]["n"]
    assert rows["transformers, one by one"]["n"] == rows["transformers, one by one"]["replies_equal"] == 3 < asked
    assert rows["engine"]["tokens_per_cpu_s"] == pytest.approx(6 * rows["engine"]["questions_per_cpu_s"])
    assert rows["engine"]["replies_equal"] == rows["generate, batch 4"]["replies_equal"] == 3
    assert rows["steps of transformers, one by one"]["n"] == 3 * 5
    assert rows["steps of generate, batch 4"]["n"] == math.ceil(asked / 4) * 5
    assert rows["steps of engine"]["n"] % 5 == 0 and rows["steps of engine"]["gb_read"] > 0
    assert rows["copy on this CPU"]["gb_per_s"] > 0


def test_memory_that_runs_out_takes_a_way_of_asking_out_of_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = Transformers.replies

    def starved(self: Transformers, prompts: object, size: int) -> dict[str, str]:
        if size == 4:
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return replies(self, prompts, size)  # type: ignore[arg-type]

    monkeypatch.setattr(Transformers, "replies", starved)
    monkeypatch.setattr(contest, "FIRST_TOKENS", 1)
    monkeypatch.setitem(meter_module.COPY_BYTES, "cpu", 2**16)
    found = bench_generate(2, rounds=1, model="micro", tasks=("pope",), new_tokens=2, batches=[2, 4])
    rows = {row["name"]: row for row in found}
    assert rows["generate, batch 4"]["note"] == "out of memory" and "steps of generate, batch 4" not in rows
    assert rows["engine"]["ok"] in (True, False)


def test_bytes_of_a_step_by_hand() -> None:
    # micro: width 32, 2 layers, 2 heads of 16, 1 key-value head, feed-forward 64, 512 ids, float32
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32
    assert step_weight_bytes(MICRO, 4) == 4 * (2 * layer + 32 + 512 * 32) == 139_904
    assert step_weight_bytes(MICRO, 2) == 69_952
    assert step_weight_bytes(MICRO_MOE, 4) is None
    assert position_bytes(MICRO.backbone, 4) == 2 * 2 * 1 * 16 * 4 == 256
    # two prompts of 10 positions, four new tokens: three steps that read 11, 12 and 13 positions a row
    assert padded_traffic(2, 10, 4, 256) == Traffic(3, 2 * (11 + 12 + 13) * 256) == Traffic(3, 18_432)
    assert padded_traffic(2, 10, 1, 256) == Traffic(0, 0)
    # 3 x 139,904 + 18,432 = 438,144 bytes in half a second, where 1,752,576 can be had in a second
    assert Traffic(3, 18_432).share(139_904, 0.5, 1_752_576) == 0.5
    assert Traffic(3, 18_432).share(139_904, 0.0, 1.0) is None
    assert Traffic(3, 7) + Traffic(1, 2) - Traffic(2, 4) == Traffic(2, 5)
    assert [percentile(range(1, 21), part) for part in (0.5, 0.95, 1.0)] == [10, 19, 20]


def test_the_engine_reads_a_shared_picture_once_a_step() -> None:
    model, tokenizer = noise_model("micro", CPU)
    requests = [with_room(request, 3) for request in mixed_requests(30, seed=2) if request.group.startswith("square")]
    requests = [request for request in requests if request.group == requests[0].group][:2]
    engine = Engine(model, tokenizer, EngineOptions(threads=0))
    responses = list(engine.generate(requests))
    assert len(responses) == 2 and all(one.completion_tokens == 3 for one in responses)
    prompts = [one.prompt_tokens or 0 for one in responses]
    texts = [tokenizer.encode_prompt(request.parts[-1].text) for request in requests]  # type: ignore[union-attr]
    same = next(place for place, (one, other) in enumerate(zip(*texts, strict=False)) if one != other)
    same = min(same, *(len(text) - 1 for text in texts))
    shared, own = prompts[0] - len(texts[0]) + same, max(map(len, texts)) - same
    read = [shared + 2 * (own + step) for step in (1, 2)]
    assert engine.traffic == Traffic(2, sum(read) * position_bytes(MICRO.backbone, 4))


def test_a_copy_on_the_cpu_takes_time_and_unknown_precisions_are_named() -> None:
    assert Meter(CPU).bandwidth(2**16) > 0
    with pytest.raises(ConfigError, match=r"dtype='float8'"):
        bench_generate(dtype="float8")  # type: ignore[arg-type]


def test_on_a_gpu_the_clock_waits_for_the_work_and_memory_is_what_was_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: seen.append(name))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3 * 2**20)
    (result, seconds), peak = (meter := Meter(torch.device("cuda"))).peaked(lambda: meter.timed(lambda: seen.append("work")))
    assert seen == ["reset_peak_memory_stats", "synchronize", "work", "synchronize"]
    assert result is None and seconds >= 0 and peak == 3.0 and meter.clock == ""
    options = generate._engine_options(meter, (16, 128), None, None)
    assert (options.max_batch, options.batch_tokens, options.threads) == (128, 128 * 2048, 2)
    options = generate._engine_options(meter, (16, 128), 32, 999)
    assert (options.max_batch, options.batch_tokens) == (32, 999)

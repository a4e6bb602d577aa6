"""Engines of training: what keeps a start of DeepSpeed from hanging, and what is said where it is missing."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

import pytest
import torch

from harness.errors import ConfigError
from models.sphinx_x.train.parallel import Grid
from models.sphinx_x.train.zero import LOCK_AGE_S, deepspeed_config, find_deepspeed, refuse_stale_locks, share_of
from tests.models.annotated import recipe


def test_the_lock_of_a_killed_compilation_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "py311_cpu" / "deepspeed_shm_comm" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    refuse_stale_locks(tmp_path)  # somebody may be compiling right now
    os.utime(lock, (time.time() - LOCK_AGE_S - 5,) * 2)
    with pytest.raises(ConfigError, match="deepspeed_shm_comm/lock: left by a compilation that was killed"):
        refuse_stale_locks(tmp_path)


def test_a_missing_deepspeed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install 'riddle-eval\\[train-deepspeed\\]'"):
        find_deepspeed()


def test_deepspeed_is_told_the_recipe(tmp_path: Path) -> None:
    for changes, stage in (({}, 2), ({"zero": 3}, 3)):
        config = recipe(tmp_path, tmp_path, precision="bf16", parallel={"engine": "deepspeed", **changes}, clip=2.0)
        found = deepspeed_config(config, Grid.meet(config.parallel))
        assert found["zero_optimization"]["stage"] == stage and found["bf16"]["enabled"] and found["gradient_clipping"] == 2.0


def test_the_shares_of_an_uneven_weight_are_padded() -> None:
    whole = torch.arange(1.0, 8.0)
    assert torch.cat([share_of(whole, 3, rank) for rank in range(3)]).tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 0]


@pytest.mark.slow  # seconds of training
def test_grouping_and_packing_are_measured_on_the_same_examples() -> None:
    from models.sphinx_x.train.bench import bench_train

    rows = {row["name"]: row for row in bench_train(n=32, batch=16, micro=4, row=256, variant="micro")}
    assert list(rows) == ["random order", "by length", "packed"]
    assert rows["by length"]["positions_per_needed"] < rows["random order"]["positions_per_needed"]
    assert 1 <= rows["packed"]["positions_per_needed"] < rows["random order"]["positions_per_needed"]

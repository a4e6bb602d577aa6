"""Experts that stay in their file: the same logits bit by bit and the same replies, within the memory that was granted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.plugin import SphinxXModel, weights_folder
from models.sphinx_x.variants import MICRO_MOE
from tests.models.specimens import mixed_requests, sparse_specimen, specimen

FOLDER = weights_folder("nano_moe")


@pytest.mark.parametrize("cache", [1, 3, 8])
def test_logits_are_those_of_the_resident_model_and_memory_stays_bounded(cache: int) -> None:
    resident, _ = checkpoint.load(FOLDER)
    model, _ = checkpoint.load(FOLDER, expert_cache=cache)
    torch.manual_seed(0)
    language: Any = model.language_model
    layers = language.model.layers
    account = layers[0].mlp.experts._account
    with torch.inference_mode():
        for shape in ((1, 40), (3, 17), (6, 1), (1, 1)):
            embeddings = 0.1 * torch.randn(*shape, resident.variant.backbone.width)
            assert torch.equal(model(embeddings).logits, resident(embeddings).logits)
    held = [len(layer.mlp.experts._held) for layer in layers]
    bound = cache * len(layers) * 3 * resident.variant.backbone.width * resident.variant.backbone.ffn * 4
    assert max(held) <= cache and account.bytes <= account.most <= bound
    assert account.reads >= sum(held) and not any("experts" in name for name, _ in model.named_parameters())


def test_replies_and_the_fingerprint_do_not_depend_on_the_cache(tmp_path: Path) -> None:
    model, tokenizer = sparse_specimen()
    checkpoint.save(tmp_path / "m", model, tokenizer, "float32")
    requests = mixed_requests(30, seed=5)
    one, two = (SphinxXModel(str(tmp_path / "m"), name="m", threads=0, expert_cache=cache) for cache in (None, 1))
    assert one.fingerprint == two.fingerprint
    replies = [{reply.key: reply.text for reply in model.generate(requests)} for model in (one, two)]
    assert replies[0] == replies[1] and len(set(replies[0].values())) > 5


def test_what_cannot_be_offloaded_is_refused(tmp_path: Path) -> None:
    model, tokenizer = specimen()
    checkpoint.save(tmp_path / "dense", model, tokenizer)
    (tmp_path / "hub" / "language_model").mkdir(parents=True)
    with pytest.raises(ConfigError, match="model.expert_cache=2: this model has no experts a layer"):
        checkpoint.load(tmp_path / "dense", expert_cache=2)
    with pytest.raises(ConfigError, match="model.expert_cache=9: this model has 8 experts a layer"):
        checkpoint.load(FOLDER, expert_cache=9)
    with pytest.raises(ConfigError, match="riddle data convert"):
        checkpoint.load(tmp_path / "hub", expert_cache=2)
    with pytest.raises(ConfigError, match=r"leave model\.pruned_experts out"):
        SphinxXModel("nano_moe", expert_cache=2, pruned_experts={"keep": 4})


MEASURE = r"""
import re, sys, torch
from pathlib import Path
from models.sphinx_x import checkpoint
cache = int(sys.argv[2]) or None
def memory():
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = memory()
model, _ = checkpoint.load(Path(sys.argv[1]), expert_cache=cache)
most = 0
with torch.inference_mode():
    for seed in range(6):
        torch.manual_seed(seed)
        model(torch.randn(1, 24, model.variant.backbone.width))
        most = max(most, memory() - before)
print(most)
"""


@pytest.mark.slow  # writes and reads a model of 100 million weights
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured on Linux")
def test_a_process_takes_the_memory_of_the_cache_not_of_the_model(tmp_path: Path) -> None:
    shape = replace(MICRO_MOE.backbone, width=256, heads=4, kv_heads=4, ffn=2048, layers=4, experts=16)
    model, tokenizer = specimen(replace(MICRO_MOE, backbone=shape))
    checkpoint.save(tmp_path / "m", model, tokenizer)  # float16, so that no weight is a view of the file
    experts = sum(weight.nbytes for name, weight in model.named_parameters() if "experts" in name) / 2**20
    del model
    taken = []
    for cache in (0, 2):
        command = [sys.executable, "-c", MEASURE, str(tmp_path / "m"), str(cache)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        taken.append(float(done.stdout.split()[-1]))
    sys.stderr.write(f"experts {experts:.0f} MB; resident {taken[0]:.0f} MB, two a layer {taken[1]:.0f} MB\n")
    assert taken[0] > experts and taken[1] < taken[0] - 0.7 * experts

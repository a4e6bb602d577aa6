"""Several processes descend the same loss as one: losses and weights of real runs over gloo, and the arithmetic behind them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from models.sphinx_x import checkpoint
from models.sphinx_x.train.state import STATE
from models.sphinx_x.train.step import balance
from models.sphinx_x.train.together import ALONE, Together
from models.sphinx_x.train.vocabulary import learn_vocabulary
from models.sphinx_x.variants import MICRO
from tests.models.processes import call


class _Half(Together):
    """One of two processes whose partner holds given numbers."""

    def __init__(self, partner: torch.Tensor) -> None:
        super().__init__(0, 2)
        object.__setattr__(self, "partner", partner)

    def whole(self, counts: torch.Tensor) -> torch.Tensor:
        return counts + self.partner  # type: ignore[attr-defined, no-any-return]


def test_alone_a_share_is_exactly_one() -> None:
    assert ALONE.share_of(torch.tensor(3.7)) == 1.0
    assert ALONE.whole(torch.tensor([2.0, 3.0])).tolist() == [2.0, 3.0]


def test_a_share_is_ones_own_count_over_all() -> None:
    assert float(_Half(torch.tensor(6.0)).share_of(2)) == pytest.approx(0.25)
    assert float(_Half(torch.tensor(0.0)).share_of(0)) == 0.0


def test_balance_is_one_when_experts_share_evenly_and_more_when_they_do_not() -> None:
    even = torch.eye(4) * 20
    assert float(balance((even,), 1)) == pytest.approx(1, abs=1e-4)
    assert float(balance((torch.tensor([[9.0, 0, 0, 0]] * 4),), 1)) > 3.9


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(Exception, match="16 pictures cannot be shared out evenly among 3"):
        Together.join(16)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "train.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow  # two processes, ten seconds
@pytest.mark.parametrize("muon", [False, True], ids=["adamw", "muon"])
def test_two_processes_train_what_one_does(muon: bool, tmp_path: Path) -> None:
    words = learn_vocabulary(MICRO.backbone.vocab, 1, pictures=40)
    for world in (1, 2):
        folder = tmp_path / str(world)
        folder.mkdir()
        words.save(folder / checkpoint.TOKENIZER)
        call("train_runs:mini", world, folder=str(folder), muon=muon)
    one, two = (_rows(tmp_path / str(world)) for world in (1, 2))
    assert len(one) == len(two) == 4
    for alone, together in zip(one, two, strict=True):
        assert float(together["loss"]) == pytest.approx(float(alone["loss"]), rel=1e-3)
        assert float(together["grad_norm"]) == pytest.approx(float(alone["grad_norm"]), rel=1e-3, abs=1e-3)
    first, second = (torch.load(tmp_path / str(world) / STATE, weights_only=True)["model"] for world in (1, 2))
    for name, value in first.items():
        assert torch.allclose(value, second[name], atol=3e-4), (name, float((value - second[name]).abs().max()))

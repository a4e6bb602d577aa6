"""The optimiser for matrices: its iteration against the decomposition it approximates, and that it learns."""

from __future__ import annotations

import pytest
import torch

from models.sphinx_x.train.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_all_singular_values_come_near_one_and_the_directions_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = left.mT @ orthogonalised(matrices) @ right.mT
    diagonal = found.diagonal(dim1=-2, dim2=-1)
    assert ((diagonal > 0.3) & (diagonal < 1.3)).all()
    assert (found - torch.diag_embed(diagonal)).abs().max() < 1e-3


def test_a_stack_of_experts_is_updated_matrix_by_matrix() -> None:
    torch.manual_seed(0)
    stack = torch.nn.Parameter(torch.randn(3, 6, 4))
    singles = [torch.nn.Parameter(matrix.clone()) for matrix in stack]
    gradient = torch.randn(3, 6, 4)
    stack.grad = gradient
    for single, part in zip(singles, gradient, strict=True):
        single.grad = part
    Muon([stack], lr=0.1).step()
    Muon(singles, lr=0.1).step()
    torch.testing.assert_close(stack.detach(), torch.stack([single.detach() for single in singles]))


def test_it_solves_a_linear_problem() -> None:
    torch.manual_seed(0)
    wanted, inputs = torch.randn(6, 10), torch.randn(200, 10)
    weight = torch.nn.Parameter(torch.zeros(6, 10))
    optimizer = Muon([weight], lr=0.3)
    losses = []
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        loss = (inputs @ weight.T - inputs @ wanted.T).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-2 * losses[0]

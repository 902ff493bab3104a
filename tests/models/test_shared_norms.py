"""Batch normalisation of one process's rows, shared with nobody, is PyTorch's own."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.models import shared_norms
from pipeline.models.devices import Share, Team, connected
from pipeline.models.norms import BatchNorm
from pipeline.models.shared_norms import SharedNorm


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    share = Share(rank=0, world=1, meeting=tmp_path / "meeting")
    with connected(share, torch.device("cpu")):
        yield Team(share, size=5, rows=6, seed=0)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (BatchNorm(3), (3,)),
        (nn.BatchNorm1d(3, affine=False), (3, 7)),
        (nn.BatchNorm2d(3, eps=0.1, momentum=0.3), (3, 2, 4)),
    ],
)
def test_it_answers_and_learns_as_the_plain_one(team: Team, norm: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain, shared = deepcopy(norm), nn.Sequential(deepcopy(norm))
    shared_norms.share(shared, team)
    assert type(shared[0]) is SharedNorm
    for step in (0, 1):  # the second batch has one row
        team.begin(step)
        values = torch.randn(team.batch, *shape) * 3 + 1
        parts = [values.clone().requires_grad_() for _ in range(2)]

        told = [module(part) for module, part in zip((plain, shared), parts, strict=True)]
        for each in told:
            each.square().mul(torch.linspace(0, 1, each.numel()).view_as(each)).sum().backward()

        assert torch.allclose(told[0], told[1], atol=1e-5)
        gradients = [part.grad for part in parts if part.grad is not None]
        assert torch.allclose(gradients[0], gradients[1], atol=1e-4)
    for (name, one), other in zip(plain.state_dict().items(), shared[0].state_dict().values(), strict=True):
        assert torch.allclose(one, other), name
    values = torch.randn(2, *shape)
    assert torch.allclose(plain.eval()(values), shared.eval()(values))

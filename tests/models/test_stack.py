"""A stack of layers in one step: the same numbers and slopes as layer by layer."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from pipeline.models import linear, stack
from pipeline.models.stack import Stack, is_plain, quicken


def layers(dropout: float = 0.0, widths: tuple[int, ...] = (12, 70, 66, 3)) -> nn.Sequential:
    torch.manual_seed(0)
    made: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[:-1]):
        made += [nn.Linear(inputs, outputs), nn.Identity(), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*made, nn.Linear(widths[-2], widths[-1]))


def learnt(made: nn.Sequential, values: Tensor) -> list[Tensor]:
    torch.manual_seed(2)
    leaf = values.clone().requires_grad_()
    output = made(leaf)
    output.square().sum().backward()
    assert leaf.grad is not None
    return [output.detach(), leaf.grad, *(p.grad for p in made.parameters() if p.grad is not None)]


@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("widths", [(12, 70, 66, 3), (12, 5, 3), (12, 3)])
def test_values_and_slopes_are_those_of_the_layers(
    slow: bool, widths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if slow and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN product")
    monkeypatch.setattr(linear, "mkl_is_slow", lambda: slow)
    values = torch.randn(33, 12, generator=torch.Generator().manual_seed(1))
    plain = layers(widths=widths)
    quick = deepcopy(plain)
    quicken(quick)

    found = learnt(quick, values)

    assert type(quick) is Stack
    assert len(found) == 2 * len(widths)
    for one, other in zip(learnt(plain, values), found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_dropout_leaves_out_that_share_and_slopes_follow_it() -> None:
    made = layers(0.25, (4, 4000, 1))
    quicken(made)
    values = torch.randn(1, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = made.eval()[:3](values)[0]

    _, _, slope_of_first, _, slope_of_last, _ = learnt(made.train(), values)

    kept = slope_of_last[0] != 0
    assert 0.7 < float(kept[whole > 0].float().mean()) < 0.8
    assert not kept[whole == 0].any()
    assert torch.equal(kept, (slope_of_first != 0).any(dim=1))
    ratio = slope_of_last[0][kept] / whole[kept]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def test_in_evaluation_nothing_is_left_out() -> None:
    plain = layers(0.5).eval()
    quick = deepcopy(plain)
    quicken(quick)
    values = torch.randn(8, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(plain(values), quick(values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Dropout(0.1), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.ReLU(), nn.Dropout(0.1), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Dropout(0.1), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1)),
    ],
)
def test_other_layers_are_left_as_they_are(other: nn.Sequential) -> None:
    assert not is_plain(other)
    quicken(other)
    assert type(other) is nn.Sequential


def test_the_same_bits_each_time() -> None:
    values = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    runs = []
    for _ in range(2):
        made = layers(0.2)
        stack.quicken(made)
        runs.append(learnt(made, values))
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))

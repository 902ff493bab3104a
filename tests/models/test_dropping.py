"""Dropout by whole words of random bits: the share left out, the slopes, and the same bits from the same seed."""

import pytest
import torch
from torch import nn

from pipeline.models.dropping import Dropout, kept, quicken, scale

VALUES = 1 << 20


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
def test_the_share_that_is_left_out_is_the_one_that_is_asked_for(share: float) -> None:
    torch.manual_seed(0)

    found = kept(torch.Size([VALUES // 4, 4]), share)

    deviation = (share * (1 - share) / VALUES) ** 0.5
    assert set(found.flatten().tolist()) == {0.0, 1.0}
    assert abs(float(found.mean()) - (1 - share)) < 5 * deviation
    # each of the four numbers in a word of random bits is as good as the others
    assert all(abs(float(mean) - (1 - share)) < 10 * deviation for mean in found.mean(0))
    assert abs((1 - share) * scale(share) - 1) < 1e-4


@pytest.mark.parametrize("share", [1e-9, 1 - 1e-9])
def test_a_share_next_to_none_or_all_leaves_out_some_or_all_but_some(share: float) -> None:
    torch.manual_seed(0)
    assert abs(float(kept(torch.Size([VALUES]), share).mean()) - (1 - share)) < 1e-4


def test_slopes_are_those_of_what_stays() -> None:
    torch.manual_seed(0)
    values = torch.randn(33, 7, requires_grad=True)

    out = Dropout(0.25)(values)
    out.sum().backward()

    assert values.grad is not None
    torch.testing.assert_close(out, values * values.grad)
    assert sorted(set(values.grad.flatten().tolist())) == [0.0, pytest.approx(4 / 3, rel=1e-3)]


def test_all_stays_in_evaluation_and_without_a_share() -> None:
    values = torch.randn(5, 3)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)
    assert not Dropout(1.0)(values).any()


def test_the_same_bits_from_the_same_seed() -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(Dropout(0.5)(torch.ones(101)))
    assert torch.equal(*found)


def test_only_plain_dropout_is_quickened() -> None:
    net = nn.Sequential(nn.Dropout(0.1), nn.Dropout1d(0.1), nn.AlphaDropout(0.1))
    quicken(net)
    assert [type(layer) for layer in net] == [Dropout, nn.Dropout1d, nn.AlphaDropout]

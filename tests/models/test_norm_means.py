"""The means of batch norms go as far as those of the weights do."""

import pytest
import torch
from torch import nn

from pipeline.models.norm_means import NormMeans


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LayerNorm(3))


def test_the_mean_goes_a_share_of_the_way() -> None:
    made = network()
    means = NormMeans(made)

    made[1].running_mean.fill_(4.0)  # type: ignore[index]
    means.follow(0.0)
    stayed = means.means["1.running_mean"].clone()
    means.follow(0.25)

    assert stayed.tolist() == [0, 0, 0]
    assert means.means["1.running_mean"].tolist() == pytest.approx([1, 1, 1])
    assert means.means["1.running_var"].tolist() == [1, 1, 1]
    assert list(means.means) == ["1.running_mean", "1.running_var"]


def test_what_a_checkpoint_kept_is_taken_back() -> None:
    made = network()
    means = NormMeans(made)
    made[1].running_var.fill_(3.0)  # type: ignore[index]
    means.follow(0.5)
    other = NormMeans(network())

    other.load(means.means)

    assert torch.equal(other.means["1.running_var"], torch.full((3,), 2.0))


def test_a_network_without_norms_has_none() -> None:
    means = NormMeans(nn.Linear(2, 2))

    means.follow(0.5)

    assert means.means == {}

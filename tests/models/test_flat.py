"""Flat weights: steps as if each tensor were stepped by itself, and a state that goes on."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.choices.optimization import OptimizerSettings
from pipeline.models.flat import FlatWeights
from pipeline.models.optimizers import optimizer_of

KINDS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2))


def settings(kind: str, **others: Any) -> OptimizerSettings:
    return OptimizerSettings.model_validate({"kind": kind, "learning_rate": 0.1, **others})


def loss(net: nn.Module, step: int) -> Tensor:
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return nn.functional.cross_entropy(3 * net(rows), (rows[:, 0] > 0).long())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("others", [{}, {"decayed": "weights"}, {"l1": 0.01, "gradient_norm": 0.05}])
def test_steps_are_those_of_the_optimizer_over_separate_tensors(kind: str, others: dict[str, Any]) -> None:
    plain, flattened, chosen = network(), network(), settings(kind, **others)
    optimizer, flat = optimizer_of(plain, chosen), FlatWeights(optimizer_of(flattened, chosen))

    for step in range(10):
        rate = 0.1 / (step + 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss(plain, step).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(plain.parameters(), chosen.gradient_norm or float("inf"))
        optimizer.step()
        loss(flattened, step).backward()  # type: ignore[no-untyped-call]
        flat.step(rate=rate, norm=chosen.gradient_norm, share=1.0)

    for one, other in zip(plain.parameters(), flattened.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_means_are_those_of_the_weights_and_all_else_stands_as_it_is() -> None:
    net = nn.Sequential(linear := nn.Linear(2, 2), nn.BatchNorm1d(2))
    linear.bias.requires_grad_(False)
    flat = FlatWeights(optimizer_of(net, settings("sgd", weight_decay=0)))
    first = {name: value.clone() for name, value in net.state_dict().items()}
    net(torch.randn(4, 2)).square().sum().backward()

    flat.step(rate=0.1, norm=None, share=0.25)

    means, now = flat.means(net), net.state_dict()
    expected = first["0.weight"] + 0.25 * (now["0.weight"] - first["0.weight"])
    torch.testing.assert_close(means["0.weight"], expected)
    assert set(means) == set(now)
    for name in ("0.bias", "1.running_mean", "1.num_batches_tracked"):
        assert torch.equal(means[name], now[name])


def test_attached_again_gradients_arrive_after_they_were_set_to_none() -> None:
    net = network()
    layer = net[0]
    assert isinstance(layer, nn.Linear)
    flat = FlatWeights(optimizer_of(net, settings("adamw")))
    net.zero_grad(set_to_none=True)
    before = layer.weight.detach().clone()

    flat.attach()
    loss(net, 0).backward()  # type: ignore[no-untyped-call]

    assert flat.gradient_norm() > 0
    flat.step(rate=0.1, norm=None, share=1.0)
    assert not torch.equal(before, layer.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_from_its_tensors_another_goes_on_with_the_same_bits(kind: str) -> None:
    nets = [network(), network()]
    one, other = (FlatWeights(optimizer_of(net, settings(kind, decayed="weights"))) for net in nets)
    for step in range(6):
        if step == 3:
            other.load({name: tensor.clone() for name, tensor in one.tensors().items()})
        for net, flat in zip(nets, (one, other), strict=True):
            if net is nets[0] or step >= 3:
                loss(net, step).backward()  # type: ignore[no-untyped-call]
                flat.step(rate=0.01, norm=1.0, share=0.1)

    assert one.tensors().keys() == other.tensors().keys()
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())

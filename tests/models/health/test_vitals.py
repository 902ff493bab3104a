"""Vitals: gradients and steps by layer are those of autograd and the optimiser, units are heard once."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from pipeline.models.flat import FlatWeights
from pipeline.models.health.vitals import Vitals, answered, layer_of


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh())


def linear(made: nn.Sequential, place: int) -> nn.Linear:
    found = made[place]
    assert isinstance(found, nn.Linear)
    return found


def watched(batches: int) -> tuple[nn.Sequential, FlatWeights, Vitals]:
    made = network()
    flat = FlatWeights(torch.optim.SGD(made.parameters(), lr=1.0))
    return made, flat, Vitals(made, flat, batches)


def step(made: nn.Module, flat: FlatWeights, vitals: Vitals, number: int) -> None:
    made(torch.ones(2, 3)).square().sum().backward()
    with vitals.around() if vitals.due(number) else nullcontext():
        vitals.norms.append(flat.step(rate=0.1, norm=1e-3, share=1.0))


def test_a_layer_has_the_norms_of_its_weights_and_of_their_step() -> None:
    made, flat, vitals = watched(batches=1)
    plain = network()
    plain(torch.ones(2, 3)).square().sum().backward()
    gradient = torch.stack([p.grad.norm() for p in plain[0].parameters() if p.grad is not None]).norm()
    weight = torch.stack([p.norm() for p in plain[0].parameters()]).norm()

    step(made, flat, vitals, 0)

    first, last = vitals.layers()
    moved = torch.stack([(a - b).norm() for a, b in zip(made[0].parameters(), plain[0].parameters(), strict=True)])
    assert (first.name, last.name) == ("0", "2")
    assert first.gradient == pytest.approx(gradient.item(), rel=1e-3)
    assert first.update == pytest.approx((moved.norm() / weight).item(), rel=1e-2)


def test_layers_are_looked_at_in_the_last_step_alone_and_norms_in_all() -> None:
    made, flat, vitals = watched(batches=3)

    for number in range(2):
        step(made, flat, vitals, number)
    assert vitals.layers() == []
    step(made, flat, vitals, 2)

    assert len(vitals.layers()) == 2
    assert len(vitals.norms) == 3
    assert vitals.gradients() is not None
    assert vitals.gradients() is None


def test_a_layer_of_zeros_has_no_share_by_which_it_moved() -> None:
    made, flat, vitals = watched(batches=1)
    with torch.no_grad():
        flat.groups[0].value_P.zero_()
        linear(made, 2).bias.fill_(0.5)

    step(made, flat, vitals, 0)

    assert [layer.update is None for layer in vitals.layers()] == [True, False]


def test_units_are_heard_once_and_then_no_hook_is_left() -> None:
    made, _, vitals = watched(batches=1)
    with torch.no_grad():
        linear(made, 0).bias[:] = torch.tensor([-100.0, -100.0, -100.0, 100.0])
        linear(made, 2).bias[:] = 100.0
    vitals.listen(made)

    made(torch.ones(5, 3))
    with torch.no_grad():
        linear(made, 0).bias[:] = 100.0
    made(torch.ones(5, 3))
    vitals.hush()

    relu, tanh = vitals.activations()
    assert (relu.kind, relu.dead, relu.saturated) == ("ReLU", 0.75, None)
    assert (tanh.kind, tanh.saturated, tanh.dead) == ("Tanh", 1.0, None)
    assert all(not module._forward_hooks for module in made.modules())


@pytest.mark.parametrize(("module", "shape"), [(nn.ReLU(), (6, 4)), (nn.GELU(), (6, 3, 4)), (nn.ReLU(), (6, 4, 2, 2))])
def test_a_unit_is_a_place_or_a_channel(module: nn.Module, shape: tuple[int, ...]) -> None:
    output = torch.zeros(shape)
    output.select(1 if len(shape) == 4 else -1, 0).fill_(1.0)

    scale, dead = answered(module, output).tolist()

    assert dead == 0.75
    assert scale == pytest.approx(0.5)


def test_what_the_steps_had_goes_on_from_its_tensors() -> None:
    made, flat, vitals = watched(batches=9)
    step(made, flat, vitals, 0)
    other = Vitals(made, flat, 9)

    other.load(vitals.tensors())

    assert other.gradients() == vitals.gradients()
    assert Vitals(made, flat, 9).tensors() == {}


def test_modules_side_by_side_are_one_layer() -> None:
    tables = nn.ModuleDict({"features": nn.ModuleDict({"tables": nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])})})

    names = {layer_of(tables, name) for name, _ in tables.named_parameters()}

    assert names == {"features.tables"}

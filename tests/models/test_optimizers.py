"""Optimisers by their first steps, computed by hand; schedules beside PyTorch's own; means and mixup."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.models.choices.optimization import (
    PLAIN,
    AveragingSettings,
    OptimizerSettings,
    ScheduleSettings,
)
from pipeline.models.optimizers import (
    average_weight,
    factor,
    mixed,
    mixing,
    optimizer_of,
    parameter_groups,
    partner,
    plateau,
)

KINDS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]


class Scalar(nn.Module):
    """One weight, 2.0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0]]))


def stepped(gradients: list[float], **settings: Any) -> float:
    """The weight after these gradients at a rate of 0.1, without decay where none is asked."""
    network = Scalar()
    optimizer = optimizer_of(network, OptimizerSettings(**{"learning_rate": 0.1, "weight_decay": 0.0, **settings}))
    for gradient in gradients:
        network.weight.grad = torch.tensor([[gradient]])
        optimizer.step()
    return network.weight.item()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "sgd"}, 2 - 0.1 * (0.5 + 1.0)),
        ({"kind": "momentum"}, 2 - 0.1 * (0.5 + (0.9 * 0.5 + 1.0))),
        ({"kind": "nesterov"}, 2 - 0.1 * ((0.5 + 0.9 * 0.5) + (1.0 + 0.9 * (0.9 * 0.5 + 1.0)))),
        (
            {"kind": "rmsprop", "momentum": 0.0},
            2 - 0.1 * (0.5 / 0.01**0.5 / 0.5 + 1 / (0.99 * 0.01 * 0.25 + 0.01) ** 0.5),
        ),
        ({"kind": "sgd", "weight_decay": 0.1}, 1.93 - 0.1 * (1.0 + 0.1 * 1.93)),
        ({"kind": "sgd", "l1": 0.2}, 2 - 0.1 * (0.5 + 0.2 + 1.0 + 0.2)),
    ],
)
def test_two_steps_are_those_of_the_formula(settings: dict[str, Any], expected: float) -> None:
    assert stepped([0.5, 1.0], **settings) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gradient", [0.001, 70.0])
def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient(gradient: float) -> None:
    assert stepped([gradient], kind="adam") == pytest.approx(2 - 0.1, abs=1e-4)  # Kingma & Ba 2015, section 2.1


def test_decay_of_adamw_is_not_of_the_gradient() -> None:
    assert stepped([1.0], kind="adamw", weight_decay=0.5) == pytest.approx(2 * (1 - 0.1 * 0.5) - 0.1, abs=1e-6)
    assert stepped([1.0], kind="adam", weight_decay=0.5) == pytest.approx(2 - 0.1, abs=1e-6)


def test_l1_brings_weights_to_nothing_that_l2_only_makes_smaller() -> None:
    def after(**settings: Any) -> float:
        return abs(stepped([0.0] * 250, kind="sgd", **settings))

    assert after(l1=0.1) < 0.011
    assert after(weight_decay=0.05) > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimiser_learns_and_gives_the_same_weights_twice(kind: Any) -> None:
    def trained() -> tuple[float, Tensor]:
        torch.manual_seed(0)
        network, x_BD = nn.Linear(3, 1), torch.randn(64, 3)
        optimizer = optimizer_of(network, OptimizerSettings(kind=kind, learning_rate=0.02))
        for _ in range(200):
            optimizer.zero_grad()
            loss = (network(x_BD)[:, 0] - x_BD[:, 0]).square().mean()
            loss.backward()
            optimizer.step()
        return loss.item(), network.weight.detach()

    (loss, weights), (_, again) = trained(), trained()

    assert loss < 0.05
    assert torch.equal(weights, again)


class Mixed(nn.Module):
    """One of each kind of weight."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.embedding = nn.Linear(2, 2), nn.Embedding(3, 2)
        self.norm, self.batch_norm = nn.LayerNorm(2), nn.BatchNorm1d(2)


def test_biases_norms_and_embeddings_do_not_decay_where_only_weights_are_to() -> None:
    network = Mixed()

    decayed, spared = parameter_groups(network, PLAIN._replace(decayed="weights"))
    (everything,) = parameter_groups(network, PLAIN)

    assert [id(p) for p in decayed["params"]] == [id(network.linear.weight)]
    assert spared["weight_decay"] == 0
    assert len(spared["params"]) == 6
    assert len(everything["params"]) == 7


def test_what_is_frozen_is_not_stepped() -> None:
    network = Mixed()
    network.embedding.requires_grad_(False)

    (group,) = parameter_groups(network, PLAIN)

    assert id(network.embedding.weight) not in {id(p) for p in group["params"]}


def test_l1_is_of_what_decays() -> None:
    network = nn.Linear(1, 1)
    nn.init.ones_(network.weight)
    nn.init.ones_(network.bias)
    settings = OptimizerSettings(kind="sgd", learning_rate=0.1, weight_decay=0, l1=1.0, decayed="weights")
    network(torch.zeros(1, 1)).sum().mul(0).backward()

    optimizer_of(network, settings).step()

    assert network.weight.item() == pytest.approx(0.9)
    assert network.bias.item() == 1


def test_what_is_not_set_is_what_the_backbones_paper_used() -> None:
    transformer = OptimizerSettings().pace("ft_transformer")

    assert (transformer.learning_rate, transformer.weight_decay, transformer.decayed) == (1e-4, 1e-5, "weights")
    assert OptimizerSettings(learning_rate=0.5).pace("ft_transformer").learning_rate == 0.5
    assert OptimizerSettings().pace("mlp") == PLAIN


def schedule(steps: int = 100, **settings: Any) -> np.ndarray:
    return np.array([factor(step, steps, ScheduleSettings(**settings)) for step in range(steps + 1)])


def test_the_rate_warms_up_then_falls_to_nothing() -> None:
    factors = schedule(warmup_share=0.1)

    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert factors[10] == 1
    assert (np.diff(factors[10:]) < 0).all()
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)


def test_a_line_and_a_constant_are_that_after_warm_up() -> None:
    assert schedule(kind="linear", warmup_share=0.1)[10:] == pytest.approx(np.linspace(1, 0, 91))
    assert schedule(kind="constant", warmup_share=0.1)[9:] == pytest.approx(1)
    assert schedule(kind="plateau", warmup_share=0.1)[9:] == pytest.approx(1)


def test_one_cycle_is_that_of_pytorch() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=1000, pct_start=0.3, cycle_momentum=False)
    expected = []
    for _ in range(1000):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        if len(expected) < 1000:
            theirs.step()

    found = schedule(1000, kind="one_cycle", warmup_share=0.3)[:1000]

    assert found == pytest.approx(expected, abs=0.005)  # theirs is at its highest a step earlier
    assert found.argmax() in (299, 300)


@pytest.mark.parametrize("kind", ["cosine", "one_cycle", "linear", "constant", "plateau"])
@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_short_training_has_a_rate_all_the_same(kind: Any, steps: int, share: float) -> None:
    factors = schedule(steps + 2, kind=kind, warmup_share=share)

    assert ((factors >= 0) & (factors <= 1)).all()
    assert factors.max() > 0.4


def test_the_plateau_is_that_of_pytorch() -> None:
    losses = [1.0, 0.5, 0.49999, 0.6, 0.7, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.39, 0.5, 0.5]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    settings = ScheduleSettings(kind="plateau", plateau_factor=0.5, plateau_patience=1)

    for place, loss in enumerate(losses):
        theirs.step(loss)
        assert plateau(losses[: place + 1], settings) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert plateau(losses, settings) < 0.1
    assert plateau(losses, ScheduleSettings()) == 1


def averaged(values: np.ndarray, **settings: Any) -> float:
    mean = 0.0
    for step, value in enumerate(values):
        mean += (value - mean) * average_weight(step, len(values), 10, AveragingSettings(**settings))
    return mean


def test_the_mean_of_swa_is_that_of_the_last_quarter() -> None:
    values = np.random.default_rng(0).normal(size=200)

    assert averaged(values, kind="swa") == pytest.approx(values[150:].mean())
    assert averaged(values, kind="swa", start_share=0) == pytest.approx(values.mean())
    assert averaged(values, kind="none") == pytest.approx(values[-1])


def test_the_exponential_mean_forgets_with_its_horizon() -> None:
    values = np.zeros(200)
    values[100] = 1.0

    assert averaged(values, epochs=2.0) == pytest.approx((1 / 20) * (19 / 20) ** 99)
    assert averaged(np.full(9, 3.0)) == pytest.approx(3)


def test_mixing_is_the_larger_part_and_of_the_epoch_alone() -> None:
    share_S = mixing(3, 4000, alpha=0.3, seed=7)

    larger = np.random.default_rng(0).beta(0.3, 0.3, 200_000)
    assert torch.equal(share_S, mixing(3, 4000, alpha=0.3, seed=7))
    assert not torch.equal(share_S, mixing(4, 4000, alpha=0.3, seed=7))
    assert share_S.min() >= 0.5
    assert share_S.mean().item() == pytest.approx(np.maximum(larger, 1 - larger).mean(), abs=0.01)


def test_decimals_are_mixed_with_the_row_before_and_codes_are_not() -> None:
    inputs = {"dense": torch.tensor([[0.0], [1.0], [3.0]]), "codes": torch.tensor([[1], [2], [3]])}

    found = mixed(inputs, 0.75)

    assert found["dense"].flatten().tolist() == pytest.approx([0.75, 0.75, 2.5])
    assert torch.equal(found["codes"], inputs["codes"])
    assert partner(torch.tensor([10, 11, 12])).tolist() == [12, 10, 11]

"""Classes in an order: probabilities that are some, from the shares of train, and the losses that are made of them."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor

from pipeline.features.target import Ordinal, Quantiles, Tags
from pipeline.models.choices.optimization import LossSettings
from pipeline.models.heads import InOrder
from pipeline.models.losses import loss_of

SHARES = [0.1, 0.6, 0.05, 0.25]
GRADES = Ordinal(column="y", classes=["a", "b", "c", "d"], shares=SHARES)


def drawn(rows: int = 50, members: int = 2, width: int = 3, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(rows, members, width, generator=torch.Generator().manual_seed(0))


def test_it_starts_from_the_shares_of_train() -> None:
    assert InOrder(GRADES.levels)(torch.zeros(1, 1, 3)).exp().flatten().tolist() == pytest.approx(SHARES, rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_outputs_are_logarithms_of_probabilities_whatever_comes(scale: float) -> None:
    log_p = InOrder(GRADES.levels)(drawn(scale=scale).requires_grad_())

    assert torch.isfinite(log_p).all()
    assert log_p.double().exp().sum(dim=-1).detach().numpy() == pytest.approx(1.0, abs=1e-4)


def test_gradients_are_finite_far_out() -> None:
    outputs = drawn(scale=200.0).requires_grad_()

    InOrder(GRADES.levels)(outputs).sum().backward()

    assert outputs.grad is not None and torch.isfinite(outputs.grad).all()


def test_they_are_differences_of_cumulative_logits() -> None:
    raw = drawn(members=1)
    head = InOrder(GRADES.levels)

    gaps = np.log1p(np.exp(raw[:, 0, 1:].double().numpy() + head.gap_U.double().numpy()))
    first = raw[:, 0, :1].double().numpy() + head.first.double().numpy()
    above = expit(np.hstack([first, first - gaps.cumsum(axis=1)]))
    expected = -np.diff(np.hstack([np.ones((50, 1)), above, np.zeros((50, 1))]), axis=1)

    assert head(raw)[:, 0].exp().numpy() == pytest.approx(expected, abs=1e-5)


def test_coral_is_the_sum_of_binary_cross_entropies() -> None:
    log_p, rank_B = InOrder(GRADES.levels)(drawn(members=1)), torch.arange(50) % 4
    above_BT = log_p[:, 0].double().exp().flip(1).cumsum(1).flip(1)[:, 1:].numpy()
    truth_BT = rank_B.numpy()[:, None] > np.arange(3)

    loss = loss_of(GRADES, LossSettings(kind="coral"), torch.ones(4))(log_p, rank_B)

    expected = -np.where(truth_BT, np.log(above_BT), np.log1p(-above_BT)).sum(axis=1).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_the_plain_loss_of_classes_in_an_order_is_minus_the_logarithm_of_the_true_one() -> None:
    log_p, rank_B = InOrder(GRADES.levels)(drawn(members=1)), torch.arange(50) % 4

    loss = loss_of(GRADES, LossSettings(), torch.ones(4))(log_p, rank_B)

    assert float(loss) == pytest.approx(float(-log_p[torch.arange(50), 0, rank_B].mean()), rel=1e-4)


def test_tags_weigh_as_asked_and_members_are_right_by_themselves() -> None:
    tags = Tags(column="y", written=";", classes=["a", "b"], rare=[])
    outputs, held = drawn(width=2), (torch.arange(100) % 3 == 0).float().view(50, 2)
    weight_K = torch.tensor([3.0, 1.0])

    loss = loss_of(tags, LossSettings(), weight_K)

    p = outputs.double().sigmoid()
    truth = held[:, None].double()
    expected = -(weight_K.double() * truth * p.log() + (1 - truth) * (1 - p).log()).mean()
    assert float(loss(outputs, held)) == pytest.approx(float(expected), rel=1e-5)


def test_each_quantile_has_its_own_pinball() -> None:
    target = Quantiles(column="y", center=0.0, scale=1.0, quantiles=[0.1, 0.5, 0.9])
    value_B = torch.linspace(-2, 2, 50)
    outputs = drawn()

    loss = loss_of(target, LossSettings(), torch.ones(3))(outputs, value_B)

    error = value_B.view(50, 1, 1) - outputs
    q = torch.tensor(target.quantiles)
    assert float(loss) == pytest.approx(float(torch.where(error > 0, q * error, (q - 1) * error).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("quantiles", "said"),
    [([0.9, 0.5], "must rise"), ([0.1, 0.9], "with 0.5 among them"), ([0.0, 0.5], "within 0 to 1")],
)
def test_quantiles_that_cannot_be_are_refused(quantiles: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LossSettings(quantiles=tuple(quantiles))


def test_quantiles_have_their_own_loss() -> None:
    with pytest.raises(ValueError, match="found by pinball, not by mse"):
        LossSettings(kind="mse", quantiles=(0.1, 0.5))

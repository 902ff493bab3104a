"""Losses against numbers from outside, members each right by themselves, and focal loss taken back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import huber
from sklearn.metrics import log_loss, mean_absolute_error, mean_pinball_loss, mean_squared_error
from torch import Tensor
from torch.nn import functional

from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Quantity
from pipeline.models.choices.optimization import LossSettings
from pipeline.models.losses import CrossEntropy, Focal, loss_of, unfocused

CLASSES = Classes(column="y", classes=["a", "b", "c"])
PRICE = Quantity(column="price", center=0.0, scale=1.0)
WEIGHT_K = torch.tensor([0.5, 1.0, 3.0])


def outputs(rows: int = 40, members: int = 1, width: int = 3) -> Tensor:
    return torch.randn(rows, members, width, generator=torch.Generator().manual_seed(0))


def labels(rows: int = 40) -> Tensor:
    return torch.randint(3, (rows,), generator=torch.Generator().manual_seed(1))


def values(rows: int = 40) -> Tensor:
    return 3 * torch.randn(rows, generator=torch.Generator().manual_seed(2))


def of_classes(**settings: Any) -> torch.nn.Module:
    return loss_of(CLASSES, LossSettings(**settings), WEIGHT_K)


def test_one_member_has_the_very_bits_of_pytorchs_cross_entropy() -> None:
    expected = functional.cross_entropy(outputs()[:, 0], labels(), weight=WEIGHT_K)

    assert torch.equal(of_classes()(outputs(), labels()), expected)


def test_cross_entropy_is_the_weighted_log_loss() -> None:
    p_NK = outputs()[:, 0].double().softmax(dim=1).numpy()

    expected = log_loss(labels(), p_NK, sample_weight=WEIGHT_K[labels()].numpy())

    assert float(of_classes()(outputs(), labels())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("settings", [{}, {"kind": "focal"}, {"label_smoothing": 0.1}])
def test_the_loss_is_the_mean_of_the_members(settings: dict[str, Any]) -> None:
    out_BMK, loss = outputs(members=4), of_classes(**settings)

    alone = [float(loss(out_BMK[:, [m]], labels())) for m in range(4)]

    assert float(loss(out_BMK, labels())) == pytest.approx(np.mean(alone), rel=1e-5)
    assert max(alone) - min(alone) > 0.01


def test_members_are_right_by_themselves_and_not_in_the_mean() -> None:
    apart = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]])  # their mean is undecided, each is sure

    assert float(of_classes()(apart, torch.tensor([0]))) > 4


def test_smoothing_spreads_the_truth_over_all_classes() -> None:
    loss = loss_of(CLASSES, LossSettings(label_smoothing=0.3), torch.ones(3))
    out_BMK = torch.tensor([[[1.0, 0.0, -1.0]]])

    log_p = np.log(np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum())
    expected = -(0.8 * log_p[0] + 0.1 * log_p[1] + 0.1 * log_p[2])

    assert float(loss(out_BMK, torch.tensor([0]))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("p", "times_less"), [(0.9, 100), (0.968, 1000)])
def test_focal_counts_rows_that_are_answered_well_as_little_as_its_paper_says(p: float, times_less: float) -> None:
    out_BMK = torch.tensor([[[p, 1 - p]]], dtype=torch.float64).log()  # Lin et al. 2017, section 3.2

    plain = CrossEntropy(torch.ones(2).double())(out_BMK, torch.tensor([0]))
    focal = Focal(torch.ones(2).double(), gamma=2)(out_BMK, torch.tensor([0]))

    assert float(plain / focal) == pytest.approx(times_less, rel=0.03)


def test_focal_without_gamma_is_cross_entropy() -> None:
    focal = of_classes(kind="focal", focal_gamma=0)

    assert float(focal(outputs(), labels())) == pytest.approx(float(of_classes()(outputs(), labels())), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_slope_where_a_row_is_surely_right(gamma: float) -> None:
    out_BMK = torch.tensor([[[200.0, 0.0]]], requires_grad=True)

    Focal(torch.ones(2), gamma)(out_BMK, torch.tensor([0])).backward()

    assert out_BMK.grad is not None
    assert out_BMK.grad.isfinite().all()


def test_the_offset_is_added_in_the_loss() -> None:
    offset_K = torch.tensor([1.0, -2.0, 0.5])

    shifted = loss_of(CLASSES, LossSettings(), WEIGHT_K, offset_K)(outputs(), labels())

    assert torch.equal(shifted, of_classes()(outputs() + offset_K, labels()))


@pytest.mark.parametrize("kind", ["cross_entropy", "focal"])
def test_val_weighs_as_much_as_train_is_seen(kind: Any) -> None:
    loss = loss_of(CLASSES, LossSettings(kind=kind), torch.ones(3), drawn_K=torch.tensor([1.0, 1.0, 3.0]))
    thrice = torch.cat([labels(), labels()[labels() == 2], labels()[labels() == 2]])
    out_BMK = torch.cat([outputs(), outputs()[labels() == 2], outputs()[labels() == 2]])

    taught, judged = float(loss(out_BMK, thrice)), float(loss.eval()(outputs(), labels()))

    assert judged == pytest.approx(taught, rel=1e-5)
    assert judged != pytest.approx(float(loss.train()(outputs(), labels())), rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, mean_squared_error),
        ({"kind": "mae"}, mean_absolute_error),
        ({"kind": "huber", "huber_delta": 0.7}, lambda true, told: huber(0.7, true - told).mean()),
        ({"kind": "pinball", "quantile": 0.9}, lambda true, told: mean_pinball_loss(true, told, alpha=0.9)),
    ],
)
def test_losses_of_a_quantity_are_those_of_scikit_learn_and_scipy(settings: dict[str, Any], expected: Any) -> None:
    loss = loss_of(PRICE, LossSettings(**settings), torch.ones(1))
    told_BMK = outputs(width=1)

    found = float(loss(told_BMK, values()))

    assert found == pytest.approx(expected(values().double().numpy(), told_BMK[:, 0, 0].double().numpy()), rel=1e-5)


@pytest.mark.parametrize("kind", ["mse", "mae", "huber", "pinball"])
def test_of_a_quantity_too_members_are_right_by_themselves(kind: Any) -> None:
    loss, told_BMK = loss_of(PRICE, LossSettings(kind=kind), torch.ones(1)), outputs(members=3, width=1)

    alone = [float(loss(told_BMK[:, [m]], values())) for m in range(3)]

    assert float(loss(told_BMK, values())) == pytest.approx(np.mean(alone), rel=1e-5)


def test_pinball_is_least_at_the_quantile() -> None:
    loss = loss_of(PRICE, LossSettings(kind="pinball", quantile=0.8), torch.ones(1))
    true_B = torch.arange(101.0)

    at = [float(loss(torch.full((101, 1, 1), told), true_B)) for told in (70.0, 80.0, 90.0)]

    assert min(at) == at[1]


def test_bce_is_pytorchs_of_the_difference_of_two_outputs() -> None:
    two, out_BMK, class_B = Classes(column="y", classes=["no", "yes"]), outputs(width=2), labels() % 2
    difference_B = out_BMK[:, 0, 1] - out_BMK[:, 0, 0]

    loss = loss_of(two, LossSettings(kind="bce"), torch.ones(2))(out_BMK, class_B)

    expected = functional.binary_cross_entropy_with_logits(difference_B, class_B.float())
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("target", "wrong", "said"),
    [
        (CLASSES, "mse", "y, which is of 3 classes; use one of: cross_entropy, focal"),
        (CLASSES, "bce", "y, which is of 3 classes; use one of: cross_entropy, focal"),
        (PRICE, "focal", "price, which is a quantity; use one of: mse, mae, huber, pinball"),
    ],
)
def test_a_loss_of_another_target_is_refused(target: Classes | Quantity, wrong: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"train\.loss\.kind: {wrong} is no loss of {said}"):
        loss_of(target, LossSettings(kind=wrong), torch.ones(target.outputs))


def test_smoothing_of_another_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="label_smoothing is of cross_entropy, not of focal"):
        LossSettings(kind="focal", label_smoothing=0.1)


def least_focal_risk(p_K: Sequence[float], gamma: float) -> np.ndarray:
    """The probabilities that make focal loss least where the classes truly have `p_K`, found by scipy."""

    def risk(out_K: np.ndarray) -> float:
        q_K = np.exp(out_K) / np.exp(out_K).sum()
        return float(-(np.array(p_K) * (1 - q_K) ** gamma * np.log(q_K)).sum())

    out_K = minimize(risk, np.zeros(len(p_K)), tol=1e-12).x
    found: np.ndarray = np.exp(out_K) / np.exp(out_K).sum()
    return found


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("p_K", [[0.5, 0.5], [0.95, 0.05], [0.7, 0.2, 0.1]])
def test_what_focal_loss_taught_becomes_the_true_probabilities(p_K: list[float], gamma: float) -> None:
    taught_K = least_focal_risk(p_K, gamma)

    p_again = unfocused(torch.from_numpy(taught_K).log(), gamma).softmax(dim=0)

    assert p_again.tolist() == pytest.approx(p_K, abs=1e-4)
    assert max(p_K) == min(p_K) or abs(taught_K.max() - max(p_K)) > 0.02  # it was wrong before


def test_unfocused_outputs_are_numbers_however_sure_the_network_is() -> None:
    sure = torch.tensor([[800.0, 0.0], [0.0, 800.0], [40.0, 0.0]])

    again = unfocused(sure, 2.0).softmax(dim=1)

    assert again.isfinite().all()
    assert again.argmax(dim=1).tolist() == [0, 1, 0]


def test_without_gamma_the_probabilities_stay() -> None:
    assert torch.allclose(unfocused(outputs(), 0.0).softmax(dim=-1), outputs().double().softmax(dim=-1))

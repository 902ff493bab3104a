"""The losses that are there for nothing: those of scikit-learn's constant and linear models on the same rows."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from torch.nn import functional

from pipeline.models.health.trivial import constant_loss, linear_loss
from pipeline.models.losses import CrossEntropy, QuantityLoss

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(400, 3)).astype(np.float32)
NOISY = VALUES[:, 0] - 0.5 * VALUES[:, 1] + RANDOM.normal(size=400)


def test_of_classes_they_are_those_of_the_shares_and_of_logistic_regression() -> None:
    label_N = (NOISY > 0.7).astype(np.int64)
    loss, target = CrossEntropy(torch.ones(2)), torch.from_numpy(label_N)

    model = LogisticRegression(C=1e6).fit(VALUES, label_N)

    shares = np.full(400, label_N.mean())
    assert constant_loss(loss, target, 2) == pytest.approx(log_loss(label_N, shares), abs=1e-5)
    expected = log_loss(label_N, model.predict_proba(VALUES))
    assert linear_loss(loss, torch.from_numpy(VALUES), target, 2) == pytest.approx(expected, abs=2e-3)


def test_of_a_quantity_they_are_its_variance_and_that_of_the_residuals() -> None:
    target = torch.from_numpy(NOISY.astype(np.float32))
    loss = QuantityLoss(functional.mse_loss)
    residual_N = NOISY - LinearRegression().fit(VALUES, NOISY).predict(VALUES)

    assert constant_loss(loss, target, 1) == pytest.approx(NOISY.var(), rel=1e-4)
    assert linear_loss(loss, torch.from_numpy(VALUES), target, 1) == pytest.approx((residual_N**2).mean(), rel=2e-3)


@pytest.mark.parametrize("values", [VALUES[:, :0], VALUES[:14], np.full((400, 2), 3.0), VALUES * np.inf])
def test_without_values_or_rows_enough_there_is_no_line(values: np.ndarray) -> None:
    target = torch.from_numpy(NOISY[: len(values)].astype(np.float32))

    assert linear_loss(QuantityLoss(functional.mse_loss), torch.from_numpy(values).float(), target, 1) is None

"""What a part's own shares or mean would lose."""

import numpy as np
import pytest

from pipeline.features.target import Classes, Quantiles, Quantity, Tags, Target
from pipeline.judgement.blind import SHRUNK, Blind
from pipeline.judgement.loss import losses

PART_N = np.repeat([0, 1], 5000)
RANDOM = np.random.default_rng(0)
YES_N = (RANDOM.uniform(size=10_000) < np.where(PART_N, 0.8, 0.1)).astype(np.int64)
VALUE_N = RANDOM.normal(np.where(PART_N, 50.0, 10.0), 2.0)
CASES: list[tuple[Target, np.ndarray, np.ndarray]] = [
    (Classes(column="y", classes=["a", "b"]), YES_N, np.array([[0.9, 0.1], [0.2, 0.8]])),
    (Tags(column="y", written=";", classes=["a"], rare=[]), YES_N[:, None] > 0, np.array([[0.1], [0.8]])),
    (Quantity(column="y", center=0, scale=1), VALUE_N, np.array([[10.0], [50.0]])),
    (
        Quantiles(column="y", center=0, scale=1, quantiles=[0.1, 0.5, 0.9]),
        VALUE_N,
        np.array([[10.0], [50.0]]) + 2.0 * np.array([-1.2816, 0.0, 1.2816]),
    ),
]


@pytest.mark.parametrize(("target", "y_N", "told_PK"), CASES, ids=[target.kind for target, _, _ in CASES])
def test_it_is_the_loss_of_one_answer_to_all_rows_of_a_part(
    target: Target, y_N: np.ndarray, told_PK: np.ndarray
) -> None:
    alone_N = Blind(target=target, y_N=y_N).losses(PART_N, 2)

    by_hand_N = losses(target, y_N, told_PK[PART_N])

    for part in (0, 1):
        assert alone_N[part == PART_N].mean() == pytest.approx(by_hand_N[part == PART_N].mean(), rel=0.03)


def test_few_rows_are_told_with_some_of_all() -> None:
    y_N = np.array([1] + [0] * 99)
    part_N = np.array([0] + [1] * 99)

    alone_N = Blind(target=CASES[0][0], y_N=y_N).losses(part_N, 2)

    assert alone_N[0] == pytest.approx(-np.log((1 + SHRUNK * 0.01) / (1 + SHRUNK)))


def test_some_rows_alone_are_told_by_themselves() -> None:
    blind = Blind(target=CASES[2][0], y_N=np.array([1.0, 1.0, 9.0, 9.0]))

    assert blind.take(np.array([2, 3])).losses(np.array([0, 0]), 1).tolist() == [0.0, 0.0]


def test_of_a_forecast_it_is_the_last_value_whatever_the_part() -> None:
    blind = Blind(target=CASES[2][0], y_N=np.zeros((3, 2)), last_N=np.array([1.0, 2.0, 3.0]))

    assert blind.take(np.array([True, False, True])).losses(np.array([0, 1]), 2).tolist() == [1.0, 3.0]

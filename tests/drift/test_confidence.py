import numpy as np
import pytest

from pipeline import metrics
from pipeline.drift.confidence import Confidence
from pipeline.drift.direct_loss import DirectLoss
from pipeline.metrics import Metric

RANDOM = np.random.default_rng(0)


def rows(count: int, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a model that is too sure of itself."""
    z_N = RANDOM.normal(mean, 1.5, count)
    y_N = (RANDOM.random(count) < 1 / (1 + np.exp(-z_N))).astype(np.int64)
    p_N = 1 / (1 + np.exp(-2 * z_N))
    return y_N, np.stack([1 - p_N, p_N], axis=1)


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "f1", "brier", "average_precision"])
def test_the_estimate_of_other_rows_holds_the_metric_that_their_labels_give(metric: Metric) -> None:
    known = Confidence.learn(*rows(3000, 0.0), kind="classes", metric=metric)
    y_N, p_NK = rows(2500, 1.2)

    made = known.estimate(p_NK)

    true = metrics.OF["classes"].each[metric](y_N, p_NK, 0.5, np.ones((1, 2500)))[0]
    assert made.low <= true <= made.high
    assert made.high - made.low < 0.25
    assert made.measured == pytest.approx(made.reference, abs=0.05)


def test_answers_that_turn_out_wrong_widen_the_interval() -> None:
    y_N, p_NK = rows(3000, 0.0)
    late = y_N.copy()
    late[1500:2000] = 1 - late[1500:2000]

    assert Confidence.learn(late, p_NK, kind="classes", metric="auc").spread > 0.05


def test_of_three_classes_the_interval_holds_the_metric_nearly_always() -> None:
    held = 0
    for _ in range(10):
        p_NK = RANDOM.dirichlet([0.5, 0.5, 0.5], 1500)
        y_N = (p_NK.cumsum(axis=1) < RANDOM.random((1500, 1))).sum(axis=1)
        made = Confidence.learn(y_N[:1000], p_NK[:1000], kind="classes", metric="log_loss").estimate(p_NK[1000:])
        true = metrics.OF["classes"].each["log_loss"](y_N[1000:], p_NK[1000:], 0.5, np.ones((1, 500)))[0]
        held += made.low <= true <= made.high

    assert held >= 8


def test_errors_that_grow_with_a_column_are_told_where_it_moves() -> None:
    def drawn(count: int, mean: float) -> tuple[np.ndarray, np.ndarray]:
        x_N = RANDOM.normal(mean, 1, count)
        return np.digitize(x_N, np.linspace(-2, 3, 20))[:, None], RANDOM.normal(0, 1, count) * (1 + np.abs(x_N))

    place_N1, error_N = drawn(4000, 0.0)
    known = DirectLoss.learn(error_N, np.zeros(4000), place_N1, [21], metric="mae")
    place_M1, error_M = drawn(2000, 1.5)

    made = known.estimate(place_M1)

    assert made.low <= np.abs(error_M).mean() <= made.high
    assert made.low > made.reference


def test_both_read_back() -> None:
    known = Confidence.learn(*rows(500, 0.0), kind="classes", metric="auc")

    assert Confidence.model_validate_json(known.model_dump_json()) == known

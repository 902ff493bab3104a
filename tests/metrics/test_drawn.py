"""Curves, calibration and confusion of classes beside scikit-learn's; answers and residuals of a quantity."""

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.metrics import drawn


def test_a_perfect_model_has_its_corner() -> None:
    y_N, p_NK = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])

    assert (0.0, 1.0) in drawn.roc(y_N, p_NK)
    assert (1.0, 1.0) in drawn.precision_recall(y_N, p_NK)


def area(points: list[tuple[float, float]]) -> float:
    x, y = np.array(points).T
    return float(np.trapezoid(y, x))


@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
def test_a_thinned_curve_has_the_area_of_the_whole(noise: float) -> None:
    random = np.random.default_rng(0)
    y_N = random.integers(0, 2, 5000)
    p_N = 1 / (1 + np.exp(-(y_N - 0.5 + noise * random.normal(size=5000))))
    p_NK = np.column_stack([1 - p_N, p_N])

    roc, recall = drawn.roc(y_N, p_NK), drawn.precision_recall(y_N, p_NK)

    assert len(roc) <= drawn.CURVE_POINTS + 2
    assert roc == sorted(roc)
    assert (roc[0], roc[-1]) == ((0, 0), (1, 1))
    assert [x for x, _ in recall] == sorted(x for x, _ in recall)
    assert area(roc) == pytest.approx(reference.roc_auc_score(y_N, p_N), abs=0.005)
    assert area(recall) == pytest.approx(reference.average_precision_score(y_N, p_N), abs=0.01)


def test_calibration_is_in_bins_of_equal_rows() -> None:
    random = np.random.default_rng(0)
    p_N = random.random(1005)
    y_N = (random.random(1005) < p_N).astype(int)

    bins = drawn.calibration(y_N, np.column_stack([1 - p_N, p_N]))

    assert [rows for _, _, rows in bins] == [101] * 5 + [100] * 5
    assert sum(share * rows for _, share, rows in bins) == pytest.approx(y_N.sum())
    assert all(abs(mean - share) < 0.15 for mean, share, _ in bins)
    assert [mean for mean, _, _ in bins] == sorted(mean for mean, _, _ in bins)


def test_few_rows_have_few_bins() -> None:
    assert len(drawn.calibration(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))) == 2


def test_confusion_is_truth_by_answer() -> None:
    truth, said = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])

    assert drawn.confusion(truth, said, 3) == reference.confusion_matrix(truth, said).tolist()


def prices(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    y_N = random.gamma(2.0, 50.0, rows)
    return y_N, y_N + random.normal(3.0, 10.0, rows)


def test_dots_are_rows_spread_over_all_of_them_with_both_ends() -> None:
    y_N, a_N = prices(5000)

    dots = drawn.predicted(y_N, a_N)

    assert len(dots) == drawn.DOTS
    assert (dots[0][0], dots[-1][0]) == (y_N.min(), y_N.max())
    assert set(dots) <= set(zip(y_N.tolist(), a_N.tolist(), strict=True))
    assert np.median([truth for truth, _ in dots]) == pytest.approx(np.median(y_N), rel=0.01)


def test_of_few_rows_every_one_is_a_dot_once() -> None:
    y_N, a_N = prices(7)

    assert drawn.predicted(y_N, a_N) == sorted(zip(y_N.tolist(), a_N.tolist(), strict=True))


def test_residuals_are_those_of_tenths_by_the_answer() -> None:
    y_N, a_N = prices(1000)

    tenths = drawn.residuals(y_N, a_N)

    off = np.sort(a_N - y_N)
    assert [tenth.rows for tenth in tenths] == [100] * 10
    assert [tenth.answer for tenth in tenths] == sorted(tenth.answer for tenth in tenths)
    assert np.mean([tenth.answer - tenth.truth for tenth in tenths]) == pytest.approx(off.mean())
    assert np.mean([tenth.absolute for tenth in tenths]) == pytest.approx(np.abs(off).mean())
    assert all(tenth.low < tenth.answer - tenth.truth < tenth.high for tenth in tenths)


def test_few_rows_have_few_tenths() -> None:
    assert [tenth.rows for tenth in drawn.residuals(np.array([1.0, 2.0]), np.array([1.5, 1.0]))] == [1, 1]

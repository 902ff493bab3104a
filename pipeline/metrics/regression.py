"""Metrics of a quantity that was told.

Shapes: N rows, R resamples. `y_N` the truth and `a_N1` the answers in the label's unit, `w_RN` how often each row is
drawn in each resample. R² is 1 minus the squared error over that of the rows' own mean (0 where all are the same);
skill is 1 minus the squared error over that of train's mean (Murphy 1988, with climatology as the reference), which
is what could have been said without looking. The median of an even number of rows is the middle of the two.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.metrics.score import Measure, Metric, mean

ROUNDING = 1e-12  # a spread below this share of the squares is what sums leave of none


def _rmse(y_N: np.ndarray, a_N1: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return np.sqrt(mean((a_N1[:, 0] - y_N) ** 2, w_RN))


def _mae(y_N: np.ndarray, a_N1: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return mean(np.abs(a_N1[:, 0] - y_N), w_RN)


def _median_absolute_error(y_N: np.ndarray, a_N1: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    error_N = np.abs(a_N1[:, 0] - y_N)
    order = np.argsort(error_N, kind="stable")
    reached_RN = np.cumsum(w_RN[:, order], axis=1, dtype=np.float64)
    half_R1 = reached_RN[:, -1:] / 2
    low_R, high_R = (reached_RN >= half_R1).argmax(axis=1), (reached_RN > half_R1).argmax(axis=1)
    middle_R: np.ndarray = (error_N[order][low_R] + error_N[order][high_R]) / 2
    return middle_R


def _r2(y_N: np.ndarray, a_N1: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    around_N = y_N - y_N.mean()  # so that squares keep their digits
    squares_R = mean(around_N**2, w_RN)
    spread_R = squares_R - mean(around_N, w_RN) ** 2
    return _explained(mean((a_N1[:, 0] - y_N) ** 2, w_RN), np.where(spread_R > ROUNDING * squares_R, spread_R, 0.0))


def _skill(y_N: np.ndarray, a_N1: np.ndarray, train_mean: float, w_RN: np.ndarray) -> np.ndarray:
    return _explained(mean((a_N1[:, 0] - y_N) ** 2, w_RN), mean((y_N - train_mean) ** 2, w_RN))


def _explained(error_R: np.ndarray, of_R: np.ndarray) -> np.ndarray:
    """(R,) 1 - error / of; 0 where there is nothing to explain."""
    return 1 - np.divide(error_R, of_R, out=np.ones_like(error_R), where=of_R > 0)


EACH: Mapping[Metric, Measure] = {
    "rmse": lambda y, a, _, w: _rmse(y, a, w),
    "mae": lambda y, a, _, w: _mae(y, a, w),
    "median_absolute_error": lambda y, a, _, w: _median_absolute_error(y, a, w),
    "r2": lambda y, a, _, w: _r2(y, a, w),
    "skill": _skill,
}

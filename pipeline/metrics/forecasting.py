"""Metrics of a forecast, over all steps of the horizon.

Shapes: N rows, H steps, R resamples. `y_NH` the truth and `a_NH` the answers, of a single series in the label's unit,
of several in deviations of each one's training rows: there `mse` is what papers give of standardised series. MASE is
the mean error over the naive one's on train (Hyndman & Koehler 2006, equation 1, with the season's naive forecast),
below 1 where it is better. R² is 1 minus the squared error over that of the rows' own mean.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.metrics.score import Measure, Metric, mean


def _mse(y_NH: np.ndarray, a_NH: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return mean(((a_NH - y_NH) ** 2).mean(axis=1), w_RN)


def _mae(y_NH: np.ndarray, a_NH: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return mean(np.abs(a_NH - y_NH).mean(axis=1), w_RN)


def _r2(y_NH: np.ndarray, a_NH: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    around_NH = y_NH - y_NH.mean()  # so that squares keep their digits
    spread_R = mean((around_NH**2).mean(axis=1), w_RN) - mean(around_NH.mean(axis=1), w_RN) ** 2
    error_R = _mse(y_NH, a_NH, w_RN)
    return 1 - np.divide(error_R, spread_R, out=np.ones_like(error_R), where=spread_R > 0)


def by_step(y_NH: np.ndarray, a_NH: np.ndarray) -> list[float]:
    """(H,) the mean absolute error of each step."""
    error_H: list[float] = np.abs(a_NH - y_NH).mean(axis=0).tolist()
    return error_H


EACH: Mapping[Metric, Measure] = {
    "mae": lambda y, a, _, w: _mae(y, a, w),
    "mse": lambda y, a, _, w: _mse(y, a, w),
    "rmse": lambda y, a, _, w: np.sqrt(_mse(y, a, w)),
    "mase": lambda y, a, naive, w: _mae(y, a, w) / naive,
    "r2": lambda y, a, _, w: _r2(y, a, w),
}

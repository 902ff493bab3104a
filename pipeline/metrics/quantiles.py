"""Metrics of quantiles that were told of a number.

Shapes: N rows, K quantiles, R resamples. `y_N` the truth and `a_NK` the quantiles in the label's unit, `w_RN` how often
each row is drawn in each resample. `at` is the mean of train and then which quantiles they are; the answer is the
median. The outer interval is from the first to the last, both included.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from pipeline.metrics.regression import EACH as OF_QUANTITY
from pipeline.metrics.score import Measure, Metric, mean

Levels: TypeAlias = tuple[float, ...]  # the mean of train, then the quantiles


def pinball(y_N: np.ndarray, a_NK: np.ndarray, quantiles_K: np.ndarray) -> np.ndarray:
    """(N,) the mean of the quantiles' losses (Koenker & Bassett 1978); of the median half the distance."""
    error_NK = y_N[:, None] - a_NK
    loss_N: np.ndarray = np.maximum(quantiles_K * error_NK, (quantiles_K - 1) * error_NK).mean(axis=1)
    return loss_N


def held(y_N: np.ndarray, a_NK: np.ndarray) -> np.ndarray:
    """(N,) bool: whether the outer interval holds the truth."""
    inside_N: np.ndarray = (a_NK[:, 0] <= y_N) & (y_N <= a_NK[:, -1])
    return inside_N


def asked(quantiles: Levels) -> float:
    """The share of rows that the outer interval should hold.

    >>> asked((0.05, 0.5, 0.95))
    0.9
    """
    return round(quantiles[-1] - quantiles[0], 9)


def _of_median(name: Metric) -> Measure:
    def measure(y_N: np.ndarray, a_NK: np.ndarray, at: Levels, w_RN: np.ndarray) -> np.ndarray:
        place = at[1:].index(0.5)
        return OF_QUANTITY[name](y_N, a_NK[:, place : place + 1], at[0], w_RN)

    return measure


EACH: Mapping[Metric, Measure] = {
    "pinball": lambda y, a, at, w: mean(pinball(y, a, np.array(at[1:])), w),
    "coverage_gap": lambda y, a, at, w: np.abs(mean(held(y, a), w) - asked(at[1:])),
    "interval_width": lambda y, a, _, w: mean(a[:, -1] - a[:, 0], w),
    "rmse": _of_median("rmse"),
    "mae": _of_median("mae"),
    "r2": _of_median("r2"),
}

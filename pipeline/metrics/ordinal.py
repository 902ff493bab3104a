"""Metrics of classes in an order.

Shapes: N rows, K classes, R resamples. `y_N` ranks from 0, `p_NK` probabilities, `w_RN` how often each row is drawn in
each resample. The answer is the middle class of the probabilities; AUC, log loss and Brier are those of classes.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.metrics.classification import EACH as OF_CLASSES
from pipeline.metrics.score import Measure, Metric, mean


def middle(p_NK: np.ndarray) -> np.ndarray:
    """(N,) int64 the rank that no more than half of the probability is below: the least far off on the mean.

    >>> middle(np.array([[0.4, 0.3, 0.3], [0.0, 0.1, 0.9]])).tolist()
    [1, 2]
    """
    rank_N: np.ndarray = (np.cumsum(p_NK, axis=1) < 0.5).sum(axis=1).clip(0, p_NK.shape[1] - 1)
    return rank_N


def _kappa(y_N: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """Cohen's kappa with squared distances as weights (Cohen 1968); 0 where truth and answer are one and the same rank.

    What chance would miss is the mean squared distance of a truth and an answer that are drawn each by itself: both
    variances and the squared distance of the means.
    """
    said_N = middle(p_NK)
    bias_R = mean(y_N, w_RN) - mean(said_N, w_RN)
    chance_R = _variance(y_N, w_RN) + _variance(said_N, w_RN) + bias_R**2
    missed_R = mean((y_N - said_N) ** 2, w_RN)
    return 1 - np.divide(missed_R, chance_R, out=np.ones_like(missed_R), where=chance_R > 0)


def _variance(rank_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return mean(rank_N**2, w_RN) - mean(rank_N, w_RN) ** 2


EACH: Mapping[Metric, Measure] = {
    "quadratic_weighted_kappa": lambda y, p, _, w: _kappa(y, p, w),
    "rank_mae": lambda y, p, _, w: mean(np.abs(middle(p) - y), w),
    "auc": OF_CLASSES["auc"],
    "log_loss": OF_CLASSES["log_loss"],
    "accuracy": lambda y, p, _, w: mean(middle(p) == y, w),
    "brier": OF_CLASSES["brier"],
}

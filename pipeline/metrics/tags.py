"""Metrics of several tags a row.

Shapes: N rows, K tags, R resamples. `y_NK` bool the truth, `p_NK` probabilities, `w_RN` how often each row is drawn in
each resample. A tag is answered from the threshold on. Means over tags are of those that have rows; micro F1 is of all
pairs of a row and a tag together (Tsoumakas & Katakis 2007). Nothing answered and nothing to be found are 0.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from pipeline.metrics.classification import EPSILON, average_precision
from pipeline.metrics.score import Measure, Metric, mean, weight

OneTag: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def over_tags(measure: OneTag, y_NK: np.ndarray, asked_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) the mean of a measure over the tags that have rows; 0 where none has."""
    each_KR = np.stack([measure(y_N, asked_N, w_RN) for y_N, asked_N in zip(y_NK.T, asked_NK.T, strict=True)])
    present_KR = np.stack([weight(y_N, w_RN) for y_N in y_NK.T]) > 0
    tags_R = present_KR.sum(axis=0)
    return np.divide((each_KR * present_KR).sum(axis=0), tags_R, out=np.zeros(len(tags_R)), where=tags_R > 0)


def _f1(true_N: np.ndarray, said_N: np.ndarray, both_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) of how many tags a row has, is told, and has and is told."""
    both, over = weight(both_N, w_RN), (weight(true_N, w_RN) + weight(said_N, w_RN)) / 2
    return np.divide(both, over, out=np.zeros_like(both), where=over > 0)


def _micro(y_NK: np.ndarray, said_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return _f1(y_NK.sum(axis=1), said_NK.sum(axis=1), (y_NK & said_NK).sum(axis=1), w_RN)


def _macro(y_NK: np.ndarray, said_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return over_tags(lambda y, said, w: _f1(y, said, y & said, w), y_NK, said_NK, w_RN)


def _log_loss(y_NK: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """The mean over all pairs of a row and a tag."""
    p_true_NK = np.where(y_NK, p_NK, 1 - p_NK).clip(EPSILON, 1.0)
    return mean(-np.log(p_true_NK).mean(axis=1), w_RN)


EACH: Mapping[Metric, Measure] = {
    "mean_average_precision": lambda y, p, _, w: over_tags(average_precision, y, p, w),
    "log_loss": lambda y, p, _, w: _log_loss(y, p, w),
    "micro_f1": lambda y, p, at, w: _micro(y, p >= at, w),
    "macro_f1": lambda y, p, at, w: _macro(y, p >= at, w),
    "subset_accuracy": lambda y, p, at, w: mean(((p >= at) == y).all(axis=1), w),
    "hamming_loss": lambda y, p, at, w: mean(((p >= at) != y).mean(axis=1), w),
}

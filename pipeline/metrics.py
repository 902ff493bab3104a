"""Scores of class probabilities, with bootstrap intervals; used by train, evaluate and monitor.

Shapes: N rows, K classes, R resamples. `y_N` int places in the classes, `p_NK` probabilities, `w_RN` how often
each row is drawn in each resample. Two classes are scored on the second, more on the mean over one-vs-rest
(macro), but for log loss, accuracy and Brier, which take all classes at once. AUC is the Mann-Whitney
statistic (Hanley & McNeil 1982), ties count half; average precision sums precision over the steps of recall
(Zhu 2004); Brier is the mean squared distance to the one-hot truth, halved, so that two classes agree with
Brier (1950)'s binary form. Intervals are percentile bootstrap (Efron 1979) over rows.
"""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record

Metric = Literal["auc", "average_precision", "log_loss", "accuracy", "precision", "recall", "f1", "brier"]
METRICS: tuple[Metric, ...] = get_args(Metric)
LOWER_IS_BETTER: frozenset[Metric] = frozenset(("log_loss", "brier"))
RESAMPLES = 200
COVERAGE = 0.95
EPSILON = 1e-7


class Score(Record):
    """A metric's value on the rows, and the interval that 95% of resamples of the rows fall in."""

    value: float
    low: float | None = None
    high: float | None = None


class Paired(Record):
    """How much better the candidate is than `model` on the same rows: a positive difference favours it."""

    model: str
    metric: Metric
    difference: float
    low: float
    high: float
    resamples: int = Field(ge=1)


Scores = dict[Metric, Score]


def resamples(rows: int, seed: int, count: int = RESAMPLES) -> np.ndarray:
    """(R, N) float32: how often each row is drawn, `count` times with replacement."""
    random = np.random.default_rng(seed)
    draws = (np.bincount(random.integers(0, rows, rows), minlength=rows) for _ in range(count))
    return np.stack(list(draws)).astype(np.float32)


def scores(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray | None = None) -> Scores:
    """Every metric of the probabilities; `threshold` turns two classes into an answer, more take the likeliest."""
    every = values(y_N, p_NK, threshold, np.ones((1, len(y_N)), dtype=np.float32))
    if w_RN is None:
        return {name: Score(value=float(value[0])) for name, value in every.items()}
    spread = {name: _interval(value) for name, value in values(y_N, p_NK, threshold, w_RN).items()}
    return {n: Score(value=float(v[0]), low=spread[n][0], high=spread[n][1]) for n, v in every.items()}


def paired(
    model: str, metric: Metric, y_N: np.ndarray, p_NK: np.ndarray, other_NK: np.ndarray, *, w_RN: np.ndarray
) -> Paired:
    """The candidate's `p_NK` against another model's on the same rows and the same resamples."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    measure = ONE[metric]
    once = np.ones((1, len(y_N)), dtype=np.float32)
    gap = [sign * (measure(y_N, p_NK, 0.5, w) - measure(y_N, other_NK, 0.5, w)) for w in (once, w_RN)]
    low, high = _interval(gap[1])
    return Paired(model=model, metric=metric, difference=float(gap[0][0]), low=low, high=high, resamples=len(w_RN))


def values(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray) -> dict[Metric, np.ndarray]:
    """(R,) of every metric, one value a resample."""
    return {name: ONE[name](y_N, p_NK, threshold, w_RN) for name in METRICS}


def best_threshold(y_N: np.ndarray, p_NK: np.ndarray) -> float:
    """The probability of the second class from which saying yes gives the best F1; 0.5 for more classes."""
    if p_NK.shape[1] != 2:
        return 0.5
    order = np.argsort(-p_NK[:, 1], kind="stable")
    hits = np.cumsum(y_N[order] == 1)
    f1 = 2 * hits / (np.arange(1, len(y_N) + 1) + hits[-1]).clip(1)
    last = np.append(np.diff(p_NK[order, 1]) != 0, True)
    return float(p_NK[order, 1][np.argmax(np.where(last, f1, -1.0))])


def _interval(values_R: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values_R, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def _over_classes(
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    y_N: np.ndarray,
    p_NK: np.ndarray,
    w_RN: np.ndarray,
) -> np.ndarray:
    judged = [1] if p_NK.shape[1] == 2 else range(p_NK.shape[1])
    return np.mean([measure((y_N == k), p_NK[:, k], w_RN) for k in judged], axis=0)


def _ranked(hit_N: np.ndarray, score_N: np.ndarray, w_RN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, G) weights of hits and of misses at each distinct score, from the lowest."""
    _, place = np.unique(score_N, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    sorted_w = w_RN[:, order].astype(np.float64)
    hits = np.add.reduceat(sorted_w * hit_N[order], starts, axis=1)
    return hits, np.add.reduceat(sorted_w, starts, axis=1) - hits


def _auc(hit_N: np.ndarray, score_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    hits, misses = _ranked(hit_N, score_N, w_RN)
    below = np.cumsum(misses, axis=1) - misses / 2
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    return np.divide((hits * below).sum(axis=1), pairs, out=np.full(len(pairs), 0.5), where=pairs > 0)


def _average_precision(hit_N: np.ndarray, score_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    hits, misses = _ranked(hit_N, -score_N, w_RN)
    found, said = np.cumsum(hits, axis=1), np.cumsum(hits + misses, axis=1)
    precision = np.divide(found, said, out=np.zeros_like(found), where=said > 0)
    total = found[:, -1]
    return np.divide((hits * precision).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)


def _log_loss(y_N: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    loss = -np.log(np.clip(p_NK[np.arange(len(y_N)), y_N], EPSILON, 1.0))
    return _mean(loss, w_RN)


def _brier(y_N: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    truth = np.eye(p_NK.shape[1])[y_N]
    return _mean(((p_NK - truth) ** 2).sum(axis=1) / 2, w_RN)


def _mean(value_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    return (w_RN @ value_N) / w_RN.sum(axis=1)


def answers(p_NK: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) the class that is answered: the likeliest, or for two classes the second from `threshold` on."""
    return (p_NK[:, 1] >= threshold).astype(np.int64) if p_NK.shape[1] == 2 else p_NK.argmax(axis=1)


def _of_answers(which: str) -> "OneMetric":
    def measure(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray) -> np.ndarray:
        said_N = answers(p_NK, threshold)
        judged = [1] if p_NK.shape[1] == 2 else range(p_NK.shape[1])
        return np.mean([_share(which, y_N == k, said_N == k, w_RN) for k in judged], axis=0)

    return measure


def _share(which: str, true_N: np.ndarray, said_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    both, true, said = (w_RN @ v.astype(np.float64) for v in (true_N & said_N, true_N, said_N))
    over = {"precision": said, "recall": true, "f1": (said + true) / 2}[which]
    return np.divide(both, over, out=np.zeros_like(both), where=over > 0)


OneMetric = Callable[[np.ndarray, np.ndarray, float, np.ndarray], np.ndarray]
ONE: Mapping[Metric, OneMetric] = {
    "auc": lambda y, p, _, w: _over_classes(_auc, y, p, w),
    "average_precision": lambda y, p, _, w: _over_classes(_average_precision, y, p, w),
    "log_loss": lambda y, p, _, w: _log_loss(y, p, w),
    "accuracy": lambda y, p, t, w: _mean((answers(p, t) == y).astype(np.float64), w),
    "precision": _of_answers("precision"),
    "recall": _of_answers("recall"),
    "f1": _of_answers("f1"),
    "brier": lambda y, p, _, w: _brier(y, p, w),
}

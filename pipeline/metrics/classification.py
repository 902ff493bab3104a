"""Metrics of class probabilities.

Shapes: N rows, K classes, R resamples. `y_N` int places in the classes, `p_NK` probabilities, `w_RN` how often
each row is drawn in each resample. Two classes are scored on the second, more on the mean over one-vs-rest
(macro) of the classes that have rows, but for log loss, accuracy and Brier, which take all classes at once. AUC
is the Mann-Whitney statistic (Hanley & McNeil 1982), ties count half, and 0.5 where all rows are of one side;
average precision sums precision over the steps of recall (Zhu 2004); precision is 0 where nothing is answered,
and so are recall and average precision where nothing is to be found; Brier is the mean squared distance to the
one-hot truth, halved, so that two classes agree with Brier (1950)'s binary form.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipeline.metrics.score import Measure, Metric, mean, weight

EPSILON = 1e-7


def best_threshold(y_N: np.ndarray, p_NK: np.ndarray) -> float:
    """The probability of the second class from which saying yes gives the best F1; 0.5 for more classes.

    Half way to the next lower probability that was told: new rows are like those seen, not the same. Where all rows
    are told the same, as by the majority class, it is 0.5 too: F1 would have it say yes to each, however rare that is.

    >>> best_threshold(np.array([1, 0]), np.array([[0.1, 0.9], [0.7, 0.3]]))
    0.6
    >>> best_threshold(np.array([1, 0, 0]), np.array([[0.7, 0.3]] * 3))
    0.5
    """
    if p_NK.shape[1] != 2 or np.ptp(p_NK[:, 1]) == 0:
        return 0.5
    order = np.argsort(-p_NK[:, 1], kind="stable")
    hits = np.cumsum(y_N[order] == 1)
    f1 = 2 * hits / (np.arange(1, len(y_N) + 1) + hits[-1]).clip(1)
    ranked = np.append(p_NK[order, 1], p_NK[order[-1:], 1])
    best = np.argmax(np.where(np.diff(ranked[:-1], append=np.nan) != 0, f1, -1.0))
    at, below = ranked[best], ranked[best + 1]
    between = (at + below) / 2
    return float(between if between > below else at)  # nothing lies between neighbours


def _over_classes(measure: "OneClass", y_N: np.ndarray, asked_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) the measure of the second of two classes, or its mean over the classes that have rows."""
    if asked_NK.shape[1] == 2:
        return measure(y_N == 1, asked_NK[:, 1], w_RN)
    classes: Sequence[int] = range(asked_NK.shape[1])
    each_KR = np.stack([measure(y_N == k, asked_NK[:, k], w_RN) for k in classes])
    present_KR = np.stack([weight(y_N == k, w_RN) for k in classes]) > 0
    return np.mean(each_KR, axis=0, where=present_KR)


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


def average_precision(hit_N: np.ndarray, score_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) of one class: `hit_N` bool whether a row is of it, `score_N` how surely that was said."""
    hits, misses = _ranked(hit_N, -score_N, w_RN)
    found, said = np.cumsum(hits, axis=1), np.cumsum(hits + misses, axis=1)
    precision = np.divide(found, said, out=np.zeros_like(found), where=said > 0)
    total = found[:, -1]
    return np.divide((hits * precision).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)


def _log_loss(y_N: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    loss = -np.log(np.clip(p_NK[np.arange(len(y_N)), y_N], EPSILON, 1.0))
    return mean(loss, w_RN)


def _brier(y_N: np.ndarray, p_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    truth = np.eye(p_NK.shape[1])[y_N]
    return mean(((p_NK - truth) ** 2).sum(axis=1) / 2, w_RN)


def answers(p_NK: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) the class that is answered: the likeliest, or for two classes the second from `threshold` on."""
    return (p_NK[:, 1] >= threshold).astype(np.int64) if p_NK.shape[1] == 2 else p_NK.argmax(axis=1)


def _of_answers(which: str) -> Measure:
    def measure(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray) -> np.ndarray:
        said_NK = answers(p_NK, threshold)[:, None] == np.arange(p_NK.shape[1])
        return _over_classes(lambda hit_N, said_N, w: _share(which, hit_N, said_N, w), y_N, said_NK, w_RN)

    return measure


def _share(which: str, true_N: np.ndarray, said_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    both, true, said = (weight(v, w_RN) for v in (true_N & said_N, true_N, said_N))
    over = {"precision": said, "recall": true, "f1": (said + true) / 2}[which]
    return np.divide(both, over, out=np.zeros_like(both), where=over > 0)


OneClass = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
EACH: Mapping[Metric, Measure] = {
    "auc": lambda y, p, _, w: _over_classes(_auc, y, p, w),
    "average_precision": lambda y, p, _, w: _over_classes(average_precision, y, p, w),
    "log_loss": lambda y, p, _, w: _log_loss(y, p, w),
    "accuracy": lambda y, p, t, w: mean(answers(p, t) == y, w),
    "precision": _of_answers("precision"),
    "recall": _of_answers("recall"),
    "f1": _of_answers("f1"),
    "brier": lambda y, p, _, w: _brier(y, p, w),
}

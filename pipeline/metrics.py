"""Scores of class probabilities, with bootstrap intervals; used by train, evaluate and monitor.

Shapes: N rows, K classes, R resamples. `y_N` int places in the classes, `p_NK` probabilities, `w_RN` how often
each row is drawn in each resample. Two classes are scored on the second, more on the mean over one-vs-rest
(macro) of the classes that have rows, but for log loss, accuracy and Brier, which take all classes at once. AUC
is the Mann-Whitney statistic (Hanley & McNeil 1982), ties count half, and 0.5 where all rows are of one side;
average precision sums precision over the steps of recall (Zhu 2004); precision is 0 where nothing is answered,
and so are recall and average precision where nothing is to be found; Brier is the mean squared distance to the
one-hot truth, halved, so that two classes agree with Brier (1950)'s binary form. Intervals are percentile
bootstrap (Efron 1979) over rows.
"""

from collections.abc import Callable, Mapping, Sequence
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
CELLS_AT_ONCE = 1 << 23  # weights that are looked at together: each takes some 40 bytes on the way


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
Values = Mapping[Metric, np.ndarray]


def resamples(rows: int, seed: int, count: int = RESAMPLES) -> np.ndarray:
    """(1 + R, N) uint8: first the rows as they are, then how often each is drawn, with replacement."""
    random = np.random.default_rng(seed)
    w_RN = np.ones((1 + count, rows), dtype=np.uint8)  # that one row is drawn 256 times, no one will see
    for w_N in w_RN[1:]:
        w_N[:] = np.bincount(random.integers(0, rows, rows), minlength=rows)
    return w_RN


def values(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray | None = None) -> Values:
    """(1 + R,) of every metric: of the rows as they are, then of each resample, all rows of `resamples`.

    `threshold` turns two classes into an answer, more take the likeliest.
    """
    drawn_RN = resamples(len(y_N), 0, 0) if w_RN is None else w_RN
    size = max(1, CELLS_AT_ONCE // len(y_N))
    parts = [
        {name: ONE[name](y_N, p_NK, threshold, drawn_RN[start : start + size].astype(np.float64)) for name in METRICS}
        for start in range(0, len(drawn_RN), size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def scores(found: Values) -> Scores:
    """Every metric's value; with its interval where there are resamples."""
    return {name: _score(float(value_R[0]), value_R[1:]) for name, value_R in found.items()}


def paired(model: str, metric: Metric, own: Values, other: Values) -> Paired:
    """The candidate's values against another model's, both on the same rows and the same resamples."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    gap_R = sign * (own[metric] - other[metric])
    low, high = _interval(gap_R[1:])
    return Paired(model=model, metric=metric, difference=float(gap_R[0]), low=low, high=high, resamples=len(gap_R) - 1)


def best_threshold(y_N: np.ndarray, p_NK: np.ndarray) -> float:
    """The probability of the second class from which saying yes gives the best F1; 0.5 for more classes."""
    if p_NK.shape[1] != 2:
        return 0.5
    order = np.argsort(-p_NK[:, 1], kind="stable")
    hits = np.cumsum(y_N[order] == 1)
    f1 = 2 * hits / (np.arange(1, len(y_N) + 1) + hits[-1]).clip(1)
    last = np.append(np.diff(p_NK[order, 1]) != 0, True)
    return float(p_NK[order, 1][np.argmax(np.where(last, f1, -1.0))])


def _score(value: float, resampled_R: np.ndarray) -> Score:
    if not resampled_R.size:
        return Score(value=value)
    low, high = _interval(resampled_R)
    return Score(value=value, low=low, high=high)


def _interval(values_R: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values_R, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def _over_classes(measure: "OneClass", y_N: np.ndarray, asked_NK: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) the measure of the second of two classes, or its mean over the classes that have rows."""
    if asked_NK.shape[1] == 2:
        return measure(y_N == 1, asked_NK[:, 1], w_RN)
    classes: Sequence[int] = range(asked_NK.shape[1])
    each_KR = np.stack([measure(y_N == k, asked_NK[:, k], w_RN) for k in classes])
    present_KR = np.stack([_weight(y_N == k, w_RN) for k in classes]) > 0
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
    return _weight(value_N, w_RN) / w_RN.sum(axis=1)


def _weight(value_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) weighted sums. Not by BLAS: its sums depend on how many resamples and threads there are."""
    return np.einsum("rn,n->r", w_RN, value_N.astype(np.float64))


def answers(p_NK: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) the class that is answered: the likeliest, or for two classes the second from `threshold` on."""
    return (p_NK[:, 1] >= threshold).astype(np.int64) if p_NK.shape[1] == 2 else p_NK.argmax(axis=1)


def _of_answers(which: str) -> "OneMetric":
    def measure(y_N: np.ndarray, p_NK: np.ndarray, threshold: float, w_RN: np.ndarray) -> np.ndarray:
        said_NK = answers(p_NK, threshold)[:, None] == np.arange(p_NK.shape[1])
        return _over_classes(lambda hit_N, said_N, w: _share(which, hit_N, said_N, w), y_N, said_NK, w_RN)

    return measure


def _share(which: str, true_N: np.ndarray, said_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    both, true, said = (_weight(v, w_RN) for v in (true_N & said_N, true_N, said_N))
    over = {"precision": said, "recall": true, "f1": (said + true) / 2}[which]
    return np.divide(both, over, out=np.zeros_like(both), where=over > 0)


OneClass = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
OneMetric = Callable[[np.ndarray, np.ndarray, float, np.ndarray], np.ndarray]
ONE: Mapping[Metric, OneMetric] = {
    "auc": lambda y, p, _, w: _over_classes(_auc, y, p, w),
    "average_precision": lambda y, p, _, w: _over_classes(_average_precision, y, p, w),
    "log_loss": lambda y, p, _, w: _log_loss(y, p, w),
    "accuracy": lambda y, p, t, w: _mean(answers(p, t) == y, w),
    "precision": _of_answers("precision"),
    "recall": _of_answers("recall"),
    "f1": _of_answers("f1"),
    "brier": lambda y, p, _, w: _brier(y, p, w),
}

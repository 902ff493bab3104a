"""The metric of a classifier on rows without labels, by how sure it is: confidence-based performance estimation.

Where probabilities are calibrated, a row that is given 0.8 is right in 8 of 10 cases: all that a metric counts has an
expected value (Kivimäki et al. 2025; NannyML's CBPE). It holds while the concept does: that rows of other features are
seen costs what the model itself expects, that the same features mean something else is seen by no one without labels.

Shapes: N rows, K classes, R resamples.
"""

import math

import numpy as np

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.drift.cuts import Values
from pipeline.drift.estimate import Estimate
from pipeline.metrics import At, Kind, Metric

RESAMPLES = 50
CELLS = 10_000  # rows times classes that an estimate is made of: more do not change its interval much
CLASSES = 20  # of more it would take too long
BLOCKS = 5
KNOTS = 64
SURE = 1.96


class Confidence(Record):
    """What answers are worth, learnt from rows whose labels were known and that the model had not learnt from.

    `knots`: for each class probabilities that are told, rising, and the share that turned out to be of it. `estimated`
    and `measured`: the metric of those rows by such an estimate, and by their labels. `spread`: how far the estimate of
    a block of them was from its metric, beyond what drawing makes.
    """

    kind: Kind
    metric: Metric
    at: float
    knots: list[tuple[list[float], list[float]]]
    estimated: float
    measured: float
    spread: float

    @classmethod
    def learn(cls, y_N: np.ndarray, p_NK: Values, *, kind: Kind, metric: Metric, at: float = 0.5) -> "Confidence":
        """Learn from rows in the order of time, or any."""
        y_N, p_NK = _thinned(y_N, p_NK)
        measured = _metric(kind, metric, y_N, p_NK, at)
        whole = cls(kind=kind, metric=metric, at=at, knots=_knots(y_N, p_NK), estimated=0, measured=measured, spread=0)
        spread = _spread(y_N, p_NK, whole)
        return whole.model_copy(update={"estimated": whole.expected(p_NK), "spread": spread})

    def calibrated(self, p_NK: Values) -> Values:
        """(N, K) the probabilities that hold."""
        held = [np.interp(p_N, *knots) for p_N, knots in zip(p_NK.T, self.knots, strict=True)]
        held_NK = np.stack(held, axis=1).clip(1e-6)
        return held_NK / held_NK.sum(axis=1, keepdims=True)

    def expected(self, p_NK: Values) -> float:
        """The metric to be expected of the rows."""
        return float(self._values(p_NK, self.calibrated(p_NK)[None])[0])

    def estimate(self, p_NK: Values, *, seed: int = 0) -> Estimate:
        """The estimate of rows that came, with the interval in which their metric is to be expected."""
        _, p_NK = _thinned(np.zeros(len(p_NK)), p_NK)
        value = self.expected(p_NK)
        half = SURE * math.hypot(self.drawing(p_NK, seed), self.spread)
        lowest = -1.0 if self.metric == "quadratic_weighted_kappa" else 0.0
        highest = math.inf if self.metric in metrics.LOWER_IS_BETTER else 1.0
        return Estimate(
            metric=self.metric,
            value=value,
            low=max(value - half, lowest),
            high=min(value + half, highest),
            reference=self.estimated,
            measured=self.measured,
            method="confidence",
        )

    def drawing(self, p_NK: Values, seed: int) -> float:
        """The standard deviation of the metric over other rows like these, and other labels of theirs."""
        random = np.random.default_rng(seed)
        held_NK, rows = self.calibrated(p_NK), len(p_NK)
        drawn_RN = metrics.resamples(rows, seed, RESAMPLES)[1:]
        cut_RN1 = random.random((RESAMPLES, rows, 1))
        label_RN = (cut_RN1 > np.cumsum(held_NK, axis=1)[:, :-1]).sum(axis=2)
        weight_RNK = drawn_RN[..., None] * (label_RN[..., None] == np.arange(p_NK.shape[1]))
        return float(np.std(self._values(p_NK, weight_RNK)))

    def _values(self, p_NK: Values, weight_RNK: Values) -> Values:
        """(R,) the metric where each row is of each class as often as its weight says."""
        rows, classes = p_NK.shape
        measure = metrics.OF[self.kind].each[self.metric]
        label_M = np.tile(np.arange(classes), rows)
        return measure(label_M, p_NK.repeat(classes, axis=0), self.at, weight_RNK.reshape(len(weight_RNK), -1))


def _metric(kind: Kind, metric: Metric, y_N: np.ndarray, p_NK: Values, at: At) -> float:
    return float(metrics.OF[kind].each[metric](y_N, p_NK, at, np.ones((1, len(y_N))))[0])


def _knots(y_N: np.ndarray, p_NK: Values) -> list[tuple[list[float], list[float]]]:
    """Isotonic regression of each class on its probability (Zadrozny and Elkan 2002), at some `KNOTS` of them."""
    from sklearn.isotonic import IsotonicRegression

    found = []
    for place, p_N in enumerate(p_NK.T):
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p_N, y_N == place)
        x = np.unique(np.quantile(p_N, np.linspace(0, 1, KNOTS)))
        found.append((x.tolist(), fitted.predict(x).tolist()))
    return found


def _spread(y_N: np.ndarray, p_NK: Values, whole: Confidence) -> float:
    """How far estimates of blocks are from their metric, by what the other blocks tell, beyond drawing."""
    squares = []
    for block in np.array_split(np.arange(len(y_N)), BLOCKS):
        others = np.setdiff1d(np.arange(len(y_N)), block)
        if len(np.unique(y_N[block])) < 2 or len(np.unique(y_N[others])) < 2:
            continue
        held = whole.model_copy(update={"knots": _knots(y_N[others], p_NK[others])})
        missed = held.expected(p_NK[block]) - _metric(whole.kind, whole.metric, y_N[block], p_NK[block], whole.at)
        squares.append(missed**2 - held.drawing(p_NK[block], 0) ** 2)
    return math.sqrt(max(float(np.mean(squares)), 0.0)) if squares else 0.0


def _thinned(y_N: np.ndarray, p_NK: Values) -> tuple[np.ndarray, Values]:
    """At most `CELLS` of them, evenly out of all rows."""
    chosen = np.linspace(0, len(y_N) - 1, min(len(y_N), CELLS // p_NK.shape[1])).astype(np.int64)
    return y_N[chosen], p_NK[chosen]

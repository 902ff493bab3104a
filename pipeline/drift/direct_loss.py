"""The error of a number that is told, on rows without labels: by a model of the error itself (NannyML's DLE).

The loss of a row is taken for a sum of one part for each column, by the bin in which the cell falls, and of the answer
likewise (a generalised additive model by cyclic boosting: Lou et al. 2012). It is JSON, and needs no encoder.

Shapes: N rows, F columns, K bins.
"""

import math
from collections.abc import Sequence

import numpy as np

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.drift.cuts import Values
from pipeline.drift.estimate import Estimate
from pipeline.metrics import Metric

ROUNDS, STEP = 60, 0.1
PRIOR_ROWS = 20.0  # with which a bin leans to nothing
RESAMPLES = 200
BLOCKS = 5
SURE = 1.96
SUPPORTED: tuple[Metric, ...] = ("rmse", "mae")


class DirectLoss(Record):
    """The expected loss of a row: `base`, and for each column (in their order) a part for each bin."""

    metric: Metric
    base: float
    parts: list[list[float]]
    estimated: float
    measured: float
    spread: float

    @classmethod
    def learn(
        cls, y_N: np.ndarray, a_N: np.ndarray, place_NF: np.ndarray, bins: Sequence[int], *, metric: Metric
    ) -> "DirectLoss":
        """Learn from rows that the model had not learnt from, in the order of time, or any."""
        loss_N = (y_N - a_N) ** 2 if metric == "rmse" else np.abs(y_N - a_N)
        base, parts = _fitted(loss_N, place_NF, bins)
        whole = cls(metric=metric, base=base, parts=parts, estimated=0, measured=0, spread=0)
        told_N = whole.losses(place_NF)
        update = {"estimated": whole._metric(told_N), "measured": whole._metric(loss_N)}
        return whole.model_copy(update={**update, "spread": _spread(loss_N, place_NF, bins, whole)})

    def losses(self, place_NF: np.ndarray) -> Values:
        """(N,) the expected loss of each row."""
        told_N = np.full(len(place_NF), self.base)
        for place_N, part_K in zip(place_NF.T, self.parts, strict=True):
            told_N += np.array(part_K)[place_N]
        return told_N.clip(0)

    def estimate(self, place_NF: np.ndarray, *, seed: int = 0) -> Estimate:
        """The estimate of rows that came, with its interval."""
        told_N = self.losses(place_NF)
        value = self._metric(told_N)
        w_RN = metrics.resamples(len(told_N), seed, RESAMPLES)[1:]
        drawn = np.std([self._metric(np.average(told_N, weights=w_N)) for w_N in w_RN])
        half = SURE * math.hypot(float(drawn), self.spread * value)
        return Estimate(
            metric=self.metric,
            value=value,
            low=max(value - half, 0.0),
            high=value + half,
            reference=self.estimated,
            measured=self.measured,
            method="direct_loss",
        )

    def _metric(self, loss_N: np.ndarray | float) -> float:
        mean = float(np.mean(loss_N))
        return math.sqrt(mean) if self.metric == "rmse" else mean


def _fitted(loss_N: Values, place_NF: np.ndarray, bins: Sequence[int]) -> tuple[float, list[list[float]]]:
    base = float(loss_N.mean())
    parts = [np.zeros(count) for count in bins]
    columns = range(len(bins))
    left_N = loss_N - base
    rows = [np.bincount(place_N, minlength=count) for place_N, count in zip(place_NF.T, bins, strict=True)]
    for _ in range(ROUNDS):
        for column in columns:
            place_N = place_NF[:, column]
            sums_K = np.bincount(place_N, weights=left_N, minlength=bins[column])
            gain_K = STEP * sums_K / (rows[column] + PRIOR_ROWS)
            parts[column] += gain_K
            left_N -= gain_K[place_N]
    return base, [part_K.tolist() for part_K in parts]


def _spread(loss_N: Values, place_NF: np.ndarray, bins: Sequence[int], whole: DirectLoss) -> float:
    """How far, as a share, estimates of blocks are from what was measured, by what the other blocks tell."""
    squares = []
    for block in np.array_split(np.arange(len(loss_N)), BLOCKS):
        others = np.setdiff1d(np.arange(len(loss_N)), block)
        if not (len(block) and len(others)):
            continue
        base, parts = _fitted(loss_N[others], place_NF[others], bins)
        held = whole.model_copy(update={"base": base, "parts": parts})
        measured = whole._metric(loss_N[block])
        squares.append(((whole._metric(held.losses(place_NF[block])) - measured) / measured) ** 2 if measured else 0.0)
    return math.sqrt(float(np.mean(squares))) if squares else 0.0

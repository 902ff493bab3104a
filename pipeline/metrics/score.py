"""A metric's value with its bootstrap interval, alone or against another model's on the same rows.

Shapes: N rows, K answers a row, R resamples. `w_RN`: how often each row is drawn in each resample. Intervals are
percentile bootstrap (Efron 1979) over rows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record

ClassMetric: TypeAlias = Literal[
    "auc", "average_precision", "log_loss", "accuracy", "precision", "recall", "f1", "brier"
]
OrdinalMetric: TypeAlias = Literal["quadratic_weighted_kappa", "rank_mae", "auc", "log_loss", "accuracy", "brier"]
QuantityMetric: TypeAlias = Literal["rmse", "mae", "median_absolute_error", "r2", "skill"]
QuantileMetric: TypeAlias = Literal["pinball", "coverage_gap", "interval_width", "rmse", "mae", "r2"]
TagMetric: TypeAlias = Literal[
    "mean_average_precision", "log_loss", "micro_f1", "macro_f1", "subset_accuracy", "hamming_loss"
]
ForecastMetric: TypeAlias = Literal["rmse", "mae", "mse", "mase", "r2"]
Metric: TypeAlias = Literal[ClassMetric, OrdinalMetric, QuantityMetric, QuantileMetric, TagMetric, ForecastMetric]
IN_UNIT: frozenset[Metric] = frozenset(  # in the label's unit
    ("rmse", "mae", "mse", "median_absolute_error", "pinball", "interval_width")
)
LOWER_IS_BETTER: frozenset[Metric] = IN_UNIT | {"log_loss", "brier", "rank_mae", "coverage_gap", "hamming_loss", "mase"}
RESAMPLES = 200
COVERAGE = 0.95

Values: TypeAlias = Mapping[Metric, np.ndarray]
At: TypeAlias = float | tuple[float, ...]  # what answers are held against: see pipeline.metrics.Measures
Measure: TypeAlias = Callable[[np.ndarray, np.ndarray, Any, np.ndarray], np.ndarray]  # truth, answers, At, w_RN


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


Scores: TypeAlias = dict[Metric, Score]


def resamples(
    rows: int, seed: int, count: int = RESAMPLES, block: int = 1, unit_N: np.ndarray | None = None
) -> np.ndarray:
    """(1 + R, N) uint8: first the rows as they are, then how often each is drawn, with replacement.

    `block`: so many rows, one behind the other, are drawn together, as those of a series are alike (Carlstein 1986).
    `unit_N`, of any rows that are alike, the number of the unit that each is drawn with (Field & Welsh 2007).
    """
    random = np.random.default_rng(seed)
    drawn_N = np.arange(rows) // block if unit_N is None else unit_N
    units = int(drawn_N.max(initial=0)) + 1
    w_RN = np.ones((1 + count, rows), dtype=np.uint8)  # that one row is drawn 256 times, no one will see
    for w_N in w_RN[1:]:
        w_N[:] = np.bincount(random.integers(0, units, units), minlength=units)[drawn_N]
    return w_RN


def scores(found: Values) -> Scores:
    """Every metric's value; with its interval where there are resamples."""
    return {name: of_resamples(value_R) for name, value_R in found.items()}


def paired(model: str, metric: Metric, own: Values, other: Values) -> Paired:
    """The candidate's values against another model's, both on the same rows and the same resamples."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    gap_R = sign * (own[metric] - other[metric])
    low, high = interval(gap_R[1:])
    return Paired(model=model, metric=metric, difference=float(gap_R[0]), low=low, high=high, resamples=len(gap_R) - 1)


def mean(value_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) weighted means."""
    return weight(value_N, w_RN) / w_RN.sum(axis=1)


def weight(value_N: np.ndarray, w_RN: np.ndarray) -> np.ndarray:
    """(R,) weighted sums. Not by BLAS: its sums depend on how many resamples and threads there are."""
    return np.einsum("rn,n->r", w_RN, value_N.astype(np.float64))


def of_resamples(value_R: np.ndarray) -> Score:
    """The value of the rows as they are, which comes first, and the interval of the resamples that have one."""
    known_R = value_R[1:][np.isfinite(value_R[1:])]
    low, high = interval(known_R) if known_R.size else (None, None)
    return Score(value=float(value_R[0]), low=low, high=high)


def interval(values_R: np.ndarray) -> tuple[float, float]:
    """What 95% of the values lie between."""
    low, high = np.quantile(values_R, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)

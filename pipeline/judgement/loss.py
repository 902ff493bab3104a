"""How far off each row's answer is, in one number that can be added up over rows.

Shapes: N rows, K answers a row, as `pipeline.metrics` has them.
"""

from typing import Literal, TypeAlias

import numpy as np

from pipeline.features.target import Quantiles, Tags, Target
from pipeline.metrics.classification import EPSILON
from pipeline.metrics.quantiles import pinball

Loss: TypeAlias = Literal["log_loss", "mae", "pinball"]


def name_of(target: Target) -> Loss:
    """Which loss a kind of label has: the metric that is its mean over rows."""
    if isinstance(target, Quantiles):
        return "pinball"
    return "mae" if target.label_kind == "quantity" else "log_loss"


def losses(target: Target, y_N: np.ndarray, a_NK: np.ndarray) -> np.ndarray:
    """(N,) float64: of classes and tags in nats, of a number in its unit, of a forecast the mean over its steps.

    Of tags `y_N` is (N, K); the loss is the mean over the tags. NaN where there is no answer.
    """
    match target:
        case Quantiles():
            return pinball(y_N, a_NK, np.array(target.quantiles))
        case Tags():
            told_N: np.ndarray = -np.log(np.where(y_N, a_NK, 1 - a_NK).clip(EPSILON, 1.0)).mean(axis=1)
            return told_N
        case _ if target.label_kind == "quantity":
            off_N: np.ndarray = np.abs(a_NK - y_N.reshape(a_NK.shape)).mean(axis=1)
            return off_N
        case _:
            said_N: np.ndarray = -np.log(a_NK[np.arange(len(y_N)), y_N].clip(EPSILON, 1.0))
            return said_N


def mean_loss(loss_N: np.ndarray) -> float | None:
    """The mean over the rows that have an answer; None where none has."""
    known_N = loss_N[np.isfinite(loss_N)]
    return float(known_N.mean()) if len(known_N) else None

"""What a model would lose that knew of each row only its part: a yardstick for parts of unlike difficulty.

Where half of the rows are of either class every model loses much, and of dear things it is further off; that is no
weakness of the part. What a model loses there beside what the part's own shares or mean would lose, is.

Shapes: N rows, K classes, tags or quantiles, P parts.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.features.target import Forecast, Quantiles, Tags, Target
from pipeline.judgement.case import Case, Split
from pipeline.judgement.loss import losses
from pipeline.metrics.classification import EPSILON
from pipeline.metrics.quantiles import pinball

SHRUNK = 10  # rows of all parts that each part is told with, so that few rows do not seem to tell themselves


@dataclass(frozen=True, kw_only=True)
class Blind:
    """The truth of rows, as `Target.truth` has it; of a forecast `last_N` is what the last value loses, in any part."""

    target: Target
    y_N: np.ndarray
    last_N: np.ndarray | None = None

    @classmethod
    def of(cls, case: Case, split: Split) -> Self:
        """Of all rows of a split."""
        y_N, last_N = case.truth[split], None
        if isinstance(case.target, Forecast):
            last_N = losses(case.target, y_N, case.answers[split]["persistence"])
        return cls(target=case.target, y_N=y_N, last_N=last_N)

    def take(self, rows: np.ndarray) -> Self:
        """The same of some rows alone: their places, or whether each is one."""
        last_N = None if self.last_N is None else self.last_N[rows]
        return type(self)(target=self.target, y_N=self.y_N[rows], last_N=last_N)

    def losses(self, part_N: np.ndarray, parts: int) -> np.ndarray:
        """(N,) the loss of each row's part's own class shares, tag shares or mean."""
        y_N, target = self.y_N, self.target
        if self.last_N is not None:
            return self.last_N
        if isinstance(target, Tags):
            return _of_tags(y_N, part_N, parts)
        if isinstance(target, Quantiles):
            return _of_quantiles(y_N, part_N, parts, np.array(target.quantiles))
        if target.label_kind == "quantity":
            off_N: np.ndarray = np.abs(y_N - means(y_N, part_N, parts)[part_N])
            return off_N
        return _of_classes(y_N, part_N, parts, target.outputs)


def means(value_N: np.ndarray, part_N: np.ndarray, parts: int) -> np.ndarray:
    """(P,) the mean of each part, drawn a little towards that of all.

    >>> means(np.array([0.0, 1.0, 2.0]), np.array([0, 1, 1]), 3).round(3).tolist()
    [0.909, 1.083, 1.0]
    """
    rows_P = np.bincount(part_N, minlength=parts)
    total_P = np.bincount(part_N, weights=value_N, minlength=parts)
    mean_P: np.ndarray = (total_P + SHRUNK * value_N.mean()) / (rows_P + SHRUNK)
    return mean_P


def _of_classes(y_N: np.ndarray, part_N: np.ndarray, parts: int, classes: int) -> np.ndarray:
    count_PK = np.bincount(part_N * classes + y_N, minlength=parts * classes).reshape(parts, classes)
    share_K = count_PK.sum(axis=0) / len(y_N)
    share_PK = (count_PK + SHRUNK * share_K) / (count_PK.sum(axis=1, keepdims=True) + SHRUNK)
    loss_N: np.ndarray = -np.log(share_PK.clip(EPSILON, 1.0))[part_N, y_N]
    return loss_N


def _of_tags(y_NK: np.ndarray, part_N: np.ndarray, parts: int) -> np.ndarray:
    share_NK = np.stack([means(y_N, part_N, parts)[part_N] for y_N in y_NK.T.astype(np.float64)], axis=1)
    loss_N: np.ndarray = -np.log(np.where(y_NK, share_NK, 1 - share_NK).clip(EPSILON, 1.0)).mean(axis=1)
    return loss_N


def _of_quantiles(y_N: np.ndarray, part_N: np.ndarray, parts: int, quantiles_K: np.ndarray) -> np.ndarray:
    """Those of all distances from the mean of their part, around that mean."""
    mean_N = means(y_N, part_N, parts)[part_N]
    return pinball(y_N, mean_N[:, None] + np.quantile(y_N - mean_N, quantiles_K), quantiles_K)

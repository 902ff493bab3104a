"""Scores of what a model answers, with bootstrap intervals; used by train, evaluate, promote and monitor.

`OF` says by which metrics each kind of target is judged, which of them is the main one, and in which two models are
compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from pipeline.errors import SettingsError
from pipeline.metrics import classification, forecasting, ordinal, quantiles, regression, tags
from pipeline.metrics.score import (
    IN_UNIT,
    LOWER_IS_BETTER,
    At,
    Measure,
    Metric,
    Paired,
    Score,
    Scores,
    Values,
    paired,
    resamples,
    scores,
)

__all__ = [
    "IN_UNIT",
    "LOWER_IS_BETTER",
    "OF",
    "At",
    "Kind",
    "Measures",
    "Metric",
    "Paired",
    "Score",
    "Scores",
    "Values",
    "chosen",
    "paired",
    "resamples",
    "scores",
]

Kind: TypeAlias = Literal["classes", "quantity", "ordinal", "quantiles", "tags", "forecast"]
CELLS_AT_ONCE = 1 << 23  # weights that are looked at together: each takes some 40 bytes on the way


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The metrics of one kind of target, in the order in which they are shown.

    `main` judges epochs, candidates and batches where the settings name no other; two models are compared in those of
    `paired`; `gap`, a share, tells from train and test whether a model fits, and is `blind` where it learnt nothing.
    """

    each: Mapping[Metric, Measure]
    main: Metric
    paired: tuple[Metric, ...]
    gap: Metric
    blind: float

    def values(self, y_N: np.ndarray, a_NK: np.ndarray, at: At, w_RN: np.ndarray | None = None) -> Values:
        """(1 + R,) of every metric: of the rows as they are, then of each resample, all rows of `resamples`.

        `at` is what answers are held against: of classes the threshold from which the second of two is said (of
        more the likeliest is), of tags that from which each is said, of a quantity the mean of train, and of quantiles
        that and then which they are.
        """
        drawn_RN = resamples(len(y_N), 0, 0) if w_RN is None else w_RN
        size = max(1, CELLS_AT_ONCE // len(y_N))
        parts = [
            {
                name: measure(y_N, a_NK, at, drawn_RN[start : start + size].astype(np.float64))
                for name, measure in self.each.items()
            }
            for start in range(0, len(drawn_RN), size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.each}

    def main_score(self, y_N: np.ndarray, a_NK: np.ndarray, at: At = 0.5) -> float:
        """The main metric of all rows: it hangs on no threshold."""
        return float(self.each[self.main](y_N, a_NK, at, np.ones((1, len(y_N)), dtype=np.float32))[0])


OF: Mapping[Kind, Measures] = {
    "classes": Measures(
        each=classification.EACH,
        main="auc",
        paired=("auc", "average_precision", "log_loss"),  # those that hang on no threshold
        gap="auc",
        blind=0.5,
    ),
    "quantity": Measures(each=regression.EACH, main="rmse", paired=("rmse", "mae", "r2"), gap="r2", blind=0.0),
    "ordinal": Measures(
        each=ordinal.EACH,
        main="quadratic_weighted_kappa",
        paired=("quadratic_weighted_kappa", "rank_mae", "auc", "log_loss"),
        gap="quadratic_weighted_kappa",
        blind=0.0,
    ),
    "quantiles": Measures(
        each=quantiles.EACH, main="pinball", paired=("pinball", "rmse", "mae", "r2"), gap="r2", blind=0.0
    ),
    "tags": Measures(
        each=tags.EACH,
        main="mean_average_precision",
        paired=("mean_average_precision", "log_loss"),
        gap="mean_average_precision",
        blind=0.0,
    ),
    "forecast": Measures(each=forecasting.EACH, main="rmse", paired=("rmse", "mae"), gap="r2", blind=0.0),
}


Name = TypeVar("Name", bound=str)


def chosen(name: str, known: Sequence[Name], auto: Name, key: str) -> Name:
    """What a setting names among the `known`, or `auto`; raises SettingsError for what is of another kind of label."""
    found = auto if name == "auto" else next((one for one in known if one == name), None)
    if found is None:
        raise SettingsError(
            f"cannot be {name}, which is not of this kind of label",
            where=f"params.yaml: {key}",
            fix=f"use auto, or one of: {', '.join(known)}",
        )
    return found

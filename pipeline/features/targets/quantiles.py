"""A label that is a number of which quantiles are told, as `train.loss.quantiles` asks."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.features.targets.quantity import Quantity
from pipeline.metrics import At

MEDIAN = 0.5


class Quantiles(Record):
    """Quantiles of a number, in rising order, the median among them; scaled as a quantity is.

    `stretch`: how many times as far from the median each is told as the network tells it, empty for once.

    >>> price = Quantiles(column="y", center=10.0, scale=2.0, quantiles=[0.1, 0.5, 0.9])
    >>> price.decode(np.array([[1.0, -1.0, 0.0]])).tolist()  # no quantile is above a higher one
    [[8.0, 10.0, 12.0]]
    """

    kind: Literal["quantiles"] = "quantiles"
    label_kind: ClassVar[LabelKind] = "quantity"
    column: str
    center: float
    scale: float = Field(gt=0)
    quantiles: list[float] = Field(min_length=1)
    stretch: list[float] = Field(default_factory=list)

    @field_validator("quantiles")
    @classmethod
    def _with_the_median(cls, value: list[float]) -> list[float]:
        if MEDIAN not in value or value != sorted(set(value)):
            raise ValueError("quantiles must rise, and have 0.5 among them")
        return value

    @classmethod
    def of(cls, quantity: Quantity, quantiles: Sequence[float]) -> "Quantiles":
        """These quantiles of a quantity."""
        return cls(**quantity.model_dump(exclude={"kind"}), quantiles=list(quantiles))

    @property
    def outputs(self) -> int:
        """One a quantile, scaled."""
        return len(self.quantiles)

    @property
    def median(self) -> int:
        """The place of the median, which is the answer."""
        return self.quantiles.index(MEDIAN)

    @property
    def quantity(self) -> Quantity:
        """The number that they are quantiles of."""
        return Quantity(column=self.column, center=self.center, scale=self.scale)

    @property
    def at(self) -> At:
        """What answers are held against: the mean of the training rows, then the quantiles."""
        return (self.center, *self.quantiles)

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) float32: the scaled value of each row, or None where a label is missing, NaN or infinite."""
        return self.quantity.encode(rows)

    def decode(self, scaled_NK: np.ndarray) -> np.ndarray:
        """(N, K) scaled outputs → quantiles in the label's unit, in order.

        To sort them never takes them further from the truth (Chernozhukov, Fernández-Val & Galichon 2010).
        """
        told_NK = np.sort(self.quantity.decode(scaled_NK), axis=1)
        if not self.stretch:
            return told_NK
        median_N1 = told_NK[:, [self.median]]
        return np.sort(median_N1 + (told_NK - median_N1) * np.array(self.stretch), axis=1)

    def stretched(self, a_NK: np.ndarray, y_N: np.ndarray) -> "Quantiles":
        """The same, each so far from the median that it has its share of these rows below it; they are none of train's.

        `a_NK` is what was answered without a stretch, `y_N` the truth. It is the conformal quantile of the truth's
        distance from the median in that of the answer (Romano, Patterson & Candès 2019; scaled so as Sesia & Candès
        2020 scale it).

        >>> plain = Quantiles(column="y", center=0.0, scale=1.0, quantiles=[0.5, 0.75])
        >>> plain.stretched(np.tile([0.0, 1.0], (3, 1)), np.array([-1.0, 1.0, 2.0])).stretch
        [1.0, 2.0]
        """
        return self.model_copy(update={"stretch": [self._stretch(a_NK, y_N, k) for k in range(len(self.quantiles))]})

    def _stretch(self, a_NK: np.ndarray, y_N: np.ndarray, place: int) -> float:
        told_N = a_NK[:, place] - a_NK[:, self.median]
        apart_N = told_N != 0
        if not apart_N.any():
            return 1.0
        ratio_R = np.sort((y_N - a_NK[:, self.median])[apart_N] / told_N[apart_N])
        share = max(self.quantiles[place], 1 - self.quantiles[place])
        rank = int(np.ceil((len(ratio_R) + 1) * share))
        return float(max(ratio_R[min(rank, len(ratio_R)) - 1], 0.0))

    def truth(self, encoded_N: np.ndarray) -> np.ndarray:
        """(N,) float64 what answers are judged by: the value in the label's unit."""
        return self.quantity.truth(encoded_N)

    def watched(self, a_NK: np.ndarray) -> np.ndarray:
        """(N,) the one number of each answer whose drift is watched: the median."""
        median_N: np.ndarray = a_NK[:, self.median]
        return median_N

    def said(self, a_NK: np.ndarray, threshold: float) -> pl.DataFrame:
        """The median as the answer, and a column each quantile; null where there is no answer."""
        told = {f"q: {quantile:g}": a_NK[:, place] for place, quantile in enumerate(self.quantiles)}
        return pl.DataFrame({"answer": self.watched(a_NK), **told}).fill_nan(None)

"""A label of classes that have an order, as grades do."""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.features.targets.classes import of_classes, places
from pipeline.metrics import At
from pipeline.metrics.ordinal import middle


class Ordinal(Record):
    """The classes of a label from the lowest to the highest; `shares` are those of the training rows.

    `temperature`: what the network's logits are divided by, settled on val (see pipeline.models.temperature).

    >>> grades = pl.LazyFrame({"y": ["low", "high", "low", "mid"]})
    >>> fitted = Ordinal.fit("y", grades, order=("low", "mid", "high"))
    >>> fitted.encode(pl.DataFrame({"y": ["high", "low"]})).tolist(), fitted.shares
    ([2, 0], [0.5, 0.25, 0.25])
    """

    kind: Literal["ordinal"] = "ordinal"
    label_kind: ClassVar[LabelKind] = "ordinal"
    column: str
    classes: list[str]
    shares: list[float]
    temperature: float = Field(default=1.0, gt=0, exclude_if=lambda value: value == 1.0)

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, order: tuple[str, ...]) -> "Ordinal":
        """The classes of the training rows in this order; without one, numbers in theirs."""
        value = by_name(column)
        counted = rows.select(value=value).drop_nulls().group_by("value").len().sort("value").collect()
        found = dict(zip(counted["value"].cast(pl.String), counted["len"], strict=True))
        classes = [name for name in order or found if name in found]
        return cls(column=column, classes=classes, shares=[found[name] / sum(found.values()) for name in classes])

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one a class, the logarithm of its probability."""
        return len(self.classes)

    @property
    def levels(self) -> list[float]:
        """The log odds of being above each class but the last, in the training rows: what the network starts from."""
        above_T = 1 - np.cumsum(self.shares)[:-1]
        odds: list[float] = (np.log(above_T) - np.log1p(-above_T)).tolist()
        return odds

    @property
    def at(self) -> At:
        """What answers are held against: they hang on no threshold."""
        return 0.5

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) int64: the rank of each row, or None where a label is missing or of another class."""
        return places(rows, self.column, self.classes)

    def truth(self, encoded_N: np.ndarray) -> np.ndarray:
        """(N,) what answers are judged by: the rank."""
        return encoded_N

    def watched(self, a_NK: np.ndarray) -> np.ndarray:
        """(N,) the one number of each answer whose drift is watched: the rank that is to be expected."""
        rank_N: np.ndarray = a_NK @ np.arange(len(self.classes))
        return rank_N

    def said(self, a_NK: np.ndarray, threshold: float) -> pl.DataFrame:
        """The middle class of the answer, and the probability of each class; it hangs on no threshold."""
        return of_classes(middle(a_NK), a_NK, self.classes)

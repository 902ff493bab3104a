"""A label that is a number."""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.metrics import At


class Quantity(Record):
    """A label that is a number; the network tells (value - center) / scale: mean and deviation of train, scale 1 of 0.

    >>> price = Quantity.fit("y", pl.LazyFrame({"y": [1.0, 3.0, None]}))
    >>> price.encode(pl.DataFrame({"y": [1, 2]})).tolist(), price.decode(np.array([-1.0, 0.0])).tolist()
    ([-1.0, 0.0], [1.0, 2.0])
    """

    kind: Literal["quantity"] = "quantity"
    label_kind: ClassVar[LabelKind] = "quantity"
    column: str
    center: float
    scale: float = Field(gt=0)

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame) -> "Quantity":
        """Centre and scale of the finite labels of the training rows; those of none are 0 and 1."""
        value = by_name(column).cast(pl.Float64)
        finite = rows.select(value=value).filter(pl.col("value").is_finite())
        mean, deviation = finite.select(mean=pl.col("value").mean(), std=pl.col("value").std(ddof=0)).collect().row(0)
        return cls(column=column, center=mean or 0.0, scale=deviation or 1.0)

    @property
    def outputs(self) -> int:
        """One: the scaled value."""
        return 1

    @property
    def at(self) -> At:
        """What answers are held against: the mean of the training rows."""
        return self.center

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) float32: the scaled value of each row, or None where a label is missing, NaN or infinite."""
        if self.column not in rows.columns:
            return None
        value_N = rows[self.column].cast(pl.Float64).to_numpy()
        return ((value_N - self.center) / self.scale).astype(np.float32) if np.isfinite(value_N).all() else None

    def decode(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled values of any shape → float64 in the label's unit."""
        return scaled.astype(np.float64) * self.scale + self.center

    def truth(self, encoded_N: np.ndarray) -> np.ndarray:
        """(N,) float64 what answers are judged by: the value in the label's unit."""
        return self.decode(encoded_N)

    def watched(self, a_N1: np.ndarray) -> np.ndarray:
        """(N,) the one number of each answer whose drift is watched: the value."""
        value_N: np.ndarray = a_N1[:, 0]
        return value_N

    def said(self, a_N1: np.ndarray, threshold: float) -> pl.DataFrame:
        """The value that is answered, null where there is none; it hangs on no threshold."""
        return pl.DataFrame({"answer": a_N1[:, 0]}).fill_nan(None)

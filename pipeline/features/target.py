"""The label → the tensor that the network is to tell, and back. Fitted on train alone, kept as JSON."""

from typing import Annotated, Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field, TypeAdapter

from pipeline.artefacts import Record
from pipeline.contract import Column


class Classes(Record):
    """The classes of a label, in the order of their text.

    >>> Classes.fit("y", pl.LazyFrame({"y": ["b", "a", None]})).encode(pl.DataFrame({"y": ["b", "a"]})).tolist()
    [1, 0]
    """

    kind: Literal["classes"] = "classes"
    column: str
    classes: list[str]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame) -> "Classes":
        """The classes of the training rows."""
        found = rows.select(value=by_name(column).cast(pl.String)).drop_nulls().unique().collect()
        return cls(column=column, classes=found["value"].sort().to_list())

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one logit a class."""
        return len(self.classes)

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) int64: the class of each row, or None where a label is missing or of another class."""
        if self.column not in rows.columns:
            return None
        places = {value: place for place, value in enumerate(self.classes)}
        codes = rows[self.column].cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Int64)
        return None if codes.has_nulls() else codes.to_numpy()

    def truth(self, encoded_N: np.ndarray) -> np.ndarray:
        """(N,) what answers are judged by: the class as its place."""
        return encoded_N


class Quantity(Record):
    """A label that is a number; the network tells (value - center) / scale: mean and deviation of train, scale 1 of 0.

    >>> price = Quantity.fit("y", pl.LazyFrame({"y": [1.0, 3.0, None]}))
    >>> price.encode(pl.DataFrame({"y": [1, 2]})).tolist(), price.decode(np.array([-1.0, 0.0])).tolist()
    ([-1.0, 0.0], [1.0, 2.0])
    """

    kind: Literal["quantity"] = "quantity"
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


Target: TypeAlias = Classes | Quantity
TARGET: TypeAdapter[Target] = TypeAdapter(Annotated[Target, Field(discriminator="kind")])


def fit(label: Column, rows: pl.LazyFrame) -> Target:
    """What the label is, learnt from the training rows: a quantity where the contract says `numeric`, else classes."""
    return Quantity.fit(label.name, rows) if label.is_quantity else Classes.fit(label.name, rows)

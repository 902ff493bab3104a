"""Numbers → scaled floats with a was-missing indicator."""

from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block
from pipeline.profile import Numeric, profile

Method = Literal["standard", "minmax", "robust", "quantile"]
KNOTS = 257
CLIP = 10.0
LARGEST = 1e100  # what is beyond is taken as this, so that nothing overflows


class NumericSettings(BaseModel):
    """How numbers are scaled, for all columns and for those named in `columns`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Method = "standard"
    columns: dict[str, Method] = Field(default_factory=dict)


class NumericEncoder(Record):
    """Scaled value = (value - center) / scale, or the share of training values below it (`quantile`).

    What is learnt is read off the column's profile: mean and deviation are exact, quantiles are as near as
    its sketch says.

    null, NaN and infinite values become the median; where train had any, a second output is 1 for them.
    Scaled values are clipped to ±10, so that one wild value cannot carry the answer away. A column that is
    constant in train is only centred; `robust` takes the deviation where the middle half is one value.

    >>> values = pl.LazyFrame({"x": [1.0, 2.0, 3.0, None]})
    >>> NumericEncoder.fit("x", values, NumericSettings(method="minmax")).encode(pl.Series([2.0, None])).tolist()
    [[0.5, 0.0], [0.5, 1.0]]
    """

    kind: ClassVar[Modality] = "numeric"
    block: ClassVar[Block] = "dense"
    settings: ClassVar[type[BaseModel]] = NumericSettings
    column: str
    method: Method
    center: float
    scale: float
    median: float
    knots: list[float]
    indicator: bool

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: NumericSettings) -> Self:
        """Learn center, scale, median and quantiles; a column without any value is a constant 0."""
        method = settings.columns.get(column, settings.method)
        value = pl.col(column).cast(pl.Float64)
        held = pl.when(value.is_finite()).then(value.clip(-LARGEST, LARGEST)).otherwise(value)
        seen = profile(rows.select(held.alias(column)), {column: "numeric"}).columns[column]
        assert isinstance(seen, Numeric)  # the cast makes it one
        median, low, high = seen.median or 0.0, seen.min or 0.0, seen.max or 0.0
        center, spread = {
            "standard": (seen.mean or 0.0, seen.std),
            "minmax": (low, high - low),
            "robust": (median, seen.iqr or seen.std),
            "quantile": (0.0, 1.0),
        }[method]
        shares = np.linspace(0.0, 1.0, KNOTS).tolist() if method == "quantile" else []
        return cls(
            column=column,
            method=method,
            center=center,
            scale=spread or 1.0,
            median=median,
            knots=[seen.quantile(share) or 0.0 for share in shares],
            indicator=seen.finite < seen.rows,
        )

    @property
    def outputs(self) -> list[str]:
        return [self.column, f"{self.column} was missing"] if self.indicator else [self.column]

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) numbers → (N, 1 or 2) float32."""
        raw = values.cast(pl.Float64).to_numpy()
        missing = ~np.isfinite(raw)
        filled = np.where(missing, self.median, raw.clip(-LARGEST, LARGEST))
        if self.method == "quantile":
            scaled = np.interp(filled, *self.distinct_knots())
        else:
            with np.errstate(over="ignore"):  # of a scale near 0: clipped all the same
                scaled = ((filled - self.center) / self.scale).clip(-CLIP, CLIP)
        columns = [scaled, missing] if self.indicator else [scaled]
        return np.stack(columns, axis=1).astype(np.float32)

    def decode(self, encoded: np.ndarray) -> pl.Series:
        """(N, 1 or 2) float32 → the numbers; what was missing is null again, what was clipped stays clipped."""
        scaled = encoded[:, 0].astype(np.float64)
        if self.method == "quantile":
            knots, shares = self.distinct_knots()
            values = np.interp(scaled, shares, knots)
        else:
            values = scaled * self.scale + self.center
        missing = encoded[:, 1] > 0.5 if self.indicator else np.zeros(len(values), dtype=bool)
        return pl.select(pl.when(pl.Series(~missing)).then(pl.Series(values))).to_series().alias(self.column)

    def distinct_knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Knots and their shares; knots that are equal share the middle of their shares."""
        knots, where = np.unique(np.asarray(self.knots), return_inverse=True)
        shares = np.linspace(0.0, 1.0, len(self.knots))
        return knots, np.bincount(where, weights=shares) / np.bincount(where)


ENCODERS = (NumericEncoder,)

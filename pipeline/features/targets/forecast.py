"""A label that is forecast: its next values, step by step, in deviations of its group's training rows.

Shapes: N rows, R rows, H steps of the horizon, T places of the axes.
"""

from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.features.series import Laid, Series, grouped
from pipeline.features.windows import Windows
from pipeline.metrics import At

FARTHEST = 1e6  # deviations; of N rows none is farther from their mean than the root of N


class Forecast(Record):
    """The label's next `horizon` values; the network tells (value - center) / scale, of each group its own of train.

    `groups`: centre and scale by group, empty of a single series; a group that train has not is scaled as all together.
    `naive_error`: the mean distance on train from the value a season before (Hyndman & Koehler 2006), in the unit of
    `decode`: the label's of a single series, of several deviations of each.
    """

    kind: Literal["forecast"] = "forecast"
    label_kind: ClassVar[LabelKind] = "quantity"
    column: str
    horizon: int = Field(ge=1)
    season: int = Field(ge=1)
    grouped_by: list[str]
    groups: dict[str, tuple[float, float]]
    center: float
    scale: float = Field(gt=0)
    naive_error: float = Field(gt=0, default=1.0)

    @classmethod
    def fit(cls, series: Series, rows: pl.DataFrame) -> Self:
        """Centres and scales of the finite labels of the training rows; those of none are 0 and 1."""
        value = by_name(series.column).cast(pl.Float64)
        known = rows.select(group=grouped(series.groups), value=value).filter(pl.col("value").is_finite())
        spread = {"center": pl.col("value").mean(), "scale": pl.col("value").std(ddof=0)}
        center, scale = known.select(**spread).row(0)
        by_group = known.group_by("group").agg(**spread).sort("group") if series.groups else known.clear()
        found = cls(
            column=series.column,
            horizon=series.horizon,
            season=series.season,
            grouped_by=series.groups,
            groups={group: (mean, deviation or 1.0) for group, mean, deviation in by_group.iter_rows()},
            center=center or 0.0,
            scale=scale or 1.0,
        )
        return found.model_copy(update={"naive_error": found._naive_error(series.lay(rows), found.scaled(rows))})

    @property
    def outputs(self) -> int:
        """One a step of the horizon: the scaled value."""
        return self.horizon

    @property
    def at(self) -> At:
        """What forecasts are held against: the naive one's error on train."""
        return self.naive_error

    def encode(self, rows: pl.DataFrame) -> None:
        """None: what comes after a row is in other rows (`ahead`)."""

    def scaled(self, rows: pl.DataFrame) -> np.ndarray:
        """(R,) float32: the scaled value of each row, NaN where it is missing, infinite, or in no column.

        One beyond FARTHEST is taken to be so far: networks of 32 bits answer larger ones with what is no number.
        """
        if self.column not in rows.columns:
            return np.full(rows.height, np.nan, dtype=np.float32)
        value_R = rows[self.column].cast(pl.Float64).to_numpy()
        center_R, scale_R = self._scales(rows)
        with np.errstate(over="ignore"):
            away_R = np.where(np.isfinite(value_R), (value_R - center_R) / scale_R, np.nan)
        return away_R.clip(-FARTHEST, FARTHEST).astype(np.float32)

    def in_unit(self, a_NH: np.ndarray, rows: pl.DataFrame) -> np.ndarray:
        """(N, H) answers of these rows, as they are judged → in the label's unit, whatever the group."""
        if not self.groups:
            return a_NH
        center_N, scale_N = self._scales(rows)
        told_NH: np.ndarray = a_NH * scale_N[:, None] + center_N[:, None]
        return told_NH

    def of_unit(self, a_NH: np.ndarray, rows: pl.DataFrame) -> np.ndarray:
        """(N, H) in the label's unit → as they are judged."""
        if not self.groups:
            return a_NH
        center_N, scale_N = self._scales(rows)
        judged_NH: np.ndarray = (a_NH - center_N[:, None]) / scale_N[:, None]
        return judged_NH

    def decode(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled values of any shape → float64 as they are judged: of a single series in the label's unit."""
        values = scaled.astype(np.float64)
        return values if self.groups else values * self.scale + self.center

    def truth(self, encoded_NH: "np.ndarray | Windows") -> np.ndarray:
        """(N, H) float64 what forecasts are judged by."""
        return self.decode(np.asarray(encoded_NH))

    def ahead(self, laid: Laid, scaled_R: np.ndarray) -> Windows:
        """(N, H) the next values of each row that is asked about; of rows without a whole future they mean nothing."""
        last_T = len(laid.row_T) - 1 - self.horizon
        return Windows(
            values=laid.spread(scaled_R, laid.there(np.isfinite(scaled_R))),
            place_N=np.minimum(laid.place_R[laid.own :], last_T),
            step_W=np.arange(1, self.horizon + 1),
        )

    def watched(self, a_NH: np.ndarray) -> np.ndarray:
        """(N,) the one number of each forecast whose drift is watched: its mean over the horizon."""
        mean_N: np.ndarray = a_NH.mean(axis=1)
        return mean_N

    def said(self, a_NH: np.ndarray, threshold: float) -> pl.DataFrame:
        """The mean over the horizon as the answer, and a column each step; null where there is no answer."""
        told = {f"step: {step + 1}": a_NH[:, step] for step in range(self.horizon)}
        return pl.DataFrame({"answer": self.watched(a_NH), **told}).fill_nan(None)

    def _scales(self, rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        if not self.groups:
            return np.full(rows.height, self.center), np.full(rows.height, self.scale)
        names = rows.select(group=grouped(self.grouped_by))["group"]
        both = (
            names.replace_strict({k: v[i] for k, v in self.groups.items()}, default=other, return_dtype=pl.Float64)
            for i, other in enumerate((self.center, self.scale))
        )
        center, scale = both
        return center.to_numpy(), scale.to_numpy()

    def _naive_error(self, laid: Laid, scaled_R: np.ndarray) -> float:
        known_T = laid.there(np.isfinite(scaled_R))
        value_T = laid.spread(scaled_R, known_T).astype(np.float64)
        both = known_T[self.season :] & known_T[: -self.season]  # axes are a window apart, which has a season
        error = np.abs(value_T[self.season :] - value_T[: -self.season])[both]
        unit = 1.0 if self.groups else self.scale
        return float(error.mean() * unit) if error.size and error.any() else 1.0

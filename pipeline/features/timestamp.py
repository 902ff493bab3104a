"""Time stamps → the sine and cosine of their hour in the day, their day in the week and in the year."""

from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block

Cycle = Literal["day", "week", "year"]
SECONDS: dict[Cycle, float] = {"day": 86_400.0, "week": 604_800.0, "year": 31_556_952.0}
STEP: dict[Cycle, float] = {"day": 60.0, "week": 86_400.0, "year": 86_400.0}
MONDAY = 345_600.0  # 1970-01-05, the first Monday after the epoch
TURNS_NEEDED = 2


class TimestampSettings(BaseModel):
    """Which cycles may be used; one is, when train spans it at least twice: else it would only count time."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cycles: tuple[Cycle, ...] = ("day", "week", "year")


class TimestampEncoder(Record):
    """Each cycle gives two outputs, sine and cosine; a missing stamp is 0 in both, the middle of the circle.

    Within a cycle the stamp is cut to whole steps (minutes of the day, days of the week and year): left
    continuous, the angle of the week would name each hour of it, which is few rows to learn from.
    """

    kind: ClassVar[Modality] = "timestamp"
    block: ClassVar[Block] = "dense"
    settings: ClassVar[type[BaseModel]] = TimestampSettings
    column: str
    cycles: tuple[Cycle, ...]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: TimestampSettings) -> Self:
        """Choose the cycles that train spans."""
        ends = rows.select(low=_seconds(column).min(), high=_seconds(column).max()).collect(engine="streaming")
        span = (ends["high"][0] or 0.0) - (ends["low"][0] or 0.0)
        return cls(column=column, cycles=tuple(c for c in settings.cycles if span >= TURNS_NEEDED * SECONDS[c]))

    @property
    def outputs(self) -> list[str]:
        return [f"{self.column} {wave} of {cycle}" for cycle in self.cycles for wave in ("sine", "cosine")]

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) dates or datetimes → (N, 2 * cycles) float32."""
        seconds = values.to_frame(self.column).select(_seconds(self.column)).to_series().to_numpy()
        steps = ((seconds - MONDAY) // STEP[cycle] * STEP[cycle] for cycle in self.cycles)
        angles = [2 * np.pi * step / SECONDS[cycle] for step, cycle in zip(steps, self.cycles, strict=True)]
        waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        stacked = np.stack(waves, axis=1) if waves else np.empty((len(values), 0))
        return np.nan_to_num(stacked, nan=0.0).astype(np.float32)


ENCODERS = (TimestampEncoder,)


def _seconds(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us")).dt.timestamp("us") / 1e6

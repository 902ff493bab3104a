"""How fast the candidate answers here, from typed rows to answers, and how large it is.

These are times of this machine, alone or not: no two runs give the same.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.judgement.case import Case
from pipeline.judgement.probe import Probe
from pipeline.wording import count, number

ONE, MANY = 1, 1024
USUAL, SLOW = 0.5, 0.95


class SpeedSettings(BaseModel):
    """How long it is measured; `speed: false` leaves that out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seconds: float = Field(default=0.2, gt=0, le=60, description="of calls with one row, and again with 1,024 rows")


class Pace(Record):
    """Calls with so many rows each: the median, and the time that one call in twenty takes longer than."""

    rows: int
    calls: int
    ms_per_row: float
    slow_ms_per_row: float
    rows_per_second: float


class Speed(Record):
    """Answers on the CPU with so many threads; `size`: the bytes of the model's folder, `weights`: how many numbers."""

    one: Pace
    many: Pace
    threads: int
    weights: int
    size: int

    @property
    def words(self) -> str:
        """Both times in a sentence."""
        threads = count(self.threads, "thread")
        return (
            f"From typed rows to answers on the CPU with {threads} it takes {number(self.one.ms_per_row)} ms for a row "
            f"by itself, and answers {number(self.many.rows_per_second)} rows a second in batches of {MANY:,}."
        )


def speed(case: Case, settings: SpeedSettings) -> Speed:
    """Ask about rows of test, again and again, in calls of one row and of 1,024."""
    import torch

    asked = Probe.of(case.model, case.rows["test"].head(ONE))
    return Speed(
        one=_pace(asked.asked_of, case.rows["test"], ONE, settings.seconds),
        many=_pace(asked.asked_of, case.rows["test"], MANY, settings.seconds),
        threads=torch.get_num_threads(),
        weights=sum(weight.numel() for weight in asked.network.parameters()),
        size=size_of(case.model.folder),
    )


def size_of(folder: Path) -> int:
    """Bytes of all files of a model."""
    return sum(path.stat().st_size for path in folder.iterdir())


def _pace(answer: Callable[[pl.DataFrame], np.ndarray], rows: pl.DataFrame, batch: int, seconds: float) -> Pace:
    """Time calls for so long. The first one, which warms up, counts only where it alone takes as long."""
    part = rows[np.arange(batch) % rows.height]  # few rows are asked about repeatedly
    first = _took(answer, part)
    took = [first] if first >= seconds else []
    while sum(took) < seconds:
        took.append(_took(answer, part))
    usual, slow = (float(each) for each in np.quantile(took, [USUAL, SLOW]))
    return Pace(
        rows=batch,
        calls=len(took),
        ms_per_row=usual * 1000 / batch,
        slow_ms_per_row=slow * 1000 / batch,
        rows_per_second=batch / usual,
    )


def _took(answer: Callable[[pl.DataFrame], np.ndarray], part: pl.DataFrame) -> float:
    begun = time.perf_counter()
    answer(part)
    return time.perf_counter() - begun

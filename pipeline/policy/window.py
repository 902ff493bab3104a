"""What a retraining was told to learn from: models/window.json, which split and train read; all rows by default."""

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID
from pipeline.errors import DataError
from pipeline.workspace import Workspace

DAY_SECONDS = 86_400.0


class Window(Record):
    """Which rows of train are learnt from, and from which weights.

    Rows older than `since` are before the window. With `half_life_days` a row is kept with the probability
    2^(-age / half_life_days), its age that to the newest row of train. Of what that would leave out, a share `replay`
    is kept. `start`: the version of the registry whose weights training starts from; null: from scratch.
    """

    since: str | None = None
    half_life_days: float | None = Field(default=None, gt=0)
    replay: float = Field(default=0.0, ge=0, le=1)
    start: str | None = None

    @classmethod
    def of(cls, workspace: Workspace) -> "Window":
        """The workspace's; without a file all rows, from scratch."""
        return cls.read(workspace.window) if workspace.window.is_file() else cls()

    @property
    def holds_all(self) -> bool:
        """Whether it leaves no row out."""
        return self.since is None and self.half_life_days is None


def ensure(workspace: Workspace) -> None:
    """Write the window that holds all where there is none: split and train depend on the file."""
    if not workspace.window.is_file():
        Window().write(workspace.window)


def within(marked: pl.DataFrame, time: pl.Series | None, window: Window, seed: int) -> tuple[pl.DataFrame, int]:
    """The marked rows without those of train that the window leaves out, and how many these are.

    Raises DataError where the rows have no time.
    """
    if window.holds_all:
        return marked, 0
    if time is None or time.null_count() == len(time):
        raise DataError(
            "a window needs a column of role `time` with values, and there is none",
            where="params.yaml: monitor.retrain.window",
            fix="give a column the role, or use `all`",
        )
    train = marked.with_columns(time).filter(pl.col("split") == "train")
    left = train.filter(~pl.Series(kept(train, time.name, window, seed))).select(ROW_ID)
    return marked.join(left, on=ROW_ID, how="anti", maintain_order="left"), left.height


def kept(train: pl.DataFrame, time: str, window: Window, seed: int) -> np.ndarray:
    """(N,) bool: the rows of train that are learnt from. A row's fate hangs on its id and the seed, not on the others.

    A row without a time is kept.

    >>> from datetime import datetime
    >>> rows = pl.DataFrame({ROW_ID: ["a", "b"], "t": [datetime(2024, 1, 1), datetime(2024, 3, 1)]})
    >>> kept(rows, "t", Window(since="2024-02-01"), 0).tolist()
    [False, True]
    """
    if window.holds_all:
        return np.ones(train.height, dtype=bool)
    stamp_N = train[time].cast(pl.Datetime("us")).dt.epoch("ms").cast(pl.Float64).to_numpy() / 1000
    chance_N = np.ones(train.height)
    if window.since is not None:
        start = pl.Series([window.since]).str.to_datetime(time_unit="us").dt.epoch("ms")[0] / 1000
        chance_N = np.where(stamp_N < start, 0.0, chance_N)
    if window.half_life_days is not None and not np.isnan(stamp_N).all():
        age_N = (np.nanmax(stamp_N) - stamp_N) / DAY_SECONDS
        chance_N = chance_N * np.where(np.isnan(age_N), 1.0, np.exp2(-age_N / window.half_life_days))
    drawn_N = train[ROW_ID].hash(seed=seed).to_numpy() / 2.0**64
    return np.asarray(drawn_N < np.maximum(chance_N, window.replay))

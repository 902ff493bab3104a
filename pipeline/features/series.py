"""Rows as series: each stands at a step of the time axis of its group, and looks back over a window of steps.

Missing steps and values are marked, and filled with what was known last: nothing of a later step is looked at.
Shapes: R rows (of the past, then those that are asked about), T places of all axes one behind the other, N rows that
are asked about, D dense values, C values of a place.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Contract
from pipeline.errors import DataError, SettingsError
from pipeline.features.windows import Windows

ROW = "row"  # a step for each row
MICROSECONDS = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6}
MICROSECONDS |= {"w": 7 * MICROSECONDS["d"]}
MONTHS = {"mo": 1, "q": 3, "y": 12}
CALENDAR = {28: "1mo", 29: "1mo", 30: "1mo", 31: "1mo", 90: "1q", 91: "1q", 92: "1q", 365: "1y", 366: "1y"}  # days
STEP = r"(\d+)(us|ms|s|mo|m|h|d|w|q|y)"
MOST_PLACES = 100  # a row: with more, nearly all steps are missing
SEPARATOR = " · "


class SeriesSettings(BaseModel):
    """How rows become series: by the contract's column of role `time`, those of each value of its `group` apart.

    The rows of a forecast are split by time, with `split.together: false`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int = Field(default=96, ge=1, description="how many steps a row looks back over, its own included")
    horizon: int = Field(
        default=0,
        ge=0,
        description="how many steps after a row's own the label is forecast for; 0: the label is the row's own, and "
        "its window, without the label, is read beside its columns",
    )
    step: str = Field(
        default="auto",
        pattern=rf"^(auto|{ROW}|{STEP})$",
        description="from one step to the next, as 15m, 1h, 1d, 1w, 1mo, 1q or 1y; row: each row is a step; auto: what "
        "most rows of train are apart",
    )
    season: int | None = Field(
        default=None, ge=1, description="steps of a season, for the seasonal baseline; null: a day, a week or a year"
    )
    past: int | None = Field(
        default=None,
        ge=1,
        description="rows of a group's first steps are learnt from after so many; null: after a whole window",
    )


class SeriesNetworkSettings(BaseModel):
    """What reads a window in the network.

    `dlinear`: the label's moving average and what is left of it, each through a linear layer (Zeng et al. 2023); it
    forecasts from the label alone, other columns are added by the backbone. `gru`, `tcn` (a temporal CNN) and
    `transformer` read all columns of the window; the backbone answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["dlinear", "gru", "tcn", "transformer"] = "dlinear"
    center: Literal["last", "none"] = Field(
        default="last",
        description="last: the change from the last known value is told (NLinear, Zeng et al. 2023), none: the value",
    )
    average: int = Field(default=25, ge=1, description="dlinear: steps of its moving average (25 in its paper)")
    width: int = Field(default=64, ge=4, description="values of a step within the others")
    layers: int = Field(default=2, ge=1, description="layers of gru and transformer")
    heads: int = Field(default=4, ge=1, description="transformer: heads of attention; `width` is a multiple")
    kernel: int = Field(default=3, ge=2, description="tcn: steps that a layer looks at")
    patch: int = Field(default=8, ge=1, description="transformer: steps that make a token (PatchTST, Nie et al. 2023)")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="share of values taken away in training")


class SeriesRecord(Record):
    """What became of a split's rows, each counted once, and how many steps between its rows have none."""

    rows: int
    samples: int
    without_time: int
    repeated: int
    young: int
    without_future: int
    missing_steps: int

    @property
    def words(self) -> str:
        """The same in a sentence."""
        others = {
            "without a time": self.without_time,
            "followed by another of their step": self.repeated,
            "without a whole past": self.young,
            "without a whole future": self.without_future,
        }
        left = "".join(f", {count:,} {why}" for why, count in others.items() if count)
        gaps = f"; {self.missing_steps:,} steps between them have none" if self.missing_steps else ""
        return f"{self.samples:,} of {self.rows:,} rows are forecast from{left}{gaps}"


class Series(Record):
    """The axis, learnt of train: `step` is none of `auto`, `origin` a stamp of a step in microseconds."""

    kind: ClassVar[Literal["series"]] = "series"
    column: str
    time: str
    groups: list[str]
    step: str
    origin: int
    window: int
    horizon: int
    season: int
    past: int
    dense: int = Field(ge=0)

    @classmethod
    def fit(cls, rows: pl.LazyFrame, agreed: Contract, settings: SeriesSettings, *, dense: int) -> Self:
        """Learn the step from the training rows; raises SettingsError without a time axis, or a number to forecast."""
        require_axis(agreed, settings)
        assert agreed.time is not None
        stamps = rows.select(group=grouped(agreed.groups), stamp=stamp_of(agreed.time)).drop_nulls().collect()
        step = _typical_step(stamps) if settings.step == "auto" else settings.step
        season = settings.season or _season(step)
        return cls(
            column=agreed.label.name,
            time=agreed.time,
            groups=agreed.groups,
            step=step,
            origin=int(stamps["stamp"].min() or 0),  # type: ignore[arg-type] # whole numbers
            window=settings.window,
            horizon=settings.horizon,
            season=season if season <= settings.window else 1,
            past=settings.past or settings.window,
            dense=dense,
        )

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        return [self.time, *self.groups]

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """What its encoder in the network is built from."""
        shape = {"window": self.window, "horizon": self.horizon, "dense": self.dense}
        return {**shape, "settings": settings.model_dump(mode="json")}

    def lay(self, rows: pl.DataFrame, past: pl.DataFrame | None = None) -> "Laid":
        """The rows, and before them those of the past, on their axes; of several of a step the last stands there.

        Raises DataError where nearly all steps are missing.
        """
        own = 0 if past is None else past.height
        whole = rows if past is None else pl.concat([past.select(self.columns), rows.select(self.columns)])
        keys = whole.lazy().select(group=grouped(self.groups), stamp=stamp_of(self.time), moment=by_name(self.time))
        stepped = keys.with_row_index("row").with_columns(step=self._index()).drop_nulls("step")
        placed = stepped.select("group", "step", "row").sort("group", "step", "row").collect()
        row_P, step_P = placed["row"].to_numpy().astype(np.int64), placed["step"].to_numpy()
        group_P = placed["group"].rank("dense").to_numpy().astype(np.int64) - 1
        first_G, size_G = _spans(group_P, step_P)
        self._require_filled(int(size_G.sum()), whole.height)
        start_G = np.cumsum(size_G + self.window) - size_G - self.window
        age_P = step_P - first_G[group_P]
        place_P = start_G[group_P] + self.window + age_P
        row_T = np.full(max(int((size_G + self.window).sum()), self.window) + self.horizon, -1)
        row_T[place_P] = row_P
        head_T = np.zeros(len(row_T), dtype=bool)
        head_T[start_G] = True
        place_R, order_R, age_R = (np.full(whole.height, -1) for _ in range(3))
        place_R[row_P], order_R[row_P], age_R[row_P] = place_P, step_P, age_P
        return Laid(row_T=row_T, head_T=head_T, place_R=place_R, order_R=order_R, age_R=age_R, own=own)

    def _require_filled(self, steps: int, rows: int) -> None:
        if steps > MOST_PLACES * rows:
            raise DataError(
                f"{rows:,} rows have {steps:,} steps of {self.step}: nearly all are missing",
                where="params.yaml: normalize.series.step",
                fix="set a coarser step, or `row`, by which each row is a step",
            )

    def _index(self) -> pl.Expr:
        """The number of the step of each row; those of `row` are counted by group from the first stamp on."""
        stamp = pl.col("stamp")
        if self.step == ROW:
            return pl.when(stamp.is_not_null()).then(stamp.rank("ordinal").over("group").cast(pl.Int64))
        count, unit = _parsed(self.step)
        if unit in MONTHS:
            day = pl.col("moment").cast(pl.Datetime("us")).dt.offset_by("1d")  # in UTC a month may begin a day early
            return (day.dt.year().cast(pl.Int64) * 12 + day.dt.month().cast(pl.Int64) - 1) // (count * MONTHS[unit])
        length = count * MICROSECONDS[unit]
        return (stamp - self.origin + length // 2) // length  # the nearest step: stamps may be a bit off


@dataclass(frozen=True, kw_only=True)
class Laid:
    """Rows on their axes: `row_T` which row stands at a place, -1 none; `head_T` where an axis begins, with a window of
    empty places; `place_R`, `order_R` and `age_R` the place of each row (-1 none), its step, and how many are before it
    in its group; rows from `own` on are those that are asked about.
    """

    row_T: np.ndarray
    head_T: np.ndarray
    place_R: np.ndarray
    order_R: np.ndarray
    age_R: np.ndarray
    own: int

    def there(self, known_R: np.ndarray | None = None) -> np.ndarray:
        """(T,) bool: whether a place has a row, one that is known."""
        there_T = self.row_T >= 0
        if known_R is None:
            return there_T
        known_T = there_T.copy()
        known_T[there_T] = known_R[self.row_T[there_T]]
        return known_T

    def spread(self, value_R: np.ndarray, there_T: np.ndarray) -> np.ndarray:
        """(T, ...) float32: the values at their places, elsewhere the last before them on the axis, 0 before all."""
        here_T = np.where(there_T | self.head_T, np.arange(len(there_T)), 0)
        from_T = np.maximum.accumulate(here_T)
        row_T, known_T = self.row_T[from_T], there_T[from_T]
        found: np.ndarray = np.zeros((len(row_T), *value_R.shape[1:]), dtype=np.float32)
        found[known_T] = value_R[row_T[known_T]]
        return found

    def windows(self, values: np.ndarray, window: int) -> Windows:
        """The window of each row that is asked about; that of a row without a time is empty."""
        place_N = self.place_R[self.own :]
        return Windows(
            values=values,
            place_N=np.where(place_N >= 0, place_N, window - 1),
            step_W=np.arange(1 - window, 1),
        )

    def missing(self) -> int:
        """How many steps between rows that are asked about have no row."""
        own_T = self.row_T >= self.own
        axis_T = np.cumsum(self.head_T)
        ends = [np.flatnonzero(own_T & (axis_T == axis))[[0, -1]] for axis in np.unique(axis_T[own_T])]
        return int(sum((self.row_T[first : last + 1] < 0).sum() for first, last in ends))

    def samples(self, ahead_T: np.ndarray, series: Series) -> tuple[np.ndarray, SeriesRecord]:
        """(S,) the rows from which can be learnt, by time, and what became of all; `ahead_T`: whose label is known."""
        place_N, age_N = self.place_R[self.own :], self.age_R[self.own :]
        rows = len(place_N)
        reached = np.concatenate([[0], np.cumsum(ahead_T & (self.row_T >= self.own))])
        future_N = reached[np.minimum(place_N + 1 + series.horizon, len(ahead_T))] - reached[place_N + 1]
        why_N = np.select(
            [
                place_N < 0,
                self.row_T[place_N] != np.arange(self.own, self.own + rows),
                age_N + 1 < series.past,
                future_N < series.horizon,
            ],
            [1, 2, 3, 4],
            0,
        )
        without_time, repeated, young, without_future = (int((why_N == code).sum()) for code in (1, 2, 3, 4))
        chosen = np.flatnonzero(why_N == 0)
        in_time = np.lexsort((place_N[chosen], self.order_R[self.own :][chosen]))
        return chosen[in_time], SeriesRecord(
            rows=rows,
            samples=len(chosen),
            without_time=without_time,
            repeated=repeated,
            young=young,
            without_future=without_future,
            missing_steps=self.missing(),
        )


def require_axis(agreed: Contract, settings: SeriesSettings) -> None:
    """Raise SettingsError where there is no time axis, or the label that is to be forecast is no number."""
    if agreed.time is None:
        raise SettingsError(
            "needs a column of role `time`, and the contract has none",
            where="params.yaml: normalize.series",
            fix="give a column the role, or leave the series out",
        )
    if settings.horizon and not agreed.label.is_quantity:
        raise SettingsError(
            f"only a number can be forecast, and {agreed.label.name} has classes",
            where="params.yaml: normalize.series.horizon",
            fix="give the label the modality `numeric`, or set the horizon to 0",
        )


def grouped(groups: list[str]) -> pl.Expr:
    """The group of each row as text; one for all without a group column."""
    if not groups:
        return pl.lit("")
    return pl.concat_str([by_name(name).cast(pl.String).fill_null("") for name in groups], separator=SEPARATOR)


def stamp_of(time: str) -> pl.Expr:
    """Microseconds since 1970 of each stamp."""
    return by_name(time).cast(pl.Datetime("us")).dt.epoch("us")


def tail(rows: pl.LazyFrame, series: Series) -> pl.DataFrame:
    """Of each group the last rows, as many stamps as a window has steps: what rows after them look back at."""
    ordered = rows.filter(by_name(series.time).is_not_null()).sort(series.time, maintain_order=True)
    ordered = ordered.unique([series.time, *series.groups], keep="last", maintain_order=True)
    kept = pl.int_range(pl.len()).reverse().over(grouped(series.groups)) < series.window
    return ordered.filter(kept).collect()


def _spans(group_P: np.ndarray, step_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,) the first step of each group, and how many there are up to its last; sorted by both."""
    begins = np.flatnonzero(np.diff(group_P, prepend=-1))
    ends = np.flatnonzero(np.diff(group_P, append=-1 if len(group_P) else 0))
    return step_P[begins], step_P[ends] - step_P[begins] + 1


def _typical_step(stamps: pl.DataFrame) -> str:
    """What most stamps are apart from the one before them in their group, the shorter of two that are as common."""
    apart = stamps.sort("group", "stamp").select(apart=pl.col("stamp").diff().over("group")).filter(pl.col("apart") > 0)
    counted = apart.group_by("apart").len().sort(["len", "apart"], descending=[True, False])
    if not counted.height:
        return ROW
    step = int(counted["apart"][0])
    days, rest = divmod(step, MICROSECONDS["d"])
    if not rest and days in CALENDAR:
        return CALENDAR[days]
    unit = next(unit for unit in ("w", "d", "h", "m", "s", "ms", "us") if step % MICROSECONDS[unit] == 0)
    return f"{step // MICROSECONDS[unit]}{unit}"


def _season(step: str) -> int:
    """The steps of the next longer of day, week and year.

    >>> [_season(step) for step in ("15m", "1h", "1d", "1w", "1mo", "1y", "row")]
    [96, 24, 7, 52, 12, 1, 1]
    """
    if step == ROW:
        return 1
    count, unit = _parsed(step)
    if unit in MONTHS:
        return max(1, 12 // (count * MONTHS[unit]))
    length, day = count * MICROSECONDS[unit], MICROSECONDS["d"]
    longer = next((each for each in (day, 7 * day, 365 * day) if each > length), length)
    return longer // length


def _parsed(step: str) -> tuple[int, str]:
    match = re.fullmatch(STEP, step)
    assert match is not None  # the settings' pattern
    return int(match[1]), match[2]

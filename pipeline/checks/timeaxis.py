"""Time axis checks: stretches without a row, stamps that repeat, stand out of order or cannot be right."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, get_args

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.markers import SENTINEL_DAYS
from pipeline.checks.timeline import (
    ELAPSED,
    ENTITY,
    SECOND,
    STAMP,
    TOLERANCE,
    WEEK,
    Timeline,
    keyed,
    names,
    shown,
    spoken,
    timeline,
)
from pipeline.contract import ROW_ID
from pipeline.profile import Numeric
from pipeline.quality.findings import EXAMPLES, HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.tables.frames import batches
from pipeline.wording import count, listed

Step = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w"]
STEPS: dict[Step, int] = dict(zip(get_args(Step), (60, 300, 900, 1800, 3600, 86_400, 604_800), strict=True))
BATCH_ROWS = 1 << 18
YEAR_SECONDS = 365 * 86_400
NO_TIME = Skipped(why="no column has the role time")
EVENTS = Skipped(why="the stamps follow no step, or many rows share one: events, not a series")


@dataclass(frozen=True, kw_only=True)
class TimeGap:
    """Which stretches of the time axis have no row at all?

    Of a series (nearly every step once, per entity) the step is the median one. Of events it is the finest at which
    a typical week that has rows has at least `filled_share` of its steps filled, and random events must leave a
    stretch as long by chance once in a hundred tables at most. So nights and weekends without rows are no gaps, a
    month that is not there is one. `step` states it instead.
    """

    step: Step | None = None
    filled_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_gap"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "nine tenths, so that one bad day does not hide the step"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        line = timeline(table)
        if line is None:
            yield NO_TIME
            return
        holes = self._holes(table, line)
        if holes.height:
            yield self._hit(table, holes)

    def _holes(self, table: Table, line: Timeline) -> pl.DataFrame:
        """The stretches without a row: of each entity of a series, or of all events together."""
        if self.step is not None:
            return empty_stretches(keyed(table), STEPS[self.step] * SECOND)
        if line.series and line.filled >= self.filled_share:
            return _holes(line.breaks)
        whole = _minutes(table)
        step = inferred_step(whole, self.filled_share)
        if step is None:
            return _holes(line.breaks.clear())
        chance = _longest_by_chance(whole, step * SECOND)
        return empty_stretches(whole, step * SECOND).filter(pl.col("steps") > chance)

    def _hit(self, table: Table, holes: pl.DataFrame) -> Hit:
        called = names(table, holes[ENTITY])
        told = pl.Series([called.get(entity, "") for entity in holes[ENTITY]], dtype=pl.String)
        holes = holes.with_columns(name=told).sort("name", "until")
        steps, long = int(holes["steps"].sum()), spoken(holes["step"].sort()[holes.height // 2])
        worst = holes.group_by("name").agg(pl.col("steps").sum()).sort("steps", "name", descending=[True, False])
        where = listed([f"{name} {missed:,}" for name, missed in worst.iter_rows() if name])
        stretches = holes.head(EXAMPLES).select("name", "after", "until").iter_rows()
        return Hit(
            check=self.name,
            column=table.time,
            observed=steps,
            threshold=0,
            message=f"{count(steps, f'step of {long} has', f'steps of {long} have')} no row, "
            f"in {count(holes.height, 'stretch')}" + (f" ({where})" if where else ""),
            suggestion="ask the source for the missing stretches, or leave them empty: a model never sees them",
            examples=[f"{name} after {shown(a)} until {shown(b)}".strip() for name, a, b in stretches],
        )


@dataclass(frozen=True, kw_only=True)
class DuplicateTimestamp:
    """Which rows of a series stand at the same stamp as an earlier one of their entity?

    Many rows a stamp are normal for events: it is asked where nearly every step has one row.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "ts_duplicate_timestamp"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: a series has one row a stamp"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        line = timeline(table)
        if line is None or not line.series:
            yield NO_TIME if line is None else EVENTS
            return
        repeated = line.breaks.filter(pl.col(ELAPSED) == 0)
        if repeated.is_empty():
            return
        stamps = repeated.select(ENTITY, STAMP).n_unique()
        later = _rows_at(table, repeated).filter(~pl.struct(ENTITY, STAMP).is_first_distinct())
        yield Hit(
            check=self.name,
            column=table.time,
            rows=later.height,
            observed=later.height / table.height,
            threshold=0,
            message=f"{count(later.height, 'row has', 'rows have')} the stamp of an earlier row of {_whose(table)} "
            f"({count(stamps, 'stamp')} in all)",
            suggestion="keep one row a stamp: the latest, or the mean; an hour twice in autumn is the clock's change",
            flags=stamped(later),
        )


@dataclass(frozen=True, kw_only=True)
class OutOfOrder:
    """Which rows have an earlier stamp than the row before them, in a file that is otherwise in order?

    Per entity, in the order of the file, where at most `maximum_share` of the rows step back. A step back over more
    than half of the axis is none: there another series begins.
    """

    maximum_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_out_of_order"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "rows in no order step back at every second row; a tenth is far from it"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        span = _span(table)
        if span is None:
            yield NO_TIME
            return
        back = stepping_back(table, span / 2, most=int(self.maximum_share * table.height))
        if back is None:
            yield Skipped(why="the rows are not in the order of time")
        elif back.height:
            yield Hit(
                check=self.name,
                column=table.time,
                rows=back.height,
                observed=back.height / table.height,
                threshold=self.maximum_share,
                message=f"the rows are in order of time, but {count(back.height, 'goes', 'go')} back in time",
                suggestion="look for late arrivals or a changed clock; sort by time before any lag or rolling window",
                flags=stamped(back),
            )


@dataclass(frozen=True, kw_only=True)
class IrregularFrequency:
    """Which rows of a series come at no whole number of steps after the row before them?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "ts_irregular_frequency"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "a tenth of a step is tolerated: months have 28 to 31 days, clocks jitter"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        line = timeline(table)
        if line is None or not line.series:
            yield NO_TIME if line is None else EVENTS
            return
        steps = pl.col(ELAPSED) / pl.col("step")
        off = line.breaks.filter((pl.col(ELAPSED) > 0) & ((steps - steps.round()).abs() > TOLERANCE))
        if off.height:
            found = _rows_at(table, off)
            yield Hit(
                check=self.name,
                column=table.time,
                rows=found.height,
                observed=found.height / table.height,
                threshold=0,
                message=f"{count(found.height, 'row comes', 'rows come')} between the steps of "
                f"{spoken(line.step or 0)} of {_whose(table)}",
                suggestion="round the stamps to the step, or resample: lags and windows count rows, not time",
                flags=stamped(found),
            )


@dataclass(frozen=True, kw_only=True)
class FutureOrEpochTimestamp:
    """Which rows have a stamp that cannot be: the beginning of a calendar, or far in the future?

    Early ones are told where they are a known beginning (1970-01-01, 1900-01-01, ...), late ones where they are
    after `latest`, or else lie far after all others: by ten times the distance of the quartiles, and a year.
    """

    latest: datetime | None = None
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_future_or_epoch_timestamp"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "ten quartile distances: even of an exponential tail 4 in a million rows lie beyond"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = None if table.time is None else table.profile.columns[table.time]
        if table.time is None or not isinstance(found, Numeric):
            yield NO_TIME
            return
        low, high = found.quantile(0.25), found.quantile(0.75)
        if low is None or high is None or found.min is None or found.max is None:
            return
        far = max(10 * (high - low), YEAR_SECONDS)
        end = high + far if self.latest is None else _seconds(self.latest)
        begins = [day for day in SENTINEL_DAYS if day < low - max(high - low, YEAR_SECONDS)]
        if found.max <= end and found.min not in begins:
            return
        second = by_name(table.time).cast(pl.Datetime("us")).dt.epoch("s").cast(pl.Float64)
        yield Hit(
            check=self.name,
            column=table.time,
            where=(second > end) | second.is_in(begins),
            threshold=shown(int(end) * SECOND),
            message=f"{table.time} is a calendar's first day, or after {shown(int(end) * SECOND)}, in {HIT_ROWS}",
            suggestion="a zero, a default or a wrong unit became a date: correct the source, leave these rows out",
        )


CHECKS = (TimeGap, DuplicateTimestamp, OutOfOrder, IrregularFrequency, FutureOrEpochTimestamp)


def stepping_back(table: Table, restart_seconds: float, most: int) -> pl.DataFrame | None:
    """The rows with an earlier stamp than the last one of their entity, but for restarts; None for more than `most`.

    Rows stream by in the order of the file; of each entity only the last stamp is kept.
    """
    rows = keyed(table, ROW_ID).select(ROW_ID, ENTITY, STAMP)
    last = pl.DataFrame(schema=rows.collect_schema())
    found: list[pl.DataFrame] = []
    count = 0
    step = pl.col(STAMP).diff()
    for batch in batches(rows, BATCH_ROWS):
        both = pl.concat([last, batch])
        moved = both.with_columns((step.over(ENTITY) if table.entities else step).alias(ELAPSED))
        back = moved.filter((pl.col(ELAPSED) < 0) & (pl.col(ELAPSED) >= -restart_seconds * SECOND))
        count += back.height
        if count > most:
            return None
        found.append(back.select(ROW_ID, STAMP))
        last = both.unique(ENTITY, keep="last", maintain_order=True) if table.entities else both.tail(1)
    return pl.concat([last.select(ROW_ID, STAMP).clear(), *found])


def _minutes(table: Table) -> pl.LazyFrame:
    """The minutes that have rows, of all entities together: `#entity` (0), `#stamp`, rows."""
    minute = pl.col(STAMP) // (60 * SECOND) * (60 * SECOND)
    counted = keyed(table).group_by(minute).agg(rows=pl.len()).collect(engine="streaming")
    return counted.lazy().with_columns(pl.lit(0, dtype=pl.UInt64).alias(ENTITY))


def inferred_step(stamps: pl.LazyFrame, filled_share: float) -> int | None:
    """The finest of `STEPS` at which a typical period is filled, in seconds; None where even weeks are not.

    `stamps` has `#stamp`, whatever else; None for fewer than two steps too.
    """
    minutes = stamps.select(pl.col(STAMP) // (60 * SECOND)).unique().collect(engine="streaming")
    for seconds in STEPS.values():
        filled = minutes.select(step=pl.col(STAMP) * 60 // seconds).unique().sort("step").to_series()
        if filled.len() < 2:
            return None
        if _typical_fill(filled, seconds) >= filled_share:
            return seconds
    return None


def _typical_fill(filled: pl.Series, seconds: int) -> float:
    """The median share of filled steps, over the weeks (for weeks: quarters of 12) that have any row.

    Of the first and the last period only the part between the first and the last row counts.
    """
    step = pl.col("step")
    span = WEEK // SECOND // seconds if seconds < WEEK // SECOND else 12
    seen = filled.to_frame().group_by(period=(step - step.min()) // span).agg(seen=pl.len(), first=step.min())
    first, last = int(filled[0]), int(filled[-1])
    start = first + pl.col("period") * span
    expected = pl.min_horizontal(start + span - 1, pl.lit(last)) - start + 1
    return float(seen.select((pl.col("seen") / expected).median()).item())


def empty_stretches(rows: pl.LazyFrame, step: int) -> pl.DataFrame:
    """Stretches without a row, per entity: `#entity`, after, until (the filled steps around), steps (empty), step.

    `step` and stamps are in microseconds.
    """
    place = pl.col(STAMP) // step
    filled = rows.select(ENTITY, place).unique().collect(engine="streaming").sort(ENTITY, STAMP)
    same = pl.col(ENTITY) == pl.col(ENTITY).shift()
    gone = filled.with_columns(pl.when(same).then(pl.col(STAMP).diff() * step).alias(ELAPSED))
    return _holes(gone.with_columns(pl.col(STAMP) * step, step=pl.lit(step)))


def _longest_by_chance(minutes: pl.LazyFrame, step: int) -> float:
    """How many empty steps in a row random events leave: n exp(-k rate) is 0.01; 0 where counts vary less than theirs.

    The rate is the lower quartile, so that rates may change. Random (Poisson) events vary by as much as their mean;
    some series side by side, without a group, do not.
    """
    counted = minutes.group_by(pl.col(STAMP) // step).agg(pl.col("rows").sum().cast(pl.Float64)).collect()
    steps, rate, mean, variance = counted.select(
        pl.len(), pl.col("rows").quantile(0.25), mean=pl.col("rows").mean(), variance=pl.col("rows").var(ddof=0)
    ).row(0)
    return 0.0 if variance < mean / 2 else math.log(100 * steps) / float(rate)


def _holes(breaks: pl.DataFrame) -> pl.DataFrame:
    """The breaks over more than one step, as stretches without a row."""
    missed = (pl.col(ELAPSED) / pl.col("step")).round().cast(pl.Int64) - 1
    holes = breaks.select(ENTITY, after=pl.col(STAMP) - pl.col(ELAPSED), until=STAMP, steps=missed, step="step")
    return holes.filter(pl.col("steps") > 0)


def _rows_at(table: Table, stamps: pl.DataFrame) -> pl.DataFrame:
    """The rows of these entities and stamps, in the order of the file: row_id, `#entity`, `#stamp`."""
    wanted = stamps.select(ENTITY, STAMP).unique().lazy()
    rows = keyed(table, ROW_ID).join(wanted, on=[ENTITY, STAMP], how="semi", maintain_order="left")
    return rows.collect(engine="streaming")


def stamped(rows: pl.DataFrame) -> pl.DataFrame:
    """Flags of rows, with their stamps as values."""
    text = pl.col(STAMP).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")
    return rows.select(pl.col(ROW_ID).cast(pl.String), value=text)


def _whose(table: Table) -> str:
    return f"one {' and '.join(table.entities)}" if table.entities else "the series"


def _seconds(moment: datetime) -> float:
    """Seconds since 1970; a moment without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _span(table: Table) -> float | None:
    """The seconds from the first stamp to the last; None without a time column."""
    found = None if table.time is None else table.profile.columns[table.time]
    if not isinstance(found, Numeric):
        return None
    return 0.0 if found.min is None or found.max is None else found.max - found.min

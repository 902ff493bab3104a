"""How the stamps of a time axis follow each other: what the checks of the time axis read, made once for a table.

An entity is what the contract's groups name (a sensor, a shop), else what was inferred, else the whole table. Stamps
are whole microseconds since 1970-01-01 (UTC where the column has a zone). Rows without stamp or entity are passed over.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.quality.findings import Check, Table
from pipeline.tables.frames import batches

CHECKS: tuple[type[Check], ...] = ()  # it asks nothing itself

ROWS_AT_ONCE = 20_000_000  # stamps and entities alone: 0.3 GB
SECOND = 1_000_000
WEEK = 604_800 * SECOND
SHORTEST = 10  # stamps, below which a step is a guess
TOLERANCE = 0.1  # of a step: months have 28 to 31 days, clocks jitter
USUAL = 0.75  # of the steps: five days a week leave four of five, holidays a few less
REPEATED = 0.25  # rows too many a stamp: where random events follow step by step as often, it is 0.85 and more
ENTITY, STAMP, ELAPSED = "#entity", "#stamp", "#elapsed"
AT_ONCE = 1 << 20  # of an array
Moments: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]  # microseconds
WHOLE = pl.Int64()
ENTITIES = pl.Schema(
    {ENTITY: pl.UInt64(), "step": WHOLE, "rows": pl.UInt32(), "stamps": pl.UInt32(), "first": WHOLE, "last": WHOLE}
    | {"usual": pl.Float64(), "regular": pl.Boolean()}
)
BREAKS = pl.Schema({ENTITY: pl.UInt64(), STAMP: WHOLE, ELAPSED: WHOLE, "step": WHOLE})


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The axis of a table.

    `entities`: one row an entity: `#entity`, rows, stamps (distinct), first, last, step (the median between distinct
    stamps), usual (the share of steps within a tenth of it), regular. `breaks`: one row for each row of a regular
    entity that does not come one step after the one before: `#entity`, `#stamp`, `#elapsed` (0: a repeated stamp),
    step. `weeks`: for each regular entity and week that has a row, the share of its steps that have one.
    """

    entities: pl.DataFrame
    breaks: pl.DataFrame
    weeks: pl.Series

    @property
    def filled(self) -> float:
        """The share of its steps that a typical week has."""
        return 0.0 if self.weeks.is_empty() else float(self.weeks.sort()[len(self.weeks) // 2])

    @property
    def step(self) -> int | None:
        """The median step of the regular entities, in microseconds; None where there is none."""
        steps = self.entities.filter("regular")["step"]
        return None if steps.is_empty() else int(steps.sort()[len(steps) // 2])

    @property
    def series(self) -> bool:
        """Whether it is a series: the entities with a step hold most rows of those that are long enough."""
        long = self.entities.filter(pl.col("stamps") >= SHORTEST)
        return 0 < int(long["rows"].sum()) * USUAL <= int(long.filter("regular")["rows"].sum())


def timeline(table: Table) -> Timeline | None:
    """The table's axis, made when it is first asked for and kept with the table; None without a time column."""
    return table.once("timeline", _timeline)


def keyed(table: Table, *columns: str) -> pl.LazyFrame:
    """The rows as (`#entity`, `#stamp`, columns), in the order of the file; those without entity or stamp left out."""
    assert table.time is not None
    stamp = by_name(table.time).cast(pl.Datetime("us")).cast(pl.Int64).alias(STAMP)
    return table.rows.select(_entity(table).alias(ENTITY), stamp, by_name(*columns)).drop_nulls([ENTITY, STAMP])


def portions(table: Table, at_once: int = ROWS_AT_ONCE) -> Iterator[pl.DataFrame]:
    """The rows of whole entities, some `at_once` rows at a time, by entity and stamp."""
    rows = keyed(table)
    count = math.ceil(table.height / at_once)
    for place in range(count):
        wanted = rows.filter(pl.col(ENTITY) % count == place) if count > 1 else rows
        yield wanted.collect(engine="streaming").sort(ENTITY, STAMP)


def shown(stamp: int) -> str:
    """A stamp for people.

    >>> shown(0)
    '1970-01-01 00:00:00'
    """
    return str(pl.Series([stamp], dtype=pl.Int64).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")[0])


def spoken(microseconds: float) -> str:
    """A stretch of time for people.

    >>> spoken(5_400_000_000), spoken(86_400_000_000), spoken(3_600_000_000)
    ('90m', '1d', '1h')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count = microseconds / SECOND / size
        if count >= 1 and (count == round(count) or (unit == "d" and count > 20)):
            return f"{round(count)}{unit}"
    return f"{microseconds / SECOND:g}s"


def _entity(table: Table) -> pl.Expr:
    """A number that stands for the entity; 0 where there is no group."""
    groups = table.entities
    if not groups:
        return pl.lit(0, dtype=pl.UInt64)
    known = pl.all_horizontal(by_name(*groups).is_not_null())
    return pl.when(known).then(_name(table).hash(seed=0))


def _name(table: Table) -> pl.Expr:
    return pl.concat_str(by_name(*table.entities).cast(pl.String), separator=" / ")


def names(table: Table, entities: pl.Series) -> dict[int, str]:
    """The names of these entities."""
    if not table.entities or entities.is_empty():
        return {}
    pairs = table.rows.select(_entity(table).alias(ENTITY), name=_name(table))
    wanted = pairs.filter(pl.col(ENTITY).is_in(entities.unique().implode())).unique().collect(engine="streaming")
    return dict(wanted.iter_rows())


def _timeline(table: Table) -> Timeline | None:
    if table.time is None:
        return None
    if not table.entities:
        return alone(_stamps(table))
    parts = [_read(portion) for portion in portions(table)] or [_read(keyed(table).collect())]
    return Timeline(
        entities=pl.concat(part.entities for part in parts),
        breaks=pl.concat(part.breaks for part in parts),
        weeks=pl.concat(part.weeks for part in parts),
    )


def _read(portion: pl.DataFrame) -> Timeline:
    """The axis of rows that are sorted by entity and stamp."""
    entity, elapsed, step = pl.col(ENTITY), pl.col(ELAPSED), pl.col("step")
    rows = portion.with_columns(pl.when(entity == entity.shift()).then(pl.col(STAMP).diff()).alias(ELAPSED))
    steps = rows.filter(elapsed > 0).group_by(ENTITY).agg(step=elapsed.quantile(0.5, "nearest").cast(pl.Int64))
    rows = rows.join(steps, on=ENTITY, how="left", maintain_order="left")
    usual = (elapsed - step).abs() <= TOLERANCE * step
    entities = rows.group_by(ENTITY, maintain_order=True).agg(
        step.first(),
        rows=pl.len(),
        stamps=(elapsed != 0).fill_null(True).sum(),
        first=pl.col(STAMP).first(),
        last=pl.col(STAMP).last(),
        usual=usual.sum() / (elapsed > 0).sum(),
    )
    repeated = pl.col("rows") - pl.col("stamps")
    entities = entities.with_columns(
        regular=(pl.col("stamps") >= SHORTEST)
        & (pl.col("usual") >= USUAL)
        & (repeated <= REPEATED * pl.col("stamps")).fill_null(False)
    )
    series = rows.join(entities.filter("regular").select(ENTITY), on=ENTITY, how="semi", maintain_order="left")
    return Timeline(
        entities=entities,
        breaks=series.filter(elapsed.is_not_null() & ~usual).select(ENTITY, STAMP, ELAPSED, "step"),
        weeks=_weeks(series.filter((elapsed != 0).fill_null(True)), entities),
    )


def alone(stamp_N: Moments) -> Timeline:
    """The axis of one entity, from its sorted stamps: another array of that length in memory, and no more."""
    step, known = _median_step(stamp_N)
    odd = sum(int(_is_odd(elapsed, step).sum()) for _, elapsed in _elapsed(stamp_N))
    repeats = sum(int((elapsed == 0).sum()) for _, elapsed in _elapsed(stamp_N))
    usual, count = (len(stamp_N) - 1 - odd) / known if known else math.nan, len(stamp_N) - repeats
    regular = count >= SHORTEST and usual >= USUAL and repeats <= REPEATED * count
    first, last = (int(stamp_N[place]) if len(stamp_N) else None for place in (0, -1))
    entity = {"step": step, "rows": len(stamp_N), "stamps": count, "first": first, "last": last}
    entities = pl.DataFrame([{ENTITY: 0, **entity, "usual": usual, "regular": regular}], schema=ENTITIES)
    places = [start + np.flatnonzero(_is_odd(elapsed, step)) for start, elapsed in _elapsed(stamp_N) if regular]
    told = np.concatenate([np.empty(0, dtype=np.int64), *places])
    breaks = {ENTITY: 0, STAMP: stamp_N[told], ELAPSED: stamp_N[told] - stamp_N[told - 1], "step": step}
    return Timeline(
        entities=entities.filter(pl.col("rows") > 0),
        breaks=pl.DataFrame(breaks, schema=BREAKS),
        weeks=pl.Series("filled", _filled(stamp_N, step) if regular and step else [], dtype=pl.Float64),
    )


def _stamps(table: Table) -> Moments:
    """All stamps, sorted in place."""
    stamp_N, rows = np.empty(table.height, dtype=np.int64), 0
    for batch in batches(keyed(table).select(STAMP), AT_ONCE):
        stamp_N[rows : rows + batch.height] = batch[STAMP].to_numpy()
        rows += batch.height
    stamp_N = stamp_N[:rows]
    if any((elapsed < 0).any() for _, elapsed in _elapsed(stamp_N)):
        stamp_N.sort()
    return stamp_N


def _elapsed(stamp_N: Moments) -> Iterator[tuple[int, Moments]]:
    """What passed before each stamp but the first: a stretch at a time, with the place that it starts at."""
    for start in range(1, len(stamp_N), AT_ONCE):
        yield start, np.diff(stamp_N[start - 1 : start + AT_ONCE])


def _median_step(stamp_N: Moments) -> tuple[int | None, int]:
    """The median of what passed between distinct stamps (the later of two middle ones), and of how many."""
    rising, known = np.empty(max(len(stamp_N) - 1, 0), dtype=np.int64), 0
    for _, elapsed in _elapsed(stamp_N):
        some = elapsed[elapsed > 0]
        rising[known : known + len(some)] = some
        known += len(some)
    if not known:
        return None, 0
    rising = rising[:known]
    rising.partition(known // 2)
    return int(rising[known // 2]), known


def _is_odd(elapsed: Moments, step: int | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where it does not go on by the usual step."""
    return np.abs(elapsed - (step or 0)) > TOLERANCE * (step or 0)


def _filled(stamp_N: Moments, step: int) -> list[float]:
    """As `_weeks` has it."""
    span, first, last = max(WEEK, 12 * step), int(stamp_N[0]), int(stamp_N[-1])
    seen = Counter({first // span: 1})
    for start, elapsed in _elapsed(stamp_N):
        distinct = stamp_N[start : start + len(elapsed)][elapsed != 0]
        periods, counts = np.unique(distinct // span, return_counts=True)
        seen.update(dict(zip(periods.tolist(), counts.tolist(), strict=True)))
    ends = {period: (max(period * span, first), min((period + 1) * span - 1, last)) for period in seen}
    return [count / ((ends[period][1] - ends[period][0]) // step + 1) for period, count in seen.items()]


def _weeks(stamps: pl.DataFrame, entities: pl.DataFrame) -> pl.Series:
    """How full each entity's weeks are, for steps of days: spells of twelve steps; cut at its first and last row."""
    span = pl.max_horizontal(pl.lit(WEEK), 12 * pl.col("step"))
    seen = stamps.group_by(ENTITY, "step", period=pl.col(STAMP) // span).agg(seen=pl.len())
    start = pl.max_horizontal(pl.col("period") * span, "first")
    end = pl.min_horizontal((pl.col("period") + 1) * span - 1, "last")
    expected = (end - start) // pl.col("step") + 1
    ends = entities.select(ENTITY, "first", "last")
    return seen.join(ends, on=ENTITY).select(filled=pl.col("seen") / expected).to_series()

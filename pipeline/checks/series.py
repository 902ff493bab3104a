"""Series checks: values that stick, jump or fall back along the time axis.

All of them ask tables whose time axis is a series (nearly every step one row, per entity); events have no such order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.timeaxis import EVENTS, NO_TIME
from pipeline.checks.timeline import ENTITY, SECOND, STAMP, keyed, shown, timeline
from pipeline.contract import ROW_ID, Column
from pipeline.profile import Numeric
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.wording import count

MOST_ROWS = 2_000_000
DISTINCT = 10  # a column of fewer values has states, not sizes
RUNS = 50  # fewer runs do not say how long one may be
SIDE = 4
REPORTED_SHARE = 0.01
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Integers: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Flatline:
    """Which numbers of a series stay exactly the same for far longer than they ever do otherwise: a stuck sensor?

    A run is told where it and all longer ones are `times` as long as every other run, and of `minimum_steps`.
    A cell without value ends a run.
    """

    times: Annotated[float, Field(gt=1)] = 4.0
    minimum_steps: Annotated[int, Field(ge=2)] = 20
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_flatline"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "the longest of n chance runs is about log n long, the next hardly less: four times is none"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for said in _values(table):
            if isinstance(said, Skipped):
                yield said
                continue
            start_R, steps_R = runs(said.value_N, said.entity_N)
            apart = outstanding(steps_R.astype(np.float64), self.times) if len(steps_R) >= RUNS else 0
            rank_R = np.argsort(-steps_R, kind="stable")[: apart + 1]
            stuck_R = [r for r in rank_R[:apart] if steps_R[r] >= self.minimum_steps]
            if stuck_R:
                usual = int(steps_R[rank_R[apart]])
                yield self._hit(said, [(int(start_R[r]), int(steps_R[r])) for r in stuck_R], usual)

    def _hit(self, said: "Values", stuck: list[tuple[int, int]], usual: int) -> Hit:
        start, steps = stuck[0]
        flags = said.flags(np.concatenate([np.arange(first, first + length) for first, length in sorted(stuck)]))
        return Hit(
            check=self.name,
            column=said.column.name,
            rows=flags.height,
            observed=float(steps),
            threshold=self.times * usual,
            message=f"{said.column.name} stands still in {count(flags.height, 'row')}: at {said.value_N[start]:g} for "
            f"{count(steps, 'step')} from {said.when(start)} on, and elsewhere never for more than {usual:,}",
            suggestion="a stuck sensor, a dead feed or values filled forward? empty these cells, or leave the rows out",
            severity="warning" if flags.height >= REPORTED_SHARE * len(said.value_N) else "info",
            flags=flags,
        )


@dataclass(frozen=True, kw_only=True)
class Spike:
    """Which single numbers of a series stand far off their neighbours in time, farther than any other does?

    Off is the distance from the median of the value and those two and four before and after. Rows are told where
    they and all that are farther off are `times` as far as every other; the first and last four are not asked.
    """

    times: Annotated[float, Field(gt=1)] = 4.0
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_spike"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "Hampel's filter (Pearson 2002), with a hole in the tail: even of Cauchy-like squares 2%"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for said in _values(table):
            if isinstance(said, Skipped):
                yield said
                continue
            place_K, off_K = distances(said.value_N, said.entity_N)
            apart = outstanding(off_K, self.times)
            if apart:
                rank_K = np.argsort(-off_K, kind="stable")
                yield self._hit(said, np.sort(place_K[rank_K[:apart]]), *off_K[rank_K[apart - 1 : apart + 1]].tolist())

    def _hit(self, said: "Values", far: Places, nearest: float, usual: float) -> Hit:
        return Hit(
            check=self.name,
            column=said.column.name,
            rows=len(far),
            observed=nearest,
            threshold=self.times * usual,
            message=f"{said.column.name} jumps away and back in {count(len(far), 'row')}, first to "
            f"{said.value_N[far[0]]:g}: by {nearest:.4g} or more, and elsewhere by at most {usual:.4g}",
            suggestion="a wrong unit, a lost digit or a sensor's error code? correct or empty these cells",
            flags=said.flags(far),
        )


@dataclass(frozen=True, kw_only=True)
class Monotonic:
    """Which rows fall back in a number that otherwise only rises (or rise in one that only falls), such as a counter?

    Where at least `minimum_share` of the steps go one way or stay, and half of all go. Falls to one same value are
    the turn of a cycle (minutes of the day), no fault.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "monotonic"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "one step in a hundred: what turns more often does not only rise"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for said in _values(table):
            if isinstance(said, Skipped):
                yield said
                continue
            place_K = np.flatnonzero(~np.isnan(said.value_N))
            inside_S = said.entity_N[place_K[1:]] == said.entity_N[place_K[:-1]]
            step_S = np.where(inside_S, np.diff(said.value_N[place_K]), 0.0)
            for sign, way in ((1, "rises"), (-1, "falls")):
                against = place_K[1:][step_S * sign < 0]
                going, allowed = int((step_S * sign > 0).sum()), (1 - self.minimum_share) * inside_S.sum()
                cycle = len(against) > 1 and len(np.unique(said.value_N[against])) == 1
                if 0 < len(against) <= allowed and going >= inside_S.sum() / 2 and not cycle:
                    yield self._hit(said, way, against, int(inside_S.sum()))

    def _hit(self, said: "Values", way: str, against: Places, steps: int) -> Hit:
        return Hit(
            check=self.name,
            column=said.column.name,
            rows=len(against),
            observed=1 - len(against) / steps,
            threshold=self.minimum_share,
            message=f"{said.column.name} {way} along the time axis, but turns back in {count(len(against), 'row')}",
            suggestion="was a counter reset, or are rows swapped? put rows in order; give a model the differences",
            severity="info",
            flags=said.flags(against),
        )


CHECKS = (Flatline, Spike, Monotonic)


def outstanding(sizes: Floats, times: float) -> int:
    """How many of the largest values stand apart: each is at least `times` every other.

    At most one in a hundred may stand apart (ten, of few), and of the others there must be ten times as many that
    are not 0, or there is nothing to compare with.

    >>> outstanding(np.array([10.0] * 198 + [80.0, 90.0]), 4), outstanding(np.array([10.0] * 199 + [39.0]), 4)
    (2, 0)
    """
    most = min(max(10, math.ceil(REPORTED_SHARE * len(sizes))), len(sizes) - 1)
    if most < 1:
        return 0
    top = np.sort(np.partition(sizes, -most - 1)[-most - 1 :])[::-1]
    others = int((sizes > 0).sum())
    apart = (np.flatnonzero(top[:-1] >= times * top[1:]) + 1).tolist()
    return max((place for place in apart if others - place >= max(10 * place, 2 * RUNS)), default=0)


def runs(value_N: Floats, entity_N: Integers) -> tuple[Integers, Integers]:
    """The runs of one value within an entity, where each starts and how long it is (R,); missing values are none."""
    if not len(value_N):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    new_N = np.ones(len(value_N), np.bool_)
    new_N[1:] = (value_N[1:] != value_N[:-1]) | (entity_N[1:] != entity_N[:-1])
    start_R = np.flatnonzero(new_N)
    steps_R = np.diff(np.append(start_R, len(value_N)))
    known_R = ~np.isnan(value_N[start_R])
    return start_R[known_R], steps_R[known_R]


def distances(value_N: Floats, entity_N: Integers) -> tuple[Places, Floats]:
    """How far known values are from the median of five, two and four known values before and after among them.

    So up to four odd values in a row stand out, and a lasting change of level does not. Returns the places (K,) and
    distances (K,) of the values that have all four in their entity.

    >>> distances(np.array([1.0, 2.0, 1.0, 2.0, 9.0, 2.0, 1.0, 2.0, 1.0]), np.zeros(9))
    (array([4]), array([8.]))
    """
    place_K = np.flatnonzero(~np.isnan(value_N))
    value_K, entity_K = value_N[place_K], entity_N[place_K]
    if len(place_K) <= 2 * SIDE:
        return place_K[:0], value_K[:0]
    count = len(place_K) - 2 * SIDE
    a, b, c, d, e = (value_K[shift : shift + count] for shift in range(0, 2 * SIDE + 1, SIDE // 2))
    low, high = np.maximum(np.minimum(a, b), np.minimum(d, e)), np.minimum(np.maximum(a, b), np.maximum(d, e))
    median = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), c))  # of five, as of these three
    inside = entity_K[:count] == entity_K[2 * SIDE :]
    return place_K[SIDE : SIDE + count][inside], np.abs(c - median)[inside]


@dataclass(frozen=True, kw_only=True)
class Values:
    """A number's rows by entity and stamp: values (N,), NaN where missing or infinite, and entities (N,)."""

    column: Column
    value_N: Floats
    entity_N: Integers
    keys: pl.DataFrame

    def flags(self, places: Places) -> pl.DataFrame:
        """The flags of the rows at these places."""
        value = pl.Series("value", self.value_N[places]).cast(pl.String)
        return self.keys[places].select(pl.col(ROW_ID).cast(pl.String)).with_columns(value)

    def when(self, place: int) -> str:
        """The stamp of a row, for people."""
        return shown(self.keys[STAMP][place])


def _values(table: Table) -> Iterator[Values | Skipped]:
    """Each number of a series; of more than `MOST_ROWS` rows the newest, or those of some entities."""
    line = timeline(table)
    if line is None or not line.series:
        yield NO_TIME if line is None else EVENTS
        return
    asked = [c for c in table.data_columns if c.role in ("feature", "label") and _is_size(table, c)]
    if not asked:
        yield Skipped(why=f"no column is a number of {DISTINCT} values or more")
        return
    rows = keyed(table, ROW_ID, *(column.name for column in asked))
    if table.height > MOST_ROWS:
        rows = rows.filter(_part(table))
    read = rows.collect(engine="streaming")
    order = read.select(pl.arg_sort_by(ENTITY, STAMP, maintain_order=True)).to_series()
    keys = read.select(ROW_ID, ENTITY, STAMP)[order]
    for column in asked:
        value = read[column.name].alias("value").cast(pl.Float64).gather(order).fill_null(math.nan).to_numpy()
        value = np.where(np.isfinite(value), value, math.nan)
        yield Values(column=column, value_N=value, entity_N=keys[ENTITY].to_numpy(), keys=keys)
    if read.height < table.height:
        yield Skipped(rows=table.height - read.height, why="rows without stamp or entity, or beyond those read")


def _is_size(table: Table, column: Column) -> bool:
    found = table.profile.columns[column.name]
    return column.dtype.is_numeric() and isinstance(found, Numeric) and found.distinct >= DISTINCT


def _part(table: Table) -> pl.Expr:
    """Some `MOST_ROWS` rows: whole entities, or the newest stamps."""
    if table.entities:
        return pl.col(ENTITY) % math.ceil(table.height / MOST_ROWS) == 0
    found = table.profile.columns[table.time or ""]
    edge = found.quantile(1 - MOST_ROWS / table.height) if isinstance(found, Numeric) else None
    return pl.col(STAMP) > (edge or 0) * SECOND

"""Impossible values: numbers that cannot be; and how checks of numbers read the profile."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.humps import group_of
from pipeline.checks.signs import SLIPS, lost_sign
from pipeline.profile import Numeric
from pipeline.profile.sketch import LARGEST, Floats
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Emptied, Scaled
from pipeline.wording import count

FEWEST_ROWS = 20  # with a number; fewer do not show where a column ends
OUTSIDE = 1.5  # times the interquartile range: Tukey's inner fence


@dataclass(frozen=True, kw_only=True)
class Possible:
    """What a plainly named number may be: its name's words are among `words`, at most beside some of `beside`."""

    words: frozenset[str]
    low: float
    high: float
    beside: frozenset[str] = frozenset()


PEOPLE = frozenset(
    {"patient", "customer", "person", "client", "user", "passenger", "driver", "at", "in", "years", "year", "yrs"}
)
SIZES = frozenset({"height", "weight", "length", "width", "distance", "area", "population"})
POSSIBLE = (
    Possible(words=frozenset({"age"}), low=0, high=122, beside=PEOPLE),  # 122: Jeanne Calment, 1997
    Possible(words=frozenset({"percent", "percentage", "pct"}), low=0, high=100, beside=frozenset({"of", "in"})),
    Possible(words=frozenset({"humidity", "humid"}), low=0, high=100, beside=frozenset({"relative", "mean", "air"})),
    Possible(words=frozenset({"probability", "prob"}), low=0, high=1),
    Possible(words=frozenset({"latitude", "lat"}), low=-90, high=90),
    Possible(words=frozenset({"longitude", "lon", "lng"}), low=-180, high=360),
    Possible(words=frozenset({"month"}), low=0, high=12),
    Possible(words=frozenset({"hour"}), low=0, high=24),
    Possible(words=SIZES, low=0, high=np.inf),
)


@dataclass(frozen=True, kw_only=True)
class ImpossibleValue:
    """Which numbers cannot be: a lone 0 or a lost sign far from all else, an age of 200, a percentage of 130?

    A 0 is impossible in a column of positive numbers that end far above it. A sign is lost where at most 5% of the
    rows have it, with sizes like those of all others: else it is a way of writing. Of fewer than ten rows nothing may
    lie between, as with a 0; an info where a value of another column tells most of them, as they may mean it. A 0, and
    what a plain name rules out, is told only where at most `maximum_share` of the rows have it: else 0 is a value, and
    the name means something else. Null, NaN and infinities are not looked at.
    """

    maximum_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "impossible_value"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "what the column's plain name rules out, else Tukey 1977 (inner fence) and an empty band"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        for name, column in columns.items():
            if lone_zero(column, self.maximum_share):
                yield self._zero(name, column)
            sign = -1 if flipped(column) else lost_sign(*points(column))
            if sign:
                yield self._flipped(table, name, column, sign)
            elif (known := possible(name)) is not None:
                yield from self._named(name, column, known)

    def _zero(self, name: str, column: Numeric) -> Hit:
        words = f"{name} is 0 in {count(column.zeros, 'row')}, and {_smallest(column):.6g} or more in all others"
        return Hit(
            check=self.name,
            column=name,
            observed=0,
            threshold=_smallest(column),
            message=words,
            suggestion="0 looks like a marker for missing: correct it; the policy `repair` empties these cells",
            where=finite(name) == 0,
            value=finite(name),
            rule=Emptied(column=name),
        )

    def _flipped(self, table: Table, name: str, column: Numeric, sign: int) -> Hit:
        values, counts = points(column)
        few, others = ("negative", "positive") if sign < 0 else ("positive", "negative")
        rows, cell = count(int(counts[values * sign > 0].sum()), "row"), finite(name)
        nearest = float(np.abs(values[values * sign > 0]).min()) * sign
        alike = f"{name} is {few} in {rows}, with sizes like those of the {others} numbers"
        apart = f", and nothing lies between {-_smallest(column):.6g} and {_smallest(column):.6g}"
        other = group_of(table, name, cell * sign > 0)
        return Hit(
            check=self.name,
            column=name,
            severity="warning" if other is None else "info",
            observed=column.min if sign < 0 else column.max,
            threshold=0,
            message=alike
            + (apart if flipped(column) else f"; of a number around 0 the {few} ones would be smaller")
            + ("" if other is None else f"; {other} tells most of these rows"),
            suggestion=f"is the sign an error, or does it say something? the policy `repair` makes them {others}",
            where=cell * sign > 0,
            value=cell,
            suggested=-cell,
            rule=Scaled(column=name, low=nearest if sign > 0 else None, high=nearest if sign < 0 else None, factor=-1),
        )

    def _named(self, name: str, column: Numeric, known: "Possible") -> Iterator[Hit]:
        rows, cell = _outside(column, known.low, known.high), finite(name)
        if not 0 < rows <= max(1, self.maximum_share * column.finite) or column.finite < FEWEST_ROWS:
            return
        high = (column.max or 0) > known.high
        yield Hit(
            check=self.name,
            column=name,
            observed=column.max if high else column.min,
            threshold=known.high if high else known.low,
            message=f"{name} is {'over' if high else 'under'} {known.high if high else known.low:g} in "
            f"{count(rows, 'row')}, which its name rules out",
            suggestion="look where these rows come from, and correct them; the policy `repair` empties these cells",
            where=(cell < known.low) | (cell > known.high),
            value=cell,
            rule=Emptied(column=name),
        )


CHECKS = (ImpossibleValue,)


def numbers(table: Table) -> dict[str, Numeric]:
    """The summaries of features and labels that are numbers: no booleans, no codes."""
    wanted = {c.name for c in table.columns if c.role in ("feature", "label") and c.dtype.is_numeric()}
    found = {name: column for name, column in table.profile.columns.items() if name in wanted}
    return {name: column for name, column in found.items() if isinstance(column, Numeric)}


def finite(name: str) -> pl.Expr:
    """The column as float64, null where it is not finite."""
    cell = by_name(name).cast(pl.Float64)
    return pl.when(cell.is_finite()).then(cell)


def points(column: Numeric) -> tuple[Floats, Floats]:
    """Its finite values in rising order and how many rows have each (V), (V); values of one bucket as one, its middle.

    A bucket is within `sketch.relative_error` of its values; up to some 2000 values each has its own.
    """
    index, counts = column.sketch.arrays()
    if not index.size or column.min is None or column.max is None:
        return np.zeros(0), np.zeros(0)
    low = np.maximum((np.abs(index) - 1) << column.sketch.level, 0)
    high = np.minimum(low + (1 << column.sketch.level) - 1, LARGEST)
    first, last = low.view(np.float64), high.view(np.float64)
    values = np.sign(index) * (first + (last - first) / 2)
    return np.clip(values, column.min, column.max), counts.astype(np.float64)


def quantile(values: Floats, counts: Floats, share: float) -> float:
    """The value (V) of rank floor(share * (n - 1)), as `Numeric.quantile` has it."""
    rank = math.floor(share * (float(counts.sum()) - 1))
    return float(values[np.searchsorted(np.cumsum(counts), rank, side="right")])


def lone_zero(column: Numeric, maximum_share: float = 0.01) -> bool:
    """Is 0 in few rows, and far below all the others, which are positive?"""
    few = 0 < column.zeros <= max(1, maximum_share * column.finite)
    return few and (column.min or 0) == 0 and _far_from_zero(column)


def flipped(column: Numeric) -> bool:
    """Are few rows negative, of a size that the positive have, with nothing around 0 between?"""
    if not (column.min or 0) < 0 < (column.max or 0) or not _far_from_zero(column):
        return False
    values, counts = points(column)
    negative = values < 0
    few = float(counts[negative].sum()) <= max(1, SLIPS * column.finite)
    largest = quantile(values[~negative], counts[~negative], 0.99)  # the largest itself may be an error
    return few and bool(-values[negative].max() >= _smallest(column) and -values[negative].min() <= largest)


def possible(name: str) -> Possible | None:
    """What a column of this name may hold, where its words say so plainly.

    >>> possible("PatientAge").high
    122
    >>> possible("house_age") is None
    True
    """
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
    return next((p for p in POSSIBLE if words & p.words and words <= p.words | p.beside), None)


def _far_from_zero(column: Numeric) -> bool:
    """Do the positive values end far above 0: a fifth of their median, many of their steps, beyond Tukey's fence?"""
    values, counts = points(column)
    values, counts = values[values > 0], counts[values > 0]
    if counts.sum() < FEWEST_ROWS:
        return False
    q1, middle, q3 = (quantile(values, counts, share) for share in (0.25, 0.5, 0.75))
    if q1 == q3:
        return False  # one value or two: a code
    step = (q3 - q1) / max(int(((values >= q1) & (values <= q3)).sum()) - 1, 1)
    return bool(float(values[0]) >= max(middle / 5, 10 * step) and q1 - OUTSIDE * (q3 - q1) > 0)


def _smallest(column: Numeric) -> float:
    """The smallest positive value."""
    values, _ = points(column)
    return float(values[values > 0].min())


def _outside(column: Numeric, low: float, high: float) -> int:
    """Rows with a finite value below `low` or above `high`."""
    values, counts = points(column)
    return int(counts[(values < low) | (values > high)].sum())

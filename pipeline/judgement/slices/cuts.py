"""A column cut into parts, and the runs of parts that a slice may be: ranges, values, and what is missing.

Shapes: N rows, P parts, S runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.contract import Column
from pipeline.judgement.case import Case
from pipeline.wording import clip

PARTS = 10  # tenths of the rows
UNCUT = ("text-file", "image", "audio", "set")
VALUES = 30  # the most frequent ones; all others are never a slice


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Which rows: as SQL over the contract's columns, and in words."""

    sql: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """A number by ranges: each goes from an edge, which is in it, to the next; a row without a value has a last part.

    >>> cut = Ranges(name="age", sql='"age"', value=pl.col("age"), edges=(18.0, 65.0))
    >>> cut.parts(pl.DataFrame({"age": [3, 18, 70, None]})).tolist(), cut.runs.shape
    ([0, 1, 2, 3], (6, 4))
    >>> [cut.piece(place).words for place in (0, 1, 2, 5)]
    ['age below 18', 'age below 65', 'age from 18 to below 65', 'age missing']
    """

    name: str
    sql: str
    value: pl.Expr
    edges: tuple[float, ...]

    def parts(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) int64 the part of each row."""
        value_N = rows.select(self.value.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
        part_N = np.searchsorted(np.array(self.edges), value_N, side="right")
        return np.where(np.isnan(value_N), len(self.edges) + 1, part_N)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """From which part to before which, all but the whole; the last is what is missing."""
        count = len(self.edges) + 1
        spans = [(first, end) for first in range(count) for end in range(first + 1, count + 1)]
        return [span for span in spans if span != (0, count)] + [(count, count + 1)]

    @cached_property
    def runs(self) -> np.ndarray:
        """(S, P) float64, 1 where a part belongs to a run."""
        part_P = np.arange(len(self.edges) + 2)
        return np.array([(first <= part_P) & (part_P < end) for first, end in self.spans], dtype=np.float64)

    def piece(self, run: int) -> Piece:
        first, end = self.spans[run]
        if first > len(self.edges):
            return Piece(sql=f"{self.sql} IS NULL", words=f"{self.name} missing")
        low = self.edges[first - 1] if first else None
        high = self.edges[end - 1] if end <= len(self.edges) else None
        bounds = [(low, ">="), (high, "<")]
        told = " AND ".join(f"{self.sql} {sign} {_exact(bound)}" for bound, sign in bounds if bound is not None)
        return Piece(sql=told, words=f"{self.name} {_between(low, high)}")


@dataclass(frozen=True, kw_only=True)
class Values:
    """A column by its values: the frequent ones, what is missing, and all others together, which are no run."""

    name: str
    sql: str
    value: pl.Expr
    values: tuple[str | int | bool, ...]

    def parts(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) int64 the part of each row."""
        value = rows.select(self.value).to_series()
        known = {one: place for place, one in enumerate(self.values)}
        part = value.replace_strict(known, default=len(self.values) + 1, return_dtype=pl.Int64)
        return np.where(value.is_null().to_numpy(), len(self.values), part.to_numpy())

    @cached_property
    def runs(self) -> np.ndarray:
        """(S, P) float64, 1 where a part belongs to a run."""
        return np.eye(len(self.values) + 2)[:-1]

    def piece(self, run: int) -> Piece:
        if run == len(self.values):
            return Piece(sql=f"{self.sql} IS NULL", words=f"{self.name} missing")
        value = self.values[run]
        literal = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).upper()
        return Piece(sql=f"{self.sql} = {literal}", words=f"{self.name} {clip(value, 40)}")


Cut = Ranges | Values


def cuts(case: Case, rows: pl.DataFrame, named: Sequence[str], least: int) -> list[Cut]:
    """How the features, the groups and the `named` columns are cut, by these rows; `least`: rows that a value has.

    Of a moment its hour and its day of the week, of a text its length; pictures and sounds are not cut.
    """
    wanted = {*case.features, *case.contract.groups, *named}
    columns = [c for c in case.contract.columns if c.name in wanted and (c.role != "label" or c.name in named)]
    found = [cut for column in columns for cut in _of_column(column, rows, least)]
    return [cut for cut in found if len(cut.runs) > 1]


def _of_column(column: Column, rows: pl.DataFrame, least: int) -> Iterator[Cut]:
    value, sql = by_name(column.name).as_expr(), _quoted(column.name)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        value = value.cast(pl.String)
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        yield from _of_moment(column, rows, least)
    elif column.modality == "text":
        yield _ranges(f"length of {column.name}", f"LENGTH({sql})", value.str.len_chars(), rows)
    elif column.modality in UNCUT or column.dtype.is_temporal():
        return
    elif column.modality == "categorical" or not column.dtype.is_numeric():
        yield _values(column.name, sql, value, rows, least)
    else:
        yield _ranges(column.name, sql, value, rows)


def _of_moment(column: Column, rows: pl.DataFrame, least: int) -> Iterator[Cut]:
    value, sql = by_name(column.name).as_expr(), _quoted(column.name)
    if column.dtype != pl.Date:
        yield _ranges(f"hour of {column.name}", f"EXTRACT(HOUR FROM {sql})", value.dt.hour(), rows)
    yield _values(f"day of the week of {column.name}", f"EXTRACT(ISODOW FROM {sql})", value.dt.weekday(), rows, least)


def _ranges(name: str, sql: str, value: pl.Expr, rows: pl.DataFrame) -> Ranges:
    """Cut at the tenths of the rows, or between values where there are few."""
    known = rows.select(value.cast(pl.Float64)).to_series().drop_nulls().drop_nans()
    distinct = known.unique().sort()
    if distinct.len() <= PARTS:
        edges = distinct[1:].to_list()
    else:
        tenths = np.quantile(known.to_numpy(), np.arange(1, PARTS) / PARTS, method="higher")
        edges = [float(edge) for edge in np.unique(tenths) if edge > distinct[0]]
    return Ranges(name=name, sql=sql, value=value, edges=tuple(edges))


def _values(name: str, sql: str, value: pl.Expr, rows: pl.DataFrame, least: int) -> Values:
    counted = rows.select(value=value).drop_nulls().group_by("value").len().filter(pl.col("len") >= least)
    frequent = counted.sort(["len", "value"], descending=[True, False]).head(VALUES)
    return Values(name=name, sql=sql, value=value, values=tuple(frequent["value"].to_list()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {_said(high)}"
    return f"{_said(low)} or more" if high is None else f"from {_said(low)} to below {_said(high)}"


def _said(edge: float | None) -> str:
    """An edge as exact as it must be read."""
    return _exact(edge) if edge is not None and edge.is_integer() else f"{edge:.6g}"


def _exact(edge: float) -> str:
    return str(int(edge)) if edge.is_integer() else repr(edge)

"""Duplicate columns: what is told twice. Pairs are found in a sample, those found are counted in all rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import Column
from pipeline.profile import Numeric
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.tables.frames import worded
from pipeline.wording import count

MINIMUM_ROWS = 20
PROBE_ROWS = 512
ROWS_A_CODE = 10
SAMPLE_TOLERANCE = 0.02  # a share of 0.99 in all rows may be less in a sample

Pair: TypeAlias = tuple[str, str]
Codes: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Rows of two columns that do not both lack a value or hold their most common one, and those of them equal."""

    telling: int
    equal: int

    @property
    def share(self) -> float:
        """The share of the telling rows that are equal; 0 where there are too few to say."""
        return self.equal / self.telling if self.telling >= MINIMUM_ROWS else 0.0


@dataclass(frozen=True, kw_only=True)
class DuplicateColumns:
    """Which columns hold the same values as an earlier column in every row, as they stand or under other names?

    Rows in which both hold their most common value, or none, tell nothing; at least 20 others must be there. A
    recoding (each value of one stands for one value of the other) is worth knowing, where values repeat tenfold.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "duplicate_columns"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: a column that another one gives carries no information"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        pairs = _agreeing(table, _pairs_alike(table, 1.0))
        same = _first_of([pair for pair, found in pairs.items() if found.share == 1])
        for second, first in same.items():
            yield self._hit(table, first, second, f"holds the same values as {first}", "warning")
        recoded = [pair for pair in _pairs_recoded(table) if not {*pair} & same.keys()]
        for second, first in _first_of(_one_to_one(table, recoded)).items():
            yield self._hit(table, first, second, f"tells the same as {first} in other words (one to one)", "info")

    def _hit(self, table: Table, first: str, second: str, says: str, severity: Any) -> Hit:
        return Hit(
            check=self.name,
            column=second,
            rows=table.height,
            observed=1.0,
            threshold=1.0,
            message=f"{second} {says} in all rows",
            suggestion=f"leave out {first} or {second} (role `ignore` in the contract): one says it all",
            severity=severity,
        )


@dataclass(frozen=True, kw_only=True)
class AlmostDuplicateColumns:
    """Which columns hold the same values as another in nearly all rows, and in which rows do they not?

    Rows in which both hold their most common value, or none, do not count: two columns of zeros are not alike.
    """

    minimum_share: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "almost_duplicate_columns"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one row in a hundred: columns of different meaning do not agree so often by chance"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for (first, second), found in _agreeing(table, _pairs_alike(table, self.minimum_share)).items():
            if self.minimum_share <= found.share < 1:
                left, right = (_cell(table, table.contract.column(name)) for name in (first, second))
                yield Hit(
                    check=self.name,
                    column=second,
                    observed=found.share,
                    threshold=self.minimum_share,
                    message=f"{second} equals {first} but in {count(found.telling - found.equal, 'row')}",
                    suggestion="look at the rows where they differ, then leave one of the two out",
                    where=left.ne_missing(right),
                    value=worded("{} ({})", by_name(second), by_name(first)),
                )


CHECKS = (DuplicateColumns, AlmostDuplicateColumns)


def _first_of(pairs: Sequence[Pair]) -> dict[str, str]:
    """The first column that each second one goes with."""
    found: dict[str, str] = {}
    for first, second in pairs:
        found.setdefault(second, first)
    return found


def _pairs_alike(table: Table, share: float) -> list[Pair]:
    """The pairs of columns of one kind that agree so often in the sample, at a tolerance."""
    cells = {c.name: _cells(table, c) for c in _varied(table)}
    least = share if share == 1 else share - SAMPLE_TOLERANCE
    return [
        (first, second)
        for first, second in combinations(cells, 2)
        if cells[first].dtype == cells[second].dtype
        and _agree(cells[first].head(PROBE_ROWS), cells[second].head(PROBE_ROWS)) >= min(least, 0.5)
        and _agree(cells[first], cells[second]) >= least
    ]


def _agree(first: pl.Series, second: pl.Series) -> float:
    """The share of equal rows: at least that of the telling rows, as all that tell nothing are equal."""
    return float(first.eq_missing(second).sum()) / max(first.len(), 1)


def _agreeing(table: Table, pairs: Sequence[Pair]) -> dict[Pair, Agreement]:
    """How often each pair agrees in all rows: one streamed pass."""
    if not pairs:
        return {}
    modes = {name: _mode(table, name) for pair in pairs for name in pair}
    asked = []
    for place, pair in enumerate(pairs):
        left, right = (_cell(table, table.contract.column(name)) for name in pair)
        equal = left.eq_missing(right)
        idle = equal & (left.is_null() | (left.eq_missing(modes[pair[0]]) & right.eq_missing(modes[pair[1]])))
        asked += [(~idle).sum().alias(f"telling {place}"), (equal & ~idle).sum().alias(f"= {place}")]
    counted = table.rows.select(asked).collect(engine="streaming").row(0)
    return {
        pair: Agreement(telling=counted[2 * place], equal=counted[2 * place + 1]) for place, pair in enumerate(pairs)
    }


def _mode(table: Table, name: str) -> pl.Expr:
    """The most common value of the sample as a literal; the least of those where several are."""
    cells = _cells(table, table.contract.column(name)).drop_nulls()
    return pl.lit(cells.mode().min() if cells.len() else None, dtype=cells.dtype)


def _pairs_recoded(table: Table) -> list[Pair]:
    """The pairs of columns whose values stand one to one in the sample, and repeat."""
    codes = {c.name: _codes(_cells(table, c)) for c in _varied(table)}
    count = {name: int(code.max(initial=0)) + 1 for name, code in codes.items()}
    few = [name for name in codes if 2 < count[name] * ROWS_A_CODE <= table.sample.height]
    return [
        (first, second)
        for first, second in combinations(few, 2)
        if count[first] == count[second]
        and np.unique(codes[first] * count[second] + codes[second]).size == count[first]
        and table.sample.height >= MINIMUM_ROWS
    ]


def _one_to_one(table: Table, pairs: Sequence[Pair]) -> list[Pair]:
    """Those of the pairs whose values stand one to one in all rows."""
    if not pairs:
        return []
    cell = {name: _cell(table, table.contract.column(name)) for pair in pairs for name in pair}
    both = [
        pl.struct(cell[a].alias("a"), cell[b].alias("b")).n_unique().alias(f"{i}#") for i, (a, b) in enumerate(pairs)
    ]
    asked = table.rows.select(*(each.n_unique().alias(name) for name, each in cell.items()), *both)
    counted = asked.collect(engine="streaming").row(0, named=True)
    return [(a, b) for i, (a, b) in enumerate(pairs) if counted[a] == counted[b] == counted[f"{i}#"]]


def _codes(cells: pl.Series) -> Codes:
    """Each value's number in the order of values, null's too."""
    return cells.rank("dense").fill_null(0).cast(pl.Int64).to_numpy() - (0 if cells.null_count() else 1)


def _cells(table: Table, column: Column) -> pl.Series:
    """The column's values in the sample; without its name, which methods of a series would take as a pattern."""
    return table.sample.select(_cell(table, column).alias("value")).to_series()


def _varied(table: Table) -> list[Column]:
    """The columns with two values at least."""
    return [column for column in table.data_columns if table.profile.columns[column.name].distinct > 1]


def _is_wide(summary: Numeric) -> bool:
    """Whether some of the whole numbers are beyond what a float tells from its neighbour."""
    return max(abs(summary.min or 0), abs(summary.max or 0)) >= 2**53


def _cell(table: Table, column: Column) -> pl.Expr:
    """The value in the type of its kind (number, moment, text), so that like columns compare; NaN as null."""
    cell, summary = by_name(column.name), table.profile.columns.get(column.name)
    if column.dtype.is_integer() and isinstance(summary, Numeric) and _is_wide(summary):
        return cell.cast(pl.Int128)
    if column.dtype.is_temporal():
        return cell.cast(pl.Datetime("us")) if column.dtype in (pl.Date, pl.Datetime) else cell.cast(pl.Int64)
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return cell.cast(pl.Float64).fill_nan(None)
    return cell.cast(pl.String)

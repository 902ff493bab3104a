"""Missing checks: columns, rows, labels and stamps that are not there. Null and NaN are missing, infinite is not."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import Column
from pipeline.profile import Numeric
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.tables.frames import worded
from pipeline.wording import LEAVE_OUT, count

ROW_COLUMNS = 4  # below that a row is half empty for want of two cells


@dataclass(frozen=True, kw_only=True)
class MissingShareColumn:
    """Which features lack more than `maximum_share` of their values? One without any is empty_column's."""

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    policy: Policy = "warn"
    name: ClassVar[str] = "missing_share_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "above 5% the choice of imputation starts to matter (Schafer 1999)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for name in (column.name for column in table.features):
            rows = missing_rows(table, name)
            share = rows / max(table.height, 1)
            if self.maximum_share < share < 1:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=rows,
                    observed=share,
                    threshold=self.maximum_share,
                    message=f"{name} is missing in {share:.1%} of the rows",
                    suggestion="ask the source why; a model gets a usual value instead, and is told of it",
                    severity="info",
                )


@dataclass(frozen=True, kw_only=True)
class EmptyColumn:
    """Which columns hold no value in any row?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "empty_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: not one value is there"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for column in table.columns:
            name = column.name
            if table.height and missing_rows(table, name) == table.height:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=table.height,
                    observed=1.0,
                    threshold=1.0,
                    message=f"{name} is empty in every row",
                    suggestion=f"look whether the source has renamed or lost it; else {LEAVE_OUT}",
                    severity="info" if column.role == "ignore" else "warning",
                )


@dataclass(frozen=True, kw_only=True)
class MissingShareRow:
    """Which rows lack more than `maximum_share` of the features that most rows have?"""

    maximum_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    policy: Policy = "warn"
    name: ClassVar[str] = "missing_share_row"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "half: such a row says less than imputation makes up"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [c for c in table.features if missing_rows(table, c.name) <= table.height / 2]
        if len(columns) < ROW_COLUMNS:
            yield Skipped(why=f"fewer than {ROW_COLUMNS} features have a value in most rows")
            return
        most = math.floor(self.maximum_share * len(columns))
        if table.lacking is not None and table.lacking <= most:
            return
        if sum(missing_rows(table, c.name) for c in columns) <= most:
            return  # too few cells are missing to empty one row
        lacking = _lacking(table, columns)
        asked = table.rows.select((lacking > most).sum(), (lacking == len(columns)).sum().alias("empty"))
        rows, empty = asked.collect(engine="streaming").row(0)
        if not rows:
            return  # so that they need not be looked for
        yield Hit(
            check=self.name,
            where=lacking > most,
            value=worded("{} of " + f"{len(columns)} missing", lacking),
            score=lacking / len(columns),
            threshold=self.maximum_share,
            message=f"of {len(columns)} features that most rows have, over {self.maximum_share:.0%} are missing in "
            + HIT_ROWS
            + (f", and all of them in {empty:,}" if empty else ""),
            suggestion="look where they come from, a join that found nothing or a line cut short, and leave them out",
            severity="warning" if empty else "info",
        )


@dataclass(frozen=True, kw_only=True)
class MissingShareDataset:
    """Is more than `maximum_share` of all cells missing?"""

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    policy: Policy = "warn"
    name: ClassVar[str] = "missing_share_dataset"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "three tenths: more than a table with one or two sparse columns has"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        missed = {column.name: missing_rows(table, column.name) for column in table.data_columns}
        cells = table.height * len(missed)
        share = sum(missed.values()) / max(cells, 1)
        if share > self.maximum_share:
            worst = sorted(missed, key=lambda name: (-missed[name], name))[:3]
            yield Hit(
                check=self.name,
                observed=share,
                threshold=self.maximum_share,
                message=f"{share:.1%} of all {cells:,} cells are missing, most in {', '.join(worst)}",
                suggestion="look whether a join or an export lost them; else leave out the emptiest columns",
            )


@dataclass(frozen=True, kw_only=True)
class MissingLabel:
    """Which rows have no label? They cannot teach or judge a model."""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "missing_label"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine")
    source: ClassVar[str] = "no threshold: each unlabelled row is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = table.label
        if label is None:
            yield Skipped(why="no column has the role label")
            return
        rows, column = missing_rows(table, label), table.contract.column(label)
        tags = '; an empty cell says `no tags` where the label\'s metadata have "empty": "no tags"'
        if rows:
            yield Hit(
                check=self.name,
                column=label,
                where=missing(column),
                threshold=0,
                message=f"{label}, the label, is missing in {count(rows, 'row')}",
                suggestion="label these rows; until then they can neither teach nor judge a model, and are set aside"
                + tags * (column.modality == "set"),
            )


@dataclass(frozen=True, kw_only=True)
class NanOrInf:
    """Which numbers are infinite, or NaN where the file could have said that nothing is there?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "nan_or_inf"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: neither is a number (IEEE 754)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for column in (c for c in table.data_columns if c.dtype.is_float()):
            found = table.profile.columns[column.name]
            if not isinstance(found, Numeric) or not found.nan + found.infinite:
                continue
            cell = by_name(column.name)
            yield Hit(
                check=self.name,
                column=column.name,
                where=~cell.is_finite(),
                value=cell,
                threshold=0,
                message=f"{column.name} is infinite in {count(found.infinite, 'row')} and NaN in {found.nan:,}",
                suggestion="look for a division by zero or an overflow at the source; leave unknown cells empty",
                severity="warning" if found.infinite else "info",
            )


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """Is the newest row too old? Asked against a reference, or where `maximum_age_hours` is set.

    With a reference (older rows of the same source) the newest stamp must be newer than the reference's. The age is
    measured at `as_of`, or else by the clock: the one check that asks it.
    """

    maximum_age_hours: Annotated[float, Field(gt=0)] | None = None
    as_of: datetime | None = None
    policy: Policy = "warn"
    name: ClassVar[str] = "freshness"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no default: how old is too old, the source's owner knows"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        newest = _newest(table)
        before = None if table.reference is None else _newest(table.reference)
        if newest is None or (before is None and self.maximum_age_hours is None):
            yield Skipped(why="it needs stamps, and a reference or `maximum_age_hours`")
            return
        if before is not None and newest <= before:
            yield self._stale(table, newest, f"and the reference already reaches {_moment(before)}", _moment(before))
        if self.maximum_age_hours is not None:
            asked = self.as_of or datetime.now(UTC)
            hours = ((asked if asked.tzinfo else asked.replace(tzinfo=UTC)).timestamp() - newest) / 3600
            if hours > self.maximum_age_hours:
                yield self._stale(table, newest, f"{hours:,.0f} hours ago", self.maximum_age_hours, hours)

    def _stale(
        self, table: Table, newest: float, why: str, threshold: float | str, observed: float | None = None
    ) -> Hit:
        return Hit(
            check=self.name,
            column=table.time,
            observed=_moment(newest) if observed is None else observed,
            threshold=threshold,
            message=f"the newest row is of {_moment(newest)}, {why}",
            suggestion="look whether the source, or the job that fetches it, has stopped",
        )


CHECKS = (
    MissingShareColumn,
    EmptyColumn,
    MissingShareRow,
    MissingShareDataset,
    MissingLabel,
    NanOrInf,
    Freshness,
)


def missing(column: Column) -> pl.Expr:
    """Whether the column's cell is null or NaN, row by row."""
    cell = by_name(column.name)
    return cell.is_null() | cell.is_nan() if column.dtype.is_float() else cell.is_null()


def missing_rows(table: Table, name: str) -> int:
    """In how many rows the column is null or NaN."""
    return table.profile.columns[name].missing


def _lacking(table: Table, columns: list[Column]) -> pl.Expr:
    """How many of the columns are missing in a row; those that no row lacks are not looked at."""
    lacked = [column for column in columns if missing_rows(table, column.name)]
    return reduce(add, (missing(column).cast(pl.UInt32) for column in lacked))


def _newest(table: Table) -> float | None:
    """The newest stamp, in seconds since 1970 (UTC)."""
    found = None if table.time is None else table.profile.columns[table.time]
    return found.max if isinstance(found, Numeric) else None


def _moment(seconds: float) -> str:
    return str(pl.Series([seconds * 1e6]).cast(pl.Int64).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")[0])

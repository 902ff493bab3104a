"""Reference checks: what is not as in the table to compare with. Each is silent, and says so, without one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID, Column
from pipeline.drift.columns import ColumnDrift, compare
from pipeline.drift.homogeneity import compare_counts
from pipeline.profile import Categorical, Numeric, Profile
from pipeline.quality.findings import NO_REFERENCE, Hit, Policy, Skipped, Table, kind_of
from pipeline.wording import count

SOME_IDS = 20  # of a sample must stand in the reference too, else there is nothing to compare
BEFORE = "\0before "  # no column's name begins so
SAME = 1e-6  # relative: numbers closer than that are one number, written by two programs


@dataclass(frozen=True, kw_only=True)
class SchemaChanged:
    """Which columns came, went, or changed their type since the reference?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "schema_changed"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: each column is told; numbers of any width, whole or not, are one type"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        now, then = _types(table), _types(table.reference)
        for name in [name for name in then if name not in now]:
            yield self._hit(name, "absent", str(then[name]), "bring the column, or rename it back", error=True)
        for name, dtype in now.items():
            if name not in then:
                yield self._hit(
                    name, str(dtype), "absent", "was it renamed? a model of the reference does not look at it"
                )
            elif _kind(dtype) != _kind(then[name]):
                what = "one value that is no number or date makes a column text: find and correct it"
                yield self._hit(name, str(dtype), str(then[name]), what, error=True)

    def _hit(self, name: str, now: str, then: str, what: str, *, error: bool = False) -> Hit:
        return Hit(
            check=self.name,
            column=name,
            observed=now,
            threshold=then,
            message=f"{name} is {now}, and {'is' if then == 'absent' else 'was'} {then} in the reference",
            suggestion=what,
            severity="error" if error else "warning",
        )


@dataclass(frozen=True, kw_only=True)
class DistributionShift:
    """Which features are distributed otherwise than in the reference, be it their mean or the shares of their values?

    Judged as drift is: beyond chance for all columns together, and by a Jensen-Shannon distance of at least
    `minimum_effect`. Missing rows and the label have checks of their own; moments move on by nature.
    """

    minimum_effect: Annotated[float, Field(gt=0, le=1)] = 0.2
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "distribution_shift"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "as drift: 0.2 is a normal whose mean moves by half a standard deviation"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        features = [c.name for c in table.columns if c.role == "feature" and kind_of(c) != "timestamp"]
        now, then = (_without_missing(t.profile, features) for t in (table, table.reference))
        found = compare(then, now, alpha=self.alpha, minimum_effect=self.minimum_effect)
        for drift in found.columns:
            if drift.drifted and drift.column in now.columns:
                yield self._hit(drift, then, now)

    def _hit(self, drift: ColumnDrift, then: Profile, now: Profile) -> Hit:
        return Hit(
            check=self.name,
            column=drift.column,
            rows=now.rows,
            observed=drift.effect,
            threshold=self.minimum_effect,
            message=f"{drift.column} is not distributed as in the reference: {_moved(drift.column, then, now)}",
            suggestion="find out whether the source or the world changed: a model of the reference may fail here",
        )


@dataclass(frozen=True, kw_only=True)
class MissingShareChange:
    """Which columns are missing more or less often than in the reference?"""

    minimum_effect: Annotated[float, Field(gt=0, le=1)] = 0.1
    maximum_p: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    policy: Policy = "warn"
    name: ClassVar[str] = "missing_share_change"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.1, a Jensen-Shannon distance: from none to 2% of the rows, or from 20% to 32%"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        before = table.reference.profile.columns
        for name, column in table.profile.columns.items():
            if name not in before or not column.rows or not before[name].rows:
                continue
            sides = [(side.missing, side.rows - side.missing) for side in (before[name], column)]
            found = compare_counts(*sides)
            if found.effect >= self.minimum_effect and found.p < self.maximum_p:
                then, now = (missing / (missing + present) for missing, present in sides)
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=column.missing,
                    observed=now,
                    threshold=then,
                    message=f"{name} is missing in {now:.1%} of the rows, and was in {then:.1%} of the reference",
                    suggestion="find out what fills this column, and whether it stopped or began to",
                )


@dataclass(frozen=True, kw_only=True)
class RowCountChange:
    """Are there many more or fewer rows than in the reference?"""

    maximum_ratio: Annotated[float, Field(gt=1)] = 2.0
    policy: Policy = "warn"
    name: ClassVar[str] = "row_count_change"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "by hand: twice or half; a test set is naturally smaller than its training set"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        few, many = sorted((table.height, table.reference.height))
        if many > self.maximum_ratio * few:
            yield Hit(
                check=self.name,
                rows=table.height,
                observed=table.height,
                threshold=table.reference.height,
                message=f"there are {count(table.height, 'row')} here, and {table.reference.height:,} in the reference",
                suggestion="if both should be whole batches, look whether one was cut short, or sent twice",
                severity="info",
            )


@dataclass(frozen=True, kw_only=True)
class ClassBalanceChange:
    """Has the label other shares of its classes, or another distribution, than in the reference?"""

    minimum_effect: Annotated[float, Field(gt=0, le=1)] = 0.1
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "class_balance_change"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "as drift: 0.1 is a normal whose mean moves by a quarter of a standard deviation"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None or table.label is None:
            yield NO_REFERENCE if table.reference is None else Skipped(why="no column has the role label")
            return
        now, then = (_without_missing(t.profile, [str(table.label)]) for t in (table, table.reference))
        found = compare(then, now, label=table.label, alpha=self.alpha, minimum_outcome_effect=self.minimum_effect)
        if found.label is not None and found.label.drifted:
            yield Hit(
                check=self.name,
                column=table.label,
                rows=now.rows,
                observed=found.label.effect,
                threshold=self.minimum_effect,
                message=f"{table.label} is not distributed as in the reference: {_moved(table.label, then, now)}",
                suggestion="was it drawn otherwise, or did the world change? then calibrate or retrain the model",
            )


@dataclass(frozen=True, kw_only=True)
class TrainServeSkew:
    """Which rows have the same id in the reference, and other values?

    Joined by the contract's key, else by all columns of role id, for the rows of a sample, where each id stands once
    in both. Numbers within a millionth of each other are the same, null equals null.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "train_serve_skew"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: each other value of one id is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        key = table.contract.key or [column.name for column in table.contract.of_role("id")]
        if table.reference is None or not key or not {*key} <= _types(table.reference).keys():
            yield NO_REFERENCE if table.reference is None else Skipped(why="no key or ids in both tables")
            return
        there = _types(table.reference)
        compared = [c for c in table.columns if c.role == "feature" and there.get(c.name) == c.dtype]
        both = _joined(table, table.reference, key, [column.name for column in compared])
        if both.height < SOME_IDS:
            yield Skipped(why=f"fewer than {SOME_IDS} ids of a sample stand, once, in both tables")
            return
        yield Skipped(rows=table.height - both.height, why="a sample, and ids that are not in both tables once")
        for column in compared:
            other = both.filter(_differs(column))
            if other.height:
                yield self._hit(column.name, other, both.height)

    def _hit(self, name: str, other: pl.DataFrame, rows: int) -> Hit:
        return Hit(
            check=self.name,
            column=name,
            rows=other.height,
            observed=other.height / rows,
            threshold=0,
            message=f"{name} differs from the reference in {other.height:,} of {count(rows, 'row')} of the same id",
            suggestion="is it computed otherwise in one of the two, or at another time? compute it in one way",
            flags=other.select(ROW_ID, value=_cell(name), suggested=_cell(f"{BEFORE}{name}")),
        )


CHECKS = (
    SchemaChanged,
    DistributionShift,
    MissingShareChange,
    RowCountChange,
    ClassBalanceChange,
    TrainServeSkew,
)


def _types(table: Table) -> dict[str, pl.DataType]:
    """The types of the contract's columns, in their order."""
    return {column.name: column.dtype for column in table.columns}


def _kind(dtype: pl.DataType) -> str:
    """Types between which no value changes its meaning are one."""
    if dtype in (pl.Categorical, pl.Enum):
        return "String"
    return "number" if dtype.is_numeric() else str(dtype.base_type())


def _without_missing(profile: Profile, names: list[str]) -> Profile:
    """The profile of these columns as if every row had a value."""
    kept: dict[str, Categorical | Numeric] = {}
    for name in names:
        column = profile.columns.get(name)
        if isinstance(column, Categorical):
            kept[name] = column.model_copy(update={"nulls": 0})
        elif isinstance(column, Numeric):
            kept[name] = column.model_copy(update={"nulls": 0, "nan": 0})
    return Profile(rows=profile.rows, columns=kept)


def _moved(name: str, then: Profile, now: Profile) -> str:
    """What changed most, in words: the mean, or the share of one value."""
    before, after = then.columns[name], now.columns[name]
    if isinstance(before, Numeric) and isinstance(after, Numeric):
        if before.mean is None or after.mean is None:
            return "one of them has no value"
        if not before.std and not after.std:
            return f"it is always {after.mean:.6g}, and was always {before.mean:.6g}"
        sigmas = f", {(after.mean - before.mean) / before.std:+.1f} standard deviations" if before.std else ""
        spread = f"its standard deviation {after.std:.4g} (was {before.std:.4g})"
        return f"its mean is {after.mean:.4g} (was {before.mean:.4g}{sigmas}), {spread}"
    if isinstance(before, Categorical) and isinstance(after, Categorical):
        shares = [{v: n / max(side.rows, 1) for v, n in side.counts.items()} for side in (before, after)]
        values = sorted({*shares[0], *shares[1]})
        value = max(values, key=lambda v: abs(shares[1].get(v, 0) - shares[0].get(v, 0)), default="")
        return f"it is {value!r} in {shares[1].get(value, 0):.1%} of the rows, and was in {shares[0].get(value, 0):.1%}"
    return f"it was {before.kind}, and is {after.kind}"


def _joined(table: Table, reference: Table, key: list[str], names: list[str]) -> pl.DataFrame:
    """Rows of the sample whose key stands once in both, with the reference's values as `#before <name>`."""
    ids = table.sample.select(ROW_ID, by_name(*dict.fromkeys([*key, *names]))).drop_nulls(by_name(*key))
    ids = ids.filter(ids.select(pl.struct(by_name(*key)).is_unique()).to_series())
    before = [by_name(name).alias(f"{BEFORE}{name}") for name in names]
    others = reference.rows.select(*(by_name(name) for name in key), *before)
    found = others.join(ids.lazy().select(by_name(*key)), on=by_name(*key), how="semi").collect(engine="streaming")
    found = found.filter(found.select(pl.struct(by_name(*key)).is_unique()).to_series())
    return ids.join(found, on=by_name(*key), how="inner", maintain_order="left")


def _differs(column: Column) -> pl.Expr:
    now, then = by_name(column.name).as_expr(), by_name(f"{BEFORE}{column.name}").as_expr()
    if not column.dtype.is_float():
        return now.ne_missing(then)
    close = (now - then).abs() <= SAME * pl.max_horizontal(now.abs(), then.abs())
    return ~(now.eq_missing(then) | (close & now.is_finite() & then.is_finite()).fill_null(False))


def _cell(name: str) -> pl.Expr:
    return by_name(name).cast(pl.String)

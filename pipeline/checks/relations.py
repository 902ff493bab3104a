"""Checks of what numbers and moments of one row have to do with each other: order, sums and products."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import Column
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Computed
from pipeline.wording import count

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Operation: TypeAlias = Literal["+", "×"]  # noqa: RUF001

OPPOSITES = (
    *(("start", "end"), ("begin", "end"), ("started", "ended"), ("from", "to"), ("first", "last"), ("min", "max")),
    *(("minimum", "maximum"), ("low", "high"), ("lower", "upper"), ("lo", "hi"), ("birth", "death"), ("born", "died")),
    *(("pickup", "dropoff"), ("admission", "discharge"), ("admitted", "discharged"), ("opened", "closed")),
    *(("created", "updated"), ("ordered", "shipped"), ("order", "ship"), ("shipped", "delivered"), ("hired", "left")),
    *(("departure", "arrival"), ("checkin", "checkout"), ("issue", "expiry")),
)
GLANCE, COLUMNS = 2_000, 30  # rows and columns in which sums and products are sought
TELLING = 50  # rows in which a sum or product could fail, at least
EXACT = 1e-9


@dataclass(frozen=True, kw_only=True)
class ColumnOrder:
    """In which rows is the end before the start (or the minimum over the maximum), where it is not in nearly all?

    Asked of two columns whose names are opposites, and of any two columns of moments.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "column_a_greater_than_b"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "99 rows in 100 keep a rule: below that the columns need not be in order"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        pairs = list(ordered_pairs(table.data_columns))
        if not pairs or not table.height:
            yield Skipped(why="no two columns of moments, or with names that are opposites (start, end)")
            return
        names = [f"{place} {what}" for place in range(len(pairs)) for what in ("known", "broken")]
        asked = [each for low, high in pairs for each in (_known(low, high), _over(low, high).sum())]
        row = (
            table.rows.select(e.alias(n) for e, n in zip(asked, names, strict=True)).collect(engine="streaming").row(0)
        )
        for place, (low, high) in enumerate(pairs):
            known, broken = row[2 * place], row[2 * place + 1]
            if broken and known >= TELLING and known - broken >= self.minimum_share * known:
                yield Hit(
                    check=self.name,
                    column=high.name,
                    observed=1 - broken / known,
                    threshold=self.minimum_share,
                    message=f"{high.name} lies before or below {low.name} in {broken:,} of {count(known, 'row')}",
                    suggestion="look whether the two were swapped, or one of them is wrong, and correct it",
                    where=_over(low, high),
                    value=by_name(high.name),
                )


@dataclass(frozen=True, kw_only=True)
class DerivedColumnConsistent:
    """Which cells are not the sum or product of two other columns, where they are in nearly all rows?

    Sought on the first rows of the sample, and told where it holds in all of it. Equal means equal to the decimals
    that the column has.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "derived_column_consistent"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "99 of 100 rows in which neither part is 0 (of a product: 0 or 1): no chance gives that"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [c.name for c in table.data_columns if c.dtype.is_numeric() and c.role != "label"][:COLUMNS]
        if len(columns) < 3:
            yield Skipped(why="fewer than three columns of numbers")
            return
        cells = table.sample.select(by_name(name).cast(pl.Float64) for name in columns)
        values = {name: cells.get_column(name).alias("value").fill_null(np.nan).to_numpy() for name in columns}
        for formula in self._formulas({name: value[:GLANCE] for name, value in values.items()}):
            computed, telling = computed_from(values[formula.first], values[formula.second], formula.operation)
            if holds(values[formula.total], computed, telling, formula.tolerance, self.minimum_share):
                yield formula.hit(self.name, self.minimum_share)

    def _formulas(self, values: dict[str, Floats]) -> Iterator["Formula"]:
        """The sums and products that hold; of equivalent ones (a = b + c, a = c + b) one."""
        places = {name: decimals(value) for name, value in values.items()}
        known = {name: place for name, place in places.items() if place is not None}
        for operation in ("+", "×"):  # noqa: RUF001
            for first, second in combinations(values, 2):
                computed, telling = computed_from(values[first], values[second], operation)
                if telling.sum() < TELLING:
                    continue
                for total, place in known.items():
                    formula = Formula(total=total, first=first, second=second, operation=operation, decimals=place)
                    apart = total not in (first, second)
                    if apart and holds(values[total], computed, telling, formula.tolerance, self.minimum_share):
                        yield formula


CHECKS = (ColumnOrder, DerivedColumnConsistent)


@dataclass(frozen=True, kw_only=True)
class Formula:
    """total = first + second, or first × second, to so many decimals."""  # noqa: RUF002

    total: str
    first: str
    second: str
    operation: Operation
    decimals: int

    @property
    def tolerance(self) -> float:
        """Half of the last decimal."""
        return 0.5 * 10.0**-self.decimals

    def hit(self, check: str, minimum_share: float) -> Hit:
        total, first, second = (by_name(name).cast(pl.Float64) for name in (self.total, self.first, self.second))
        computed = first + second if self.operation == "+" else first * second
        off = (total - computed).abs() > self.tolerance * (1 + 1e-6) + EXACT * computed.abs()
        return Hit(
            check=check,
            column=self.total,
            threshold=minimum_share,
            message=f"{self.total} is {self.first} {self.operation} {self.second}, but not in {HIT_ROWS}",
            suggestion="correct the one of the three that is wrong; the policy `repair` computes the total again",
            where=off & total.is_finite() & computed.is_finite(),
            value=by_name(self.total),
            suggested=computed.round(self.decimals),
            rule=Computed(
                column=self.total,
                first=self.first,
                operation="+" if self.operation == "+" else "*",
                second=self.second,
                decimals=self.decimals,
            ),
        )


def ordered_pairs(columns: Sequence[Column]) -> Iterator[tuple[Column, Column]]:
    """Pairs of columns of which the first should not be the larger; of moments both orders, as one of them may hold."""
    for low, high in permutations(columns, 2):
        same = (low.dtype.is_numeric() and high.dtype.is_numeric()) or low.dtype == high.dtype
        moments = low.dtype in (pl.Date, pl.Datetime) and same
        if moments or (same and low.dtype.is_numeric() and are_opposites(low.name, high.name)):
            yield low, high


def are_opposites(low: str, high: str) -> bool:
    """Do the names differ by one word alone, and is that the low and the high end of something?

    >>> are_opposites("start_date", "end_date"), are_opposites("end", "start"), are_opposites("minAge", "maxAge")
    (True, False, True)
    """
    first, second = (re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name) for name in (low, high))
    words = [(a.lower(), b.lower()) for a, b in zip(first, second, strict=False) if a.lower() != b.lower()]
    return len(first) == len(second) and len(words) == 1 and words[0] in OPPOSITES


def computed_from(
    first: Floats, second: Floats, operation: Operation
) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The sum or product, and the rows in which it is neither of its parts."""
    known = np.isfinite(first) & np.isfinite(second) & (first != 0) & (second != 0)
    if operation == "+":
        return first + second, known
    return first * second, known & (first != 1) & (second != 1)


def holds(total: Floats, computed: Floats, telling: Any, tolerance: float, minimum_share: float) -> bool:
    """Is the total what was computed, in nearly all rows in which that is more than one of its parts, and varied?"""
    rows = telling & np.isfinite(total)
    if rows.sum() < TELLING or np.unique(total[rows]).size < TELLING // 5:
        return False
    near = np.abs(total - computed)[rows] <= tolerance * (1 + 1e-6) + EXACT * np.abs(computed[rows])
    spread = float(np.std(computed[rows]))
    return bool(near.mean() >= minimum_share and spread > 4 * tolerance)


def decimals(values: Floats) -> int | None:
    """How many decimals the values are written with, at most 6; null for none that is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    exact = (np.isclose(finite, np.round(finite, place), rtol=EXACT, atol=1e-12).all() for place in range(6))
    return next((place for place, is_exact in enumerate(exact) if is_exact), 6)


def _value(column: Column) -> pl.Expr:
    """The column, with NaN as null: to Polars it is larger than any number."""
    return by_name(column.name).fill_nan(None) if column.dtype.is_float() else by_name(column.name)


def _known(low: Column, high: Column) -> pl.Expr:
    return (_value(low).is_not_null() & _value(high).is_not_null()).sum()


def _over(low: Column, high: Column) -> pl.Expr:
    return (_value(low) > _value(high)).fill_null(False)

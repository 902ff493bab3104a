"""Leakage checks: features, ids or the order of rows that know the answer, and features from after the answer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.missing import missing, missing_rows
from pipeline.contract import Column
from pipeline.labels.shortcut import Shortcut, shortcuts, told_by_order
from pipeline.quality.findings import Hit, Policy, Severity, Skipped, Table, outside_sample
from pipeline.wording import LEAVE_OUT, count

EACH_CLASS = 0.99
SOME_CLASS = 0.8
COPY = 0.999
SURE_ROWS = 300  # without a slip: at most one in a hundred slips, surely (rule of three; Hanley & Lippman-Hand 1983)
APART = 0.1


@dataclass(frozen=True, kw_only=True)
class TargetLeak:
    """Which feature tells the label nearly alone (a leak, or a shortcut that the model will take)?

    The share of each class is learnt per value (numbers: per quantile bin) on one half of the sample and judged by
    its AUC on the other half, so that a feature with many values does not pass for a leak by chance (see
    pipeline/labels/shortcut.py). An error where every class is told at 0.999 by as few values as there are classes, or
    on 300 rows of it: a copy of the label. A warning where every class is told at 0.99, or at 0.8 while at most a
    third of the features stand apart from the next best by 0.1. A label that several features tell, or a class that
    one does, is easy: worth knowing. A number is told by quarters.
    """

    maximum_auc: Annotated[float, Field(ge=0.5, le=1)] = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "target_leak"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "an AUC of 0.9 by one column alone is rarely honest"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        features = [c for c in table.columns if c.modality is not None and c.role in ("feature", "time")]
        found = shortcuts(table, features)
        if isinstance(found, Skipped):
            yield found
            return
        yield from outside_sample(table)
        above = {name: said for name, said in found.items() if said.auc > self.maximum_auc}
        below = max((said.auc for name, said in found.items() if name not in above), default=0.5)
        few = len(above) <= max(1, len(found) // 3)
        apart = few and below + APART < min((said.auc for said in above.values()), default=0.5)
        bad = {n: s for n, s in above.items() if s.least > EACH_CLASS or (apart and s.least > SOME_CLASS)}
        for name, said in bad.items():
            yield self._hit(table, name, said, severity="error" if _is_copy(said) else "warning")
        easy = {name: said for name, said in above.items() if name not in bad}
        if easy:
            best = max(easy, key=lambda name: easy[name].auc)
            yield self._hit(table, best, easy[best], others=len(easy) - 1, severity="info")

    def _hit(self, table: Table, name: str, said: Shortcut, *, severity: Severity, others: int = 0) -> Hit:
        more = f", and {count(others, 'other feature comes', 'other features come')} close" if others else ""
        return Hit(
            check=self.name,
            column=name,
            rows=table.height,
            observed=said.auc,
            threshold=self.maximum_auc,
            message=f"{name} alone tells {table.label} = {said.value} {_surely(said.auc)}{more}",
            suggestion=f"is it known when the model is asked? if not, {LEAVE_OUT}",
            severity=severity,
        )


def _is_copy(said: Shortcut) -> bool:
    """Whether it is the label itself: few rows can be told apart by a number that only goes with it."""
    return said.least > COPY and (said.renamed or said.fewest >= SURE_ROWS)


@dataclass(frozen=True, kw_only=True)
class IdentifierPredictsLabel:
    """Do ids or the order of rows tell the label, though they should say nothing of it?

    As target_leak, over columns of role `id` and the place of rows. A label that follows the order is a sorted file, or
    files of one class each: worth knowing, since only a shuffled split is fair then. With a time axis the order is
    time, and the label may follow it; files of a folder have no order of their own.
    """

    maximum_auc: Annotated[float, Field(ge=0.5, le=1)] = 0.8
    policy: Policy = "warn"
    name: ClassVar[str] = "identifier_predicts_label"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "an AUC of 0.8 is excellent discrimination (Hosmer, Lemeshow & Sturdivant 2013)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = shortcuts(table, table.contract.of_role("id"))
        if isinstance(found, Skipped):
            yield found
            return
        yield from outside_sample(table)
        for name, said in found.items():
            if said.auc > self.maximum_auc:
                yield self._hit(table, said, column=name)
        order = told_by_order(table) if table.time is None and table.base is None else None
        if order is not None and order.auc > self.maximum_auc:
            yield self._hit(table, order, column=None)

    def _hit(self, table: Table, said: Shortcut, *, column: str | None) -> Hit:
        by_id = "keep it from the model; where rows share an id, give it the role `group`: a split keeps them together"
        by_order = "split at random, never by position; leave out features that count rows"
        return Hit(
            check=self.name,
            column=column,
            rows=table.height,
            observed=said.auc,
            threshold=self.maximum_auc,
            message=f"{'the order of the rows' if column is None else f'the id {column}'} tells "
            f"{table.label} = {said.value} {_surely(said.auc)}",
            suggestion=by_order if column is None else by_id,
            severity="info" if column is None else "warning",
        )


@dataclass(frozen=True, kw_only=True)
class FutureInformation:
    """Which feature is missing where, and almost only where, the label is missing?

    Such a column is written down together with the answer, so it will not be there when the model is asked.
    The measure is the phi coefficient of the two columns' missingness (Yule 1912), from -1 to 1; it speaks
    when at least `minimum_rows` labels are missing. Null and NaN are missing.
    """

    maximum_phi: Annotated[float, Field(ge=0, le=1)] = 0.6
    minimum_rows: Annotated[int, Field(ge=1)] = 10
    policy: Policy = "stop"
    name: ClassVar[str] = "leak_future_information"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "a phi of 0.6 is a strong association (Cohen 1988 calls 0.5 large)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = table.label
        if label is None:
            yield Skipped(why="no column has the role label")
            return
        unlabelled = missing_rows(table, label)
        features = [c for c in table.columns if c.modality is not None and c.role in ("feature", "time")]
        asked = [c for c in features if _highest_phi(missing_rows(table, c.name), unlabelled) > self.maximum_phi]
        if unlabelled < self.minimum_rows or not asked:
            return
        absent = missing(table.contract.column(label))
        both = [(missing(column) & absent).sum().alias(column.name) for column in asked]
        for name, rows in table.rows.select(both).collect(engine="streaming").row(0, named=True).items():
            value = _phi(rows, missing_rows(table, name), unlabelled, table.height)
            if value > self.maximum_phi:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=table.height,
                    observed=value,
                    threshold=self.maximum_phi,
                    message=f"{name} is missing where {label} is (phi {value:.2f}, where 1 is always)",
                    suggestion=f"{LEAVE_OUT}: it will not be there when the model is asked",
                    severity="error",
                )


@dataclass(frozen=True, kw_only=True)
class FutureTimestamp:
    """Which moment among the features lies after the row's own time in most rows?

    What is stamped later than the row was written afterwards; a plan for the future may honestly lie there, so a
    person must say. Dates are compared by the day, moments with a zone in UTC.
    """

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    policy: Policy = "warn"
    name: ClassVar[str] = "leak_future_timestamp"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "most rows: a few late ones are errors of clocks"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        moments = [c for c in table.columns if c.role == "feature" and c.dtype in (pl.Date, pl.Datetime)]
        if table.time is None or not moments:
            yield Skipped(why="no time axis" if table.time is None else "no moment among the features")
            return
        axis = table.contract.column(table.time)
        later = [_later(moment, axis).sum().alias(moment.name) for moment in moments]
        for name, rows in table.rows.select(later).collect(engine="streaming").row(0, named=True).items():
            share = rows / max(table.height, 1)
            if share > self.maximum_share:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=rows,
                    observed=share,
                    threshold=self.maximum_share,
                    message=f"{name} is a moment after {table.time} in {share:.1%} of the rows: it was not known then",
                    suggestion=f"is it a plan, made before? if not, {LEAVE_OUT}: it comes too late",
                )


CHECKS = (TargetLeak, IdentifierPredictsLabel, FutureInformation, FutureTimestamp)


def _surely(auc: float) -> str:
    return f"(AUC {auc:.3f}, where 0.5 is chance and 1 is always right)"


def _phi(both: int, one: int, other: int, rows: int) -> float:
    """The phi coefficient of two indicators from the counts of their ones; 0 where one of them never changes.

    >>> _phi(2, 2, 2, 4), _phi(0, 2, 2, 4), _phi(1, 2, 2, 4), _phi(4, 4, 2, 4)
    (1.0, -1.0, 0.0, 0.0)
    """
    spread = one * (rows - one) * other * (rows - other)
    return (rows * both - one * other) / math.sqrt(spread) if spread else 0.0


def _highest_phi(rows: int, others: int) -> float:
    """An upper bound of phi from the two counts: were the fewer always with the others, it is less than their root.

    >>> _highest_phi(0, 10), _highest_phi(10, 10)
    (0.0, 1.0)
    """
    fewer, more = sorted((rows, others))
    return float((fewer / more) ** 0.5) if fewer else 0.0


def _later(moment: Column, axis: Column) -> pl.Expr:
    cells = [by_name(column.name).cast(pl.Datetime("us")) for column in (moment, axis)]
    if pl.Date in (moment.dtype, axis.dtype):
        cells = [cell.dt.date() for cell in cells]
    return cells[0] > cells[1]

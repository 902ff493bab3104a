"""Balance checks: classes of the label that are too rare to learn, or that are not there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.labels.target import classes_of
from pipeline.quality.findings import NO_REFERENCE, Hit, Policy, Skipped, Table
from pipeline.wording import count, listed

BETA = 0.9999  # of the effective number of rows (Cui et al. 2019, Class-Balanced Loss, CVPR, equation 2)
BY_CHANCE = 0.01


@dataclass(frozen=True, kw_only=True)
class ClassImbalance:
    """Which classes of the label have less than `minimum_share` of the rows of that class and the largest together?

    With two classes that is the share of the labelled rows, and with many that are alike no class is told.
    """

    minimum_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "class_imbalance"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one to nine: high imbalance in the KEEL collection (Fernández et al. 2008)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        classes = classes_of(table)
        if isinstance(classes, Skipped):
            yield classes
            return
        largest = max(classes.values(), default=0)
        few = {value: rows for value, rows in classes.items() if rows / (rows + largest) < self.minimum_share}
        if few:
            least = min(few.values())
            weight = effective_rows(largest) / effective_rows(least)
            yield Hit(
                check=self.name,
                column=table.label,
                rows=sum(few.values()),
                observed=least / (least + largest),
                threshold=self.minimum_share,
                message=f"{_named(few, table.label)}, the largest class {largest:,}: {weight:.1f} to 1, if each "
                "further row of a class counts a little less",
                suggestion="`train.imbalance: auto` in params.yaml tries what helps them on val; judge by average "
                "precision, not by accuracy",
            )


@dataclass(frozen=True, kw_only=True)
class SingleClassTarget:
    """Has the label fewer than two values, so that there is nothing to learn?"""

    policy: Policy = "stop"
    name: ClassVar[str] = "single_class_target"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "a model needs two answers to tell apart"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        classes = classes_of(table)
        if isinstance(classes, Skipped):
            yield classes
        elif len(classes) < 2:
            held = f"one value ({next(iter(classes))})" if classes else "no value"
            yield Hit(
                check=self.name,
                column=table.label,
                observed=len(classes),
                threshold=2,
                message=f"{table.label} holds {held} in all {table.height:,} rows: a model needs two to tell apart",
                suggestion="bring rows of another class; where the label is derived, look at `ingest.derive` in "
                "params.yaml",
                severity="error",
            )


@dataclass(frozen=True, kw_only=True)
class RareClass:
    """Which classes of the label have fewer than `minimum_rows` rows, too few to learn from and to judge by?

    It is silent where no class has that many: then the table is small, and no class is rare.
    """

    minimum_rows: Annotated[int, Field(ge=1)] = 10
    policy: Policy = "warn"
    name: ClassVar[str] = "rare_class"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "AutoGluon leaves out classes under 10 rows (Erickson et al. 2020)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        classes = classes_of(table)
        if isinstance(classes, Skipped):
            yield classes
            return
        few = {value: rows for value, rows in classes.items() if rows < self.minimum_rows}
        if few and len(few) < len(classes):
            yield _rows_of(
                self.name,
                table,
                few,
                observed=min(few.values()),
                threshold=self.minimum_rows,
                words=f"and {self.minimum_rows} are needed to learn a class and to judge it",
                suggestion="bring more rows of it, merge it into a wider class, or leave its rows out",
            )


@dataclass(frozen=True, kw_only=True)
class NewLabel:
    """Which classes of the label does the reference not have, so that a model of it cannot answer them?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "new_label"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: each class is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = _both(table)
        if isinstance(found, Skipped):
            yield found
            return
        here, there = found
        new = {value: rows for value, rows in here.items() if value not in there}
        if new:
            yield _rows_of(
                self.name,
                table,
                new,
                observed=len(new),
                threshold=0,
                words="and none in the reference: its model never answers so",
                suggestion="correct the label if it is misspelt, else train again with rows of it",
            )


@dataclass(frozen=True, kw_only=True)
class ClassAbsent:
    """Which classes of the reference's label have no row here, so that nothing is learnt or judged of them?

    A warning where so many rows without one are no chance (binomial, 1%), else worth knowing.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "class_absent"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: each class is told; chance is the binomial's (1 - share) ** rows"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = _both(table)
        if isinstance(found, Skipped):
            yield found
            return
        here, there = found
        gone = {value: rows for value, rows in there.items() if value not in here}
        if gone and here:
            share = max(gone.values()) / sum(there.values())
            chance = (1 - share) ** sum(here.values())
            yield Hit(
                check=self.name,
                column=table.label,
                observed=len(gone),
                threshold=0,
                message=f"{len(gone):,} of {count(len(there), 'class')} of {table.label} in the reference have no row "
                f"here: {_listed(gone)} there",
                suggestion="split so that each part has rows of each class, or bring rows of it: a score here says "
                "nothing of it",
                severity="warning" if chance < BY_CHANCE else "info",
            )


CHECKS = (ClassImbalance, SingleClassTarget, RareClass, NewLabel, ClassAbsent)


def effective_rows(rows: int) -> float:
    """How many rows' worth a class of so many rows is, as each further one overlaps the others (Cui et al. 2019).

    >>> round(effective_rows(10), 3), round(effective_rows(1_000_000))
    (9.996, 10000)
    """
    return float((1 - BETA**rows) / (1 - BETA))


def _both(table: Table) -> tuple[Mapping[str, int], Mapping[str, int]] | Skipped:
    """Classes of the table and of its reference."""
    if table.reference is None:
        return NO_REFERENCE
    here, there = classes_of(table), classes_of(table.reference)
    if isinstance(here, Skipped):
        return here
    return there if isinstance(there, Skipped) else (here, there)


def _rows_of(
    check: str,
    table: Table,
    classes: Mapping[str, int],
    *,
    observed: float,
    threshold: float,
    words: str,
    suggestion: str,
) -> Hit:
    """The hit of the rows of these classes; `words` go on after how many they are."""
    return Hit(
        check=check,
        column=table.label,
        observed=observed,
        threshold=threshold,
        message=f"{_named(classes, table.label)}, {words}",
        suggestion=suggestion,
        where=by_name(str(table.label)).cast(pl.String).is_in(list(classes)),
    )


def _named(classes: Mapping[str, int], label: str | None) -> str:
    if len(classes) == 1:
        value, rows = next(iter(classes.items()))
        return f"class {value} of {label} has {count(rows, 'row')}"
    return f"{len(classes)} classes of {label} have few rows: {_listed(classes)}"


def _listed(classes: Mapping[str, int]) -> str:
    """The classes with their rows, the rarest first."""
    fewest = sorted(classes.items(), key=lambda item: (item[1], item[0]))
    return listed([f"{value} ({count(rows, 'row')})" for value, rows in fewest])

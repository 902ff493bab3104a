"""Balance checks: what varies too little to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.findings import Hit, Policy, Skipped, Table


@dataclass(frozen=True, kw_only=True)
class ClassImbalance:
    """Which classes of the label have less than `minimum_share` of the labelled rows?"""

    minimum_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "class_imbalance"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "a tenth: below it accuracy is led by the other classes"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = table.label
        if label is None:
            yield Skipped(why="no column has the role label")
            return
        classes = _counts(table, label)
        for value, rows in classes.items():
            share = rows / sum(classes.values())
            if share < self.minimum_share:
                yield Hit(
                    check=self.name,
                    column=label,
                    rows=rows,
                    observed=share,
                    threshold=self.minimum_share,
                    message=f"class {value} of {label} has {share:.2%} of the labelled rows",
                    suggestion="train.class_weights: balanced weighs it up; accuracy will mislead, read AUC",
                )


@dataclass(frozen=True, kw_only=True)
class SingleClassTarget:
    """Has the label fewer than two classes, so that there is nothing to learn?"""

    policy: Policy = "stop"
    name: ClassVar[str] = "single_class_target"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "a classifier needs two classes"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = table.label
        if label is None:
            yield Skipped(why="no column has the role label")
            return
        classes = _counts(table, label)
        if len(classes) < 2:
            yield Hit(
                check=self.name,
                column=label,
                observed=len(classes),
                threshold=2,
                message=f"{label} has {len(classes)} class ({', '.join(classes) or 'no value'}), training needs two",
                suggestion="look at the label's rule in params.yaml (ingest.derive), or bring rows of both classes",
                severity="error",
            )


@dataclass(frozen=True, kw_only=True)
class ConstantColumn:
    """Which features hold one value in every row where they hold any?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "constant_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one value carries no information"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        cells = {c.name: pl.col(c.name) for c in table.contract.features}
        known = {c.name: cells[c.name].fill_nan(None) for c in table.contract.features if c.dtype.is_float()}
        # null where there is no value at all
        several = [(cell.min() != cell.max()).alias(name) for name, cell in (cells | known).items()]
        varied = table.rows.select(several).collect(engine="streaming").row(0, named=True)
        for name, differs in varied.items():
            values = 0 if differs is None else 1
            if not differs and table.height:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=table.height,
                    observed=values,
                    threshold=2,
                    message=f"{name} holds {'one value' if values else 'no value'} in all rows",
                    suggestion="give it the role `ignore` in the contract: nothing can be learnt from it",
                )


CHECKS = (ClassImbalance, SingleClassTarget, ConstantColumn)


def _counts(table: Table, label: str) -> dict[str, int]:
    """Labelled rows by class (as text), in the order of the classes."""
    labels = table.rows.select(label=pl.col(label).cast(pl.String)).drop_nulls()
    return dict(labels.group_by("label").len().collect(engine="streaming").sort("label").iter_rows())

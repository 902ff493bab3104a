"""Distribution checks: columns that say nothing, columns of an odd shape, too few rows. All read the profile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.impossible import finite, numbers, points
from pipeline.profile import Categorical, ColumnProfile, Numeric
from pipeline.profile.sketch import Floats
from pipeline.quality.findings import Hit, Policy, Severity, Skipped, Table
from pipeline.wording import LEAVE_OUT, count, listed

CLASSES = 20  # a numeric label of at most so many values is one of classes


@dataclass(frozen=True, kw_only=True)
class ConstantColumn:
    """Which features hold one value in every row where they hold any? NaN is no value."""

    policy: Policy = "warn"
    name: ClassVar[str] = "constant_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one value carries no information"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        features = {c.name: c for c in table.columns if c.role == "feature"}
        # what the profile rounds (whole numbers over 2**53, parts of a second) is looked at again
        names = [name for name in features if _most_common(table.profile.columns[name])[1] == 1]
        if not features or not table.height:
            yield Skipped(why="no feature, or no row")
            return
        cells = {name: by_name(name) for name in names}
        known = {name: cell.fill_nan(None) if features[name].dtype.is_float() else cell for name, cell in cells.items()}
        several = [(cell.min() != cell.max()).alias(name) for name, cell in known.items()]
        varied = table.rows.select(several).collect(engine="streaming").row(0, named=True) if names else {}
        for name, differs in varied.items():
            if not differs:  # null where there is no value at all
                value = None if differs is None else _most_common(table.profile.columns[name])[0]
                yield self._hit(name, table.height, value)

    def _hit(self, name: str, height: int, value: str | None) -> Hit:
        return Hit(
            check=self.name,
            column=name,
            rows=height,
            observed=0 if value is None else 1,
            threshold=2,
            message=f"{name} holds no value" if value is None else f"{name} is {value} in every row that has it",
            suggestion=f"{LEAVE_OUT}: nothing can be learnt from it",
        )


@dataclass(frozen=True, kw_only=True)
class AlmostConstantColumn:
    """Which features hold one value in nearly every row where they hold any?"""

    maximum_share: Annotated[float, Field(gt=0.5, lt=1)] = 0.999
    policy: Policy = "warn"
    name: ClassVar[str] = "almost_constant_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one row in a thousand: fewer than a split of some ten thousand rows can judge"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        names = [c.name for c in table.columns if c.role == "feature"]
        if not names:
            yield Skipped(why="no feature")
            return
        for name in names:
            value, share, rows = _most_common(table.profile.columns[name])
            if self.maximum_share < share < 1:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=rows,
                    observed=share,
                    threshold=self.maximum_share,
                    message=f"{name} is {value} in all but {round(rows / share) - rows:,} of "
                    f"{count(round(rows / share), 'row')} that have it",
                    suggestion="a model can hardly learn from the few others: are they errors, or what matters most?",
                    severity="info",
                )


@dataclass(frozen=True, kw_only=True)
class MostCommonValue:
    """Which numbers of many values hold one of them far more often than any other: a fill-in, or a cap?

    A 0 is passed over: many things are naturally none. Asked of columns with at least `minimum_values` values; where
    the profile does not keep each of them, in a sample.
    """

    minimum_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    minimum_ratio: Annotated[float, Field(gt=1)] = 5.0
    minimum_values: Annotated[int, Field(ge=3)] = 50
    policy: Policy = "warn"
    name: ClassVar[str] = "most_common_value"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "by hand: five times the second most common value, and one row in a hundred"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        for name, column in columns.items():
            if column.distinct >= self.minimum_values:
                yield from self._told(name, *_by_frequency(table, name, column))

    def _told(self, name: str, values: Floats, counts: Floats) -> Iterator[Hit]:
        if counts.size < 2:
            return  # a sample holds too little of it
        share, ratio = counts[0] / counts.sum(), counts[0] / counts[1]
        if values[0] == 0 or share < self.minimum_share or ratio < self.minimum_ratio:
            return
        yield Hit(
            check=self.name,
            column=name,
            observed=share,
            threshold=self.minimum_share,
            message=f"{name} is {values[0]:.10g} in {share:.1%} of its rows, {ratio:.0f} times as often as any other",
            suggestion="was it filled in, does it stand for `not known`, or is it a cap? then empty these cells",
            severity="info",
            where=finite(name) == values[0],
            value=finite(name),
        )


@dataclass(frozen=True, kw_only=True)
class Skew:
    """Which features are so skewed that a few rows carry most of their variance?"""

    maximum_skewness: Annotated[float, Field(gt=0)] = 6.2
    policy: Policy = "warn"
    name: ClassVar[str] = "skew"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "6.2: the skewness of a lognormal whose log has a standard deviation of 1"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        features = {c.name for c in table.columns if c.role == "feature"}
        columns = {name: column for name, column in numbers(table).items() if name in features and column.distinct > 2}
        if not columns:
            yield Skipped(why="no feature is a number")
            return
        found = {name: skewness(column) for name, column in columns.items()}
        worst = sorted((n for n in found if abs(found[n]) > self.maximum_skewness), key=lambda n: (-abs(found[n]), n))
        if worst:
            named = listed([f"{name} {found[name]:.1f}" for name in worst], 5)
            yield Hit(
                check=self.name,
                observed=abs(found[worst[0]]),
                threshold=self.maximum_skewness,
                message=f"{count(len(worst), 'feature has', 'features have')} a very long tail (skewness, which is 0 "
                f"where both sides are alike): {named}",
                suggestion="`normalize.numeric.method: quantile` in params.yaml, or a logarithm, keeps a few rows from "
                "leading the model",
                severity="info",
            )


@dataclass(frozen=True, kw_only=True)
class RegressionTargetSkew:
    """Has a label of numbers a long tail, so that few rows lead the loss?"""

    maximum_skewness: Annotated[float, Field(gt=0)] = 1.0
    policy: Policy = "warn"
    name: ClassVar[str] = "regression_target_skew"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "Bulmer 1979: beyond 1 a distribution is highly skewed"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = None if table.label is None else numbers(table).get(table.label)
        if label is None or label.distinct <= CLASSES:
            yield Skipped(why=f"no label of numbers with more than {CLASSES} values")
            return
        found = skewness(label)
        if abs(found) > self.maximum_skewness:
            side = "largest" if found > 0 else "smallest"
            yield Hit(
                check=self.name,
                column=table.label,
                observed=found,
                threshold=self.maximum_skewness,
                message=f"{table.label} has a long tail (skewness {found:.1f}, which is 0 where both sides are alike): "
                f"its {side} values lead a squared error",
                suggestion="learn its logarithm, or judge by the absolute error",
                severity="info",
            )


@dataclass(frozen=True, kw_only=True)
class MinRows:
    """Are there no rows, too few to learn from so many features, or more or fewer than agreed?"""

    minimum_rows: Annotated[int, Field(ge=1)] = 30
    maximum_rows: Annotated[int, Field(ge=1)] | None = None
    rows_per_feature: Annotated[float, Field(ge=0)] = 10.0
    policy: Policy = "warn"
    name: ClassVar[str] = "min_rows"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "ten rows a variable: Peduzzi et al. 1996"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        features = sum(column.role == "feature" for column in table.columns)
        needed = max(self.minimum_rows, round(self.rows_per_feature * features))
        if not table.height:
            words = "there are no rows"
            yield self._hit(0, needed, words, "was the file written whole, and is it the right one?", severity="error")
        elif table.height < needed:
            words = f"{count(table.height, 'row')} for {count(features, 'feature')}: at least {needed:,} are needed"
            yield self._hit(table.height, needed, words, "bring more rows, or leave features out")
        if self.maximum_rows is not None and table.height > self.maximum_rows:
            words = f"{count(table.height, 'row')}: at most {self.maximum_rows:,} are agreed"
            yield self._hit(table.height, self.maximum_rows, words, "was something sent twice? then drop it")

    def _hit(self, rows: int, limit: int, words: str, what: str, severity: Severity = "warning") -> Hit:
        return Hit(
            check=self.name,
            rows=rows,
            observed=rows,
            threshold=limit,
            message=words,
            suggestion=what,
            severity=severity,
        )


CHECKS = (ConstantColumn, AlmostConstantColumn, MostCommonValue, Skew, RegressionTargetSkew, MinRows)


def skewness(column: Numeric) -> float:
    """The third standardised moment of the finite values; 0 for a constant or none. Within the sketch's error."""
    values, counts = points(column)
    if values.size < 2 or not np.isfinite(spread := float(values[-1]) - float(values[0])) or not spread:
        return 0.0
    scaled = (values - values[0]) / spread  # so that no cube overflows
    centred = scaled - np.average(scaled, weights=counts)
    variance = np.average(centred**2, weights=counts)
    return float(np.average(centred**3, weights=counts) / variance**1.5) if variance > 0 else 0.0


def _by_frequency(table: Table, name: str, column: Numeric) -> tuple[Floats, Floats]:
    """The finite values and their counts (V), (V), the most common first; of a sample where the profile joins some."""
    if column.sketch.level:
        known = table.sample.select(finite(name).alias("value")).to_series().drop_nulls().to_numpy()
        values, sizes = np.unique(known, return_counts=True)
        counts: Floats = sizes.astype(np.float64)
    else:
        values, counts = points(column)
    order = np.argsort(-counts, kind="stable")
    return values[order], counts[order]


def _most_common(column: ColumnProfile) -> tuple[str, float, int]:
    """The most common value as text, its share of the rows with any, and its rows; a share of 1 where none has any."""
    if isinstance(column, Categorical):
        counts: dict[str, int] = column.counts
        known = column.rows - column.missing
        value = max(counts, key=lambda value: (counts[value], value), default="")
        rows = counts.get(value, 0)
    else:
        numbers_, sizes = points(column)
        known, rows = column.finite + column.infinite, int(sizes.max(initial=0))
        value = f"{numbers_[sizes.argmax()]:g}" if sizes.size else ""
    return value, rows / known if known else 1.0, rows

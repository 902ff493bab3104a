"""Gap checks: values, labels and stretches of time that are not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

import polars as pl
from pydantic import Field

from pipeline.contract import ROW_ID
from pipeline.findings import Hit, Policy, Skipped, Table

Step = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w"]
STEPS: dict[Step, int] = dict(zip(get_args(Step), (60, 300, 900, 1800, 3600, 86_400, 604_800), strict=True))
WEEK = STEPS["1w"]


@dataclass(frozen=True, kw_only=True)
class MissingValues:
    """Which features lack more than `maximum_share` of their values (null or NaN)?"""

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    policy: Policy = "warn"
    name: ClassVar[str] = "missing_share_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "above 5% the choice of imputation starts to matter (Schafer 1999)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        counts = [
            (pl.col(c.name).is_null() | (pl.col(c.name).is_nan() if c.dtype.is_float() else False)).sum().alias(c.name)
            for c in table.contract.features
        ]
        missing = table.rows.select(counts).collect(engine="streaming").row(0, named=True)
        for name, rows in missing.items():
            share = rows / table.height if table.height else 0.0
            if share > self.maximum_share:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=rows,
                    observed=share,
                    threshold=self.maximum_share,
                    message=f"{name} is missing in {share:.1%} of the rows",
                    suggestion="normalize imputes it and adds a was-missing indicator; ask the source why",
                    severity="info",
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
        unlabelled = table.rows.filter(pl.col(label).is_null()).select(ROW_ID).collect(engine="streaming")
        if unlabelled.height:
            yield Hit(
                check=self.name,
                column=label,
                rows=unlabelled.height,
                observed=unlabelled.height / table.height,
                threshold=0,
                message=f"{unlabelled.height:,} rows have no label `{label}`",
                suggestion="they are set aside with the reason; label them and ingest again to use them",
                flags=unlabelled,
            )


@dataclass(frozen=True, kw_only=True)
class TimeGap:
    """Which stretches of the time axis have no row at all?

    The step is the finest at which a typical week that has rows has at least `filled_share` of its steps filled,
    unless `step` states it: nights and weekends without rows are no gaps, a month that is not there is one.
    """

    step: Step | None = None
    filled_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_gap"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "nine tenths, so that one bad day does not hide the step"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        time = table.contract.time
        if time is None:
            yield Skipped(why="no column has the role time")
            return
        step = self.step or inferred_step(table.rows, time, self.filled_share)
        if step is None:
            return
        holes = empty_stretches(table.rows, time, step)
        if holes.height:
            steps = int(holes["steps"].sum())
            yield Hit(
                check=self.name,
                column=time,
                observed=steps,
                threshold=0,
                message=f"{steps:,} steps of {step} have no row, in {holes.height:,} stretches",
                suggestion="ask the source for the missing stretches, or accept that the model never saw them",
                examples=[f"after {row['after']} until {row['until']}" for row in holes.head(5).to_dicts()],
            )


CHECKS = (MissingValues, MissingLabel, TimeGap)


def _stamps(rows: pl.LazyFrame, time: str, step: Step) -> pl.DataFrame:
    """The distinct steps that have a row, in order: one column `stamp`."""
    stamp = pl.col(time).cast(pl.Datetime("us")).dt.truncate(step)
    return rows.select(stamp=stamp).drop_nulls().unique().sort("stamp").collect(engine="streaming")


def inferred_step(rows: pl.LazyFrame, time: str, filled_share: float) -> Step | None:
    """The finest step at which a typical period is filled; None where even weeks are not, or for one stamp."""
    for step, seconds in STEPS.items():
        stamps = _stamps(rows, time, step)
        if stamps.height < 2:
            return None
        if _typical_fill(stamps, seconds) >= filled_share:
            return step
    return None


def _typical_fill(stamps: pl.DataFrame, seconds: int) -> float:
    """The median share of filled steps, over the weeks (for weeks: quarters of 12) that have any row.

    Of the first and the last period only the part between the first and the last row counts.
    """
    period = WEEK if seconds < WEEK else 12 * WEEK
    second = pl.col("stamp").dt.epoch("s")
    seen = stamps.select(second.alias("stamp"), period=(second - second.first()) // period)
    start = pl.col("period") * period + pl.col("first")
    end = pl.min_horizontal(start + period - seconds, "last")
    filled = (
        seen.group_by("period")
        .len()
        .join(seen.select(first=pl.col("stamp").first(), last=pl.col("stamp").last()), how="cross")
    )
    return float(filled.select((pl.col("len") / ((end - start) / seconds + 1)).median()).item())


def empty_stretches(rows: pl.LazyFrame, time: str, step: Step) -> pl.DataFrame:
    """Stretches without a row: `after` and `until` (the filled steps around it) and `steps`, how many are empty."""
    elapsed = (pl.col("stamp") - pl.col("stamp").shift()).dt.total_seconds()
    return (
        _stamps(rows, time, step)
        .select(after=pl.col("stamp").shift(), until="stamp", steps=elapsed // STEPS[step] - 1)
        .filter(pl.col("steps") > 0)
    )

"""Leakage checks: features that know the answer, or that are written down together with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.contract import ROW_ID, Column
from pipeline.findings import Hit, Policy, Skipped, Table

BINS = 64
SAMPLE_ROWS = 20_000  # what the quantile bins are cut from: 64 of them need no more
CLASS_ROWS = 10  # in a half, of a class and of the others: an AUC on fewer is above 0.9 by chance too often


@dataclass(frozen=True, kw_only=True)
class TargetLeak:
    """Which feature tells a class of the label nearly alone?

    The share of the class is learnt per value (numbers: per quantile bin) on one half of the rows and judged
    by its AUC on the other half, so that a feature with many values does not pass for a leak by chance. A class
    with fewer than 10 rows in either half is not judged.
    """

    maximum_auc: Annotated[float, Field(ge=0.5, le=1)] = 0.9
    policy: Policy = "stop"
    name: ClassVar[str] = "target_leak"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "an AUC of 0.9 by one column alone is rarely honest"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label = table.label
        if label is None:
            yield Skipped(why="no column has the role label")
            return
        for feature in table.contract.features:
            auc, value = strongest_class(table.rows, feature, label, table.height)
            if auc > self.maximum_auc:
                yield Hit(
                    check=self.name,
                    column=feature.name,
                    rows=table.height,
                    observed=auc,
                    threshold=self.maximum_auc,
                    message=f"{feature.name} alone tells {label} = {value} with an AUC of {auc:.3f}",
                    suggestion="is it known when the model is asked? if not, give it the role `ignore`",
                    severity="error",
                )


@dataclass(frozen=True, kw_only=True)
class FutureInformation:
    """Which feature is missing where, and almost only where, the label is missing?

    Such a column is written down together with the answer, so it will not be there when the model is asked.
    The measure is the phi coefficient of the two columns' missingness (Yule 1912), from -1 to 1; it speaks
    when at least `minimum_rows` labels are missing.
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
        names = [column.name for column in table.contract.features]
        phi = (pl.corr(pl.col(n).is_null().cast(pl.Float64), pl.col(label).is_null().cast(pl.Float64)) for n in names)
        unlabelled = pl.col(label).null_count().alias("#unlabelled")
        measured = table.rows.select(unlabelled, *(e.alias(n) for n, e in zip(names, phi, strict=True)))
        row = measured.collect(engine="streaming").row(0, named=True)
        if row.pop("#unlabelled") < self.minimum_rows:
            return
        for name, value in row.items():
            if value is not None and value > self.maximum_phi:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=table.height,
                    observed=value,
                    threshold=self.maximum_phi,
                    message=f"{name} is missing where {label} is missing (phi {value:.2f}): known only afterwards",
                    suggestion="give it the role `ignore`: it will not be there when the model is asked",
                    severity="error",
                )


CHECKS = (TargetLeak, FutureInformation)


def strongest_class(rows: pl.LazyFrame, feature: Column, label: str, height: int) -> tuple[float, str]:
    """The class of `label` that `feature` tells best, with its AUC on the half that was not learnt from."""
    cells = _cells(rows, feature, label, height)
    classes = cells["label"].unique().sort().to_list()
    judged = classes[1:] if len(classes) == 2 else classes
    return max(((_auc(cells, value), value) for value in judged), default=(0.5, ""))


def _cells(rows: pl.LazyFrame, feature: Column, label: str, height: int) -> pl.DataFrame:
    """Rows counted by the feature's bin, the label (as text) and the half: bin, label, half, len."""
    value = _value(feature)
    if feature.modality != "categorical":
        sampled = rows.filter(pl.col(ROW_ID).hash(seed=2) % max(1, height // SAMPLE_ROWS) == 0)
        value = value.bin_intervals(_breaks(sampled.select(value).collect().to_series()), labels=False)
    half = pl.col(ROW_ID).hash(seed=1) % 2
    answer = pl.col(label).cast(pl.String)
    binned = rows.filter(answer.is_not_null()).select(bin=value, label=answer, half=half)
    return binned.group_by("bin", "label", "half").len().collect(engine="streaming")


def _value(feature: Column) -> pl.Expr:
    """A category as text, a number or a time stamp as a float."""
    cell = pl.col(feature.name)
    if feature.modality == "categorical":
        return cell.cast(pl.String)
    return (cell.cast(pl.Datetime("us")).to_physical() if feature.modality == "timestamp" else cell).cast(pl.Float64)


def _breaks(sample: pl.Series) -> list[float]:
    """The distinct inner quantiles that cut the sample into at most BINS parts."""
    values = sample.filter(sample.is_finite()).sort()
    if values.is_empty():
        return []
    return values.gather([len(values) * i // BINS for i in range(1, BINS)]).unique().sort().to_list()


def _auc(cells: pl.DataFrame, value: str) -> float:
    """AUC over bins (ties count half), scored by the share of `value` in the first half; 0.5 for too few rows."""
    hit = pl.col("len") * (pl.col("label") == value)
    first, second = pl.col("half") == 0, pl.col("half") == 1
    counts = [part.filter(half).sum() for half in (first, second) for part in (hit, pl.col("len") - hit)]
    if min(cells.select(pl.min_horizontal(counts)).to_series(), default=0) < CLASS_ROWS:
        return 0.5
    prior = cells.select(hit.filter(first).sum() / pl.col("len").filter(first).sum()).item()
    bins = cells.group_by("bin").agg(
        score=(hit.filter(first).sum() + prior) / (pl.col("len").filter(first).sum() + 1),
        positive=hit.filter(second).sum(),
        negative=(pl.col("len") - hit).filter(second).sum(),
    )
    tied = bins.group_by("score").agg(pl.col("positive", "negative").sum()).sort("score")
    below = pl.col("negative").cum_sum() - pl.col("negative") / 2
    wins, p, n = tied.select(
        (pl.col("positive") * below).sum(), pl.col("positive").sum().alias("p"), pl.col("negative").sum()
    ).row(0)
    return float(wins / (p * n))

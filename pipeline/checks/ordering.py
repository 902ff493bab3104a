"""Ordering checks: rows whose place in the file says what they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import Column
from pipeline.drift.homogeneity import compare_counts
from pipeline.quality.findings import Hit, Policy, Skipped, Table, kind_of
from pipeline.wording import count, listed

BLOCKS = 10
BINS = 10
ROWS_PER_BLOCK = 10
ROWS = 10_000  # at most so many are looked at: a block of a thousand shows what differs
SORTED_SHARE = 0.9  # of the steps from row to row that go forward in time


@dataclass(frozen=True, kw_only=True)
class NonIidOrdering:
    """Does a row's place in the file tell its label or features: is it sorted, or made of blocks that differ?

    A sample in its order is cut into ten blocks, and each is compared with all the others by the distance of drift;
    the finding is of the median block. Rows that follow a time may drift: they are not asked, and neither are
    ids. Null is a value like others, NaN is null.
    """

    minimum_effect: Annotated[float, Field(gt=0, lt=1)] = 0.3
    maximum_p: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    policy: Policy = "warn"
    name: ClassVar[str] = "non_iid_ordering"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.3: a normal whose mean moves by 0.75 standard deviations (drift takes 0.2)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        asked = [
            c for c in table.columns if c.role in ("feature", "label") and kind_of(c) in ("numeric", "categorical")
        ]
        if not asked or table.height < BLOCKS * ROWS_PER_BLOCK:
            yield Skipped(why="too few rows, or no column to look at")
            return
        if follows_time(table):
            yield Skipped(why="the rows follow a time: what moves with it is drift")
            return
        sample = table.sample.gather_every(-(-table.sample.height // ROWS))
        if sample.height < table.height:
            yield Skipped(rows=table.height - sample.height, why="a sample")
        effects = {column.name: self._effect(sample, column) for column in asked}
        told = sorted((name for name, effect in effects.items() if effect), key=lambda name: (-effects[name], name))
        if table.label in told:
            yield self._of_label(str(table.label), effects[str(table.label)])
        features = [name for name in told if name != table.label]
        if features:
            yield self._of_features(features, effects[features[0]])

    def _effect(self, sample: pl.DataFrame, column: Column) -> float:
        """The median block's distance from the others; 0 where that is small or may be chance."""
        counts = by_block(sample.select(by_name(column.name).alias("value")).to_series())
        compared = [compare_counts((counts.sum(axis=0) - block).tolist(), block.tolist()) for block in counts]
        effect = float(np.median([each.effect for each in compared]))
        certain = float(np.median([each.p for each in compared])) < self.maximum_p
        return effect if certain and effect >= self.minimum_effect else 0.0

    def _of_label(self, name: str, effect: float) -> Hit:
        return Hit(
            check=self.name,
            column=name,
            observed=effect,
            threshold=self.minimum_effect,
            message=f"the file is sorted by {name}, more or less: the shares of its values differ from one tenth of "
            f"the file to another by {effect:.2f} (0 is not at all, 1 entirely)",
            suggestion="shuffle before rows are cut into batches or splits; never split by position",
        )

    def _of_features(self, names: list[str], effect: float) -> Hit:
        return Hit(
            check=self.name,
            observed=effect,
            threshold=self.minimum_effect,
            message=f"the file is sorted, more or less, by {count(len(names), 'feature')}: {listed(names, 5)}",
            suggestion="shuffle before splitting; where each block is one source, split by source instead",
            severity="info",
        )


CHECKS = (NonIidOrdering,)


def follows_time(table: Table) -> bool:
    """Has the table a time axis, or a column of moments that goes forward in nearly all rows of the sample?"""
    if table.time is not None:
        return True
    moments = [c.name for c in table.columns if kind_of(c) == "timestamp" and c.dtype.is_temporal()]
    steps = table.sample.select(by_name(moments).diff().drop_nulls().dt.total_microseconds().ge(0).mean())
    return any(share is not None and share >= SORTED_SHARE for share in (steps.row(0) if moments else ()))


def by_block(values: pl.Series) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How many rows of each block (BLOCKS) hold each value or decile (K); null has a column of its own.

    Of values that are many, and not numbers, the `BINS` most common have a column, and the others one together.
    """
    codes = _codes(values)
    blocks = np.arange(len(codes)) * BLOCKS // len(codes)
    counts = np.zeros((BLOCKS, int(codes.max()) + 1))
    np.add.at(counts, (blocks, codes), 1)
    return counts


def _codes(values: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values = values.alias("value")  # methods of a series called ^x$ would take its name for a pattern
    if values.dtype.is_numeric() and values.n_unique() > BINS:
        ranks = values.cast(pl.Float64).fill_nan(None).rank("max")
        coded = (ranks * BINS / max(values.len() - values.null_count(), 1)).ceil().fill_null(0)
    else:
        common = values.value_counts(sort=True).sort("count", values.name, descending=[True, False]).head(BINS)
        coded = values.cast(pl.String).replace_strict(
            common[values.name].cast(pl.String), pl.int_range(common.height, eager=True), default=BINS
        )
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = coded.cast(pl.Int64).to_numpy()
    return found

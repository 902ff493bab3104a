"""What a pass over a column keeps while rows stream by: enough for its summary, however many come (used by profile).

The work of a batch is a few passes of numpy over its numbers; a column with many distinct values is looked at only
as far as its sketch or its sample of categories can hold. The summary is that of all rows, whatever the batches.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import numpy as np
import polars as pl

from pipeline.profile.columns import CATEGORIES, Categorical, Numeric, hashes_of, smallest
from pipeline.profile.exact import sums
from pipeline.profile.sketch import (
    BUCKETS,
    HASHES,
    Floats,
    Integers,
    Sketch,
    bucket_of,
    coarser,
    mixed,
    smallest_hashes,
    text_hashes,
)

Kind: TypeAlias = Literal["numeric", "timestamp", "categorical"]

WIDEST = 1 << 16  # buckets from the least to the largest that are counted in an array, and not by sorting
SHORTEST, LONGEST = 1 << 12, 1 << 17  # rows of a stretch
NEARLY_ALL = 0.95  # of the first texts of a stretch: where so many differ, counting saves less than it takes


class Tally(Protocol):
    """A column's running summary."""

    @property
    def kind(self) -> Kind: ...

    def add(self, values: pl.Series) -> None:
        """Take in one batch, a series called `value`."""
        ...

    def summary(self) -> Numeric | Categorical:
        """The summary of all batches so far."""
        ...


def tally(kind: Kind) -> Tally:
    """An empty tally: of float64 for numbers and timestamps, of text for categories."""
    return CategoricalTally() if kind == "categorical" else NumericTally(kind)


def stretches(values: pl.Series, seen: int) -> Iterator[pl.Series]:
    """A batch in pieces no longer than what was seen before: few rows settle what is kept, the others are compared."""
    start = 0
    while start < values.len():
        length = min(max(SHORTEST, seen + start), LONGEST)
        yield values.slice(start, length)
        start += length


class NumericTally:
    """Counts, exact sums and the sketch of a column of float64."""

    def __init__(self, kind: Literal["numeric", "timestamp"]) -> None:
        self.kind = kind
        self.rows = self.nulls = self.nan = self.positive = self.negative = 0
        self.least, self.largest = math.inf, -math.inf
        self.sum, self.squares = Fraction(0), Fraction(0)
        self.level = 0
        self.index = self.counts = np.empty(0, np.int64)
        self.hashes: list[int] = []

    def add(self, values: pl.Series) -> None:
        self.nulls += values.null_count()
        for stretch in stretches(values, self.rows):
            numbers = stretch.drop_nulls().to_numpy()
            if not np.isfinite(numbers).all():
                numbers = self._finite(numbers)
            if numbers.size:
                self._add(numbers)
        self.rows += values.len()

    def _finite(self, numbers: Floats) -> Floats:
        self.nan += int(np.isnan(numbers).sum())
        self.positive += int((numbers == math.inf).sum())
        self.negative += int((numbers == -math.inf).sum())
        return numbers[np.isfinite(numbers)]

    def _add(self, numbers: Floats) -> None:
        self.least = min(self.least, float(numbers.min()) + 0.0)  # so that -0.0 is 0.0
        self.largest = max(self.largest, float(numbers.max()) + 0.0)
        total, squares = sums(numbers)
        self.sum, self.squares = self.sum + total, self.squares + squares
        index = bucket_of(numbers)
        if self.level:
            self._add_hashes(index)
        index, counts = _counted(coarser(index, self.level)) if self.level else _distinct(numbers)
        self._merge(index, counts)

    def _add_hashes(self, index: Integers) -> None:
        """Only hashes below the largest that is kept can change the estimate of distinct values."""
        hashes = mixed(index.view(np.uint64))
        if len(self.hashes) == HASHES:
            hashes = hashes[hashes < np.uint64(self.hashes[-1])]
        if hashes.size:
            self.hashes = sorted({*self.hashes, *np.unique(hashes)[:HASHES].tolist()})[:HASHES]

    def _merge(self, index: Integers, counts: Integers) -> None:
        index, counts = np.concatenate([self.index, index]), np.concatenate([self.counts, counts])
        self.index, places = np.unique(index, return_inverse=True)
        self.counts = np.bincount(places, weights=counts).astype(np.int64)
        if self.index.size > BUCKETS:
            self._coarsen()

    def _coarsen(self) -> None:
        if not self.level:
            self.hashes = smallest_hashes(self.index)
        sketch = Sketch.finest(self.index, self.counts, level=self.level, hashes=lambda: self.hashes)
        self.level = sketch.level
        self.index, self.counts = sketch.arrays()

    def summary(self) -> Numeric:
        filled = self.index.size > 0
        buckets = dict(zip(self.index.tolist(), self.counts.tolist(), strict=True))
        return Numeric(
            kind=self.kind,
            nulls=self.nulls,
            nan=self.nan,
            positive_infinite=self.positive,
            negative_infinite=self.negative,
            min=self.least if filled else None,
            max=self.largest if filled else None,
            sum=self.sum,
            squares=self.squares,
            sketch=Sketch(level=self.level, buckets=buckets, hashes=self.hashes),
        )


class CategoricalTally:
    """Exact counts of the values of smallest hash of a column of text."""

    kind: Literal["categorical"] = "categorical"

    def __init__(self) -> None:
        self.rows = self.nulls = self.other = 0
        self.counts: Counter[str] = Counter()
        self.limit: int | None = None  # the largest hash that is kept, once there are values that are not

    def add(self, values: pl.Series) -> None:
        deque(self.counted(values), maxlen=0)

    def counted(self, values: pl.Series) -> Iterator[tuple[pl.Series, Integers]]:
        """Take in one batch, and give the texts of each of its stretches with how often they stand there.

        Once not all are kept, a text may come twice.
        """
        self.nulls += values.null_count()
        for stretch in stretches(values, self.rows):
            filled = stretch.drop_nulls()
            if self.limit is not None and filled.dtype == pl.String and _nearly_all_differ(filled):
                texts, rows = filled, np.ones(filled.len(), np.int64)
            else:
                counted = filled.value_counts(name="rows").cast({"value": pl.String, "rows": pl.Int64})
                texts, rows = counted.get_column("value"), counted.get_column("rows").to_numpy()
            self._add(texts, rows)
            yield texts, rows
        self.rows += values.len()

    def _add(self, texts: pl.Series, rows: Integers) -> None:
        """Values that can still be kept are counted, the rest as one."""
        if self.limit is not None:
            below = np.flatnonzero(text_hashes(texts) <= np.uint64(self.limit))
            self.other += int(rows.sum()) - int(rows[below].sum())
            texts, rows = texts.gather(below), rows[below]
        for text, count in zip(texts.to_list(), rows.tolist(), strict=True):
            self.counts[text] += count
        if len(self.counts) > CATEGORIES:
            self._trim()

    def _trim(self) -> None:
        kept = smallest(self.counts)
        self.other += self.counts.total() - sum(kept.values())
        self.counts = Counter(kept)
        self.limit = max(hashes_of(kept))

    def summary(self) -> Categorical:
        return Categorical(nulls=self.nulls, counts=dict(sorted(self.counts.items())), other=self.other)


def _nearly_all_differ(filled: pl.Series) -> bool:
    head = filled.head(SHORTEST)
    return head.n_unique() > NEARLY_ALL * head.len()


def _distinct(numbers: Floats) -> tuple[Integers, Integers]:
    """The level-0 buckets of the distinct numbers, and their counts."""
    counted = pl.Series("value", numbers + 0.0).value_counts(name="rows")
    return bucket_of(counted["value"].to_numpy()), counted["rows"].to_numpy().astype(np.int64)


def _counted(index: Integers) -> tuple[Integers, Integers]:
    """The distinct buckets and their counts."""
    least = int(index.min())
    if int(index.max()) - least > WIDEST:
        found, counts = np.unique(index, return_counts=True)
        return found, counts
    histogram = np.bincount(index - least)
    places = np.flatnonzero(histogram)
    return places + least, histogram[places]

"""Drift of numbers and timestamps: the reference's quantile bins, counted in both sketches."""

from dataclasses import dataclass

import numpy as np

from pipeline.drift.homogeneity import Comparison, compare_counts
from pipeline.profile import Numeric
from pipeline.profile.sketch import Integers

ROWS_PER_VALUE = 10  # a reference whose few values come up this often is discrete


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """Compare over bins between quantiles of the reference (deciles, as is usual for the stability index).

    Bins end where both sketches' buckets end, so their counts are exact. Missing rows (null or NaN) have a
    bin, and so have values below and above all that the reference has, with the infinities. A reference of
    at most `bins` values has a bin for each value, and one for what lies between them.

    >>> import polars as pl
    >>> from pipeline.profile import profile
    >>> def column(start):
    ...     rows = pl.LazyFrame({"x": range(start, start + 1000)})
    ...     return profile(rows, {"x": "numeric"}).columns["x"]
    >>> Quantiles().compare(column(0), column(0)).effect
    0.0
    >>> Quantiles().compare(column(0), column(500)).effect > 0.5
    True
    """

    bins: int = 10

    def compare(self, reference: Numeric, batch: Numeric) -> Comparison:
        """Say how far the batch's values are from the reference's."""
        level = max(reference.sketch.level, batch.sketch.level)
        index, counts = reference.sketch.arrays(level)
        discrete = index.size <= self.bins and counts.sum() >= ROWS_PER_VALUE * index.size
        bounds = index if discrete else self._last_of_each_bin(index, counts)
        return compare_counts(
            _binned(reference, level, bounds, index, discrete), _binned(batch, level, bounds, index, discrete)
        )

    def _last_of_each_bin(self, index: Integers, counts: Integers) -> Integers:
        """A bucket belongs to the bin in which its middle rank falls."""
        middle_rank = np.cumsum(counts) - counts / 2
        number = np.floor(self.bins * middle_rank / counts.sum())
        return index[np.flatnonzero(np.diff(number, append=np.inf))]


def _binned(column: Numeric, level: int, bounds: Integers, known: Integers, discrete: bool) -> list[float]:
    """Rows: missing, below the reference, in each bin, above it, between its values if it is discrete."""
    index, counts = column.sketch.arrays(level)
    place = 1 + np.searchsorted(bounds, index, side="left")  # 1 + B: above
    place[index < known[:1].sum()] = 0 if known.size else 1
    if discrete:
        place[~np.isin(index, known) & (place > 0) & (place <= bounds.size)] = bounds.size + 2
    rows = np.bincount(place, weights=counts, minlength=bounds.size + 3)
    rows[0] += column.negative_infinite
    rows[bounds.size + 1] += column.positive_infinite
    return [float(column.missing), *rows.tolist()]

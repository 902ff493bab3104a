"""The shape of a column in a few numbers, for people: a histogram, or the most frequent values."""

import math
from itertools import pairwise

import numpy as np

from pipeline.artefacts import Record
from pipeline.profile.columns import Categorical, Numeric, _iso
from pipeline.profile.sketch import bucket_of, coarser

BINS, TOP, LONGEST = 20, 5, 80


class Histogram(Record):
    """Rows in bins of one width from `start` on: (start, start + width] and so on, the first with `start` itself.

    Of moments `start` is ISO text in UTC and `width` is in seconds. A value beside a border may count in the next
    bin, as the sketch's own buckets are some 1% wide.
    """

    start: float | str
    width: float
    rows: list[int]


def histogram(column: Numeric | Categorical, *, whole: bool = False) -> Histogram | None:
    """At most `BINS` bins of the finite values; of `whole` numbers each bin holds as many. None without values.

    >>> from pipeline.profile import profile
    >>> histogram(profile(pl.LazyFrame({"x": [1, 1, 4]}), {"x": "numeric"}).columns["x"], whole=True)
    Histogram(start=0.5, width=1.0, rows=[2, 0, 0, 1])
    """
    if isinstance(column, Categorical) or column.min is None or column.max is None:
        return None
    low, width, bins = _bins(column.min, column.max, whole=whole)
    start = _iso(low) if column.kind == "timestamp" else low
    if start is None or not math.isfinite(width):
        return None
    borders = np.minimum(low + width * np.arange(1, bins + 1), column.max)
    index, counts = column.sketch.arrays()
    places = np.searchsorted(index, coarser(bucket_of(borders), column.sketch.level), side="right")
    below = [0, *np.concatenate([[0], np.cumsum(counts)])[places].tolist()]
    return Histogram(start=start, width=width, rows=[high - low for low, high in pairwise(below)])

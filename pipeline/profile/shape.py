"""The shape of a column in a few numbers, for people: a histogram, or the most frequent values."""

import math
from itertools import pairwise

import numpy as np

from pipeline.artefacts import Record
from pipeline.profile.columns import Categorical, Numeric
from pipeline.profile.sketch import bucket_of, coarser

BINS, TOP, LONGEST = 20, 5, 80


class Histogram(Record):
    """Rows in bins of one width: (start, start + width], the next up to start + 2 width; the first has `start` too.

    Of moments `start` is ISO text in UTC and `width` is in seconds. A value close to a border may count in the next
    bin: the sketch's own buckets, where values are many, are up to 1.6% wide.
    """

    start: float | str
    width: float
    rows: list[int]


def histogram(column: Numeric | Categorical, *, whole: bool = False) -> Histogram | None:
    """At most `BINS` bins over the finite values, for `whole` numbers all with as many of them; None without any.

    >>> from pipeline.profile.sketch import Sketch
    >>> values = np.array([1.0, 2.0, 4.0]), np.array([5, 1, 3])
    >>> empty = dict(nulls=0, nan=0, positive_infinite=0, negative_infinite=0)
    >>> column = Numeric(kind="numeric", min=1, max=4, sum=19, squares=57, sketch=Sketch.of(*values), **empty)
    >>> histogram(column, whole=True)
    Histogram(start=0.5, width=1.0, rows=[5, 1, 0, 3])
    """
    if isinstance(column, Categorical) or column.min is None or column.max is None:
        return None
    low, width, bins = _bins(column.min, column.max, whole=whole)
    start = column.summary()["min"] if column.kind == "timestamp" else low
    if start is None or not math.isfinite(width):
        return None
    inner = 2 * (low / 2 + width / 2 * np.arange(1, bins))  # by halves: the whole range may be beyond a float's
    borders = np.append(np.minimum(inner, column.max), column.max)  # the last to the letter
    index, counts = column.sketch.arrays()
    places = np.searchsorted(index, coarser(bucket_of(borders), column.sketch.level), side="right")
    below = np.concatenate([[0], np.cumsum(counts)])[places].tolist()
    return Histogram(start=start, width=width, rows=[after - before for before, after in pairwise([0, *below])])


def _bins(low: float, high: float, *, whole: bool) -> tuple[float, float, int]:
    """Where the first bin starts, how wide each is, and how many there are."""
    if whole:
        span = int(high) - int(low) + 1
        whole_width = -(-span // BINS)
        return low - 0.5, float(whole_width), -(-span // whole_width)
    width = high / BINS - low / BINS
    return low, width, BINS if width > 0 else 1


def top(column: Numeric | Categorical) -> list[tuple[str, int]] | None:
    """At most `TOP` values that stand more than once, with their rows; None where not every value was counted."""
    if isinstance(column, Numeric) or column.other:
        return None
    most = sorted(column.counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    return [(_clipped(value), rows) for value, rows in most if rows > 1]


def _clipped(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"

"""Humps beyond a column's tail, and whether another column tells the rows that lie there (used by outlier checks).

Away from the middle a tail thins out, however heavy it is. Where it thickens again, other rows begin: of another
unit, with an offset, or a group of their own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.profile.sketch import Floats
from pipeline.quality.findings import Table

THICKER = 5  # times the rows of the band before it, as a hump of another unit has
VALUES = 10  # different ones: fewer are a code or a cap
CHANCE = 1e-6  # columns have some hundred bands, tables some hundred columns
GROUP_ROWS = 3  # fewer rows of one value are no group
MAJORITY = 0.5
CHECKS = ()  # asks nothing itself


class Hump(NamedTuple):
    """The place of a hump's first distance, the rows of its first band, and of the band before."""

    place: int
    inside: int
    before: int


def hump(distances: Floats, counts: Floats, fence: float, width: float, most: float) -> Hump | None:
    """Where a tail thickens again, if it does.

    `distances` (D) rise from the median, `counts` (D) are their rows, bands are `width` wide. The hump begins beyond
    `fence`, with at most `most` rows from there on. In a tail that does not thicken the rows of two bands side by side
    are split at least evenly, so a hump is improbable by the binomial distribution; of several places it is the one
    with the most rows for those before.
    """
    from scipy.stats import binom

    below = np.concatenate([[0.0], np.cumsum(counts)])
    starts = np.flatnonzero((distances > fence) & (below[-1] - below[:-1] <= most))
    if not width > 0 or not starts.size:
        return None
    ends = np.searchsorted(distances, distances[starts] + width)
    before = below[starts] - below[np.searchsorted(distances, distances[starts] - width)]
    inside = below[ends] - below[starts]
    thicker = (inside >= THICKER * (before + 1)) & (ends - starts >= VALUES)
    thicker &= binom.cdf(before, before + inside, 0.5) < CHANCE
    if not thicker.any():
        return None
    best = int(np.argmax(np.where(thicker, inside / (before + 1), 0.0)))
    return Hump(int(starts[best]), int(inside[best]), int(before[best]))


def group_of(table: Table, name: str, where: pl.Expr) -> str | None:
    """The first column, but for `name`, that tells most of the sampled rows in which `where` holds; None if none does.

    A value tells its rows where most of them are hit. Numbers of another column tell by their values alone, so what
    was calculated from a wrong number does not explain it. Ids and stamps tell nothing.
    """
    hit = table.sample.select(where.fill_null(False).alias("hit")).to_series()
    for other in _others(table, name):
        values = table.sample.select(by_name(other).alias("value")).to_series()
        groups = pl.DataFrame([values, hit]).drop_nulls().group_by("value").agg(pl.len().alias("rows"), pl.sum("hit"))
        telling = groups.filter((pl.col("rows") >= GROUP_ROWS) & (pl.col("hit") > MAJORITY * pl.col("rows")))
        if int(telling["hit"].sum()) > MAJORITY * int(hit.sum()):
            return other
    return None


def _others(table: Table, name: str) -> Iterator[str]:
    for column in table.data_columns:
        if column.name != name and column.role not in ("id", "time") and not column.dtype.is_temporal():
            yield column.name

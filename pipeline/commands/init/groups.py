"""Whether a split by time leaves train anything where rows of one group stay together."""

from collections.abc import Sequence

import polars as pl

LATER = 0.3  # of the rows, that val and test take in a new workspace
LEAST = 0.5  # of the rows that train would have without groups


def last_through(rows: pl.LazyFrame, groups: Sequence[str], time: str) -> bool:
    """Whether most groups have rows from early on to the end, so that a split by time takes them all out of train.

    >>> days = pl.LazyFrame({"day": [1, 2, 3, 4], "visit": ["a", "a", "b", "b"], "machine": ["x", "y", "x", "y"]})
    >>> last_through(days, ["visit"], "day"), last_through(days, ["machine"], "day")
    (False, True)
    """
    known = rows.select(*groups, time).drop_nulls()
    start = pl.col(time).quantile(1 - LATER, interpolation="lower")
    ends = known.with_columns(ends=pl.col(time).max().over(*groups), start=start)
    stays = ends.select((pl.col("ends") < pl.col("start")).mean()).collect().item()
    return stays is not None and stays < LEAST * (1 - LATER)

"""Which column tells apart the series of a table: the station, the shop, the sensor that each has one row a stamp.

It is asked where a time axis was found and no group was given, and answered only where the rows leave no doubt: the
stamps repeat about as often as the column has values, and hardly any stamp has one of them twice. Events do not do
that by chance.
"""

from collections.abc import Mapping, Sequence

import polars as pl
from polars.selectors import by_name

from pipeline.contract import Role
from pipeline.infer.found import Found

FEWEST_STAMPS = 30
MOST_SERIES = 10_000
FILLED = 0.75  # of all stamps and values together have a row; series begin late, or end early
ONCE = 0.99  # of the rows are the only one of their stamp and value; an hour comes twice in autumn
ROUGHLY = 0.1  # the counts of different values are estimates
ASKED = 500_000  # rows, or a few more: those of some stamps, where there are more of them
WHY = "; it has one row for each stamp and value, so its values are taken for series of their own"


def series_of(rows: pl.LazyFrame, columns: Sequence[Found], roles: Mapping[str, Role], height: int) -> str | None:
    """The column by which these typed rows are series side by side; None where there is none, or it is in doubt.

    Of columns that say the same (a code and a name) it is the first.
    """
    axis = next((column for column in columns if column.role == "time"), None)
    if axis is None or "group" in roles.values() or axis.distinct < FEWEST_STAMPS:
        return None
    likely = [column.name for column in columns if _may_tell(column, height / axis.distinct)]
    if not likely:
        return None
    stamp, cells = by_name(axis.name), by_name(*likely)
    drawn = stamp.hash(seed=0) <= (2**64 - 1) // max(1, height // ASKED)
    some = rows.filter(drawn).select(stamp, cells).drop_nulls().collect(engine="streaming")
    telling = [name for name in likely if _tells(some, axis.name, name)]
    alike = some.select(by_name(*telling)).unique().height if telling else 0
    same = all(some.get_column(name).n_unique() == alike for name in telling)
    return telling[0] if telling and same else None


def _may_tell(column: Found, rows_a_stamp: float) -> bool:
    """Whether the counts alone leave it open: by `rows_a_stamp` each value would have a row at most stamps."""
    likely = column.role == "feature" and column.modality == "categorical" and 2 <= column.distinct <= MOST_SERIES
    return likely and FILLED - ROUGHLY <= rows_a_stamp / column.distinct <= 1 + ROUGHLY


def _tells(some: pl.DataFrame, axis: str, name: str) -> bool:
    stamps, values = some.get_column(axis).n_unique(), some.get_column(name).n_unique()
    pairs = some.select(by_name(axis, name)).unique().height
    return stamps > 1 and values > 1 and pairs >= max(ONCE * some.height, FILLED * stamps * values)

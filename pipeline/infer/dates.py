"""Dates that are not written as ISO has them: which patterns may read a column, and which one does.

Day first or month first is decided by the whole column: one day above 12 tells. Where none does, only a dot
between the parts tells (it is written day first wherever it is written).
"""

from collections.abc import Mapping
from itertools import product

import polars as pl

YEARS = (1600, 2300)  # `%Y` reads 13 as the year 13
COMPACT = "%Y%m%d"
NUMBERED = [
    f"{order}{time}".replace("-", separator).replace("#", year)
    for order, separator, year, time in product(
        ("%d-%m-#", "%m-%d-#"), "/-.", ("%Y", "%y"), ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
    )
]
NAMED = [
    f"{date}{time}"
    for date, time in product(
        ("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%Y %b %d"),
        ("", " %H:%M", " %H:%M:%S"),
    )
]
SHOWN = 200  # texts of a column that may suggest a pattern
PATTERNS = (COMPACT, *NUMBERED, *NAMED)


def worth_asking(texts: pl.Series) -> list[str]:
    """The patterns that read at least half of some of the texts."""
    shown = texts.head(SHOWN)
    if not shown.str.contains(r"\d").any():
        return []
    read = pl.select(plausible(pl.lit(shown), pattern).sum().alias(pattern) for pattern in PATTERNS).row(0)
    return [pattern for pattern, count in zip(PATTERNS, read, strict=True) if 2 * count >= len(shown)]


def plausible(cell: pl.Expr, pattern: str) -> pl.Expr:
    """Whether the text is a date by `pattern`, of a year that people write of; null for null."""
    moment = (
        cell.str.to_datetime(pattern, time_unit="us", strict=False)
        if is_timed(pattern)
        else cell.str.to_date(pattern, strict=False)
    )
    year = moment.dt.year().is_between(*YEARS).fill_null(False)
    return year & (cell.str.len_bytes() == 8) if pattern == COMPACT else year


def is_timed(pattern: str) -> bool:
    """Whether a time of day stands in the pattern."""
    return "%H" in pattern or "%I" in pattern


def chosen(patterns: Mapping[str, int], needed: float) -> tuple[str | None, str]:
    """The pattern that reads at least `needed` values, and a word on it; None where none does or two do as well.

    >>> chosen({"%d/%m/%Y": 90, "%m/%d/%Y": 40}, 85)
    ('%d/%m/%Y', 'dates, day first')
    >>> chosen({"%d/%m/%Y": 90, "%m/%d/%Y": 90}, 85)
    (None, 'dates that may be day first or month first')
    """
    best = max(patterns.values(), default=0)
    if best == 0 or best < needed:
        return None, ""
    leading = [pattern for pattern, count in patterns.items() if count == best]
    firsts = {pattern[:2] for pattern in leading}
    if firsts >= {"%d", "%m"}:
        dotted = [pattern for pattern in leading if pattern.startswith("%d.")]
        return (dotted[0], "dates, day first") if dotted else (None, "dates that may be day first or month first")
    order = {"%d": "dates, day first", "%m": "dates, month first"}.get(leading[0][:2], "dates")
    return leading[0], order

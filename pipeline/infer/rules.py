"""Rules that held for a column, wide enough for tomorrow's rows: for a contract that people will read and edit."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from pipeline.infer.found import Evidence, Found

SET = 20  # values at most that make a closed set
ROWS_EACH = 20  # rows of the rarest of them: with fewer, more values are to be expected
ROWS, VALUES = 1000, 100  # from so many on, the width of what was seen says something


def rules(found: Found, seen: Evidence) -> Mapping[str, Any]:
    """The arguments of the column's pandera Field; none for what no model sees, and none where nothing can be said."""
    if found.role == "ignore" or not found.values or found.name == "*":  # which pandera takes for all columns
        return {}
    if found.dtype == pl.String and seen.members and found.modality == "categorical":
        members = list(seen.members)
        closed = len(members) <= SET and min(seen.members.values()) >= ROWS_EACH
        return {"isin": members} if closed and not seen.padded else {}
    if found.dtype.is_numeric() and found.role == "feature" and found.modality == "numeric":
        return _range(seen, *seen.span(found.format), whole=found.dtype.is_integer())
    return {}


def _range(seen: Evidence, lowest: float | None, highest: float | None, *, whole: bool) -> dict[str, float]:
    """Wider than what was seen by its width on each side, rounded outwards; 0 where nothing was below it.

    Few rows or few values (months of half a year, one year) say little: there, an order of magnitude is left.
    """
    if lowest is None or highest is None or not math.isfinite(lowest + highest):
        return {}
    largest = max(abs(lowest), abs(highest)) or 1.0
    spread = seen.values >= ROWS and seen.distinct >= VALUES
    width = highest - lowest if spread else 10 * largest
    if not 1e-300 < width < 1e300:  # no range that a float holds is wider
        return {}
    low = 0.0 if lowest >= 0 else _outwards(lowest - width, width)
    high = 0.0 if highest < 0 else _outwards(highest + width, width)
    return {"ge": int(low), "le": int(high)} if whole else {"ge": low, "le": high}


def _outwards(value: float, width: float) -> float:
    """The next number of few digits away from 0.

    >>> _outwards(1234.5, 1000.0), _outwards(-0.172, 0.3)
    (1300.0, -0.18)
    """
    unit = 10.0 ** (math.floor(math.log10(width)) - 1)
    return float(f"{math.copysign(math.ceil(abs(value) / unit) * unit, value):.6g}")

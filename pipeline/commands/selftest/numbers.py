"""Defects of numbers: too large, impossible, in another unit, or no number at all."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import polars as pl

from pipeline.commands.selftest.defect import Cell, Change, Defect, Rng, cells
from pipeline.commands.selftest.material import Material

WORDS = ("twelve", "see note", "abc", "n.n.", "12 pcs")
MARKERS = ("?", "N/A", "null", "-")


def scaled(cell: str, factor: float, offset: float = 0.0) -> Cell:
    """The cell's number times a factor and then with an offset, with as many decimals; the cell where it is none.

    >>> scaled("2.50", 10), scaled("7", 2.54), scaled("x", 10)
    ('25.00', '18', 'x')
    """
    try:
        number = Decimal(cell.strip())
    except InvalidOperation:
        return cell
    if not number.is_finite():
        return cell
    decimals = max(-int(number.as_tuple().exponent), 0)
    return f"{float(number) * factor + offset:.{decimals}f}"


def times(factor: float) -> Change:
    """A number becomes so many times itself."""
    return lambda cell, column, rng: scaled(cell, factor)


def shifted(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """Eight standard deviations further."""
    spread = column.str.strip_chars().cast(pl.Float64, strict=False).std()
    return scaled(cell, 1.0, 8 * spread) if isinstance(spread, float) else cell


def positive(material: Material) -> Sequence[str]:
    """Measured columns without 0 or less, and whose smallest is no small part of the median."""
    return [name for name in material.measured if _least(material, name) > 0.1]


def not_negative(material: Material) -> Sequence[str]:
    """Measured columns without a negative number."""
    return [name for name in material.measured if _least(material, name) >= 0]


def _least(material: Material, name: str) -> float:
    """The smallest number, in medians; -1 where the column is not all of one sign."""
    numbers = material.value(name)
    least, median = numbers.min(), numbers.median()
    if not isinstance(least, float) or not isinstance(median, float) or median <= 0:
        return -1.0
    return least / median


def measured(material: Material) -> Sequence[str]:
    """Measured columns."""
    return material.measured


def _one_of(words: Sequence[str]) -> Change:
    return lambda cell, column, rng: str(rng.choice(list(words)))


FAR = ("z_score_outlier", "multivariate_outlier", "impossible_value", "ts_spike", "unit_scale_jump")
DEFECTS = (
    Defect(
        name="outlier x10", what="numbers ten times too large", told_by=FAR, places=measured, plant=cells(times(10))
    ),
    Defect(
        name="outlier x100",
        what="numbers a hundred times too large",
        told_by=FAR,
        places=measured,
        plant=cells(times(100)),
    ),
    Defect(
        name="outlier +8 sd", what="numbers eight deviations up", told_by=FAR, places=measured, plant=cells(shifted)
    ),
    Defect(
        name="impossible zero",
        what="0 where all numbers are well above it",
        told_by=("impossible_value", "z_score_outlier", "mixed_null_tokens", "multivariate_outlier"),
        places=positive,
        plant=cells(lambda cell, column, rng: "0"),
    ),
    Defect(
        name="lost sign",
        what="negative numbers where none is",
        told_by=("impossible_value", "z_score_outlier", "multivariate_outlier"),
        places=not_negative,
        plant=cells(times(-1)),
    ),
    Defect(
        name="sentinel -999",
        what="-999 for what is not known",
        told_by=("mixed_null_tokens", "impossible_value", "z_score_outlier"),
        places=measured,
        plant=cells(lambda cell, column, rng: "-999"),
    ),
    Defect(
        name="unit x1000",
        what="metres among kilometres",
        told_by=("unit_scale_jump", *FAR),
        places=measured,
        plant=cells(times(1000)),
    ),
    Defect(
        name="unit x2.54",
        what="centimetres among inches",
        told_by=("unit_scale_jump", *FAR),
        places=measured,
        plant=cells(times(2.54)),
    ),
    Defect(
        name="words in numbers",
        what="words in a column of numbers",
        told_by=("dtype_mismatch", "mixed_types_in_column", "numbers_as_text"),
        places=measured,
        plant=cells(_one_of(WORDS)),
    ),
    Defect(
        name="null marker in numbers",
        what="?, N/A, null or - in a column of numbers",
        told_by=("mixed_null_tokens", "dtype_mismatch", "mixed_types_in_column"),
        places=measured,
        plant=cells(_one_of(MARKERS)),
    ),
)

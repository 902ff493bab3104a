"""Numbers with a unit (`$1,200`, `12.5 %`, `36 months`): in which way they are written, by some texts of a column."""

import re

import polars as pl

from pipeline.tables.cells import AS_WRITTEN, COMMA_THOUSANDS

SHOWN = 200  # texts of a column that may suggest a unit
ENOUGH = 0.95  # of them, with one and the same unit
MONEY = r"[$€£¥₹₩₽₺]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD)\b|R\$|US\$"
UNITS = frozenset(
    unit
    for units in (
        "% usd eur gbp chf k bn mio million thousand percent pct",
        "oz ounce ounces lb lbs pound pounds kg g mg µg gram grams ton tons tonnes",
        "km m cm mm µm nm mi mile miles ft feet foot in inch inches yd yards",
        "l ml cl dl liter liters litre litres gal gallon gallons cup cups tsp tbsp",
        "s sec secs second seconds ms min mins minute minutes h hr hrs hour hours day days week weeks month months",
        "year years yr yrs c f °c °f k",
        "w kw mw kwh mwh v a ma hz khz mhz ghz kb mb gb tb kcal cal j kj bar psi hpa mmhg",
        "mph kph km/h m/s knots kn rpm bpm ppm dpi px pt people persons patients pcs piece pieces unit units times",
    )
    for unit in units.split()
)
SHORT = frozenset("gmlsh")  # letters that may stand at a number without a space: `12a` is a house
PARTS = (
    rf"(?i)^[+-]?(?<before>{MONEY})?\s*[+-]?(?<number>(?:\d[\d.,]*)?\d)"
    rf"(?<blank>\s*)(?<after>{MONEY}|[^\d+,;:(-]\D{{0,20}})?$"
)
PARTING = ("$", "US$", "USD", "£", "GBP")  # where these stand commas part thousands


def ways_to_write(texts: pl.Series) -> list[str]:
    """The one way to write numbers with a unit that most of the texts agree on, as a contract's `format`; or none.

    >>> ways_to_write(pl.Series(["$5", "$1,200", "-$3"])), ways_to_write(pl.Series(["36 months", "60 months"]))
    (['$1,234.5'], ['1234.5 months'])
    >>> ways_to_write(pl.Series(["12A", "13A"])), ways_to_write(pl.Series(["12 oz", "1 kg"]))
    ([], [])
    """
    shown = texts.head(SHOWN)
    parts = shown.str.strip_chars().str.extract_groups(PARTS).struct.unnest().drop_nulls("number").fill_null("")
    money, unit = pl.col("before").str.to_uppercase(), pl.col("after").str.to_lowercase().str.replace_all(r"\s+", " ")
    alike = (
        parts.group_by(money=money, unit=unit, maintain_order=True)
        .agg(pl.all())
        .with_columns(rows=pl.col("number").list.len())
    )
    if alike.is_empty():
        return []
    most = alike.sort("rows", descending=True, maintain_order=True).row(0, named=True)
    before, after, blank = (most[part][0] for part in ("before", "after", "blank"))
    written = _written(pl.Series(most["number"]), before)
    if written is None or most["rows"] < ENOUGH * len(shown) or not (before or after) or not _is_unit(after, blank):
        return []
    return [f"{before}{written}{blank and ' '}{after}"]


def _is_unit(after: str, blank: str) -> bool:
    """Whether what stands behind a number is a unit, or at least a word apart from it; nothing is none the less."""
    first = after.lower().split(" ")[0].rstrip(".")
    if len(first) == 1 and first.isalpha() and not blank:
        return after in SHORT
    return (
        not after
        or re.fullmatch(MONEY, after) is not None
        or first in UNITS
        or bool(blank and first.isalpha() and len(first) > 1)
    )


def _written(numbers: pl.Series, before: str) -> str | None:
    """As which of the ways the digits stand; None where a comma may part thousands or stand before decimals."""
    plain, parted, decimal = AS_WRITTEN
    commas = numbers.filter(numbers.str.contains(",", literal=True))
    if commas.is_empty():
        return plain if not numbers.str.contains(r"\..*\.").any() else None
    if commas.str.contains(COMMA_THOUSANDS).all():
        return parted if before.upper() in PARTING or commas.str.contains(r",.*[,.]").any() else None
    return decimal if commas.str.contains(r"^\d+,\d+$|^\d{1,3}(\.\d{3})+,\d+$").all() else None

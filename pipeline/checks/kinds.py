"""Checks of what kind of thing the texts of a column are: numbers, numbers with units, words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.formats import ERROR_RATES, FEWEST
from pipeline.checks.values import Values, every, is_marker, rows_in, shown, text, words
from pipeline.contract import ROW_ID, Column
from pipeline.infer.decide import CLASSES, MOSTLY
from pipeline.infer.units import UNITS
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.wording import count, listed

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
PLAIN = rf"^\s*[+-]?(?:{NUMBER})(?:[eE][+-]?\d+)?\s*$"
DECIMAL = r"\d+,(?:\d{1,2}|\d{4,})"  # a comma before three digits parts thousands
QUANTITY = (
    rf"^\s*(?P<sign>[+-]?)\s*(?P<before>[$€£¥]|USD|EUR|GBP|CHF)?\s*(?P<number>[+-]?(?:{DECIMAL}|{NUMBER}))"
    r"(?P<blank>\s*)(?P<unit>%|[\p{L}°µ][\p{L}°µ²³/. -]{0,20})?\s*$"
)


@dataclass(frozen=True, kw_only=True)
class MixedTypesInColumn:
    """Which cells are words in a column of numbers, or numbers in a column of words?

    A column of numbers: 95% are, or four in five and all but 5% of the others hold no digit (`A12` is a code). Cells
    of a column whose type is a number are told by dtype_mismatch.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "mixed_types_in_column"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        value = pl.col("value")
        known = values.counts.filter(~is_marker(value)).with_columns(
            number=value.str.contains(PLAIN), quantity=value.str.contains(QUANTITY), wordy=~value.str.contains(r"\d")
        )
        rows = max(rows_in(known), 1)
        numbers = known.filter(pl.col("number"))
        share = rows_in(numbers) / rows
        wordy = rows_in(known.filter("wordy")) / rows
        if rows < FEWEST or not numbers.height:
            return
        many = share >= MOSTLY and numbers.height > CLASSES
        if share >= self.minimum_share or (many and share + wordy >= self.minimum_share):
            yield from self._hit(values, known.filter(~pl.col("number") & ~pl.col("quantity")), share, "a number")
        elif wordy >= 0.99:  # where digits stand in more words, a number may be one as well
            yield from self._hit(values, numbers, wordy, "words")

    def _hit(self, values: Values, odd: pl.DataFrame, share: float, kind: str) -> Iterator[Hit]:
        cell = text(values.name)
        number = cell.str.contains(PLAIN)
        other = number if kind == "words" else ~number & ~cell.str.contains(QUANTITY) & ~is_marker(cell)
        if odd.height:
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} is {kind}, but not in {HIT_ROWS}: " + shown(odd["value"]),
                suggestion="correct these cells, or leave them empty",
                otherwise=other,
                observed=share,
                threshold=self.minimum_share,
            )


@dataclass(frozen=True, kw_only=True)
class NumbersAsText:
    """Which columns of text are numbers with a unit (`12.0 oz`, `$5`), and which cells write the unit otherwise?

    A column of one unit is told as a whole. Cells that differ from most in their unit are told one by one; where the
    others have none and their numbers are of the same size, the bare number is suggested. So are the numbers within
    cells that would not parse as the contract's number.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "numbers_as_text"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = words(table)
        typed = [c for c in table.data_columns if c.dtype.is_numeric() and c.format is None]
        unparsed = table.unparsed.collect()
        for column in typed:
            yield from self._unparsed(column, unparsed.filter(pl.col("column") == column.name))
        if columns or not typed:
            yield from every(table, columns, self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        known = values.counts.filter(~is_marker(pl.col("value")))
        read = quantities(known, pl.col("value"))
        units = read.group_by("unit").agg(pl.col("rows").sum()).sort("rows", "unit", descending=[True, False])
        rows = rows_in(known)
        if rows < FEWEST or rows_in(read) < self.minimum_share * rows or units["unit"].to_list() in ([], [""]):
            return
        yield self._whole(values, units)
        usual = units["unit"][0]
        odd = read.filter(pl.col("unit") != usual)
        mended = {} if usual else _bare(read, odd)
        if odd.height:
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} is in another unit than usual ({usual or 'none'}) in {HIT_ROWS}: "
                + shown(odd["value"]),
                suggestion="bring all to one unit, and write it in one way",
                mended=mended,
            )

    def _whole(self, values: Values, units: pl.DataFrame) -> Hit:
        named = [f"{unit or 'none'} ({count(rows, 'row')})" for unit, rows in units.iter_rows()]
        return Hit(
            check=self.name,
            column=values.name,
            rows=rows_in(units),
            observed=units.height,
            threshold=1,
            message=f"{values.name} is a number written as text, with the unit {listed(named)}",
            suggestion="make a column of numbers from it: a model of the text does not see which is larger",
            severity="info",
        )

    def _unparsed(self, column: Column, cells: pl.DataFrame) -> Iterator[Hit]:
        read = quantities(cells, pl.col("raw"))
        read = read.filter((pl.col("unit").str.len_chars() != 1) | ~pl.col("raw").str.contains(r"\p{L}$"))  # a slip
        if read.height:
            yield Hit(
                check=self.name,
                column=column.name,
                rows=read[ROW_ID].n_unique(),
                observed=read["raw"][0],
                threshold=str(column.dtype),
                message=f"{column.name} holds a number and a unit in {count(read.height, 'row')}: {shown(read['raw'])}",
                suggestion="have the source write numbers alone; the policy `repair` takes the number",
                flags=read.select(ROW_ID, value="raw", suggested="written"),
            )


CHECKS = (MixedTypesInColumn, NumbersAsText)


def quantities(cells: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    """The cells that are a number with a known unit or none, with `number` (plain text), `unit`, `written` (bare).

    >>> quantities(pl.DataFrame({"value": ["12.0 oz.", "$5", "7 dwarfs", "B6", "1,5 kg"]}), pl.col("value")).rows()
    [('12.0 oz.', '12.0', 'oz', '12.0'), ('$5', '5', '$', '5'), ('1,5 kg', '1.5', 'kg', '1,5')]
    """
    parts = value.str.extract_groups(QUANTITY)
    part = {name: parts.struct.field(name).fill_null("") for name in ("sign", "before", "number", "unit")}
    unit = (part["before"] + part["unit"]).str.to_lowercase().str.replace_all(r"[.\s]+", " ").str.strip_chars()
    signed = part["sign"] + part["number"]
    comma = signed.str.contains(rf"^[+-]?{DECIMAL}$")
    number = pl.when(comma).then(signed.str.replace(",", ".")).otherwise(signed.str.replace_all(",", ""))
    read = cells.with_columns(number=number, unit=unit, written=pl.when(comma).then(signed).otherwise(number))
    read = read.filter(pl.col("number").cast(pl.Float64, strict=False).is_not_null())  # `--5` is none
    first = pl.col("unit").str.split(" ").list.first()
    return read.filter((pl.col("unit") == "") | first.is_in(sorted(UNITS)) | pl.col("unit").is_in(list("$€£¥")))


def _bare(read: pl.DataFrame, odd: pl.DataFrame) -> dict[str, str]:
    """The numbers of cells with a unit, where they are of the size of those without (medians within a factor of 5)."""
    with_unit, without = (_median(part) for part in (odd, read.filter(pl.col("unit") == "")))
    if not without or not 0.2 <= with_unit / without <= 5:
        return {}
    return dict(odd.select("value", "written").iter_rows())


def _median(read: pl.DataFrame) -> float:
    """The median size of the numbers by rows; 0 for none."""
    sizes = read.select("rows", size=pl.col("number").cast(pl.Float64).abs()).sort("size")
    middle = sizes.filter(2 * pl.col("rows").cum_sum() >= pl.col("rows").sum())["size"]
    return float(middle[0]) if middle.len() else 0.0

"""Null markers in disguise: words, numbers and dates that stand for a value that is not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID, Column, Contract
from pipeline.profile import Categorical, Numeric
from pipeline.quality.findings import Hit, Policy, Skipped, Table, kind_of
from pipeline.quality.repairs import Emptied
from pipeline.tables import cells
from pipeline.wording import AS_MISSING, count

SURE = {"", *cells.SURE}
DOUBTFUL = set(cells.DOUBTFUL)  # an answer as often as a gap
NAMES = {"Nan", "Nat"}  # of people; machines write NaN, nan, NaT
SPELLINGS = sorted({s for word in SURE | DOUBTFUL for s in (word, word.upper(), word.title())} | {"NaN", "NaT"})
NINES = (9, 99, 999, 9999, 99999, 999999, 99.9, 999.9, 9999.9, 99.99, 999.99)
SENTINELS = sorted([-1.0, *(float(sign * size) for size in NINES for sign in (-1, 1))])
DAYS = (
    *("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1900-01-02", "1901-01-01", "1970-01-01"),
    *("2099-01-01", "2099-12-31", "2999-12-31", "9999-01-01", "9999-12-31"),
)
SENTINEL_DAYS = [datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in DAYS]
COUNTED = 10  # a column of counts or days reaches at least so far; -1 stands below it
SHORT = 4  # bytes, below which a word may be blank
CODES = 5  # so many codes of two letters, and NA is one of them


@dataclass(frozen=True, kw_only=True)
class MixedNullTokens:
    """Which words (NA, ?, -), numbers (-999) and dates (1900-01-01) stand for a value that is not there?

    Text is compared whole, without case and blanks; words that may also be an answer (none, unknown) are told as
    `info`. In a column of numbers or days any text without a letter or a digit (`***`) stands for one. A number or a
    day is told where it is the smallest or largest value, lies apart from all others by `apart` of their range (-1:
    where all others are whole and not negative), and stands in at least `minimum_rows` rows and three times as many as
    the value next to it.
    """

    apart: Annotated[float, Field(gt=0)] = 0.5
    minimum_rows: Annotated[int, Field(ge=1)] = 5
    policy: Policy = "warn"
    name: ClassVar[str] = "mixed_null_tokens"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "half the range: no tail of a few thousand values has such a hole (cf. FAHES, Qahtan 2018)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from self._words(table)
        yield from self._unparsed(table)
        for sentinel in sentinels(table, self.apart, self.minimum_rows):
            yield self._sentinel(sentinel)

    def _words(self, table: Table) -> Iterator[Hit]:
        columns = [c for c in table.data_columns if c.dtype == pl.String and kind_of(c) in ("categorical", "text")]
        for name, found in marked(table, columns).items():
            sure = sorted(word for word in found if folded(word) in SURE)
            told = sure or sorted(found)
            rows = sum(found[word] for word in told)
            yield Hit(
                check=self.name,
                column=name,
                where=by_name(name).is_in(told),
                value=by_name(name),
                rule=Emptied(column=name) if sure else None,
                message=f"{name} holds {_quoted(told)} in {count(rows, 'row')}, "
                + ("for `not known`" if sure else "perhaps for `not known`"),
                suggestion=f"{AS_MISSING}, where it does" if not sure else AS_MISSING,
                threshold=0,
                severity="warning" if sure else "info",
            )

    def _unparsed(self, table: Table) -> Iterator[Hit]:
        cells = table.unparsed.filter(is_gap(table.contract)).select(ROW_ID, "column", value="raw").collect()
        for column in table.data_columns:
            flagged = cells.filter(column=column.name).select(ROW_ID, "value")
            if flagged.height:
                words = flagged["value"].unique().sort().to_list()
                yield Hit(
                    check=self.name,
                    column=column.name,
                    rows=flagged[ROW_ID].n_unique(),
                    observed=flagged.height / max(table.height, 1),
                    threshold=0,
                    flags=flagged,
                    rule=Emptied(column=column.name),
                    message=f"{column.name} holds {_quoted(words)} in {count(flagged.height, 'row')}, for `not known`",
                    suggestion=AS_MISSING,
                )

    def _sentinel(self, found: "Sentinel") -> Hit:
        return Hit(
            check=self.name,
            column=found.column,
            where=found.where,
            value=by_name(found.column),
            rule=Emptied(column=found.column),
            observed=found.apart,
            threshold=self.apart,
            message=f"{found.column} is {found.shown} in {count(found.rows, 'row')}, far from all other values",
            suggestion="if it stands for `not known`, have the source leave it empty: a model takes it for a size",
        )


CHECKS = (MixedNullTokens,)


@dataclass(frozen=True, kw_only=True)
class Sentinel:
    """A number or a day that stands for nothing: where it is, and how far apart, in ranges of the others."""

    column: str
    shown: str
    rows: int
    apart: float
    where: pl.Expr


def folded(word: str) -> str:
    """The word as it is compared.

    >>> folded(" N/A ")
    'n/a'
    """
    return word.strip().lower()


def is_gap(contract: Contract) -> pl.Expr:
    """Does a cell that would not parse (`column`, `raw`) stand for a missing value? Signs do so in what is no text."""
    raw, typed = pl.col("raw"), [column.name for column in contract.columns if column.dtype != pl.String]
    word = raw.str.strip_chars().str.to_lowercase()
    return word.is_in([*SURE, *DOUBTFUL]) | (pl.col("column").is_in(typed) & raw.str.contains(cells.SIGNS))


def marked(table: Table, columns: list[Column]) -> dict[str, dict[str, int]]:
    """Rows of each null-like word by column, as it is spelt; from the profile where it knows every value."""
    found: dict[str, dict[str, int]] = {}
    for column in columns:
        known = table.profile.columns[column.name]
        if isinstance(known, Categorical):
            counts = known.counts if not known.other else _counted(table, column.name)
            found[column.name] = {word: rows for word, rows in counts.items() if _is_marker(word, known)}
    return {name: words for name, words in found.items() if words}


def _counted(table: Table, name: str) -> dict[str, int]:
    """The words of `SPELLINGS` and the shortest among very many values, in one streamed pass over the column."""
    word = pl.col("word")
    likely = table.rows.select(word=by_name(name)).filter(word.is_in(SPELLINGS) | (word.str.len_bytes() < SHORT))
    return dict(likely.group_by("word").len().collect(engine="streaming").sort("word").iter_rows())


def _is_marker(word: str, known: Categorical) -> bool:
    """Whether the word is null-like, and neither a name nor one of many codes of two letters (Namibia)."""
    if folded(word) not in SURE | DOUBTFUL or word.strip() in NAMES:
        return False
    others = [value for value in known.counts if value != word]
    codes = len(others) >= CODES and all(len(value) == 2 and value.isupper() for value in others)
    return not (word == "NA" and codes)


def sentinels(table: Table, apart: float, minimum_rows: int) -> Iterator[Sentinel]:
    """Numbers and days that stand for nothing; only where the smallest or largest value is one, rows are read."""
    for column in table.data_columns:
        known = table.profile.columns[column.name]
        moment = column.dtype in (pl.Date, pl.Datetime)
        if not isinstance(known, Numeric) or not (moment or column.dtype.is_numeric()) or column.name == table.time:
            continue
        given = SENTINEL_DAYS if moment else SENTINELS
        if known.distinct > 2 and (known.min in given or known.max in given):
            yield from _apart(table, column, given, apart=apart, minimum_rows=minimum_rows)


def _apart(table: Table, column: Column, given: list[float], *, apart: float, minimum_rows: int) -> Iterator[Sentinel]:
    """The given values that lie apart from all others of the column, on either side."""
    number = _number(column)
    others = table.rows.select(value=number).filter(pl.col("value").is_finite() & ~pl.col("value").is_in(given))
    value = pl.col("value")
    edges = others.select(low=value.min(), high=value.max(), whole=(value == value.floor()).all())
    low, high, whole = edges.collect(engine="streaming").row(0)
    if low is None or low == high:
        return
    seen = table.rows.select(value=number).filter(value.is_in([*given, low, high]))
    counts = dict(seen.group_by("value").len().collect(engine="streaming").sort("value").iter_rows())
    for found in (v for v in given if v in counts and not low < v < high):
        beside = high if found > high else low
        distance = abs(found - beside) / (high - low)
        index = found == -1 and whole and high - low >= COUNTED and low == 0
        if counts[found] >= max(minimum_rows, 3 * counts[beside]) and (distance >= apart or index):
            shown = _shown(found, column)
            yield Sentinel(column=column.name, shown=shown, rows=counts[found], apart=distance, where=number == found)


def _number(column: Column) -> pl.Expr:
    """The cell as a number: of a stamp, seconds since 1970."""
    cell = by_name(column.name)
    return (cell.cast(pl.Datetime("us")).dt.epoch("s") if column.dtype.is_temporal() else cell).cast(pl.Float64)


def _shown(found: float, column: Column) -> str:
    return f"{datetime(1970, 1, 1) + timedelta(seconds=found):%Y-%m-%d}" if column.dtype.is_temporal() else f"{found:g}"


def _quoted(words: list[str]) -> str:
    shown = ", ".join(f"`{word}`" if word.strip() else "blanks" for word in words[:4])
    return shown + (f" and {len(words) - 4} more" if len(words) > 4 else "")

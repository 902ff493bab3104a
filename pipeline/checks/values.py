"""Distinct texts of a column: what the checks of categories, text and formats look at, instead of the rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from polars.selectors import by_name

from pipeline.checks.markers import DOUBTFUL, SURE
from pipeline.contract import Column
from pipeline.profile import Categorical
from pipeline.quality.findings import SAMPLE_ROWS, Hit, Severity, Skipped, Table
from pipeline.tables.frames import batches

MANY = 200_000  # distinct texts that are counted over all rows; of a column with more a sample is looked at
BATCH_ROWS = 1 << 18
AT_ONCE = 1 << 20  # counts of batches that wait to be added up
NO_PROSE = "no column of free text"
MARKERS = sorted(SURE | DOUBTFUL)
CHECKS = ()  # asks nothing itself


@dataclass(frozen=True, kw_only=True)
class Values:
    """A column's distinct texts (`counts`: value, rows, in the order of the value); `left` rows were not looked at."""

    column: Column
    counts: pl.DataFrame
    left: int

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def rows(self) -> int:
        """The rows that hold a text and were looked at."""
        return rows_in(self.counts)

    @property
    def repeated(self) -> bool:
        """Are these categories: does a text stand in two rows on average?"""
        return self.rows >= 2 * max(self.counts.height, 1)

    def cells(self, values: Iterable[str], *, otherwise: pl.Expr | None = None) -> pl.Expr:
        """Is the cell one of these texts? Where only a sample was looked at, what `otherwise` says of the cell."""
        if self.left and otherwise is not None:
            return otherwise
        return text(self.name).is_in(sorted(values))

    def hit(
        self,
        check: str,
        odd: Iterable[str],
        *,
        message: str,
        suggestion: str,
        otherwise: pl.Expr | None = None,
        mended: Mapping[str, str] | None = None,
        observed: float | None = None,
        threshold: float = 0,
        severity: Severity = "warning",
        private: bool = False,
    ) -> Hit:
        """The hit of the cells that hold one of the odd texts; `mended` has the text that such a cell is to have."""
        return Hit(
            check=check,
            column=self.name,
            message=message,
            suggestion=suggestion,
            observed=observed,
            threshold=threshold,
            severity=severity,
            private=private,
            where=self.cells(odd, otherwise=otherwise),
            value=text(self.name),
            suggested=self.mended(mended or {}),
        )

    def mended(self, by_value: Mapping[str, str]) -> pl.Expr:
        """The text that a cell is to have, by the text that it has; null where there is none."""
        old, new = list(by_value), list(by_value.values())
        return text(self.name).replace_strict(old, new, default=None, return_dtype=pl.String) if old else NOTHING


NOTHING = pl.lit(None, dtype=pl.String)


def rows_in(counts: pl.DataFrame) -> int:
    """The rows of these distinct texts."""
    return int(counts["rows"].sum())


def text(name: str) -> pl.Expr:
    """The column as text, whatever its name looks like."""
    return by_name(name).cast(pl.String)


def is_marker(value: pl.Expr) -> pl.Expr:
    """Does the text stand for a missing value (`N/A`, `?`, nothing at all)? The checks of missing values tell it."""
    return value.str.strip_chars().str.to_lowercase().is_in(MARKERS)


def texts(table: Table) -> list[Column]:
    """The columns of text that may hold an error; paths of pictures and sounds are none."""
    return [
        column
        for column in table.data_columns
        if column.dtype in (pl.String, pl.Categorical, pl.Enum) and column.modality not in ("image", "audio")
    ]


def words(table: Table) -> list[Column]:
    """The columns of text but for free text and sets of tags: names, categories, codes."""
    return [column for column in texts(table) if not is_prose(column) and column.modality != "set"]


def prose(table: Table) -> list[Column]:
    """The columns of free text."""
    return [column for column in texts(table) if is_prose(column)]


def is_prose(column: Column) -> bool:
    """Is it free text by its contract, where odd characters are told as worth knowing, not as faults?"""
    return column.modality == "text"


def counted(table: Table, column: Column) -> Values:
    """The column's distinct texts with their rows: from the profile, else from all rows, else from the sample."""
    return table.once(f"texts of {column.name}", lambda table: _count(table, column))


def every(
    table: Table,
    columns: Iterable[Column],
    ask: Callable[[Values], Iterable[Hit]],
    *,
    none: str = "no column of text",
) -> Iterator[Hit | Skipped]:
    """Ask of the distinct texts of each column; say which rows a sample left out, or that there is `none`."""
    asked = [counted(table, column) for column in columns]
    for values in asked:
        if values.rows:
            yield from ask(values)
    left = max((values.left for values in asked), default=0)
    if not asked:
        yield Skipped(why=none)
    elif left:
        names = ", ".join(values.name for values in asked if values.left)
        yield Skipped(rows=left, why=f"a sample: too many distinct texts in {names}")


def shown(values: Iterable[str], most: int = 3) -> str:
    """A few texts for a message, on one line.

    >>> shown(["new york ", "a" * 80], most=1)
    "'new york '"
    """
    few = [repr(value if len(value) <= 40 else value[:39] + "…") for value in list(values)[:most]]
    return ", ".join(few)


def told(mended: Mapping[str, str], most: int = 3) -> str:
    """A few texts with what they are to become.

    >>> told({"Cordoba": "Córdoba"})
    "'Cordoba' for 'Córdoba'"
    """
    few = [f"{shown([old])} for {shown([new])}" for old, new in list(mended.items())[:most]]
    return ", ".join(few) + (f" and {len(mended) - most:,} more" if len(mended) > most else "")


def _count(table: Table, column: Column) -> Values:
    known = table.profile.columns.get(column.name)
    if isinstance(known, Categorical) and not known.other:
        counts = pl.DataFrame(
            {"value": list(known.counts), "rows": list(known.counts.values())},
            schema={"value": pl.String, "rows": pl.Int64},
        )
        return Values(column=column, counts=counts.sort("value"), left=0)
    many = not isinstance(known, Categorical) or known.distinct > MANY
    sampled = table.height > SAMPLE_ROWS and many
    counts = _counts((table.sample.lazy() if sampled else table.rows).select(value=text(column.name)))
    return Values(column=column, counts=counts, left=table.height - table.sample.height if sampled else 0)


def _counts(cells: pl.LazyFrame) -> pl.DataFrame:
    """Each value of a stream with its rows: counted by the batch, which takes a fraction of a streamed group_by."""
    waiting = [pl.DataFrame(schema={"value": pl.String, "rows": pl.Int64})]
    for batch in batches(cells, BATCH_ROWS, ordered=False):
        waiting.append(batch["value"].drop_nulls().value_counts(name="rows").cast({"rows": pl.Int64}))
        if sum(each.height for each in waiting) > AT_ONCE:
            waiting = [_merged(waiting)]
    return _merged(waiting).sort("value")


def _merged(counts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(counts).group_by("value").agg(pl.col("rows").sum())

"""Privacy checks: columns that hold personal data, and secrets that stand among the data."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from polars.selectors import by_name

from pipeline.contract import Column
from pipeline.profile import Numeric
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table, outside_sample
from pipeline.quality.private import KINDS, PASSWORD, PASSWORD_COLUMN, SECRETS, Kind, masked, plain_name
from pipeline.wording import count

VALUES = 5_000  # distinct values of a column that are looked at
SHOWN = 3
SMALLEST_CODE = 10**6  # whole numbers below are no telephone, card or identity number


@dataclass(frozen=True, kw_only=True)
class PiiPresent:
    """Which columns hold personal data: mail, telephone, card, account or identity numbers, names, addresses?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "pii_present"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = (
        "nine in ten distinct values with the shape and the checksum (half for mail addresses): Luhn alone holds for "
        "one number in ten; names, birth dates and plain telephone numbers only where the column's name says so too"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [column for column in table.columns if _may_be_private(table, column)]
        if not columns:
            yield Skipped(why="no column holds text or long numbers")
            return
        for column in columns:
            values = _distinct(table, column.name).head(VALUES)
            if _is_json(values):
                continue
            answers = ((kind, _matching(values, kind)) for kind in _kinds(column.name))
            first = next(((kind, found) for kind, found in answers if found), None)
            if first is not None:
                yield self._hit(table, column.name, *first, share=len(first[1]) / values.len())
        yield from outside_sample(table)

    def _hit(self, table: Table, column: str, kind: Kind, found: list[str], *, share: float) -> Hit:
        summary = table.profile.columns[column]
        return Hit(
            check=self.name,
            column=column,
            rows=summary.rows - summary.missing,
            observed=share,
            threshold=kind.share,
            message=f"{column} holds {kind.what}: {share:.0%} of its different values, in "
            + count(summary.rows - summary.missing, "row"),
            suggestion="if you may not keep them, take the column out of the file; else the role `ignore` is enough",
            examples=list(dict.fromkeys(map(masked, found)))[:SHOWN],
            private=True,
        )


@dataclass(frozen=True, kw_only=True)
class SecretPresent:
    """Which columns hold secrets: private keys, tokens of well-known services, passwords?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "secret_present"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "the prefixes and lengths that the services document; one value is enough"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [column for column in table.columns if _is_text(column)]
        if not columns:
            yield Skipped(why="no column holds text")
            return
        for column in columns:
            values = _distinct(table, column.name)
            pattern = "|".join(f"({shape})" for shape in SECRETS.values())
            first = next(iter(values.filter(values.str.contains(pattern))), None)
            if first is not None:
                what = next(what for what, shape in SECRETS.items() if re.search(shape, first))
                yield self._hit(column.name, what, pattern)
            elif _holds_passwords(column.name, values):
                yield self._hit(column.name, "passwords or keys, by its name,", PASSWORD)
        yield from outside_sample(table)

    def _hit(self, column: str, what: str, pattern: str) -> Hit:
        return Hit(
            check=self.name,
            column=column,
            severity="error",
            message=f"{column} holds {what} in {HIT_ROWS}",
            suggestion="revoke them at once, and take them out of the data and of all earlier versions",
            where=by_name(column).cast(pl.String).str.contains(pattern),
            value=pl.lit("***"),
            private=True,
        )


CHECKS = (PiiPresent, SecretPresent)


def _is_text(column: Column) -> bool:
    """Paths of files are no text."""
    text = column.dtype in (pl.String, pl.Categorical, pl.Enum)
    return text and column.modality in (None, "text", "categorical")


def _may_be_private(table: Table, column: Column) -> bool:
    """Text, moments with a name that says birth, and whole numbers that are nearly all long, or names."""
    if column.dtype.is_integer():
        summary = table.profile.columns.get(column.name)
        if not isinstance(summary, Numeric):
            return summary is not None
        usual = summary.quantile(0.1)
        return usual is not None and usual >= SMALLEST_CODE
    return _is_text(column) or column.dtype in (pl.Date, pl.Datetime)


def _distinct(table: Table, column: str) -> pl.Series:
    """The distinct values of the sample in order, as text without the space around it."""
    cells = table.sample.get_column(column).alias("value")  # the methods of a series take some names for patterns
    text = cells.drop_nulls().unique(maintain_order=True).cast(pl.String).str.strip_chars()
    return text.filter(text != "")


def _is_json(values: pl.Series) -> bool:
    """Whether most values are records or lists as JSON: what a column of them is called says nothing of its texts."""
    return 2 * int(values.str.contains(r"(?s)^(\{.*\}|\[.*\])$").sum()) > values.len()


def _kinds(column: str) -> list[Kind]:
    """Those that a column of this name may hold."""
    name = plain_name(column)
    return [kind for kind in KINDS if kind.named is None or re.search(kind.named, name)]


def _matching(values: pl.Series, kind: Kind) -> list[str]:
    """The values of that kind, where they are enough of all; checksums are asked only where shapes are."""
    least = max(kind.least, kind.share * values.len())
    shaped = values.filter(values.str.contains(kind.shape)).to_list()
    proven = [value for value in shaped if kind.proof is None or kind.proof(value)] if len(shaped) >= least else []
    return proven if len(proven) >= least else []


def _holds_passwords(column: str, values: pl.Series) -> bool:
    """Whether the name says so, and nearly all values are words of six characters and more."""
    named = re.search(PASSWORD_COLUMN, plain_name(column)) is not None
    return named and values.len() >= 3 and int(values.str.contains(PASSWORD).sum()) >= 0.9 * values.len()

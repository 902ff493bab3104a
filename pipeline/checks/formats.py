"""Checks of how a value is written: spaces around it, lost zeros, and what breaks the form of the rest."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.values import Values, every, is_marker, is_prose, rows_in, shown, text, texts, words
from pipeline.contract import Column
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Padded, Trimmed
from pipeline.wording import count, listed

ERROR_RATES = "1 to 5% of the fields of ordinary databases are wrong (Redman 1998, CACM 41(2)): 95% show the rule"
FEWEST = 20  # values from which a form can be read
FORMATS = {
    "a mail address": r"(?i)^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+$",
    "a URL": r"(?i)^(?:https?|ftp)://[^\s/$.?#][^\s]*$",
    "a UUID": r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$",
    "an IPv4 address": r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$",
    "an IPv6 address": r"(?i)^(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}$",
    "a MAC address": r"(?i)^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$",
    "a US ZIP+4 code": r"^\d{5}-\d{4}$",
    # with a prefix, an area code in brackets or three groups; of two groups 0171-123456 and 555-1234, but not 2019-2020
    "a phone number": r"^(?:(?:\+\d{1,3}[ .-]?|1[ .-])(?:\(\d{1,5}\)[ .-]?|\d{1,5}[ .-])\d{2,5}(?:[ .-]?\d{2,5}){0,3}"
    r"|\(\d{1,5}\)[ .-]?\d{2,5}(?:[ .-]?\d{2,5}){0,3}|\d{1,5}[ .-]\d{2,5}(?:[ .-]\d{2,5}){1,3}"
    r"|0\d{1,5}[ .-]\d{4,9}|\d{3}[ .-]\d{4})$",
}
PRIVATE = {"a mail address", "a phone number"}
PADDED = re.compile(
    r"(?:^|[^a-z])(?:zip|zip_?code|postal|post_?code|postal_?code|plz|fips|ssn|npi|ean|gtin|upc|isbn)(?:$|[^a-z])", re.I
)


@dataclass(frozen=True, kw_only=True)
class SurroundingWhitespace:
    """Which cells begin or end with blanks? Columns in which nearly all do are told as one, as a way of writing."""

    convention_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "surrounding_whitespace"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "repair", "warn")
    source: ClassVar[str] = "no threshold for cells; nine in ten are no slip but a way of writing the file"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        usual: list[str] = []

        def ask(values: Values) -> Iterator[Hit]:
            blank = values.counts.filter(pl.col("value") != pl.col("value").str.strip_chars())
            if rows_in(blank) > self.convention_share * values.rows:
                usual.append(values.name)
            elif blank.height:
                yield self._cells(values, blank)

        yield from every(table, texts(table), ask)
        if usual:
            yield Hit(
                check=self.name,
                observed=len(usual),
                threshold=self.convention_share,
                message=f"nearly all cells begin or end with blanks in {count(len(usual), 'column')}: "
                + listed(usual, 5),
                suggestion="the file is written so: have its reader leave out blanks beside the separator",
                severity="info",
            )

    def _cells(self, values: Values, blank: pl.DataFrame) -> Hit:
        cell = text(values.name)
        return Hit(
            check=self.name,
            column=values.name,
            threshold=0,
            message=f"{values.name} begins or ends with blanks in {HIT_ROWS}: " + shown(blank["value"]),
            suggestion="strip them: equal texts differ by them; the policy `repair` does",
            severity="info" if is_prose(values.column) else "warning",
            where=cell != cell.str.strip_chars(),
            value=cell,
            suggested=cell.str.strip_chars(),
            rule=Trimmed(column=values.name),
        )


@dataclass(frozen=True, kw_only=True)
class LeadingZerosLost:
    """Which codes of fixed width (zip, FIPS, EAN by the column's name) are shorter than the rest, without zeros?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "leading_zeros_lost"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "codes whose standard fixes the width; half of them have it, none is longer"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [c for c in table.data_columns if c.dtype == pl.String or c.dtype.is_integer()]
        coded = [column for column in columns if PADDED.search(column.name)]
        if not coded:
            yield Skipped(why="no column is named as a code of fixed width")
        for column in coded:
            yield from self._of(table, column)

    def _of(self, table: Table, column: Column) -> Iterator[Hit]:
        cell = text(column.name)
        digits = cell.str.contains(r"^\d+$")
        lengths = table.rows.select(size=pl.when(digits).then(cell.str.len_chars())).drop_nulls()
        counts = dict(lengths.group_by("size").len().collect(engine="streaming").sort("size").iter_rows())
        width, total = max(counts, default=0), sum(counts.values())
        short = total - counts.get(width, 0)
        if total >= FEWEST and 0 < short <= counts[width] and min(counts) >= width - 2:
            yield Hit(
                check=self.name,
                column=column.name,
                threshold=width,
                message=f"{column.name} has fewer digits than its {width} in {HIT_ROWS}: leading zeros are lost",
                suggestion="read the column as text at the source; the policy `repair` puts the zeros back",
                where=digits & (cell.str.len_chars() < width),
                value=cell,
                suggested=cell.str.zfill(width),
                rule=Padded(column=column.name, width=width),
            )


@dataclass(frozen=True, kw_only=True)
class SemanticFormat:
    """Which cells are no mail address, URL, UUID, IP, MAC, ZIP+4 or phone number, in a column of these?"""

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "semantic_format"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        counts = values.counts.filter(~is_marker(pl.col("value")))
        for kind, pattern in FORMATS.items():
            known = pl.col("value").str.strip_chars().str.contains(pattern)
            odd, rows = counts.filter(~known), rows_in(counts)
            share = 1 - rows_in(odd) / max(rows, 1)
            if rows >= FEWEST and odd.height and share >= self.minimum_share:
                cell = text(values.name)
                yield values.hit(
                    self.name,
                    odd["value"],
                    message=f"{values.name} is {kind}, but not in {HIT_ROWS}"
                    + ("" if kind in PRIVATE else f": {shown(odd['value'])}"),
                    suggestion="correct these cells, or leave them empty",
                    otherwise=~cell.str.strip_chars().str.contains(pattern) & ~is_marker(cell),
                    observed=share,
                    threshold=self.minimum_share,
                    private=kind in PRIVATE,
                )
                return


@dataclass(frozen=True, kw_only=True)
class JsonParseable:
    """Which cells are no JSON, in a column of JSON objects or lists?"""

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "json_parseable"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        opened = pl.col("value").str.contains(r"^\s*[\[{]")
        likely = values.counts.filter(opened)
        if values.rows < FEWEST or rows_in(likely) < self.minimum_share * values.rows:
            return
        odd = values.counts.filter(~pl.col("value").is_in([v for v in likely["value"] if is_json(v)]))
        if odd.height and rows_in(odd) <= (1 - self.minimum_share) * values.rows:
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} is JSON, but not in {HIT_ROWS}: " + shown(odd["value"]),
                suggestion="look whether these texts were cut off, or written by another program; write them again",
                threshold=self.minimum_share,
            )


@dataclass(frozen=True, kw_only=True)
class PatternOutlier:
    """Which cells of a column of codes (`A-999`) break the patterns that nearly all of them keep?

    A pattern is the text with each run of letters as `a`, of digits as `9`. Kept are patterns of at least a twentieth
    of the rows, at most three, and what breaks them is a pattern of under a fiftieth each: between lies no form that
    is merely rarer. Only codes have patterns: they hold digits, or are letters of one length.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "pattern_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        counts = values.counts.filter(~is_marker(pl.col("value"))).with_columns(pattern=pattern(pl.col("value")))
        kept = self._kept(counts)
        odd = counts.filter(~pl.col("pattern").is_in(kept))
        if kept and odd.height:
            cell = text(values.name)
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} breaks its pattern in {HIT_ROWS}: "
                f"{shown(odd['value'])}, while the others are {shown(kept)} (a: letters, 9: digits)",
                suggestion="correct these cells, unless this form is right too",
                otherwise=~pattern(cell).is_in(kept) & ~is_marker(cell),
                threshold=1 - self.minimum_share,
            )

    def _kept(self, counts: pl.DataFrame) -> list[str]:
        """The patterns of a column of codes; none where it has no few that nearly all rows keep."""
        rows = max(rows_in(counts), 1)
        share = pl.col("rows").sum() / rows
        shares = counts.group_by("pattern").agg(share=share).sort("share", "pattern", descending=[True, False])
        usual = shares.filter(pl.col("share") >= 0.05)
        between = shares.filter(pl.col("share").is_between(0.02, 0.05, closed="none"))
        codes = counts.filter(pl.col("pattern").is_in(usual["pattern"].to_list()))
        digits = codes.filter(pl.col("value").str.contains(r"\d"))
        lengths = codes.filter(pl.col("rows") >= 0.01 * rows)["value"].str.len_chars().n_unique()
        coded = 2 * rows_in(digits) >= rows or (usual["pattern"].to_list() == ["a"] and lengths == 1)
        few = 0 < usual.height <= 3 and between.is_empty() and rows >= 5 * FEWEST
        return usual["pattern"].to_list() if few and coded and usual["share"].sum() >= self.minimum_share else []


CHECKS = (SurroundingWhitespace, LeadingZerosLost, SemanticFormat, JsonParseable, PatternOutlier)


def pattern(value: pl.Expr) -> pl.Expr:
    """The text with each run of letters as `a`, of digits as `9`, of blanks as one blank.

    >>> pl.select(pattern(pl.lit("N14-228 XA"))).item()
    'a9-9 a'
    """
    plain = value.str.replace_all(r"\p{L}+", "a").str.replace_all(r"\d+", "9")
    return plain.str.replace_all(r"\s+", " ")


def is_json(value: str) -> bool:
    """Is the text JSON (RFC 8259: NaN is none)?"""
    try:
        json.loads(value, parse_constant=int)  # which refuses NaN
    except (ValueError, RecursionError):
        return False
    return True

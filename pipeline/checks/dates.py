"""Checks of dates that are written as text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.formats import ERROR_RATES, FEWEST
from pipeline.checks.values import Values, every, is_marker, rows_in, shown, words
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y"),
)
DATED = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|(?i)\d{1,2}[ -][a-zä]{3,9}[ -]\d{4}|[a-zä]{3,9} \d{1,2},? \d{4}"
CLOCK = r"[T ]\s*\d{1,2}:\d{2}.*$"


@dataclass(frozen=True, kw_only=True)
class DateParseable:
    """Which cells are no date, in a column of dates written as text?"""

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "date_parseable"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        read = dates(values, self.minimum_share)
        odd = read.filter(pl.col("form").is_null())
        if odd.height:
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} is a date, but not in {HIT_ROWS}: " + shown(odd["value"]),
                suggestion="correct these days, or leave them empty",
                observed=1 - rows_in(odd) / rows_in(read),
                threshold=self.minimum_share,
            )


@dataclass(frozen=True, kw_only=True)
class MixedDateFormats:
    """Which dates are written in another way than most of their column (31/12/2024 among 2024-12-31)?"""

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "mixed_date_formats"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = ERROR_RATES

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        read = dates(values, self.minimum_share).drop_nulls("form")
        forms = read.group_by("form").agg(pl.col("rows").sum()).sort("rows", "form", descending=[True, False])
        if forms.height < 2:
            return
        usual = forms["form"][0]
        odd = read.filter(pl.col("form") != usual)
        clock = pl.col("value").str.extract(f"({CLOCK})").fill_null("")
        mended = dict(odd.filter("sure").select("value", pl.col("day").dt.strftime(usual) + clock).iter_rows())
        example = read.filter(pl.col("form") == usual)["value"]
        yield values.hit(
            self.name,
            odd["value"],
            message=f"most dates of {values.name} are written as in {shown(example, most=1)}, but not in "
            f"{HIT_ROWS}: {shown(odd['value'])}",
            suggestion="write all in one way; the policy `repair` rewrites those that can be read in one way only",
            mended=mended,
            observed=forms.height,
            threshold=1,
        )


CHECKS = (DateParseable, MixedDateFormats)


def dates(values: Values, minimum_share: float) -> pl.DataFrame:
    """The texts of a column of dates: value, rows, day, its form (null: no day), and whether all forms agree.

    Empty for a column in which fewer than `minimum_share` of the rows hold a day. A text is read by the form that reads
    most rows, where it can be.
    """
    value = pl.col("value").str.strip_chars().str.replace(CLOCK, "")
    known = values.counts.filter(~is_marker(pl.col("value")))
    rows = rows_in(known)
    empty = known.clear().with_columns(day=pl.lit(None, pl.Date), form=pl.lit(None, pl.String), sure=pl.lit(False))
    if rows < FEWEST or rows_in(known.filter(pl.col("value").str.contains(DATED))) < minimum_share * rows:
        return empty
    parsed = known.with_columns(value.str.to_date(form, strict=False).alias(form) for form in DAYS)
    read = {form: rows_in(parsed.filter(pl.col(form).dt.year().is_between(1600, 2300))) for form in DAYS}
    order = sorted((form for form in DAYS if read[form]), key=lambda form: -read[form])
    if not order:
        return empty
    moments = [
        pl.when(pl.col(form).dt.year().is_between(1600, 2300)).then(pl.col(form)).otherwise(None) for form in order
    ]
    named = [pl.when(day.is_not_null()).then(pl.lit(form)) for form, day in zip(order, moments, strict=True)]
    days = parsed.with_columns(
        day=pl.coalesce(moments),
        form=pl.coalesce(named),
        sure=pl.min_horizontal(moments) == pl.max_horizontal(moments),
    ).select(empty.columns)
    return days if rows_in(days.drop_nulls("form")) >= minimum_share * rows else empty

"""Checks of texts as a whole: their length, what they are made of, their words."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.values import (
    NO_PROSE,
    Values,
    counted,
    every,
    is_marker,
    is_prose,
    prose,
    rows_in,
    shown,
    text,
    texts,
)
from pipeline.quality.findings import HIT_ROWS, NO_REFERENCE, Hit, Policy, Skipped, Table
from pipeline.wording import share

READ = 4_000  # texts that are read word by word, at most
PROPERTIES = {"digits": r"\d", "capitals": r"\p{Lu}", "signs": r"[^\p{L}\p{N}\p{M}\s]"}
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001


@dataclass(frozen=True, kw_only=True)
class StringLengthOutlier:
    """Which texts are far longer than the others, or of another length where nearly all have the same?

    Where nearly all have the same length, others are told if they stand in a fifth of the rows of an average value at
    most, or in under a thousandth of all rows: what repeats as the rest does is a shorter name, no slip.
    """

    same_share: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    fences: Annotated[float, Field(gt=0)] = 3.0
    policy: Policy = "warn"
    name: ClassVar[str] = "string_length_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "three interquartile ranges of the logarithm: `far out` by Tukey (1977)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        size = pl.col("value").str.len_chars()
        sized = values.counts.filter(~is_marker(pl.col("value"))).with_columns(size=size)
        if rows_in(sized) < 100:
            return
        low, high, usual = self._bounds(sized)
        odd = sized.filter(~pl.col("size").is_between(low, high))
        if low == high and not is_rarer(odd, sized):
            return
        length = text(values.name).str.len_chars()
        if odd.height:
            lengths = " to ".join(map(str, sorted(set(odd["size"].sort().gather([0, -1]).to_list()))))
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} has {lengths} characters in {HIT_ROWS}, and {usual} in the "
                f"others: {shown(odd['value'])}",
                suggestion="look whether they were cut, run together, or belong to another column",
                otherwise=~length.is_between(low, high),
                observed=float(odd["size"].to_list()[-1]),
                threshold=float(high),
                severity="info" if is_prose(values.column) or not values.repeated else "warning",
            )

    def _bounds(self, sized: pl.DataFrame) -> tuple[int, int, str]:
        """The shortest and longest length that is no outlier, and in words what is usual."""
        lengths = sized.group_by("size").agg(rows=pl.col("rows").sum(), values=pl.len()).sort("rows", "size")
        size, rows, distinct = lengths.row(-1)
        if rows >= self.same_share * rows_in(sized) and distinct >= 20:
            return size, size, str(size)
        ordered = sized.sort("size").with_columns(share=pl.col("rows").cum_sum() / pl.col("rows").sum())
        first, third = (ordered.filter(pl.col("share") >= q)["size"][0] for q in (0.25, 0.75))
        spread = max((third + 1) / (first + 1), 1.5)
        return 0, int((third + 1) * spread**self.fences), f"mostly {first}{f' to {third}' * (third > first)}"


@dataclass(frozen=True, kw_only=True)
class TextPropertyOutlier:
    """Which free texts are mostly digits, capitals or signs, where nearly all others hold few of them?"""

    maximum_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    usual_share: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "text_property_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "most of the text, where 99% of the texts hold at most half of that"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, prose(table), self._of, none=NO_PROSE)

    def _of(self, values: Values) -> Iterator[Hit]:
        if values.rows < 100:
            return
        measured = values.counts.with_columns(self._share(pl.col("value"), p).alias(p) for p in PROPERTIES.values())
        told = [words for words, pattern in PROPERTIES.items() if self._is_rare(measured, pattern)]
        over = [PROPERTIES[words] for words in told]
        odd = measured.filter(pl.any_horizontal(pl.lit(False), *(pl.col([p]) > self.maximum_share for p in over)))
        cell = text(values.name)
        if odd.height:
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} is mostly {' or '.join(told)} in {HIT_ROWS}, unlike the "
                f"others: {shown(odd['value'])}",
                suggestion="look whether they are texts at all, and leave out those that are not",
                otherwise=pl.any_horizontal(*(self._share(cell, p) > self.maximum_share for p in over)),
                threshold=self.maximum_share,
                severity="info",
            )

    def _is_rare(self, measured: pl.DataFrame, pattern: str) -> bool:
        """Do nearly all texts hold little of this, and some much?"""
        share = measured.select("rows", share=pl.col([pattern]))
        little = rows_in(share.filter(pl.col("share") <= self.maximum_share / 2))
        some = share["share"].max()
        return little >= self.usual_share * rows_in(share) and isinstance(some, float) and some > self.maximum_share

    def _share(self, value: pl.Expr, pattern: str) -> pl.Expr:
        """The share of the characters that the pattern finds; 0 for fewer than 10 characters, which say little."""
        size = value.str.len_chars()
        return pl.when(size >= 10).then(value.str.count_matches(pattern) / size).otherwise(0.0)


@dataclass(frozen=True, kw_only=True)
class TextUnknownTokens:
    """Has a text column more words that the reference does not know than the reference itself would have?"""

    maximum_rise: Annotated[float, Field(gt=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "text_unknown_tokens"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one word in ten more than in the half of the reference that its other half did not hold"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        known = {column.name: counted(table.reference, column) for column in texts(table.reference)}
        columns = [column for column in prose(table) if column.name in known]
        yield from every(table, columns, lambda values: self._of(values, known[values.name]))

    def _of(self, values: Values, reference: Values) -> Iterator[Hit]:
        halves = [words_of(few(reference.counts["value"][start::2], READ)) for start in (0, 1)]
        now = words_of(few(values.counts["value"], READ))
        if min(half.total() for half in halves) < 100 or now.total() < 100:
            return
        usual, unknown = (1 - _known(words, halves[0]) for words in (halves[1], now))
        if unknown > usual + self.maximum_rise:
            new = [word for word, _ in now.most_common() if word not in halves[0] and word not in halves[1]]
            yield Hit(
                check=self.name,
                column=values.name,
                observed=unknown,
                threshold=usual + self.maximum_rise,
                message=f"{share(unknown)} of the words in {values.name} are not in the reference, such as "
                f"{', '.join(new[:5])}; {share(usual)} would be usual",
                suggestion="look whether the source or the language changed; train again on texts that hold them",
            )


@dataclass(frozen=True, kw_only=True)
class TextFrequentSubstrings:
    """Which run of words stands in so many different texts that it is boilerplate: a greeting, a footer?"""

    words: Annotated[int, Field(ge=2, le=50)] = 6
    minimum_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    policy: Policy = "warn"
    name: ClassVar[str] = "text_frequent_substrings"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "six words in a row in one text of twenty: free text does not repeat itself so"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, prose(table), self._of, none=NO_PROSE)

    def _of(self, values: Values) -> Iterator[Hit]:
        read = few(values.counts["value"])
        runs = Counter(run for value in read for run in self._runs(value))
        run, holding = min(runs.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
        if holding >= max(10, self.minimum_share * len(read)):
            yield Hit(
                check=self.name,
                column=values.name,
                observed=holding / len(read),
                threshold=self.minimum_share,
                message=f"{share(holding / len(read))} of the different texts of {values.name} hold the words {run!r}",
                suggestion="strip what so many texts carry: it says nothing, and makes texts look alike",
                severity="info",
            )

    def _runs(self, value: str) -> set[str]:
        found = WORD.findall(value.lower())[:300]
        return {" ".join(found[start : start + self.words]) for start in range(len(found) - self.words + 1)}


CHECKS = (StringLengthOutlier, TextPropertyOutlier, TextUnknownTokens, TextFrequentSubstrings)


def is_rarer(odd: pl.DataFrame, counts: pl.DataFrame) -> bool:
    """Do these values stand in far fewer rows each than all do, or in hardly any at all?"""
    average = rows_in(counts) / counts.height
    return rows_in(odd) <= 0.001 * rows_in(counts) or 5 * rows_in(odd) <= average * odd.height


def few(values: pl.Series, most: int = READ) -> list[str]:
    """At most `most` of the texts, evenly from their order."""
    return values.gather_every(max(1, -(-len(values) // most))).to_list()


def words_of(values: Iterable[str]) -> Counter[str]:
    """How often each word stands in the texts, in small letters."""
    return Counter(word for value in values for word in WORD.findall(value.lower()))


def _known(words: Counter[str], vocabulary: Counter[str]) -> float:
    return sum(times for word, times in words.items() if word in vocabulary) / words.total()

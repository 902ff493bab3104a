"""Checks of categories: values that are variants of one value, too many of them, too rare, or never seen before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.values import Values, counted, every, is_marker, rows_in, shown, texts, told, words
from pipeline.profile import Categorical
from pipeline.quality.findings import HIT_ROWS, NO_REFERENCE, Hit, Policy, Skipped, Table
from pipeline.wording import count

BOOLEANS = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("on", "off"))


@dataclass(frozen=True, kw_only=True)
class StringVariants:
    """Which values differ from a more frequent one only by case, spaces, punctuation or accents?

    The frequent form is suggested. Punctuation between digits, and signs such as `+`, `#` and `%`, tell values apart
    (`C`, `C++`; `1.5`, `15`). Only columns whose values repeat are looked at: in a column of names, `Mcdonald` is a
    person beside `McDonald`.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "string_variants"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: each rarer form is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        found = variants(values.counts) if values.repeated else {}
        if found:
            yield values.hit(
                self.name,
                found,
                message=f"{values.name} writes values in another way than usual in {HIT_ROWS}: {told(found)}",
                suggestion="write each value in one way; the policy `repair` takes the most frequent form",
                mended=found,
            )


@dataclass(frozen=True, kw_only=True)
class HighCardinality:
    """Which categorical features have nearly as many values as rows, so that no value can be learnt?"""

    maximum_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    minimum_values: Annotated[int, Field(ge=2)] = 50
    policy: Policy = "warn"
    name: ClassVar[str] = "high_cardinality"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "above one value in two rows most values stand once: a split leaves them unseen"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [c for c in texts(table) if c.role == "feature" and c.modality == "categorical"]
        if not columns:
            yield Skipped(why="no categorical feature of text")
        for column in columns:
            known = table.profile.columns.get(column.name)
            present = table.height - known.missing if isinstance(known, Categorical) else 0
            share = known.distinct / present if isinstance(known, Categorical) and present else 0.0
            if known is not None and known.distinct >= self.minimum_values and share > self.maximum_share:
                yield Hit(
                    check=self.name,
                    column=column.name,
                    observed=min(share, 1.0),
                    threshold=self.maximum_share,
                    message=f"{column.name} has some {known.distinct:,} different values in {count(present, 'row')}: "
                    "most stand once",
                    suggestion="a model cannot learn from values that it sees once: group them, or give the column the "
                    "role `id` or `ignore`, or the modality `text`",
                )


@dataclass(frozen=True, kw_only=True)
class RareCategory:
    """Which categorical features have many values that stand in hardly any row?"""

    minimum_rows: Annotated[int, Field(ge=2)] = 10
    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    policy: Policy = "warn"
    name: ClassVar[str] = "rare_category"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "ten rows: fewer give the share of a class to no better than some 30% of itself"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [c for c in texts(table) if c.role == "feature" and c.modality == "categorical"]
        yield from every(table, columns, self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        rare = values.counts.filter(pl.col("rows") < self.minimum_rows)
        share = rare.height / values.counts.height
        if values.rows >= 10 * values.counts.height and not values.left and share > self.maximum_share:
            yield Hit(
                check=self.name,
                column=values.name,
                rows=rows_in(rare),
                observed=share,
                threshold=self.maximum_share,
                message=f"{rare.height:,} of {values.counts.height:,} values of {values.name} stand in fewer than "
                f"{self.minimum_rows} rows each, {count(rows_in(rare), 'row')} in all, such as {shown(rare['value'])}",
                suggestion="group the rare values into one, or take a coarser column",
                severity="info",
            )


@dataclass(frozen=True, kw_only=True)
class UnseenCategory:
    """Which values does the reference not know? One that it knows in another spelling comes with that."""

    policy: Policy = "warn"
    name: ClassVar[str] = "unseen_category"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: each value that is new is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        yield from every(table, words(table), lambda values: self._against(table.reference, values))

    def _against(self, reference: Table | None, values: Values) -> Iterator[Hit]:
        columns = [] if reference is None else [c for c in texts(reference) if c.name == values.name]
        for known in (counted(reference, column) for column in columns if reference is not None):
            new = values.counts.join(known.counts, on="value", how="anti", maintain_order="left")
            if new.is_empty() or known.left or values.left or not known.repeated:
                continue  # a reference of near unique values does not say which there may be
            both = pl.concat([known.counts.with_columns(rows=pl.lit(2**62)), new])
            mended = {old: found for old, found in variants(both).items() if old in set(new["value"])}
            yield values.hit(
                self.name,
                new["value"],
                message=f"{values.name} holds {count(new.height, 'value')} that the reference does not have, in "
                f"{HIT_ROWS}: {shown(new['value'])}",
                suggestion="correct what is misspelt; for the others train again on data that hold them",
                mended=mended,
            )


@dataclass(frozen=True, kw_only=True)
class BoolDomain:
    """Which cells of a yes/no column are neither, or say it in another way than the others (`Y` among `yes`)?"""

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "bool_domain"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "1 to 5% of the fields of ordinary databases are wrong (Redman 1998, CACM 41(2))"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        folded = values.counts.with_columns(word=pl.col("value").str.strip_chars().str.to_lowercase())
        known = folded.filter(~is_marker(pl.col("value")))
        for pair in BOOLEANS:
            used = known.filter(pl.col("word").is_in(pair))
            share = rows_in(used) / max(rows_in(known), 1)
            odd = known.filter(~pl.col("word").is_in(pair))
            if used["word"].n_unique() < 2 or odd.is_empty() or share < self.minimum_share:
                continue
            means = {word: pair[side] for other in BOOLEANS for side, word in enumerate(other)}
            forms = dict(
                used.sort("rows", "value").select("word", "value").iter_rows()
            )  # the most frequent form comes last
            mended = {v: forms[means[w]] for v, w in odd.select("value", "word").iter_rows() if w in means}
            yield values.hit(
                self.name,
                odd["value"],
                message=f"{values.name} says {pair[0]} or {pair[1]}, but not in {HIT_ROWS}: {shown(odd['value'])}",
                suggestion="correct these cells, or say in the contract which values there are",
                threshold=self.minimum_share,
                mended=mended,
            )


@dataclass(frozen=True, kw_only=True)
class DefaultValue:
    """Which value stands far more often than any other in a column of nearly unique ones: a default?"""

    ratio: Annotated[float, Field(gt=1)] = 10.0
    minimum_rows: Annotated[int, Field(ge=2)] = 20
    policy: Policy = "warn"
    name: ClassVar[str] = "default_value"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "ten times the next one: a gap in disguise repeats beyond the rest (FAHES, Qahtan 2018)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        known = values.counts.filter(~is_marker(pl.col("value"))).sort("rows", "value", descending=[True, False])
        if known.height < 100 or 2 * known.height < rows_in(known):
            return
        value, rows = known.row(0)
        if rows >= max(self.minimum_rows, self.ratio * known["rows"][1]):
            yield values.hit(
                self.name,
                [value],
                message=f"{values.name} holds {shown([value])} in {HIT_ROWS}, and no other value in more "
                f"than {known['rows'][1]:,}",
                suggestion="is it a default that stands for `not known`? then list it under `ingest.null_values` in "
                "params.yaml",
                observed=rows / known["rows"][1],
                threshold=self.ratio,
            )


CHECKS = (StringVariants, HighCardinality, RareCategory, UnseenCategory, BoolDomain, DefaultValue)


def variants(counts: pl.DataFrame) -> dict[str, str]:
    """For each value that is another but for case, spaces, punctuation and accents, the most frequent form of it.

    >>> variants(pl.DataFrame({"value": ["New York", "new-york ", "York"], "rows": [9, 1, 5]}))
    {'new-york ': 'New York'}
    """
    ordered = counts.sort(pl.col("rows"), "value", descending=[True, False])
    folded = ordered.with_columns(fold=fold(pl.col("value"))).filter(pl.col("fold").is_not_null())
    usual = folded.with_columns(usual=pl.col("value").first().over("fold"))
    return dict(usual.filter(pl.col("value") != pl.col("usual")).select("value", "usual").sort("value").iter_rows())


def fold(value: pl.Expr) -> pl.Expr:
    """The text without what makes variants; null for one with fewer than two letters, which is a number or a sign."""
    plain = value.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    tight = plain.str.replace_all(r"[\s\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pc}.,;:!?'\"/\\*`]+", "")
    spaced = plain.str.replace_all(r"\s+", " ").str.strip_chars()
    folded = pl.when(plain.str.contains(r"\d[\s\p{P}]+\d")).then(spaced).otherwise(tight)
    return pl.when(folded.str.count_matches(r"\p{L}") >= 2).then(folded)

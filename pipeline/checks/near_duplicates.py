"""Near-duplicate checks: one thing told twice in other words, in texts and in records, here or in a reference.

Texts are compared in plain form: without case, accents, punctuation and repeated spaces. Null, and what is empty in
plain form, equals nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.duplicates import later_copies
from pipeline.contract import ROW_ID, Column
from pipeline.quality.findings import NO_REFERENCE, Hit, Policy, Skipped, Table
from pipeline.similar.fingerprints import Fingerprints
from pipeline.similar.linkage import linked
from pipeline.similar.minhash import near_texts
from pipeline.wording import count

ROWS = 200_000  # compared in some twenty seconds
FIELDS = 12
RICH_SHARE = 0.1
SENTENCE_SPACES = 4
SHORTEST_TEXT = 20
TEXT, HERE = "#text", "#here"  # no column of a table may be taken for these
OPENING = 16
LEAST_AGREEMENT = 0.5  # of what two records say, half agrees
SEED = 5

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class TextDuplicates:
    """Which texts equal an earlier text but for case, accents and punctuation, or nearly say the same?

    Nearly: at least `minimum_similarity` of the four-character pieces of both are shared (Jaccard), in texts of 20
    characters or more. Of more than 200,000 rows those are compared whose texts open alike by hash.
    """

    minimum_similarity: Share = 0.8
    policy: Policy = "warn"
    name: ClassVar[str] = "text_duplicates"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "Jaccard 0.8 of shingles, as for web pages: Broder 1997; Lee et al. 2022 (arXiv 2107.06499)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        names = _text_columns(table)
        if not names:
            yield Skipped(why="no column holds texts")
            return
        left_out = 0
        for name in names:
            texts = [_texts(part, name) for part in table.partitions.values()]
            equal = later_copies(pl.concat(texts), Fingerprints.of(texts, {TEXT: [TEXT]}), TEXT, [TEXT]).select(
                ROW_ID, "value", score=pl.lit(1.0)
            )
            near, dropped = _near_texts(pl.concat(texts), table.height, self.minimum_similarity)
            left_out = max(left_out, dropped)
            if equal.height + near.height:
                yield self._hit(table, name, equal, near)
        if left_out:
            yield Skipped(rows=left_out, why="near texts: those that open alike by hash were compared")

    def _hit(self, table: Table, name: str, equal: pl.DataFrame, near: pl.DataFrame) -> Hit:
        flags = pl.concat([equal, near], how="vertical_relaxed").unique(ROW_ID, keep="first", maintain_order=True)
        more = flags.height - equal.height
        told = [f"{equal.height:,} in all but case, accents and punctuation"] if equal.height else []
        told += [f"{more:,} nearly"] if more else []
        return Hit(
            check=self.name,
            column=name,
            rows=flags.height,
            observed=flags.height / table.height,
            threshold=self.minimum_similarity,
            message=f"{count(flags.height, 'row repeats', 'rows repeat')} an earlier {name}: {' and '.join(told)}",
            suggestion="keep one of each, or all on one side of a split: a copy in the test data flatters the score",
            flags=flags,
        )


@dataclass(frozen=True, kw_only=True)
class NearDuplicateRows:
    """Which rows tell of the same thing as an earlier row, with typos, swapped or changed fields?

    Asked where two columns of text or more name things (a tenth of their values differ). Ids, stamps and the label are
    not compared, and rows that are equal without them are not told again. The score is the similarity: the share
    of what the fields say that agrees. Of more than 200,000 rows those are compared that share a hash of the richest
    column. Repair keeps the fullest of all rows that are linked, whatever their labels.
    """

    minimum_probability: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "near_duplicate_rows"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = (
        "Fellegi and Sunter 1969, by EM: nine in ten such pairs are right; and half of what they say agrees"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        names = _naming_fields(table)
        if not names:
            yield Skipped(why="fewer than two columns of text name things")
            return
        rows = table.rows.select(ROW_ID, _plain(names))
        found, left_out = _near_records(rows, table.height, names, self.minimum_probability)
        if found.height:
            yield Hit(
                check=self.name,
                rows=found.height,
                observed=found.height / table.height,
                threshold=0,
                message=f"{count(found.height, 'row looks', 'rows look')} like an earlier row with slips in it",
                suggestion="look at each beside the row that it names; the policy `repair` keeps the fullest of them",
                flags=found,
            )
        if left_out:
            yield Skipped(rows=left_out, why=f"rows that share a hash of {names[0]} were compared")


@dataclass(frozen=True, kw_only=True)
class OverlapNear:
    """Which rows tell of the same thing as a row of the reference, or hold nearly its text, without being equal?"""

    minimum_probability: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    minimum_similarity: Share = 0.8
    policy: Policy = "warn"
    name: ClassVar[str] = "overlap_near"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "as near_duplicate_rows and text_duplicates"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        reference = table.reference
        if reference is None:
            yield NO_REFERENCE
            return
        known = set(reference.contract.names)
        fields = [name for name in _naming_fields(table) if name in known]
        texts = [name for name in _text_columns(table) if name in known]
        if len(fields) < 2 and not texts:
            yield Skipped(why="the tables share no texts and fewer than two columns that name things")
            return
        height = table.height + reference.height
        answers = [
            _near_texts(_both(_texts(table.rows, name), _texts(reference.rows, name)), height, self.minimum_similarity)
            for name in texts
        ]
        if len(fields) > 1:
            both = _both(table.rows.select(ROW_ID, _plain(fields)), reference.rows.select(ROW_ID, _plain(fields)))
            answers.append(_near_records(both, height, fields, self.minimum_probability))
        found, left_out = [near for near, _ in answers], max(dropped for _, dropped in answers)
        shared = pl.concat(found).unique(ROW_ID, keep="first", maintain_order=True)
        if shared.height:
            yield self._hit(table, shared)
        if left_out:
            yield Skipped(rows=min(left_out, table.height), why="too many rows to compare them all: alike by hash")

    def _hit(self, table: Table, shared: pl.DataFrame) -> Hit:
        return Hit(
            check=self.name,
            rows=shared.height,
            observed=shared.height / table.height,
            threshold=self.minimum_similarity,
            message=f"{count(shared.height, 'row nearly equals', 'rows nearly equal')} a row of the reference",
            suggestion="leave them out of the test data: a score on what was learnt from is too good",
            flags=shared,
        )


CHECKS = (TextDuplicates, NearDuplicateRows, OverlapNear)


def _near_texts(rows: pl.LazyFrame, height: int, similarity: float) -> tuple[pl.DataFrame, int]:
    """Each row whose text nearly equals an earlier one (row_id, value, score), and how many rows were not compared."""
    drawn, left_out = _drawn(rows, height, pl.col(TEXT).str.slice(0, OPENING))
    long = drawn.filter(pl.col(TEXT).str.len_chars() >= SHORTEST_TEXT)
    return _near(long, near_texts(long[TEXT], similarity)), left_out


def _near_records(
    rows: pl.LazyFrame, height: int, names: Sequence[str], probability: float
) -> tuple[pl.DataFrame, int]:
    """Each row that tells of the same thing as an earlier one, and how many rows were not compared."""
    drawn, left_out = _drawn(rows, height, by_name(names[0]))
    return _near(drawn, linked(drawn.select(by_name(*names)), probability, LEAST_AGREEMENT)), left_out


def _near(drawn: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Each later row of the pairs with its most similar earlier row: row_id, value, score; across, where `HERE` is."""
    ids = drawn[ROW_ID]
    if HERE in drawn.columns:
        pairs = pairs.filter(~drawn[HERE].gather(pairs["first"]) & drawn[HERE].gather(pairs["second"]))
    best = pairs.sort("second", "similarity", "first", descending=[False, True, False]).unique("second", keep="first")
    best = best.sort("second")
    return pl.DataFrame(
        {ROW_ID: ids.gather(best["second"]), "value": ids.gather(best["first"]), "score": best["similarity"]}
    )


def _drawn(rows: pl.LazyFrame, height: int, by: pl.Expr) -> tuple[pl.DataFrame, int]:
    """The rows to compare, equal ones once, and how many of `height` were left out: some `ROWS`, drawn by a hash.

    Drawn by what near duplicates mostly share, so that they stay together.
    """
    share = math.ceil(height / ROWS)
    if share > 1:
        rows = rows.filter(by.is_not_null() & (by.hash(seed=SEED) < 2**64 // share))
    drawn = rows.head(2 * ROWS).collect(engine="streaming")
    told = [name for name in drawn.columns if name not in (ROW_ID, HERE)]
    left_out = max(height - drawn.height, 0) if share > 1 else 0
    return drawn.unique(by_name(*told), keep="first", maintain_order=True), left_out


def _both(rows: pl.LazyFrame, reference: pl.LazyFrame) -> pl.LazyFrame:
    """The reference's rows, then ours, with row_id as text, and whether a row is ours."""
    typed = [pl.col(ROW_ID).cast(pl.String)]
    return pl.concat(
        [part.with_columns(*typed, pl.lit(ours).alias(HERE)) for part, ours in ((reference, False), (rows, True))]
    )


def _texts(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """row_id and the text in plain form, where there is one."""
    return rows.select(ROW_ID, _plain([name]).alias(TEXT)).drop_nulls(TEXT)


def _plain(names: Sequence[str]) -> pl.Expr:
    """Cells as text without case, accents, punctuation and repeated spaces; null where nothing is left."""
    letters = by_name(*names).cast(pl.String).str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    words = letters.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return pl.when(words != "").then(words)


def _text_columns(table: Table) -> list[str]:
    """Columns of the modality text, and others of text whose values are mostly sentences that differ."""
    written = [c for c in table.data_columns if c.dtype == pl.String and c.role in ("feature", "group")]
    sentences = [c for c in written if c.modality in ("text", "categorical") and _richness(table, c) >= 0.5]
    spaces = table.sample.select(by_name(c.name).str.count_matches(r"\s+").median() for c in sentences)
    median = spaces.row(0, named=True) if sentences else {}
    return [c.name for c in written if c.modality == "text" or (median.get(c.name) or 0) >= SENTENCE_SPACES]


def _naming_fields(table: Table) -> list[str]:
    """The columns to tell one thing by, richest first; none unless two of text name things."""
    compared = [
        c for c in table.data_columns if c.role in ("feature", "group") and c.modality not in ("image", "audio")
    ]
    naming = [c for c in compared if c.dtype == pl.String and _richness(table, c) >= RICH_SHARE]
    if len(naming) < 2:
        return []
    ordered = sorted(naming, key=lambda c: -_richness(table, c))
    others = sorted((c for c in compared if c not in naming), key=lambda c: -_richness(table, c))
    return [column.name for column in (ordered + others)[:FIELDS]]


def _richness(table: Table, column: Column) -> float:
    """The share of known values that differ; 0 where more than half are unknown."""
    summary = table.profile.columns[column.name]
    known = summary.rows - summary.missing
    return summary.distinct / known if known and 2 * known >= summary.rows else 0.0

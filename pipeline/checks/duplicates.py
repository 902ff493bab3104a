"""Duplicate checks: rows that are the same, here or in a reference, and rows that cannot all be right.

Rows are narrowed by their fingerprints, out of memory, and those left are compared by value: so a collision of
hashes makes no duplicate. Null equals null, NaN equals NaN and -0.0 equals 0.0; null and NaN differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID, Contract, Role
from pipeline.quality.findings import NO_REFERENCE, Hit, Policy, Skipped, Table
from pipeline.similar.fingerprints import Fingerprints, columns_at, rows_within
from pipeline.wording import count, share

POSITION, FIRST, HERE = "#position", "#first", "#here"  # no column of a table may be taken for these
COLUMNS, OTHER, FEWER, RICHEST = "columns", "other", "fewer", "richest"  # names of fingerprints
ROWS, CONTENT, FEATURES = "rows", "content-", "features-"  # and what they begin with
CHANCE = 10.0
RICH_SHARE = 0.5
MANY_CLASSES = 100
SENT_AGAIN = "find out why each was sent again after the row named beside it; the policy `repair` merges them"
NOT_NAMED = "nothing is done about them: only a column that names each row could tell which of them are copies"


@dataclass(frozen=True, kw_only=True)
class DuplicateRowsExact:
    """Which rows equal an earlier row in every column, in any file? Repair merges them into that row.

    A table of one column is not asked, but for texts and ids: other values repeat. Where the columns hold so little
    that rows are equal by chance, that is worth knowing, and no row is hit.
    """

    policy: Policy = "repair"
    name: ClassVar[str] = "duplicate_rows_exact"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold; chance: ten times the pairs that meet if half of the columns is independent"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if len(table.columns) == 1 and table.columns[0].role != "id" and table.columns[0].modality != "text":
            yield Skipped(why="the values of one column may repeat")
            return
        prints = fingerprints(table)
        copies = later_copies(table.rows, prints, ROWS, table.contract.names)
        if copies.height:
            across = prints.part(copies[POSITION].to_numpy()) != prints.part(copies[FIRST].to_numpy())
            other = f", {across.sum():,} of them one in another file" if across.any() else ""
            by_chance = _is_commonplace(table)
            yield Hit(
                check=self.name,
                rows=copies.height,
                observed=copies.height / table.height,
                threshold=0,
                message=f"{count(copies.height, 'row equals', 'rows equal')} an earlier row in every column{other}"
                + (": alike by chance, as it seems" if by_chance else ""),
                suggestion=NOT_NAMED if by_chance else SENT_AGAIN,
                severity="info" if by_chance else "warning",
                flags=None if by_chance else copies.select(ROW_ID, "value"),
            )


@dataclass(frozen=True, kw_only=True)
class DuplicateRowsButIds:
    """Which rows equal an earlier row in all that they hold but their ids and stamps?

    Silent where such rows meet by chance, as where the columns hold too little to tell one thing sent twice from two
    that are alike. Exact copies are not told again. Repair keeps the fullest of them.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "duplicate_rows_but_ids"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold; chance: ten times the pairs that meet if the richest column is independent"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        named, content = _named(table.contract, "id", "time"), _content(table)
        if not content:
            yield Skipped(why="no column has the role id or time, or fewer than two have another")
            return
        prints = fingerprints(table)
        copies = later_copies(table.rows, prints, CONTENT + COLUMNS, content, but=(ROWS, table.contract.names))
        if not copies.height or _by_chance(table, prints, content, CONTENT):
            return
        yield Hit(
            check=self.name,
            rows=copies.height,
            observed=copies.height / table.height,
            threshold=0,
            message=f"{count(copies.height, 'row equals', 'rows equal')} an earlier row in all but {', '.join(named)}",
            suggestion="is each the same thing as the row named beside it, under another id or stamp? the policy "
            "`repair` keeps one",
            flags=copies.select(ROW_ID, "value"),
        )


@dataclass(frozen=True, kw_only=True)
class DuplicateKey:
    """Which rows share the contract's key but differ elsewhere? None of them can be told to be the right one.

    A key with a null in it is no key, as in SQL: rows are not rivals by what they lack.
    """

    policy: Policy = "quarantine"
    name: ClassVar[str] = "duplicate_key"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: the contract says that a key stands once"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        key = table.contract.key
        if not key:
            yield Skipped(why="the contract states no key")
            return
        parts = [part.drop_nulls(by_name(*key)) for part in table.partitions.values()]
        prints = Fingerprints.of(parts, {COLUMNS: key, OTHER: table.contract.names})
        rivals = rivals_of(pl.concat(parts), prints, key, table.contract.names)
        if rivals.height:
            yield Hit(
                check=self.name,
                rows=rivals.height,
                observed=rivals.height / table.height,
                threshold=0,
                message=f"{count(rivals.height, 'row')} share a key ({', '.join(key)}) and differ elsewhere",
                suggestion="find out which is right, and correct the source so that each key stands once",
                severity="error",
                flags=rivals.select(ROW_ID, value=_text(key)),
                shows=key,
            )


@dataclass(frozen=True, kw_only=True)
class ConflictingLabels:
    """Which rows have the same features but another label, so that no model can be right on all of them?

    `observed` is the least share of labelled rows that every model of these features gets wrong; a row's score is
    the share of the rows of its features with another label. Rows without a label are left out. Silent where features
    are equal by chance: a few categories do not make the same thing.
    """

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "conflicting_labels"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "a hundredth of accuracy lost is a difference that models are compared by; less is info"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        label, features = table.label, _features(table)
        if label is None or not features or _is_quantity(table, label):
            lacking = label is None or not features
            yield Skipped(why="no label or no feature is named" if lacking else "the label is a quantity, no class")
            return
        prints = fingerprints(table)
        rivals = rivals_of(table.rows, prints, features, [label], kind=FEATURES, filled=[label])
        if not rivals.height or _by_chance(table, prints, features, FEATURES):
            return
        labelled = table.height - table.profile.columns[label].missing
        same = pl.len().over(_each([*features, label])) / pl.len().over(_each(features))
        scored = rivals.select(ROW_ID, value=by_name(label), score=1 - same)
        by_label = rivals.group_by(_each([*features, label])).agg(pl.len().alias("\0rows"))  # no column is called so
        groups = by_label.group_by(_each(features)).agg(pl.max("\0rows"))
        wrong = rivals.height - int(groups["\0rows"].sum())
        yield Hit(
            check=self.name,
            column=label,
            rows=rivals.height,
            observed=wrong / labelled,
            threshold=self.maximum_share,
            message=f"{count(rivals.height, 'row')} in {count(groups.height, 'group')} have equal features and another "
            f"{label}: any model is wrong on at least {wrong:,} of them",
            suggestion="correct the labels that are wrong, or add the feature that tells these rows apart",
            severity="warning" if wrong / labelled > self.maximum_share else "info",
            flags=scored,
        )


@dataclass(frozen=True, kw_only=True)
class OverlapExact:
    """Which rows stand in the reference too, equal in all but ids, so that one cannot judge what the other taught?

    It is but worth knowing where such rows meet by chance, as where the columns hold little.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "overlap_exact"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold; chance: ten times the pairs that meet if the richest column is independent"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        known = set(table.reference.contract.names)
        columns = [name for name in _named(table.contract, "feature", "label", "group", "time") if name in known]
        if len(columns) < 2:
            yield Skipped(why="fewer than two columns are in the reference too")
            return
        shared, by_chance = _overlap(table, table.reference, columns)
        if shared.height:
            yield Hit(
                check=self.name,
                rows=shared.height,
                observed=shared.height / table.height,
                threshold=0,
                message=f"{count(shared.height, 'row stands', 'rows stand')} in the reference too "
                f"({share(shared.height / table.height)})" + (": alike by chance, as it seems" if by_chance else ""),
                suggestion="leave them out of the test data: a score on rows that were learnt from is too good",
                severity="info" if by_chance else "warning",
                flags=shared,
            )


CHECKS = (DuplicateRowsExact, DuplicateRowsButIds, DuplicateKey, ConflictingLabels, OverlapExact)


def fingerprints(table: Table) -> Fingerprints:
    """The rows' fingerprints for every check here that asks the table alone: one pass, kept as long as the table.

    Over all columns (`ROWS`), over what is no id or stamp (`CONTENT`), and over the features and the label.
    """
    return table.once("fingerprints", _fingerprints)


def _fingerprints(table: Table) -> Fingerprints:
    asked: dict[str, Sequence[str]] = {ROWS: table.contract.names}
    if content := _content(table):
        asked |= _sets(table, content, CONTENT)
    if table.label is not None and _features(table) and not _is_quantity(table, table.label):
        asked |= {**_sets(table, _features(table), FEATURES), FEATURES + OTHER: [table.label]}
    return Fingerprints.of(table.partitions.values(), asked)


def _content(table: Table) -> list[str]:
    """What a row holds but its ids and stamps; nothing where it has none of these, or too little else."""
    content = _named(table.contract, "feature", "label", "group")
    return content if _named(table.contract, "id", "time") and len(content) > 1 else []


def _features(table: Table) -> list[str]:
    columns = table.contract.columns
    return [column.name for column in columns if column.modality is not None and column.role in ("feature", "time")]


def later_copies(
    rows: pl.LazyFrame,
    prints: Fingerprints,
    name: str,
    columns: Sequence[str],
    *,
    but: tuple[str | None, Sequence[str]] = (None, ()),
) -> pl.DataFrame:
    """The rows that equal an earlier one in `columns`: row_id, value (the row_id of the earliest), both positions.

    `name` is the fingerprint of the columns. Rows that equal an earlier one in all columns of `but`, which has the
    name of its fingerprint too, are left out.
    """
    differing, others = but
    read = list(dict.fromkeys([*columns, *others]))
    first = pl.col(POSITION).first().over(_each(columns))
    parts = [pl.DataFrame(schema={ROW_ID: pl.Null, "value": pl.Null, POSITION: pl.Int64, FIRST: pl.Int64})]
    for positions in prints.repeated(name, at_most=rows_within(len(read)), differing=differing):
        found = columns_at(rows, positions, [ROW_ID, *read]).with_columns(pl.Series(POSITION, positions))
        found = found.with_columns(first.alias(FIRST), value=pl.col(ROW_ID).first().over(_each(columns)))
        if others:
            found = found.filter(pl.col(POSITION) == pl.col(POSITION).first().over(_each(others)))
        parts.append(found.filter(pl.col(POSITION) != pl.col(FIRST)).select(ROW_ID, "value", POSITION, FIRST))
    return pl.concat(parts, how="vertical_relaxed").sort(POSITION)


def rivals_of(
    rows: pl.LazyFrame,
    prints: Fingerprints,
    same: Sequence[str],
    other: Sequence[str],
    *,
    kind: str = "",
    filled: Sequence[str] = (),
) -> pl.DataFrame:
    """The rows that another equals in the columns `same` and not in `other`: row_id and the columns, in order.

    Rows with a null in `filled` are no rivals. `kind` is what the fingerprints' names begin with.
    """
    columns = list(dict.fromkeys([*same, *other]))
    found = [rows.select(ROW_ID, by_name(*columns)).clear().collect().with_columns(pl.lit(0).alias(POSITION))]
    for positions in prints.repeated(kind + COLUMNS, differing=kind + OTHER, at_most=rows_within(len(columns))):
        near = columns_at(rows, positions, [ROW_ID, *columns]).with_columns(pl.Series(POSITION, positions))
        near = near.drop_nulls(by_name(*filled)) if filled else near
        found.append(near.filter(pl.struct(by_name(*other)).n_unique().over(_each(same)) > 1))
    return pl.concat(found, how="vertical_relaxed").sort(POSITION)


def _overlap(table: Table, reference: Table, columns: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """The table's rows that the reference holds (row_id, value: its row there), and whether by chance alone."""
    schema = table.rows.collect_schema()
    typed = [pl.col(ROW_ID).cast(pl.String), *(by_name(name).cast(schema[name], strict=False) for name in columns)]
    there = reference.rows.select(*typed, pl.lit(False).alias(HERE))
    here = table.rows.select(*typed, pl.lit(True).alias(HERE))
    prints = Fingerprints.of([there, here], {**_sets(table, columns), OTHER: [HERE]})
    first = pl.col(ROW_ID, HERE).first().over(_each(columns)).name.prefix("#")
    parts = [pl.DataFrame(schema={ROW_ID: pl.String, "value": pl.String})]
    for positions in prints.repeated(COLUMNS, differing=OTHER, at_most=rows_within(len(columns))):
        rows = columns_at(pl.concat([there, here]), positions, [ROW_ID, HERE, *columns]).select(ROW_ID, HERE, first)
        mine = rows.filter(pl.col(HERE) & ~pl.col(f"#{HERE}"))
        parts.append(mine.select(ROW_ID, value=f"#{ROW_ID}"))
    return pl.concat(parts), _by_chance(table, prints, columns, across=prints.ends[0])


def _sets(table: Table, columns: Sequence[str], kind: str = "") -> dict[str, Sequence[str]]:
    """What to take fingerprints of, to find equal rows and to say whether they meet by chance."""
    richest = _richest(table, columns)
    fewer = [name for name in columns if name != richest]
    if _is_rich(table, richest) or not fewer:
        return {kind + COLUMNS: columns}
    return {
        kind + COLUMNS: columns,
        kind + RICHEST: [richest],
        kind + FEWER: fewer,
    }


def _by_chance(
    table: Table, prints: Fingerprints, columns: Sequence[str], kind: str = "", *, across: int | None = None
) -> bool:
    """Whether at most `CHANCE` times as many pairs are equal as if the richest column were independent of the others.

    Never where most of its values differ; always where it is the only one, else. True copies stand out: they are
    equal in it each time that they are in the others.
    """
    if _is_rich(table, _richest(table, columns)):
        return False
    if len(columns) == 1:
        return True
    rows = prints.height
    total = rows * (rows - 1) / 2 if across is None else across * (rows - across)
    equal, richest, fewer = (prints.pairs(kind + name, across=across) for name in (COLUMNS, RICHEST, FEWER))
    return equal <= CHANCE * fewer * richest / total


def _is_commonplace(table: Table) -> bool:
    """Whether rows of the sample are equal about as often as if one half of the columns were independent of the other.

    That is, at most `CHANCE` times as often; never where most values of a column differ.
    """
    names = table.contract.names
    if len(names) < 2 or _is_rich(table, _richest(table, names)):
        return False
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    rows = table.sample.height
    equal, first, second = (_pairs(table.sample, columns) for columns in (names, *halves))
    return 0 < equal <= CHANCE * first * second / (rows * (rows - 1) / 2)


def _pairs(rows: pl.DataFrame, columns: Sequence[str]) -> float:
    """How many pairs of rows are equal in these columns."""
    alike = rows.group_by(_each(columns)).len(name="\0rows")["\0rows"].cast(pl.Float64)  # no column is called so
    return float((alike * (alike - 1) / 2).sum())


def _richest(table: Table, columns: Sequence[str]) -> str:
    """The column with the most distinct values."""
    return max(columns, key=lambda name: table.profile.columns[name].distinct)


def _is_rich(table: Table, name: str) -> bool:
    """Whether at least half of a column's values differ."""
    summary = table.profile.columns[name]
    return summary.distinct >= RICH_SHARE * (summary.rows - summary.missing)


def _each(columns: Sequence[str]) -> list[pl.Expr]:
    """The columns one by one: `over` takes no selector of several."""
    return [by_name(name) for name in columns]


def _named(contract: Contract, *roles: Role) -> list[str]:
    return [column.name for column in contract.columns if column.role in roles]


def _is_quantity(table: Table, label: str) -> bool:
    dtype = table.contract.column(label).dtype
    return dtype.is_float() or (dtype.is_numeric() and table.profile.columns[label].distinct > MANY_CLASSES)


def _text(key: Sequence[str]) -> pl.Expr:
    return pl.concat_str(by_name(*key).cast(pl.String), separator=" ")

"""Duplicate checks: rows that are the same, and rows that claim the same key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from pipeline.contract import ROW_ID
from pipeline.findings import Hit, Policy, Skipped, Table


@dataclass(frozen=True, kw_only=True)
class DuplicateRowsExact:
    """Which rows equal an earlier row in every column, in any file? Repair merges them into that row."""

    policy: Policy = "repair"
    name: ClassVar[str] = "duplicate_rows_exact"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: each copy is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        copies = later_copies(table.rows, table.contract.names)
        if copies.height:
            yield Hit(
                check=self.name,
                rows=copies.height,
                observed=copies.height / table.height,
                threshold=0,
                message=f"{copies.height:,} rows equal an earlier row in every column",
                suggestion="find out where they were sent twice; repair merges them into the first",
                flags=copies.select(ROW_ID, value="first"),
            )


@dataclass(frozen=True, kw_only=True)
class DuplicateKey:
    """Which rows share the contract's key but differ elsewhere? None of them can be told to be the right one."""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "duplicate_key"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: the contract says that a key stands once"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        key = table.contract.key
        if not key:
            yield Skipped(why="the contract states no key")
            return
        rivals = rivals_of_key(table.rows, key, table.contract.names)
        if rivals.height:
            yield Hit(
                check=self.name,
                rows=rivals.height,
                observed=rivals.height / table.height,
                threshold=0,
                message=f"{rivals.height:,} rows share a key ({', '.join(key)}) and differ elsewhere",
                suggestion="correct the source, so that each key stands once",
                severity="error",
                flags=rivals,
            )


CHECKS = (DuplicateRowsExact, DuplicateKey)


def later_copies(rows: pl.LazyFrame, columns: list[str]) -> pl.DataFrame:
    """The rows that equal an earlier one in `columns`: row_id and `first`, the row_id of the earliest.

    Null equals null and NaN equals NaN. Rows are first narrowed by hash, then compared by value, so a
    collision of hashes makes no duplicate and memory grows with the duplicates, not with the rows.
    """
    hashed = rows.select(ROW_ID, hash=pl.struct(columns).hash(seed=0))
    twice = hashed.filter(pl.col("hash").is_duplicated()).select(ROW_ID).collect(engine="streaming")
    if twice.is_empty():
        return pl.DataFrame(schema={ROW_ID: pl.String, "first": pl.String})
    candidates = rows.join(twice.lazy(), on=ROW_ID, how="semi", maintain_order="left")
    first = pl.col(ROW_ID).first().over(columns).alias("first")
    return candidates.select(ROW_ID, first).filter(pl.col(ROW_ID) != pl.col("first")).collect()


def rivals_of_key(rows: pl.LazyFrame, key: list[str], columns: list[str]) -> pl.DataFrame:
    """The rows whose `key` stands on another row with other content: row_id and the key as text.

    A key with a null in it is no key, as in SQL: rows are not rivals by what they lack.
    """
    rows = rows.drop_nulls(key)
    hashed = rows.select(ROW_ID, key=pl.struct(key).hash(seed=0), all=pl.struct(columns).hash(seed=0))
    shared = hashed.filter(pl.col("all").n_unique().over("key") > 1).select(ROW_ID).collect(engine="streaming")
    if shared.is_empty():
        return pl.DataFrame(schema={ROW_ID: pl.String, "value": pl.String})
    candidates = rows.join(shared.lazy(), on=ROW_ID, how="semi", maintain_order="left")
    differing = pl.struct(columns).n_unique().over(key) > 1
    text = pl.concat_str([pl.col(name).cast(pl.String) for name in key], separator=" ")
    return candidates.filter(differing).select(ROW_ID, value=text).collect()

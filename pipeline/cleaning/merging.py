"""Rows that are one thing told more than once become one row: the fullest, else the earliest of them."""

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID, Contract
from pipeline.tables.links import sets_of

EXACT = "duplicate_rows_exact"
MERGING = (EXACT, "duplicate_rows_but_ids", "near_duplicate_rows")  # their repair is no cell's
MERGED_SCHEMA = pl.Schema({ROW_ID: pl.String, "into": pl.String, "check": pl.String})
HASH, GROUP, ABSENT = f"{ROW_ID} hash", f"{ROW_ID} group", f"{ROW_ID} absent"


def told(flags: pl.DataFrame) -> pl.DataFrame:
    """The rows that a flag is to merge, each with the row that it names, as MERGED_SCHEMA."""
    merging = (pl.col("policy") == "repair") & pl.col("check").is_in(MERGING) & pl.col("value").is_not_null()
    return flags.filter(merging).select(ROW_ID, into="value", check="check")


def copies(rows: pl.LazyFrame, among: pl.DataFrame, agreed: Contract) -> pl.DataFrame:
    """Which of these rows, and of those that equal them, are copies of an earlier row, as MERGED_SCHEMA."""
    together = pl.struct(by_name(*agreed.names))
    hashed = rows.with_columns(together.hash(seed=0).alias(HASH))
    wanted = hashed.join(among.unique().lazy(), on=ROW_ID, how="semi").select(HASH).unique()
    found = hashed.join(wanted, on=HASH, how="semi", maintain_order="left").drop(HASH).collect(engine="streaming")
    first = found.select(ROW_ID, pl.col(ROW_ID).first().over(together).alias("into"), check=pl.lit(EXACT))
    return first.filter(pl.col(ROW_ID) != pl.col("into"))


def fullest(pairs: pl.DataFrame, rows: pl.LazyFrame, agreed: Contract) -> pl.DataFrame:
    """Into which row each other one goes, as MERGED_SCHEMA, where `pairs` (as that) says which rows are one thing.

    Whatever the pairs link is one thing; of its rows among `rows` that with the fewest missing cells stays, of several
    the earliest. NaN is missing. A row that no check named itself goes by the check that named it to another.
    """
    linked = _groups(pairs)
    absent = pl.sum_horizontal(by_name(*agreed.names).is_null(), *(_nan(name) for name in _floats(agreed)))
    known = rows.join(linked.lazy(), on=ROW_ID, how="inner", maintain_order="left")
    found = known.select(ROW_ID, GROUP, absent.alias(ABSENT)).collect(engine="streaming")
    first = found.sort(ABSENT, maintain_order=True).unique(GROUP, keep="first", maintain_order=True)
    stays = first.select(GROUP, into=ROW_ID)
    named = pl.concat([pairs.select(ROW_ID, "check"), pairs.select(pl.col("into").alias(ROW_ID), "check")])
    into = found.join(stays, on=GROUP, maintain_order="left").filter(pl.col(ROW_ID) != pl.col("into"))
    return into.join(named.unique(ROW_ID, keep="first"), on=ROW_ID, maintain_order="left").select(list(MERGED_SCHEMA))


def _groups(pairs: pl.DataFrame) -> pl.DataFrame:
    """The rows of the pairs, each with the number of what it is linked to."""
    ids = pl.concat([pairs[ROW_ID], pairs["into"]])
    known = ids.unique().sort()
    ends = ids.replace_strict(known, pl.int_range(known.len(), eager=True), return_dtype=pl.Int64).to_numpy()
    first, second = np.split(ends, 2)
    return pl.DataFrame({ROW_ID: known, GROUP: sets_of(first, second, known.len())})


def _floats(agreed: Contract) -> list[str]:
    return [column.name for column in agreed.columns if column.dtype.is_float()]


def _nan(name: str) -> pl.Expr:
    return by_name(name).is_nan().fill_null(False)

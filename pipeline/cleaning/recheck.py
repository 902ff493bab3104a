"""What repairs settle and what they bring: the rows that change are asked once more whether they may stay."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipeline import checks
from pipeline.checks.balance import RareClass
from pipeline.checks.duplicates import DuplicateKey
from pipeline.checks.missing import MissingLabel
from pipeline.checks.schema import ContractBroken, DtypeMismatch
from pipeline.cleaning.plan import mended
from pipeline.contract import ROW_ID
from pipeline.quality import findings, inspection
from pipeline.quality.findings import FLAG_SCHEMA, Check, Table

AGAIN = (ContractBroken.name, MissingLabel.name)
CELL = [ROW_ID, "column"]


def of_contract() -> pl.Expr:
    """Is the flag one of the contract's rules? They go by their standard names, which are no check's."""
    return ~pl.col("check").is_in(list(checks.registered()))


def asked_again(table: Table, flags: pl.DataFrame, cells: pl.DataFrame, asked: Sequence[Check]) -> pl.DataFrame:
    """The flags as they are when these cells change: of the contract, of labels, of rare classes and of the key.

    What still breaks the contract has no repair: its row is quarantined, where the policy was to repair it.
    """
    rules = [check for check in asked if check.name in AGAIN]
    if cells.is_empty():
        return flags
    ids = cells.select(ROW_ID).unique()
    rows = mended(table.rows.join(ids.lazy(), on=ROW_ID, how="semi", maintain_order="left"), cells, table.contract)
    unparsed = table.unparsed.join(cells.lazy(), on=CELL, how="anti")
    after = replace(table, partitions={"": rows.collect().lazy()}, unparsed=unparsed, height=ids.height)
    told = flags.filter(of_contract() | pl.col("check").is_in([DtypeMismatch.name, MissingLabel.name]))
    # a rule over several columns is about no cell
    touched = pl.concat([cells.select(CELL), ids.with_columns(column=pl.lit(None, pl.String))])
    settled = told.join(touched, on=CELL, how="semi", nulls_equal=True)
    found = flagged(rules, after).join(touched, on=CELL, how="semi", nulls_equal=True)
    found = found.with_columns(policy=pl.col("policy").replace("repair", "quarantine"))
    rest = flags.join(settled, on=[*CELL, "check"], how="anti", nulls_equal=True, maintain_order="left")
    return _rivals_again(table, _rare_again(table, pl.concat([rest, found]), cells, asked), cells, asked)


def _rare_again(table: Table, flags: pl.DataFrame, cells: pl.DataFrame, asked: Sequence[Check]) -> pl.DataFrame:
    """The flags with the rare classes as they are now: a class that was a slip has other rows by now."""
    rare = pl.col("check") == RareClass.name
    of_label = cells.filter(pl.col("column").eq_missing(table.label))
    if of_label.is_empty() or flags.filter(rare).is_empty():
        return flags
    rules = [check for check in asked if check.name == RareClass.name]
    after = replace(table, partitions={"": mended(table.rows, of_label, table.contract)})
    return pl.concat([flags.filter(~rare), flagged(rules, after)])


def _rivals_again(table: Table, flags: pl.DataFrame, cells: pl.DataFrame, asked: Sequence[Check]) -> pl.DataFrame:
    """The flags with the rivals for a key as they are now: some may be equal by now, others may share a key by now."""
    key, rules = table.contract.key, [check for check in asked if check.name == DuplicateKey.name]
    if not key or not rules:
        return flags
    rivals = pl.col("check") == DuplicateKey.name
    ids = pl.concat([cells.select(ROW_ID), flags.filter(rivals).select(ROW_ID)]).unique()
    rows = mended(table.rows, cells, table.contract)
    keys = rows.join(ids.lazy(), on=ROW_ID, how="semi").select(key).unique()
    near = rows.join(keys, on=key, how="semi", maintain_order="left").collect(engine="streaming")
    after = replace(table, partitions={"": near.lazy()}, height=near.height)
    return pl.concat([flags.filter(~rivals), flagged(rules, after)])


def flagged(asked: Sequence[Check], table: Table) -> pl.DataFrame:
    """What these checks flag; what one raises is raised, as rows that it would have flagged must not stay."""
    told = [
        findings.flags(hit, check.policy)
        for check in asked
        if check.policy != "off"
        for hit in inspection.hits(check, table)
    ]
    return pl.concat([pl.DataFrame(schema=FLAG_SCHEMA), *told])

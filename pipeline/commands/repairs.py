"""`keepfit repairs`: what the plan of repairs changes, told before anything is changed.

It is made of the flags that the last validation left: of checks whose policy is `repair` what the next cleaning does,
of other checks what they would repair if that were their policy.
"""

from collections.abc import Iterator

import polars as pl

from pipeline import artefacts, checks, contract
from pipeline.checks.schema import ContractBroken
from pipeline.cleaning.plan import changes, planned, suggesting
from pipeline.cleaning.recheck import of_contract
from pipeline.commands.check.listing import say
from pipeline.contract import ROW_ID
from pipeline.quality.findings import Table
from pipeline.stages import clean, ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.workspace import Workspace

SHOWN = 5  # changes of a rule that are told: those of most rows
HOW = ("by rule", "alone", "derived")
HIDDEN = "***"  # what flags say in the place of a private value


def show(workspace: Workspace, *, write: bool = False) -> None:
    """Print each rule with its changes; with `write`, every changed cell goes to reports/repairs.parquet."""
    cells = dry_run(workspace)
    for line in told(cells, private_columns(artefacts.scan_parquet(workspace.flags).collect(), cells)):
        say(line)
    if write:
        artefacts.write_parquet(workspace.repaired, cells.lazy())
        say(f"every changed cell: {workspace.relative(workspace.repaired)}")


def dry_run(workspace: Workspace) -> pl.DataFrame:
    """Every cell that is repaired, or would be: as CHANGE_SCHEMA, with `approved` and `how`."""
    agreed, derive = contract.load(workspace.contract_file), workspace.section(IngestSettings).derive
    table = ingest.table(workspace, agreed)
    flags = artefacts.scan_parquet(workspace.flags).collect()
    approved = _planned(flags.filter(clean.repairing()), table, derive).with_columns(approved=pl.lit(True))
    offered = flags.filter(suggesting() & (pl.col("policy") != "repair") & _may_repair())
    parts = [
        _planned(own, table, derive).with_columns(approved=pl.lit(False))
        for _, own in offered.group_by("check", maintain_order=True)
    ]
    cell = [ROW_ID, "column"]
    return pl.concat([approved, *(part.join(approved, on=cell, how="anti", maintain_order="left") for part in parts)])


def _may_repair() -> pl.Expr:
    """Is `repair` a policy of the flag's check?"""
    able = [name for name, kind in checks.registered().items() if "repair" in kind.policies]
    return pl.col("check").is_in(able) | of_contract()


def _planned(flags: pl.DataFrame, table: Table, derive: dict[str, str]) -> pl.DataFrame:
    plan, alone = planned(flags, table)
    ruled = changes(plan, table)
    by_rule, by_itself = (cells.with_columns(how=pl.lit(how)) for cells, how in zip((ruled, alone), HOW, strict=False))
    every = clean.changed(table, pl.concat([ruled, alone]), derive)
    known = pl.concat([by_rule, by_itself]).unique([ROW_ID, "column"], keep="first", maintain_order=True)
    named = every.join(known.select(ROW_ID, "column", "how"), on=[ROW_ID, "column"], how="left", maintain_order="left")
    return named.with_columns(pl.col("how").fill_null(HOW[2]))


def private_columns(flags: pl.DataFrame, cells: pl.DataFrame) -> set[str]:
    """Columns whose values the flags keep to themselves, though these cells hold others than stars."""
    told = pl.col("value").fill_null(HIDDEN) != HIDDEN
    silent = flags.group_by("column").agg(told.any().alias("told")).filter(~pl.col("told"))
    held = cells.filter(pl.any_horizontal(pl.col("before", "after").fill_null(HIDDEN) != HIDDEN))
    return set(silent["column"].drop_nulls()) & set(held["column"])


def told(cells: pl.DataFrame, private: set[str]) -> Iterator[str]:
    """The plan as lines: first what is approved, then what is offered, by check and column."""
    if cells.is_empty():
        yield "nothing to repair: no flag suggests anything"
    for (approved, check, column, how), own in cells.group_by(
        "approved", "check", "column", "how", maintain_order=True
    ):
        count = f"{own.height:,} cell{'s' * (own.height != 1)}"
        state = "repaired" if approved else f"not repaired: `{_key(str(check))}: repair` under checks would"
        alone = "; these rows alone, no later batch" if how == "alone" else ""
        yield f"{check} {column}: {count} {state}{alone}"
        if column in private:
            yield "             what stood there, and what stands there then, is not shown: the column is private"
            continue
        pairs = own.group_by("before", "after").len().sort("len", "before", "after", descending=[True, False, False])
        for before, after, rows in pairs.head(SHOWN).iter_rows():
            yield f"    {rows:>7,}  {_shown(before)} → {_shown(after)}"
        if pairs.height > SHOWN:
            yield f"    and {pairs.height - SHOWN:,} more"


def _key(check: str) -> str:
    return check if check in checks.registered() else ContractBroken.name


def _shown(cell: str | None) -> str:
    return "nothing" if cell is None else repr(cell)

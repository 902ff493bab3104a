"""Stage 3: act on the flags: repair cells, merge copies, quarantine rows with their reasons. The ledger adds up.

Repairs are rules (data/clean/repairs.json): made of the flags whose policy is `repair`, applied here, and kept with the
model, which applies them alike to each batch. What is derived from a repaired cell is derived again, a repaired row is
asked once more whether it keeps the contract, and rows that are equal only now are merged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from pipeline import artefacts, contract, progress
from pipeline.checks.missing import missing
from pipeline.cleaning.ledger import Entry, Ledger, reasons
from pipeline.cleaning.merging import EXACT, MERGED_SCHEMA, MERGING, copies, fullest, told
from pipeline.cleaning.plan import CHANGE_SCHEMA, changes, mended, planned, suggesting
from pipeline.cleaning.recheck import asked_again, of_contract
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError, WorkspaceError
from pipeline.quality.findings import Check, Table
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.tables.frames import worded
from pipeline.workspace import Workspace

QUARANTINED = "quarantined.parquet"
MERGED = "merged.parquet"
REPAIRED = "repaired.parquet"
UNLABELLED = "unlabelled.parquet"
DERIVED = "derived again"
MERGED_WHY = dict.fromkeys(MERGING, "merged: the fullest of its duplicates stays") | {
    EXACT: "merged: equals an earlier row"
}


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What happens to the rows; every other row is kept as it is.

    `quarantined`: row_id, reason. `merged`: as MERGED_SCHEMA. `repairs`: the cells that change, as CHANGE_SCHEMA.
    A row that is quarantined is not also merged or repaired; a merged one is not repaired.
    """

    quarantined: pl.DataFrame
    merged: pl.DataFrame
    repairs: pl.DataFrame

    @property
    def gone(self) -> pl.DataFrame:
        """The rows that do not stay."""
        return pl.concat([self.quarantined.select(ROW_ID), self.merged.select(ROW_ID)])


def run(workspace: Workspace) -> Ledger:
    """Clean what was ingested; raises DataError when no row is left, and then leaves the last outputs as they were."""
    agreed, derive = contract.load(workspace.contract_file), workspace.section(IngestSettings).derive
    asked = workspace.section(ChecksSettings).configured()
    table, flags = ingest.table(workspace, agreed), artefacts.scan_parquet(workspace.flags).collect()
    require_known(flags, table, workspace.relative(workspace.flags))
    plan, alone = planned(flags.filter(repairing()), table)
    cells = changed(table, pl.concat([changes(plan, table), alone]), derive)
    decided = decide(table, flags, cells, asked)
    with artefacts.replacing(workspace.clean) as kept_folder, artefacts.replacing(workspace.quarantine) as aside:
        for name, rows in table.partitions.items():
            artefacts.write_parquet(kept_folder / ingest.partition(name), kept(rows, decided, agreed))
        plan.write(kept_folder / workspace.repairs.name)
        _write_aside(aside, table, decided)
        artefacts.write_parquet(aside / UNLABELLED, unlabelled(table, decided, cells))
        cleaned = entry("clean", table.height, _rows(kept_folder), decided, _rows(aside / UNLABELLED))
        require_rows(cleaned, workspace.relative(workspace.quality))
    ledger = Ledger.of([ingest.entry(workspace), cleaned])
    ledger.write(workspace.ledger)
    progress.report(1.0, ledger.words)
    return ledger


def _write_aside(folder: Path, table: Table, decided: Fates) -> None:
    """What left, whole and with its reason; and what was merged and changed."""
    why = decided.quarantined.rename({"reason": reason_column(table.contract)})
    artefacts.write_parquet(folder / QUARANTINED, table.rows.join(why.lazy(), on=ROW_ID, maintain_order="left"))
    artefacts.write_parquet(folder / MERGED, decided.merged.lazy())
    artefacts.write_parquet(folder / REPAIRED, decided.repairs.lazy())


def unlabelled(table: Table, decided: Fates, cells: pl.DataFrame) -> pl.LazyFrame:
    """The rows that are quarantined for the want of a label alone, with their cells repaired like those of others."""
    if table.label is None:
        return table.rows.limit(0)
    of_label = pl.col("reason").str.split(" + ").list.eval(pl.element().str.ends_with(f": {table.label}")).list.all()
    alone = decided.quarantined.filter(of_label).select(ROW_ID)
    bare = table.rows.filter(missing(table.contract.label))
    return mended(bare.join(alone.lazy(), on=ROW_ID, how="semi", maintain_order="left"), cells, table.contract)


def reason_column(agreed: Contract) -> str:
    """What the column of reasons is called beside the data's own columns."""
    name = "reason"
    while name in agreed.names:
        name += "_"
    return name


def repairing() -> pl.Expr:
    """Is this flag's policy to repair its cell? Over the rows of flags."""
    return (pl.col("policy") == "repair") & ~pl.col("check").is_in(MERGING)


def changed(table: Table, wanted: pl.DataFrame, derive: Mapping[str, str]) -> pl.DataFrame:
    """Every cell that changes, as CHANGE_SCHEMA: those wanted, each once, and those that are derived from them."""
    cells = wanted.unique([ROW_ID, "column"], keep="first", maintain_order=True)
    for target, text in derive.items():
        of_inputs = cells.filter(pl.col("column").is_in(pl.sql_expr(text).meta.root_names()))
        touched = of_inputs.select(ROW_ID).unique()
        if touched.height:
            before = table.rows.join(touched.lazy(), on=ROW_ID, how="semi").collect(engine="streaming")
            after = mended(before.lazy(), cells, table.contract).collect()
            after, _ = ingest.derived(after, table.contract.column(target), text, "the repaired rows")
            new = pl.DataFrame({ROW_ID: before[ROW_ID], "before": before[target], "after": after[target]})
            new = new.cast(pl.String)
            new = new.filter(pl.col("before").ne_missing(pl.col("after")))
            new = new.with_columns(column=pl.lit(target), check=pl.lit(DERIVED)).select(list(CHANGE_SCHEMA))
            cells = pl.concat([cells, new]).unique([ROW_ID, "column"], keep="first", maintain_order=True)
    return cells


def decide(
    table: Table, flags: pl.DataFrame, cells: pl.DataFrame, asked: Sequence[Check], *, but_for: str | None = None
) -> Fates:
    """The fates of all rows, when these cells change: what is flagged, less what that mends, and what it brings.

    What is wrong with the column `but_for` alone does not count.
    """
    standing = asked_again(table, flags, cells, asked)
    if but_for is not None:
        standing = standing.filter(pl.col("column").ne_missing(but_for))
    left = Fates(quarantined=leaving(standing, cells), merged=pl.DataFrame(schema=MERGED_SCHEMA), repairs=cells)
    rows, pairs = pl.concat([kept(p, left, table.contract) for p in table.partitions.values()]), told(standing)
    policy = next((check.policy for check in asked if check.name == EXACT), "off")
    if cells.height and policy in ("repair", "quarantine"):
        exact, rest = pairs.filter(pl.col("check") == EXACT), pairs.filter(pl.col("check") != EXACT)
        among = pl.concat([cells.select(ROW_ID), exact.select(ROW_ID), exact.select(pl.col("into").alias(ROW_ID))])
        pairs = pl.concat([copies(rows, among, table.contract), rest])
    settled = replace(left, merged=fullest(pairs, rows, table.contract) if pairs.height else left.merged)
    return replace(settled, repairs=cells.join(settled.gone, on=ROW_ID, how="anti", maintain_order="left"))


def leaving(flags: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """The rows that are quarantined, when these cells change: row_id and reason, several joined by ` + `.

    Under `repair` a row leaves where nothing is suggested for its cell; where something is, but no rule of the plan
    speaks of it, it stays as it is, unless it breaks the contract.
    """
    described = pl.concat_str(pl.col("check"), pl.lit(": ") + pl.col("column"), ignore_nulls=True)
    unrepaired = flags.filter(repairing() & (~suggesting() | of_contract())).join(
        cells, on=[ROW_ID, "column"], how="anti", nulls_equal=True
    )
    out = pl.concat([flags.filter(pl.col("policy") == "quarantine"), unrepaired])
    reason = described.unique(maintain_order=True).alias("reason")
    return out.group_by(ROW_ID, maintain_order=True).agg(reason).with_columns(pl.col("reason").list.join(" + "))


def kept(rows: pl.LazyFrame, decided: Fates, agreed: Contract) -> pl.LazyFrame:
    """The rows that stay, in their order, with their cells repaired."""
    left = rows.join(decided.gone.lazy(), on=ROW_ID, how="anti", maintain_order="left")
    return mended(left, decided.repairs, agreed)


def entry(stage: str, rows_in: int, counted: int, decided: Fates, unlabelled: int = 0) -> Entry:
    """The ledger's entry of a stage, from the rows counted in its output; it raises unless it adds up."""
    why = dict(decided.quarantined.group_by("reason").len().iter_rows())
    merged = decided.merged.select(reason=pl.col("check").replace_strict(MERGED_WHY, return_dtype=pl.String))
    cell = decided.repairs.select(rule=worded("{}: {}", "check", "column"))
    return Entry(
        stage=stage,
        rows_in=rows_in,
        kept=counted,
        repaired=decided.repairs[ROW_ID].n_unique(),
        merged=decided.merged.height,
        quarantined=decided.quarantined.height,
        reasons=reasons(why | dict(merged.group_by("reason").len().iter_rows())),
        repairs=reasons(dict(cell.group_by("rule").len().iter_rows())),
        unlabelled=unlabelled,
    )


def _rows(folder: Path) -> int:
    return int(artefacts.scan_parquet(folder).select(pl.len()).collect().item())


def require_known(flags: pl.DataFrame, table: Table, where: str) -> None:
    """Raise WorkspaceError when the flags are those of other rows."""
    acted = flags.filter(pl.col("policy").is_in(["quarantine", "repair"]))
    strange = acted.lazy().join(table.rows, on=ROW_ID, how="anti").head(1).collect()
    if strange.height:
        raise WorkspaceError(
            f"flags {strange[ROW_ID][0]}, which was not ingested",
            where=where,
            fix="run `keepfit stage validate` first, or `keepfit run`",
        )


def require_rows(cleaned: Entry, where: str) -> None:
    """Raise DataError when cleaning left no row."""
    if cleaned.kept == 0:
        why = ", ".join(f"{reason} ({rows:,})" for reason, rows in list(cleaned.reasons.items())[:3])
        raise DataError(
            f"none of {cleaned.rows_in:,} rows is left after cleaning: {why}",
            where=where,
            fix="read its findings, then mend the data or the policies in params.yaml",
        )

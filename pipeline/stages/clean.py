"""Stage 3: act on the flags: repair cells, merge copies, quarantine rows with their reasons. The ledger adds up.

Repairs are rules (data/clean/repairs.json): made of the flags whose policy is `repair`, applied here, and kept with the
model, which applies them alike to each batch. What is derived from a repaired cell is derived again, a repaired row is
asked once more whether it keeps the contract, and rows that are equal only now are merged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError, WorkspaceError
from pipeline.findings import Check, Table
from pipeline.ledger import Entry, Ledger, reasons
from pipeline.plan import CHANGE_SCHEMA, MERGING, changes, mended, planned, suggesting
from pipeline.recheck import asked_again, of_contract
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Workspace

QUARANTINED = "quarantined.parquet"
MERGED = "merged.parquet"
REPAIRED = "repaired.parquet"
DERIVED = "derived again"
HASH = f"{ROW_ID} hash"


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What happens to the rows; every other row is kept as it is.

    `quarantined`: row_id, reason. `merged`: row_id, into. `repairs`: the cells that change, as CHANGE_SCHEMA.
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
        cleaned = entry("clean", table.height, _rows(kept_folder), decided)
        require_rows(cleaned, workspace.relative(workspace.quality))
    ledger = Ledger.of([ingest.entry(workspace), cleaned])
    ledger.write(workspace.ledger)
    return ledger


def _write_aside(folder: Path, table: Table, decided: Fates) -> None:
    """What left, whole and with its reason; and what was merged and changed."""
    why = decided.quarantined.rename({"reason": reason_column(table.contract)})
    artefacts.write_parquet(folder / QUARANTINED, table.rows.join(why.lazy(), on=ROW_ID, maintain_order="left"))
    artefacts.write_parquet(folder / MERGED, decided.merged.lazy())
    artefacts.write_parquet(folder / REPAIRED, decided.repairs.lazy())


def reason_column(agreed: Contract) -> str:
    """What the column of reasons is called beside the data's own columns."""
    name = "reason"
    while name in agreed.names:
        name += "_"
    return name


def repairing() -> pl.Expr:
    """Is this flag's policy to repair its cell? Over the rows of flags."""
    return (pl.col("policy") == "repair") & (pl.col("check") != MERGING)


def changed(table: Table, told: pl.DataFrame, derive: Mapping[str, str]) -> pl.DataFrame:
    """Every cell that changes, as CHANGE_SCHEMA: those told, each once, and those that are derived from them."""
    cells = told.unique([ROW_ID, "column"], keep="first", maintain_order=True)
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
    decided = fates(standing if but_for is None else standing.filter(pl.col("column").ne_missing(but_for)), cells)
    policy = next((check.policy for check in asked if check.name == MERGING), "off")
    if cells.is_empty() or policy not in ("repair", "quarantine"):
        return decided
    left = replace(decided, merged=decided.merged.clear(), repairs=cells)
    parts = [kept(rows, left, table.contract) for rows in table.partitions.values()]
    merged = copies(pl.concat(parts), pl.concat([cells.select(ROW_ID), _ends(decided.merged)]), table.contract)
    settled = replace(decided, merged=merged)
    return replace(settled, repairs=cells.join(settled.gone, on=ROW_ID, how="anti", maintain_order="left"))


def fates(flags: pl.DataFrame, cells: pl.DataFrame) -> Fates:
    """Decide from the flags what happens to each row, when these cells change; several reasons are joined by ` + `.

    Under `repair` a row leaves where nothing is suggested for its cell; where something is, but no rule of the plan
    speaks of it, it stays as it is, unless it breaks the contract.
    """
    described = pl.concat_str(pl.col("check"), pl.lit(": ") + pl.col("column"), ignore_nulls=True)
    merging = (pl.col("policy") == "repair") & (pl.col("check") == MERGING)
    unrepaired = flags.filter(repairing() & (~suggesting() | of_contract())).join(
        cells, on=[ROW_ID, "column"], how="anti", nulls_equal=True
    )
    out = pl.concat([flags.filter(pl.col("policy") == "quarantine"), unrepaired])
    quarantined = (
        out.group_by(ROW_ID, maintain_order=True).agg(described.unique(maintain_order=True).alias("reason"))
    ).with_columns(pl.col("reason").list.join(" + "))
    repeated = (
        flags.filter(merging)
        .select(ROW_ID, into="value")
        .join(quarantined, on=ROW_ID, how="anti", maintain_order="left")
        .join(quarantined.select(into=ROW_ID, left=True), on="into", how="left", maintain_order="left")
    )
    # where the first row was quarantined, the first of its copies that stays takes its place
    first = pl.when("left").then(pl.col(ROW_ID).first().over("into")).otherwise("into")
    merged = repeated.select(ROW_ID, into=first).filter(pl.col(ROW_ID) != pl.col("into"))
    gone = pl.concat([quarantined.select(ROW_ID), merged.select(ROW_ID)])
    repairs = cells.join(gone, on=ROW_ID, how="anti", maintain_order="left")
    return Fates(quarantined=quarantined, merged=merged, repairs=repairs)


def copies(rows: pl.LazyFrame, among: pl.DataFrame, agreed: Contract) -> pl.DataFrame:
    """Which of these rows, and of those that equal them, are copies of an earlier row: row_id, into."""
    together = pl.struct(by_name(*agreed.names))
    hashed = rows.with_columns(together.hash(seed=0).alias(HASH))
    wanted = hashed.join(among.unique().lazy(), on=ROW_ID, how="semi").select(HASH).unique()
    found = hashed.join(wanted, on=HASH, how="semi", maintain_order="left").drop(HASH).collect(engine="streaming")
    first = found.select(ROW_ID, pl.col(ROW_ID).first().over(together).alias("into"))
    return first.filter(pl.col(ROW_ID) != pl.col("into"))


def _ends(merged: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([merged.select(ROW_ID), merged.select(pl.col("into").alias(ROW_ID))])


def kept(rows: pl.LazyFrame, decided: Fates, agreed: Contract) -> pl.LazyFrame:
    """The rows that stay, in their order, with their cells repaired."""
    left = rows.join(decided.gone.lazy(), on=ROW_ID, how="anti", maintain_order="left")
    return mended(left, decided.repairs, agreed)


def entry(stage: str, rows_in: int, counted: int, decided: Fates) -> Entry:
    """The ledger's entry of a stage, from the rows counted in its output; it raises unless it adds up."""
    why = dict(decided.quarantined.group_by("reason").len().iter_rows())
    cell = decided.repairs.select(rule=pl.format("{}: {}", "check", "column"))
    return Entry(
        stage=stage,
        rows_in=rows_in,
        kept=counted,
        repaired=decided.repairs[ROW_ID].n_unique(),
        merged=decided.merged.height,
        quarantined=decided.quarantined.height,
        reasons=reasons(why | {"merged: equals an earlier row": decided.merged.height}),
        repairs=reasons(dict(cell.group_by("rule").len().iter_rows())),
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

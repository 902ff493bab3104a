"""Stage 3: act on the flags: repair cells, merge copies, quarantine rows with their reasons. The ledger adds up."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import artefacts, contract
from pipeline.contract import ROW_ID
from pipeline.errors import DataError, WorkspaceError
from pipeline.findings import Table
from pipeline.ledger import Entry, Ledger, reasons
from pipeline.stages import ingest
from pipeline.workspace import Workspace

MERGED_CHECK = "duplicate_rows_exact"
QUARANTINED = "quarantined.parquet"
MERGED = "merged.parquet"


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What happens to the rows that are hit; every other row is kept as it is.

    `quarantined`: row_id, reason. `merged`: row_id, into. `repairs`: row_id, column, suggested.
    A row that is quarantined is not also merged or repaired; a merged one is not repaired.
    """

    quarantined: pl.DataFrame
    merged: pl.DataFrame
    repairs: pl.DataFrame


def run(workspace: Workspace) -> Ledger:
    """Clean what was ingested; raises DataError when no row is left, and then leaves the last outputs as they were."""
    agreed = contract.load(workspace.contract_file)
    table = ingest.table(workspace, agreed)
    decided = fates(artefacts.scan_parquet(workspace.flags).collect())
    with artefacts.replacing(workspace.clean) as kept_folder, artefacts.replacing(workspace.quarantine) as aside:
        for name, rows in table.partitions.items():
            artefacts.write_parquet(kept_folder / ingest.partition(name), kept(rows, decided, agreed))
        set_aside = table.rows.join(decided.quarantined.lazy(), on=ROW_ID, maintain_order="left")
        artefacts.write_parquet(aside / QUARANTINED, set_aside)
        artefacts.write_parquet(aside / MERGED, decided.merged.lazy())
        counted = _rows(kept_folder)
        require_known(decided, table, workspace.relative(workspace.flags))
        cleaned = entry("clean", table.height, counted, decided)
        require_rows(cleaned, workspace.relative(workspace.quality))
    ledger = Ledger.of([entry("ingest", table.height, table.height), cleaned])
    ledger.write(workspace.ledger)
    return ledger


def fates(flags: pl.DataFrame) -> Fates:
    """Decide from the flags what happens to each row that is hit; several reasons are joined by ` + `."""
    described = pl.concat_str(pl.col("check"), pl.lit(": ") + pl.col("column"), ignore_nulls=True)
    merging = (pl.col("policy") == "repair") & (pl.col("check") == MERGED_CHECK)
    unrepaired = (pl.col("policy") == "repair") & pl.col("suggested").is_null() & ~merging
    out = (pl.col("policy") == "quarantine") | unrepaired
    quarantined = (
        flags.filter(out)
        .group_by(ROW_ID, maintain_order=True)
        .agg(described.unique(maintain_order=True).alias("reason"))
    ).with_columns(pl.col("reason").list.join(" + "))
    copies = (
        flags.filter(merging)
        .select(ROW_ID, into="value")
        .join(quarantined, on=ROW_ID, how="anti", maintain_order="left")
        .join(quarantined.select(into=ROW_ID, left=True), on="into", how="left", maintain_order="left")
    )
    # where the first row was quarantined, the first of its copies that stays takes its place
    first = pl.when("left").then(pl.col(ROW_ID).first().over("into")).otherwise("into")
    merged = copies.select(ROW_ID, into=first).filter(pl.col(ROW_ID) != pl.col("into"))
    gone = pl.concat([quarantined.select(ROW_ID), merged.select(ROW_ID)])
    repairs = flags.filter((pl.col("policy") == "repair") & pl.col("suggested").is_not_null())
    return Fates(
        quarantined=quarantined,
        merged=merged,
        repairs=repairs.select(ROW_ID, "column", "suggested")
        .unique([ROW_ID, "column"], keep="first", maintain_order=True)
        .join(gone, on=ROW_ID, how="anti"),
    )


def kept(rows: pl.LazyFrame, decided: Fates, agreed: contract.Contract) -> pl.LazyFrame:
    """The rows that stay, in their order, with their cells repaired."""
    gone = pl.concat([decided.quarantined.select(ROW_ID), decided.merged.select(ROW_ID)])
    left = rows.join(gone.lazy(), on=ROW_ID, how="anti", maintain_order="left")
    for (column,), cells in decided.repairs.group_by("column", maintain_order=True):
        dtype = agreed.column(str(column)).dtype
        repaired = cells.select(ROW_ID, **{"#repaired": pl.col("suggested").cast(dtype)}).lazy()
        left = (
            left.join(repaired, on=ROW_ID, how="left", maintain_order="left")
            .with_columns(pl.coalesce("#repaired", str(column)).alias(str(column)))
            .drop("#repaired")
        )
    return left


def entry(stage: str, rows_in: int, counted: int, decided: Fates | None = None) -> Entry:
    """The ledger's entry of a stage, from the rows counted in its output; it raises unless it adds up."""
    if decided is None:
        return Entry(stage=stage, rows_in=rows_in, kept=counted)
    why = dict(decided.quarantined.group_by("reason").len().iter_rows())
    return Entry(
        stage=stage,
        rows_in=rows_in,
        kept=counted,
        repaired=decided.repairs[ROW_ID].n_unique(),
        merged=decided.merged.height,
        quarantined=decided.quarantined.height,
        reasons=reasons(why | {"merged: equals an earlier row": decided.merged.height}),
    )


def _rows(folder: Path) -> int:
    return int(artefacts.scan_parquet(folder).select(pl.len()).collect().item())


def require_known(decided: Fates, table: Table, where: str) -> None:
    """Raise WorkspaceError when the flags are those of other rows."""
    flagged = pl.concat([part.select(ROW_ID) for part in (decided.quarantined, decided.merged, decided.repairs)])
    strange = flagged.lazy().join(table.rows, on=ROW_ID, how="anti").collect()
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

"""Stage 3: act on the flags: repair cells, merge copies, quarantine rows with their reasons. The ledger adds up."""

from dataclasses import dataclass

import polars as pl

from pipeline import artefacts, contract
from pipeline.contract import ROW_ID
from pipeline.errors import DataError
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
    """Clean what was ingested; raises DataError when no row is left."""
    agreed = contract.load(workspace.contract_file)
    table = ingest.table(workspace, agreed)
    decided = fates(pl.read_parquet(workspace.flags))
    with artefacts.replacing(workspace.clean) as kept_folder, artefacts.replacing(workspace.quarantine) as aside:
        for name, rows in table.partitions.items():
            artefacts.write_parquet(kept_folder / ingest.partition(name), kept(rows, decided, agreed))
        set_aside = table.rows.join(decided.quarantined.lazy(), on=ROW_ID, maintain_order="left")
        artefacts.write_parquet(aside / QUARANTINED, set_aside)
        artefacts.write_parquet(aside / MERGED, decided.merged.lazy())
        counted = pl.scan_parquet(kept_folder / "*.parquet").select(pl.len()).collect().item()
    require_rows(counted, table.height, workspace.relative(workspace.quarantine))
    ledger = Ledger.of([entry("ingest", table.height, table.height), entry("clean", table.height, counted, decided)])
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
    copies = flags.filter(merging).select(ROW_ID, into="value").join(quarantined, on=ROW_ID, how="anti")
    merged = copies.join(
        quarantined, left_on="into", right_on=ROW_ID, how="anti"
    )  # no row is merged into one that left
    gone = pl.concat([quarantined.select(ROW_ID), merged.select(ROW_ID)])
    repairs = flags.filter((pl.col("policy") == "repair") & pl.col("suggested").is_not_null())
    return Fates(
        quarantined=quarantined,
        merged=merged,
        repairs=repairs.select(ROW_ID, "column", "suggested")
        .unique(maintain_order=True)
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


def require_rows(left: int, rows_in: int, where: str) -> None:
    """Raise DataError when cleaning left no row."""
    if left == 0:
        raise DataError(
            f"none of {rows_in:,} rows is left after cleaning",
            where=where,
            fix="read the reasons in quarantined.parquet, then mend the data or the policies in params.yaml",
        )

"""Annotator checks: one thing that was labelled more than once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID
from pipeline.labels.target import classes_of
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.wording import count

ROWS = 200_000
SEED = 5
THINGS = 30


@dataclass(frozen=True, kw_only=True)
class AnnotatorAgreement:
    """Which rows of one id have another label than most rows of that id, where ids otherwise agree on it?

    Agreement is kappa (Fleiss 1971, with as many raters as each id has rows): the share of pairs of rows of one id
    that agree, beyond chance. Below `minimum_kappa` the label is no property of the id, and nothing is said. Rows
    are told of ids with a majority. Large tables: all rows of some of the ids.
    """

    minimum_kappa: Annotated[float, Field(ge=0, le=1)] = 0.8
    policy: Policy = "warn"
    name: ClassVar[str] = "annotator_agreement"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "a kappa over 0.8 is almost perfect agreement (Landis & Koch 1977)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        classes = classes_of(table)
        ids = [column.name for column in table.contract.of_role("id")]
        if isinstance(classes, Skipped) or not ids:
            yield classes if isinstance(classes, Skipped) else Skipped(why="no column has the role id")
            return
        parts = math.ceil(table.height / ROWS)
        if parts > 1:
            yield Skipped(rows=table.height - table.height // parts, why="other ids than those drawn")
        for name in ids:
            labelled = _labelled(table, name, parts)
            kappa, conflicts = agreement(labelled)
            if kappa is not None and kappa >= self.minimum_kappa and conflicts.height:
                yield Hit(
                    check=self.name,
                    column=table.label,
                    rows=conflicts.height,
                    observed=kappa,
                    threshold=1.0,
                    message=f"{count(conflicts.height, 'row has', 'rows have')} another {table.label} than most of the "
                    f"same {name}, which agree otherwise (kappa {kappa:.2f}, where 0 is chance and 1 is always)",
                    suggestion="settle one label for each id: by the majority, or by asking again",
                    flags=conflicts,
                )


CHECKS = (AnnotatorAgreement,)


def agreement(labelled: pl.DataFrame) -> tuple[float | None, pl.DataFrame]:
    """Kappa over ids with several rows, null for fewer than 30 of them, and the rows against their id's majority.

    `labelled` has row_id, id and label; the rows found have row_id, value, suggested and score.
    """
    counts = labelled.group_by("id", "label").agg(pl.len().cast(pl.Float64))
    counts = counts.with_columns(rows=pl.col("len").sum().over("id")).filter(pl.col("rows") > 1).sort("id", "label")
    nothing = labelled.clear().select(ROW_ID)
    if counts["id"].n_unique() < THINGS:
        return None, nothing
    agreeing, pairs = counts.select(
        (pl.col("len") * (pl.col("len") - 1)).sum(), (pl.col("len") * (pl.col("rows") - 1)).sum().alias("pairs")
    ).row(0)
    observed = agreeing / pairs
    by_label = counts.group_by("label", maintain_order=True).agg(pl.col("len").sum())["len"]
    chance = float(((by_label / by_label.sum()) ** 2).sum())
    if chance == 1:
        return None, nothing
    share = pl.col("len") / pl.col("rows")
    most = counts.filter(share > 0.5).select("id", suggested="label", score=share)
    against = labelled.join(most, on="id", maintain_order="left").filter(pl.col("label") != pl.col("suggested"))
    return (observed - chance) / (1 - chance), against.select(ROW_ID, "suggested", "score", value="label")


def _labelled(table: Table, name: str, parts: int) -> pl.DataFrame:
    """row_id, id and label (as text) of the rows that have both; a part of the ids, each with all its rows."""
    drawn = by_name(name).hash(seed=SEED) % parts == 0
    columns = [by_name(name).cast(pl.String).alias("id"), by_name(str(table.label)).cast(pl.String).alias("label")]
    return table.rows.filter(drawn).select(ROW_ID, *columns).drop_nulls(["id", "label"]).collect(engine="streaming")

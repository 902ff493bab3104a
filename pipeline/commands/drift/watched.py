"""The columns of a table that are compared, those that cannot be by numbers that stand in for them."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID, Column
from pipeline.drift.cuts import Kind
from pipeline.media import telling
from pipeline.quality.findings import Table, kind_of
from pipeline.tables import tags

ROLES = ("feature", "label", "group")
FILES = ("image", "audio", "text-file")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Rows, with row_id and the time, and of the columns to compare what they are."""

    rows: pl.LazyFrame
    kinds: dict[str, Kind]
    time: str | None


def watched(table: Table) -> Watched:
    """What of the table is compared: neither names of rows nor moments, which move on by nature.

    Of a text its length, its words and its share of letters; of a set how many tags it has; of a picture or a sound
    what the checks measure of it: its size, its brightness, its loudness and so on.
    """
    kinds: dict[str, Kind] = {}
    derived: list[pl.Expr] = []
    rows = table.rows
    for column in table.columns:
        kind = kind_of(column)
        if column.role not in ROLES or is_moment(column):
            continue
        if kind in ("text", "set"):
            numbers = list(_numbers(column))
            derived += numbers
            kinds |= dict.fromkeys([each.meta.output_name() for each in numbers], "numeric")
        elif kind not in FILES:
            kinds[column.name] = "numeric" if kind == "numeric" else "categorical"
    rows = rows.with_columns(derived)
    for modality in FILES:
        for name, measures in telling.measured(table, modality).items():
            seen = measures.select(ROW_ID, (pl.selectors.numeric() - by_name(ROW_ID)).name.prefix(f"{name}: "))
            rows = rows.join(seen.lazy(), on=ROW_ID, how="left", maintain_order="left")
            kinds |= dict.fromkeys([n for n in seen.columns if n != ROW_ID], "numeric")
    return Watched(rows=rows, kinds=kinds, time=table.time)


def is_moment(column: Column) -> bool:
    """Whether it holds moments that are not the time axis."""
    return column.role in ROLES and kind_of(column) == "timestamp"


def _numbers(column: Column) -> Iterator[pl.Expr]:
    cell = by_name(column.name).as_expr().cast(pl.String)
    if column.modality == "set":
        yield tags.parted(cell, column.format or ";").list.len().cast(pl.Float64).alias(f"{column.name}: tags")
        return
    length = cell.str.len_chars().cast(pl.Float64)
    yield length.alias(f"{column.name}: characters")
    yield (cell.str.count_matches(r"\S+")).cast(pl.Float64).alias(f"{column.name}: words")
    yield (cell.str.count_matches(r"[A-Za-z]") / length).alias(f"{column.name}: share of letters a to z")

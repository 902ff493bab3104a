"""What the tests of text share: the cells that a check tells, and tables of free text or with a reference."""

from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.quality.findings import Check, Table
from pipeline.quality.inspection import hits

from .conftest import made

Cell = tuple[int, str | None, str | None]


def told(check: Check, table: Table) -> dict[str | None, list[Cell]]:
    """Column → flagged (row, value, suggested); a finding about the whole column has an empty list."""
    found: dict[str | None, list[Cell]] = {}
    for hit in hits(check, table):
        cells = pl.DataFrame() if hit.flags is None else hit.flags
        listed = [
            (int(row["row_id"].removeprefix("rows#")), row.get("value"), row.get("suggested"))
            for row in cells.iter_rows(named=True)
        ]
        found.setdefault(hit.column, []).extend(sorted(listed))
    return found


def prose(texts: list[Any], *, parts: int = 1) -> Table:
    """A table of one column of free text, `words`."""
    table = made({"words": texts}, parts=parts)
    columns = tuple(replace(column, modality="text") for column in table.columns)
    return replace(table, contract=replace(table.contract, columns=columns))


def against(table: Table, reference: Table) -> Table:
    """The table with a reference."""
    return replace(table, reference=reference)

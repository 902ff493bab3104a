"""Tables for the checks, made from written-out columns without files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from polars.selectors import by_name

from pipeline.contract import Column, Contract, Modality, Role
from pipeline.quality.findings import Table

ROLES: dict[str, Role] = {"y": "label", "t": "time", "g": "group", "id": "id", "spare": "ignore"}
Make = Callable[..., Table]


@pytest.fixture
def make() -> Make:
    """`made`, as a fixture."""
    return made


def made(
    rows: pl.DataFrame | dict[str, list[Any]],
    *,
    parts: int = 1,
    key: Sequence[str] = (),
    rules: dict[str, Any] | None = None,
    required: Sequence[str] = (),
    unparsed: Sequence[tuple[str, str, str]] = (),
) -> Table:
    """A table of `rows#0`, `rows#1`, ...: y is the label, t the time, g a group, id an id, all else are features.

    Columns may hold nulls unless they are `required`; the same rows come in as many partitions as `parts` says.
    """
    frame = pl.DataFrame(rows)
    columns = tuple(_column(name, dtype, name not in required) for name, dtype in frame.schema.items())
    schema = pa.DataFrameSchema(
        {c.name: pa.Column(c.dtype, (rules or {}).get(c.name), nullable=c.nullable) for c in columns},
        unique=list(key) or None,
    )
    ids = pl.format("rows#{}", pl.int_range(pl.len())).alias("row_id")
    numbered = frame.with_columns(ids).select(by_name("row_id", *frame.columns))
    size = -(-frame.height // parts) or 1
    pieces = {f"part-{i}": numbered[i * size : (i + 1) * size].lazy() for i in range(parts)}
    cells = pl.DataFrame(
        list(unparsed), schema={"row_id": pl.String, "column": pl.String, "raw": pl.String}, orient="row"
    )
    return Table(
        contract=Contract(file=Path("made.py"), schema=schema, columns=columns, expectations=()),
        partitions=pieces,
        unparsed=cells.lazy(),
        height=frame.height,
    )


def _column(name: str, dtype: pl.DataType, nullable: bool) -> Column:
    role = ROLES.get(name, "feature")
    modality: Modality = "numeric" if dtype.is_numeric() else "timestamp" if dtype.is_temporal() else "categorical"
    return Column(
        name=name, dtype=dtype, nullable=nullable, role=role, modality=modality if role == "feature" else None
    )

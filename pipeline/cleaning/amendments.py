"""Rows that a person has mended: raw text that ingest takes in the place of a source's own rows.

They lie beside the sources, in `.amended/0001.json` and so on: no reader takes them for a source, DVC keeps them with
the data, and deleting a file undoes it. Of a row that was mended twice the later file counts.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.artefacts import Record
from pipeline.errors import DataError
from pipeline.tables.cells import typed_as

FOLDER = ".amended"
Cells = list[str | None]


class AmendedSource(Record):
    """The mended rows of one source, by their position from 0, and the SHA-256 of the source that they belong to."""

    sha256: str
    rows: dict[int, Cells]


class Amendment(Record):
    """One taking-in: the columns in whose order the cells stand, and the rows by the name of their source."""

    columns: list[str]
    sources: dict[str, AmendedSource]


def files(source: Path) -> list[Path]:
    """The amendments of a folder of sources, oldest first; a source that is one file has none."""
    return sorted((source / FOLDER).glob("*.json")) if source.is_dir() else []


def write(source: Path, amendment: Amendment) -> Path:
    """Keep an amendment beside the sources, under the next number."""
    last = max((int(path.stem) for path in files(source) if path.stem.isdecimal()), default=0)
    target = source / FOLDER / f"{last + 1:04}.json"
    amendment.write(target)
    return target


def read(source: Path) -> list[Amendment]:
    """Every amendment of a folder of sources, oldest first."""
    return [Amendment.read(path) for path in files(source)]


def amended(
    rows: pl.DataFrame, name: str, sha256: str, told: Sequence[Amendment], null_values: Sequence[str]
) -> tuple[pl.DataFrame, list[int]]:
    """The raw rows of one source with those that were mended in their places, and the positions of these.

    A mended cell that is one of `null_values` is null, as in the source itself. Raises DataError when the source is
    another by now, so that the positions may be those of other rows.
    """
    cells: dict[int, dict[str, str | None]] = {}
    for amendment in told:
        own = amendment.sources.get(name, AmendedSource(sha256=sha256, rows={}))
        if own.sha256 != sha256 or any(position >= rows.height for position in own.rows):
            raise DataError(
                "has changed since rows of it were mended",
                where=name,
                fix=f"put the old file back, or delete the mended rows in {FOLDER}",
            )
        cells |= {at: dict(zip(amendment.columns, mended, strict=True)) for at, mended in own.rows.items()}
    positions = sorted(cells)
    for column in dict.fromkeys(column for amendment in told for column in amendment.columns):
        held = [at for at in positions if column in cells[at]]
        if held and column in rows.columns:
            given = [None if cells[at][column] in null_values else cells[at][column] for at in held]
            new = _typed(given, rows.schema[column], f"{name}: {column}")
            rows = rows.with_columns(rows[column].clone().scatter(held, new).alias(column))
    return rows, positions


def _typed(texts: Cells, dtype: pl.DataType, where: str) -> pl.Series:
    """The mended cells as the source has them; raises DataError for text that its type cannot hold."""
    text = pl.Series(texts, dtype=pl.String)
    new = text.to_frame("text").select(typed_as(pl.col("text"), pl.String(), dtype)).to_series()
    bad = text.filter(new.is_null() & text.is_not_null())
    if bad.len():
        raise DataError(f"{bad[0]!r:.60} is no {dtype}", where=where, fix="mend the cell, and take the file in again")
    return new

"""Tables that ingest cannot read as they are, written as it can: CSV in UTF-8 where all is text, else Parquet."""

from pathlib import Path

import polars as pl

from pipeline import artefacts
from pipeline.errors import DataError
from pipeline.readers import ERRORS, Source, reading, scan

COMPARED = 1000  # rows by which two ways to read a file are compared


def is_plain(source: Source, path: Path) -> bool:
    """Whether ingest's strict reader gives the same table."""
    try:
        rows = scan(path, [])
        return not source.bad and rows.head(COMPARED).collect().equals(source.frame.head(COMPARED).collect())
    except (DataError, *ERRORS):
        return False


def write(source: Source, place: Path) -> Path:
    """Write the table to `place`, to whose name the format's suffix is added; returns where it is then."""
    target = place.with_name(f"{place.name}.{'csv' if source.text else 'parquet'}")
    with reading(source.name):
        if source.text:
            write_csv(target, source.frame)
        else:
            artefacts.write_parquet(target, source.frame)
    return target


def write_csv(path: Path, frame: pl.LazyFrame) -> None:
    """Stream the rows into a CSV file that is whole or not there."""
    with artefacts.replacing(path) as temporary, temporary.open("wb") as file:  # as artefacts.write_parquet does
        frame.sink_csv(file)

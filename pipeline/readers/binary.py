"""Binary tables: Parquet, Arrow IPC (file and stream), Avro; with the types that they state."""

from pathlib import Path

import polars as pl
from polars.selectors import by_name

from pipeline.errors import DataError
from pipeline.readers.nested import fields_within
from pipeline.readers.source import File, Source, opening

ARROW_FILE = b"ARROW1"
DECODED_CELLS = 5_000_000
NESTED = (pl.List, pl.Array, pl.Struct)


def open_parquet(file: File) -> Source:
    """A Parquet file, scanned where it lies."""
    with opening(file.path.name):
        frame = pl.scan_parquet(file.plain, glob=False)
        _decode(frame)
        return flat(file.path.name, frame, "Parquet")


def open_arrow(file: File) -> Source:
    """Arrow IPC: a file is scanned where it lies, a stream (which cannot be) is written as one."""
    with opening(file.path.name):
        lies, what = file.plain, "Arrow IPC file"
        if is_stream(lies):
            lies, what = file.fresh(".arrow"), "Arrow IPC stream"
            pl.read_ipc_stream(file.plain).write_ipc(lies)
        frame = pl.scan_ipc(lies, glob=False)
        _decode(frame)
        return flat(file.path.name, frame, what)


def open_avro(file: File) -> Source:
    """An Avro file, read as a whole."""
    with opening(file.path.name):
        return flat(file.path.name, pl.read_avro(file.plain).lazy(), "Avro")


def is_stream(path: Path) -> bool:
    """Whether Arrow data are a stream: a file begins with a word of its own."""
    with path.open("rb") as file:
        return file.read(len(ARROW_FILE)) != ARROW_FILE


def flat(name: str, frame: pl.LazyFrame, what: str) -> Source:
    """The source: each cell is one value. Records are a column a field, lists JSON text and durations seconds."""
    schema = frame.collect_schema()
    if not schema:
        raise DataError("holds no column", where=name, fix="replace it by a table with columns")
    told = {"format": what}
    if within := fields_within(schema):
        told["records"] = f"{', '.join(within)}: a column for each field"
        frame = frame.select(e for c in schema for e in (within[c].values() if c in within else [by_name(c)]))
        schema = frame.collect_schema()
    nested = [column for column, kind in schema.items() if isinstance(kind, NESTED)]
    if nested:
        told["nested"] = f"{', '.join(nested)}: as JSON text"
        frame = frame.with_columns(_json(column, schema[column]) for column in nested)
    if spans := [column for column, kind in schema.items() if kind == pl.Duration]:
        told["durations"] = f"{', '.join(spans)}: as seconds"
        frame = frame.with_columns(by_name(column).dt.total_microseconds() / 1e6 for column in spans)
    return Source(name=name, frame=frame, dialect=told)


def _decode(frame: pl.LazyFrame) -> None:
    """Decode a small table once: one made to crash readers is told here. A large one is decoded when it is read."""
    rows = frame.select(pl.len()).collect(engine="streaming").item()
    if rows * len(frame.collect_schema()) <= DECODED_CELLS:
        frame.collect(engine="streaming")


def _json(column: str, kind: pl.DataType) -> pl.Expr:
    cell = by_name(column)
    if isinstance(kind, pl.Struct):
        return pl.when(cell.is_not_null()).then(cell.struct.json_encode()).alias(column)
    text = pl.struct(cell.alias("")).struct.json_encode().str.strip_prefix('{"":').str.strip_suffix("}")
    return pl.when(cell.is_not_null()).then(text).alias(column)

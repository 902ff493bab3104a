"""Rows of Python values → a lazy table on disk, a batch at a time, for what Polars cannot scan: JSON, SQL.

A column of one kind keeps it; whole and broken numbers together are float; any other mixture is text, so that no
value is lost. What is nested is JSON text.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from polars.selectors import by_name

Batch = Mapping[str, Sequence[Any]]

BATCH_ROWS = 1 << 15
PLAIN: dict[type, Any] = {
    bool: pl.Boolean,
    bytes: pl.Binary,
    date: pl.Date,
    datetime: None,  # with the time zone of its values
    time: pl.Time,
    timedelta: pl.Duration("us"),
    Decimal: None,  # with the places of its values
}
HALF = re.compile("[\ud800-\udfff]")
EXACT = 2**53  # whole numbers beyond it are not all floats
LONG = 2**63


def spool(batches: Iterable[Batch], scratch: Path) -> pl.LazyFrame:
    """Write the batches as Parquet parts into `scratch`, a folder of its own; columns that one lacks are null in it."""
    scratch.mkdir(parents=True, exist_ok=True)
    parts: list[Path] = []
    for batch in batches:
        parts.append(scratch / f"{len(parts):06}.parquet")
        pl.DataFrame([column(name, values) for name, values in batch.items()]).write_parquet(parts[-1])
    if not parts:
        return pl.LazyFrame()
    frames = [pl.scan_parquet(part, glob=False) for part in parts]
    schemas = [frame.collect_schema() for frame in frames]
    types = _union(schemas)
    return pl.concat([_as(frame, schema, types) for frame, schema in zip(frames, schemas, strict=True)])


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """The values as one type that loses none of them."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds <= {int, float} and _exact(values, kinds):
        return pl.Series(name, values, dtype=pl.Float64 if float in kinds else pl.Int64, strict=False)
    if len(kinds) == 1 and kinds <= PLAIN.keys():
        return pl.Series(name, values, dtype=PLAIN[kinds.pop()])
    texts = values if kinds == {str} else [None if value is None else _text(value) for value in values]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series(name, [None if text is None else mended(text) for text in texts], dtype=pl.String)


def mended(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: JSON can write one, no text can hold it."""
    return HALF.sub("\ufffd", text)


def _exact(values: Sequence[Any], kinds: set[type]) -> bool:
    """Whether no whole number is too large for the type that all get."""
    limit = EXACT if float in kinds else LONG - 1
    return all(-limit <= value <= limit for value in values if type(value) is int)


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _union(schemas: Sequence[pl.Schema]) -> dict[str, pl.DataType]:
    types: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, kind in schema.items():
            types[name] = _either(types.get(name, pl.Null()), kind)
    return types


def _either(a: pl.DataType, b: pl.DataType) -> pl.DataType:
    if b in (a, pl.Null()):
        return a
    if a == pl.Null:
        return b
    if {a, b} == {pl.Int64(), pl.Float64()}:
        return pl.Float64()
    return (
        pl.Decimal(38, max(a.scale, b.scale))
        if isinstance(a, pl.Decimal) and isinstance(b, pl.Decimal)
        else pl.String()
    )


def _as(frame: pl.LazyFrame, schema: pl.Schema, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    return frame.select(
        (by_name(name) if name in schema else pl.lit(None).alias(name)).cast(kind) for name, kind in types.items()
    )

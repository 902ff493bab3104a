"""Rows of Python values → a lazy table on disk, a batch at a time, for what Polars cannot scan: JSON, SQL.

A column of one kind keeps it; whole and broken numbers together are float; any other mixture is text, so that no
value is lost; decimals with a NaN or an infinity among them are float. What is nested is JSON text.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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
DIGITS = 38  # that a decimal holds


def spool(batches: Iterable[Batch], scratch: Path) -> pl.LazyFrame:
    """Write the batches as Parquet parts into `scratch`, a folder of its own; columns that one lacks are null in it."""
    scratch.mkdir(parents=True, exist_ok=True)
    parts: list[Path] = []
    long: set[str] = set()
    for batch in batches:
        parts.append(scratch / f"{len(parts):06}.parquet")
        columns = [column(name, values) for name, values in batch.items()]
        long.update(each.name for each in columns if _is_long(each))
        pl.DataFrame(columns).write_parquet(parts[-1])
    if not parts:
        return pl.LazyFrame()
    frames = [pl.scan_parquet(part, glob=False) for part in parts]
    schemas = [frame.collect_schema() for frame in frames]
    types = {
        name: pl.String() if kind == pl.Float64 and name in long else kind for name, kind in _union(schemas).items()
    }
    return pl.concat([_as(frame, schema, types) for frame, schema in zip(frames, schemas, strict=True)])


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """The values as one type that loses none of them."""
    return _typed(values).alias(name)  # made without it: for some types Polars takes `^x$` for a pattern


def _typed(values: Sequence[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Series(values, dtype=pl.Null)
    if kinds <= {int, float} and _exact(values, kinds):
        return pl.Series(values, dtype=pl.Float64 if float in kinds else pl.Int64, strict=False)
    if kinds == {Decimal} and not all(value.is_finite() for value in values if value is not None):
        return pl.Series([None if value is None else float(value) for value in values], dtype=pl.Float64)
    if len(kinds) == 1 and kinds <= PLAIN.keys() and (kinds != {Decimal} or _fit(values)):
        with suppress(pl.exceptions.InvalidOperationError, OverflowError):  # beyond what its type holds
            return pl.Series(values, dtype=PLAIN[next(iter(kinds))])
    texts = values if kinds == {str} else [None if value is None else _text(value) for value in values]
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series([None if text is None else mended(text) for text in texts], dtype=pl.String)


def mended(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: JSON can write one, no text can hold it."""
    return HALF.sub("\ufffd", text)


def _exact(values: Sequence[Any], kinds: set[type]) -> bool:
    """Whether no whole number is too large for the type that all get."""
    limit = EXACT if float in kinds else LONG - 1
    return all(-limit <= value <= limit for value in values if type(value) is int)


def _is_long(values: pl.Series) -> bool:
    """Whether there is a whole number that no float holds."""
    ends = (values.min(), values.max()) if values.dtype == pl.Int64 else ()
    return any(isinstance(end, int) and abs(end) > EXACT for end in ends)


def _fit(values: Sequence[Any]) -> bool:
    """Whether decimals have at most `DIGITS` digits together, before and behind the point."""
    numbers = [value for value in values if value is not None]
    whole = max(number.adjusted() + 1 for number in numbers)
    return max(whole, 0) + max(0, *(-number.as_tuple().exponent for number in numbers)) <= DIGITS


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
    if pl.Float64() in (a, b) and all(kind in (pl.Int64, pl.Float64) or kind.is_decimal() for kind in (a, b)):
        return pl.Float64()
    return (
        pl.Decimal(38, max(a.scale, b.scale))
        if isinstance(a, pl.Decimal) and isinstance(b, pl.Decimal)
        else pl.String()
    )


def _as(frame: pl.LazyFrame, schema: pl.Schema, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    return frame.select(
        (_own(name, schema[name], kind) if name in schema else pl.lit(None).alias(name)).cast(kind)
        for name, kind in types.items()
    )


def _own(name: str, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """The column; bytes that are to be text as `_text` writes them."""
    return by_name(name).bin.encode("hex") if found == pl.Binary and wanted == pl.String else by_name(name)

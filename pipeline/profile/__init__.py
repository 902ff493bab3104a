"""Mergeable summaries of columns: checks, drift, normalize and the reports read these instead of the rows.

`profile` summarises one partition in one streamed pass, `merge` joins two summaries. Both are pure, and
`merge` is exact, associative and commutative down to the bytes: one file or fifty, in any order, one machine
or many, the same answer. A profile's size depends on the columns, never on the rows.

What is missing: null, and NaN, which is counted apart (`nulls`, `nan`). Infinities are counted, and no other
number looks at them. Numbers are seen as float64: whole numbers above 2**53 are rounded. Timestamps are
numbers: whole seconds since 1970-01-01 UTC. Whatever else (booleans too) is categorical: text.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, TypeAlias

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.profile.columns import CATEGORIES, Categorical, Numeric, hashes_of, merge_columns
from pipeline.profile.tally import Kind, Tally, tally
from pipeline.tables.frames import batches

if TYPE_CHECKING:
    from pipeline.contract import Modality

__all__ = ["CATEGORIES", "Categorical", "ColumnProfile", "Numeric", "Profile", "hashes_of", "merge", "profile"]

BATCH_ROWS = 1 << 18
THREADS = pl.thread_pool_size()
FEW_VALUED = (pl.Boolean, pl.Categorical, pl.Enum)


ColumnProfile: TypeAlias = Annotated[Numeric | Categorical, Field(discriminator="kind")]


class Profile(Record):
    """The summary of a partition; `write` and `read` are its JSON round trip. Profile() merges as nothing."""

    rows: int = Field(default=0, ge=0)
    columns: dict[str, ColumnProfile] = Field(default_factory=dict)


def profile(frame: pl.LazyFrame, columns: "Mapping[str, Modality]") -> Profile:
    """Summarise one partition in one streamed pass: memory is for some `BATCH_ROWS` rows, whatever comes.

    A column that the frame lacks is left out. The column's type has the last word on the modality: text under
    `numeric` is summarised as categorical, so that drift can say so.
    """
    schema = frame.collect_schema()
    tallies = {name: tally(summary_kind(columns[name], schema[name])) for name in sorted(columns) if name in schema}
    rows = count(frame, tallies)
    return Profile(rows=rows, columns={name: each.summary() for name, each in tallies.items()})


def count(
    frame: pl.LazyFrame, tallies: Mapping[str, Tally], *, also: Callable[[pl.DataFrame], None] | None = None
) -> int:
    """Add every row to the tallies of its columns, in the rows' order, in one streamed pass; returns how many.

    `also` is shown each batch, with every column of the frame.
    """
    if not tallies and also is None:
        return int(frame.select(pl.len()).collect(engine="streaming").item())
    schema, rows = frame.collect_schema(), 0
    values = [_values(name, each.kind, schema[name]).alias(name) for name, each in tallies.items()]
    read = frame if also else frame.select(values)
    longest_first = sorted(tallies, key=lambda name: tallies[name].kind)  # text takes the longest
    with ThreadPoolExecutor(THREADS) as pool:  # numpy and Polars let go of the interpreter while they count
        at_work: list[Future[None]] = []
        for batch in batches(read, BATCH_ROWS):
            rows += batch.height
            if also:
                also(batch)
            cells = batch.select(values) if also else batch
            _finish(at_work)  # a tally takes one batch at a time; the next one was read meanwhile
            at_work = [pool.submit(tallies[name].add, cells.get_column(name).alias("value")) for name in longest_first]
        _finish(at_work)
    return rows


def _finish(at_work: Iterable[Future[None]]) -> None:
    """Wait for all of them, and raise what one of them raised."""
    for each in at_work:
        each.result()


def merge(a: Profile, b: Profile) -> Profile:
    """The profile of both partitions' rows; raises ValueError where a column's kinds differ.

    >>> whole = pl.LazyFrame({"x": [1.5, None, 4.0]})
    >>> parts = [profile(whole.slice(start, 1), {"x": "numeric"}) for start in (2, 0, 1)]
    >>> merge(merge(parts[0], parts[1]), parts[2]) == profile(whole, {"x": "numeric"})
    True
    """
    columns: dict[str, Numeric | Categorical] = {}
    for name in sorted(a.columns.keys() | b.columns.keys()):
        present = [p.columns[name] for p in (a, b) if name in p.columns]
        columns[name] = present[0] if len(present) == 1 else merge_columns(name, present[0], present[1])
    return Profile(rows=a.rows + b.rows, columns=columns)


def summary_kind(modality: str, dtype: pl.DataType) -> Kind:
    """How a column of that modality and type is summarised."""
    if modality not in ("numeric", "timestamp"):
        return "categorical"
    if dtype == pl.Null:
        return "numeric" if modality == "numeric" else "timestamp"
    if dtype.is_temporal():
        return "timestamp"
    return "numeric" if dtype.is_numeric() or dtype == pl.Boolean else "categorical"


def _values(name: str, kind: Kind, dtype: pl.DataType) -> pl.Expr:
    """The column as float64 or as text; what has few values is put as text once they are counted."""
    column: pl.Expr = by_name(name)  # pl.col would take a name such as "*" as a pattern
    if kind == "categorical":
        if dtype == pl.Binary:
            return column.bin.encode("hex")
        if dtype.is_nested():
            return pl.when(column.is_not_null()).then(pl.struct(column).struct.json_encode())
        return column if dtype in FEW_VALUED else column.cast(pl.String)
    if dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us") if dtype == pl.Date else dtype).dt.epoch("s")
    elif dtype == pl.Duration:
        column = column.dt.total_seconds()
    elif dtype == pl.Time:
        column = column.cast(pl.Int64) // 1_000_000_000
    return column.cast(pl.Float64)

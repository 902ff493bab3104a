"""What is kept of the rows that a batch is compared with: for each column its bins, and the counts of blocks of rows.

Blocks follow each other in time where there is one: how they differ among themselves is how much a new one may. All
that is said of a batch is told from these counts: it costs one pass over the batch, and none over the past.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.artefacts import Record
from pipeline.drift.cuts import Counts, Cut, Kind, Values

BLOCKS = 64
LEAST_BLOCKS, MOST_BLOCKS = 8, 512  # where the size of batches is known
LEAST_ROWS = 50  # of a block
THREADS = pl.thread_pool_size()


class ColumnPast(Record):
    """One column: its bins, and the rows of each block in each bin."""

    cut: Cut
    counts: list[str]

    @classmethod
    def of(cls, cut: Cut, counts_BK: Counts) -> "ColumnPast":
        """The counts as text: a line a block."""
        return cls(cut=cut, counts=[" ".join(map(str, block)) for block in counts_BK.tolist()])

    @property
    def blocks(self) -> Values:
        """(B, K) the counts."""
        return np.array([line.split() for line in self.counts], np.float64)


class Past(Record):
    """All columns. `ordered`: blocks follow each other in time; else they are drawn, and tell of sampling alone."""

    rows: int
    ordered: bool
    columns: dict[str, ColumnPast]

    def only(self, names: Collection[str]) -> "Past":
        """The past of these columns alone."""
        return self.model_copy(update={"columns": {n: each for n, each in self.columns.items() if n in names}})


def learn(
    frame: pl.LazyFrame,
    kinds: Mapping[str, Kind],
    *,
    time: str | None = None,
    in_order: bool = False,
    batch_rows: int | None = None,
) -> Past:
    """Learn the past from rows: by the column `time`, or in the order in which they stand where that is one of time.

    `batch_rows`: how large batches are, where that is known: blocks are as large, so that they go up and down as much.
    """
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    blocks = BLOCKS if batch_rows is None else int(np.clip(rows // max(batch_rows, 1), LEAST_BLOCKS, MOST_BLOCKS))
    blocks = max(min(blocks, rows // LEAST_ROWS), 1)
    block_N = blocks_of(frame, rows, blocks, time)

    def learnt(name: str) -> ColumnPast:
        cells = column(frame, name, kinds[name])
        cut = Cut.of(cells)
        return ColumnPast.of(cut, cut.counts(cells, block_N, blocks))

    with ThreadPoolExecutor(THREADS) as pool:
        columns = dict(zip(kinds, pool.map(learnt, kinds), strict=True))
    return Past(rows=rows, ordered=in_order or time is not None, columns=columns)


def count(past: Past, frame: pl.LazyFrame, *, blocks: int = 1, time: str | None = None) -> dict[str, Counts]:
    """(B, K) the rows of a batch in each block and bin, of every column of the past that the frame has."""
    schema = frame.collect_schema()
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    block_N = blocks_of(frame, rows, blocks, time)

    def counted(name: str) -> Counts:
        cut = past.columns[name].cut
        return cut.counts(column(frame, name, cut.kind), block_N, blocks)

    known = [name for name in past.columns if name in schema]
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(known, pool.map(counted, known), strict=True))


def blocks_of(frame: pl.LazyFrame, rows: int, blocks: int, time: str | None) -> Counts:
    """(N,) the block of each row, all of about one size; a row without a time stands where it came."""
    place_N = np.arange(rows)
    if time is not None and blocks > 1:
        place_N[order_of(frame, rows, time)] = np.arange(rows)
    return place_N * blocks // max(rows, 1)


def order_of(frame: pl.LazyFrame, rows: int, time: str) -> Counts:
    """(N,) the places of the rows by the time; one without a time stands where it came."""
    moments = frame.select(by_name(time).forward_fill()).collect().to_series()
    if moments.is_sorted():
        return np.arange(rows)
    return moments.arg_sort(nulls_last=False).to_numpy()


def column(frame: pl.LazyFrame, name: str, kind: Kind) -> pl.Series:
    """The cells as Float64 or String: what is no number in a column of numbers is missing, and so is NaN."""
    dtype = frame.collect_schema()[name]
    cell = by_name(name).as_expr()
    if kind == "numeric":
        cell = cell.dt.timestamp("ms") if dtype in (pl.Date, pl.Datetime) else cell
        read = cell.cast(pl.Float64, strict=False).fill_nan(None)
    elif dtype == pl.Binary:
        read = cell.bin.encode("hex")
    elif dtype.is_nested():
        read = pl.when(cell.is_not_null()).then(pl.struct(cell).struct.json_encode())
    else:
        read = cell.cast(pl.String)
    return frame.select(read.alias(name)).collect().to_series()

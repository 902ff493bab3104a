"""What Polars does not do by itself with data frames."""

from collections.abc import Generator
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread

import polars as pl
from polars import selectors


def batches(frame: pl.LazyFrame, rows: int, *, ordered: bool = True) -> Generator[pl.DataFrame, None, None]:
    """The frame's rows, about `rows` at a time; the next batch is made meanwhile. Raises what the query raises.

    `LazyFrame.collect_batches` takes a panic inside Polars for the end of the rows: what would follow is lost without
    a word. `LazyFrame.sink_batches` raises it.
    """
    made = Queue[pl.DataFrame | BaseException | None](maxsize=1)
    unwanted = Event()

    def hand_over(batch: pl.DataFrame | BaseException | None) -> bool:
        if not unwanted.is_set():
            made.put(batch)
        return unwanted.is_set()

    def run() -> None:
        ended: BaseException | None = None
        try:
            frame.sink_batches(hand_over, chunk_size=rows, maintain_order=ordered)
        except BaseException as error:
            ended = error
        hand_over(ended)

    Thread(target=run, daemon=True, name="batches").start()
    try:
        while isinstance(batch := made.get(), pl.DataFrame):
            yield batch
        if batch is not None:
            raise batch
    finally:
        unwanted.set()
        with suppress(Empty):  # what waits to be taken holds the query back
            made.get_nowait()


def worded(pattern: str, *filled: pl.Expr | str) -> pl.Expr:
    """The text with an expression, or a column of that name, in place of each `{}`; null where one of them is.

    `pl.format` panics on some frames of several chunks.

    >>> pl.DataFrame({"x": [1, None]}).select(worded("{} of 5", "x")).to_series().to_list()
    ['1 of 5', None]
    """
    first, *others = (pl.lit(part) for part in pattern.split("{}"))
    return pl.concat_str(first, *(part for pair in zip(filled, others, strict=True) for part in pair))


def compact(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its texts in buffers of their own.

    The few rows that a filter leaves of a batch would keep all texts of the batch in memory.
    """
    return frame.with_columns(selectors.string() + pl.lit(""))

import polars as pl
import pytest

from pipeline.tables.frames import batches, worded

CHUNKS = (179, 173, 173, 535, 182, 2609, 166, 10879, 181, 11812, 2536)
LISTED = (1052, 1207, 1208)


def chunked() -> pl.LazyFrame:
    """A few rows left of a frame in several chunks, most of which keep none."""
    frame = pl.concat([pl.DataFrame({"x": [1.0] * rows}) for rows in CHUNKS], rechunk=False)
    return frame.with_row_index().lazy().filter(pl.col("index").is_in(LISTED))


def failing(_: pl.Series) -> pl.Series:
    raise ValueError("no such number")


@pytest.mark.parametrize("ordered", [True, False])
def test_batches_hold_every_row(ordered: bool) -> None:
    frame = pl.LazyFrame({"x": range(100_000)})
    parts = list(batches(frame, 7_000, ordered=ordered))
    assert len(parts) > 1
    whole = pl.concat(parts)["x"]
    assert (whole if ordered else whole.sort()).to_list() == list(range(100_000))


def test_an_error_of_the_query_is_raised() -> None:
    frame = pl.LazyFrame({"x": [1]}).select(pl.col("x").map_batches(failing, return_dtype=pl.Int64))
    with pytest.raises((ValueError, pl.exceptions.PolarsError), match="no such number"):
        list(batches(frame, 10))


def test_a_panic_of_polars_does_not_pass_for_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    frame = chunked().select(pl.format("{} of 5", pl.col("x")))
    try:
        frame.collect(engine="streaming")
    except pl.exceptions.PanicException:
        with pytest.raises(pl.exceptions.PanicException):
            list(batches(frame, 1_000))
    else:
        pytest.skip("this Polars formats frames of several chunks: `worded` and this test can go")
    finally:
        capfd.readouterr()


def test_batches_that_nobody_wants_are_not_made() -> None:
    made = 0

    def counting(column: pl.Series) -> pl.Series:
        nonlocal made
        made += column.len()
        return column

    frame = pl.concat([pl.LazyFrame({"x": range(1_000)}) for _ in range(1_000)])
    taken = batches(frame.select(pl.col("x").map_batches(counting, return_dtype=pl.Int64, is_elementwise=True)), 1_000)
    first = next(taken)
    taken.close()
    assert first.height >= 1_000
    assert made < 1_000_000


def test_words_are_filled_in_whatever_the_chunks() -> None:
    told = chunked().select(worded("{} of {} rows", pl.col("x").cast(pl.Int64), "index")).collect(engine="streaming")
    assert told.to_series().to_list() == [f"1 of {row} rows" for row in LISTED]


@pytest.mark.parametrize("filled", [(), ("x", "x")])
def test_words_want_as_many_values_as_places(filled: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        worded("{} rows", *filled)

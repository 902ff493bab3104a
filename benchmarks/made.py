"""Seeded made-up rows for the quality bench: 22 mixed columns, with missing values and copies, as Parquet.

12 numbers (normal, log-normal, counts, prices, one constant-heavy), 6 categories (one of them nearly unique),
2 timestamps, 1 short text and a label whose smaller class has 1% of the rows; 2% of the cells are missing and 1% of
the rows are copies of earlier ones.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

CHUNK_ROWS = 1_000_000
MISSING = 0.02
COPIES = 0.01
MINORITY = 0.01
START = np.datetime64("2020-01-01", "us")
CITIES = [f"city {i:03}" for i in range(400)]
WORDS = np.array(
    "red blue small large new used fast slow light heavy round flat steel wood glass paper".split()  # noqa: SIM905
)


def write(folder: Path, rows: int, *, seed: int = 7) -> Path:
    """Write `rows` rows as Parquet files of at most `CHUNK_ROWS`; the same rows for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows_of_chunk in enumerate(chunks(rows, seed=seed)):
        rows_of_chunk.write_parquet(folder / f"part-{number:04}.parquet")
    return folder


def chunks(rows: int, *, seed: int) -> Iterator[pl.DataFrame]:
    """The rows in chunks of at most `CHUNK_ROWS`."""
    for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
        yield chunk(min(CHUNK_ROWS, rows - start), start, np.random.default_rng([seed, number]))


def chunk(rows: int, start: int, rng: np.random.Generator) -> pl.DataFrame:
    """One chunk; its last percent of rows are copies of its first."""
    columns = {**_numbers(rows, rng), **_categories(rows, start, rng), **_times(rows, start, rng)}
    columns["note"] = pl.Series(_texts(rows, rng))
    holed = {
        name: values.zip_with(pl.Series(rng.random(rows) >= MISSING), pl.Series([None], dtype=values.dtype))
        for name, values in columns.items()
    }
    holed["label"] = pl.Series(rng.random(rows) < MINORITY)
    frame = pl.DataFrame(holed)
    copies = int(rows * COPIES)
    return pl.concat([frame.head(rows - copies), frame.head(copies)])


def _numbers(rows: int, rng: np.random.Generator) -> dict[str, pl.Series]:
    return {
        **{f"normal_{i}": pl.Series(rng.normal(10 * i, 1 + i, rows)) for i in range(4)},
        **{f"lognormal_{i}": pl.Series(rng.lognormal(i, 0.7, rows)) for i in range(2)},
        **{f"count_{i}": pl.Series(rng.poisson(3 + 20 * i, rows)) for i in range(3)},
        "price": pl.Series((rng.gamma(2.0, 20.0, rows) * 100).round() / 100),
        "share": pl.Series(rng.beta(2, 5, rows)),
        "mostly_zero": pl.Series(np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(5, rows))),
    }


def _categories(rows: int, start: int, rng: np.random.Generator) -> dict[str, pl.Series]:
    sizes = {"color": 8, "shop": 40, "city": 400, "product": 3000, "flag": 2}
    drawn = {name: pl.Series(rng.zipf(1.3, rows) % size) for name, size in sizes.items()}
    named = {name: pl.format(f"{name} {{}}", values) for name, values in drawn.items()}
    frame = pl.DataFrame(drawn).select(**named)
    codes = pl.Series(np.arange(start, start + rows) * 2654435761 % 2**40)
    return {**frame.to_dict(), "code": pl.select(pl.format("K{}", codes)).to_series()}


def _times(rows: int, start: int, rng: np.random.Generator) -> dict[str, pl.Series]:
    placed = START + (np.arange(start, start + rows) * 7_000_000 + rng.integers(0, 7_000_000, rows)).astype("m8[us]")
    shipped = placed + rng.integers(0, 5 * 86_400_000_000, rows).astype("m8[us]")
    return {"placed": pl.Series(placed), "shipped": pl.Series(shipped)}


def _texts(rows: int, rng: np.random.Generator) -> list[str]:
    picked = WORDS[rng.integers(0, len(WORDS), (rows, 4))]
    return [" ".join(words) for words in picked]


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(float(sys.argv[2])))

"""Alarms that mean something: false alarms per 100 batches, and the share of small changes found, on real streams.

python -m benchmarks.drift_truth [--sets elec2 noaa flights] [--tries N] [--peers DIR]

Three streams of real rows from ../shared/data: the half-hours of an electricity market (elec2), days of weather (noaa),
flights. The rows are cut into a reference and batches in these ways:

- halves: all rows dealt out, half of them the reference. Nothing changed.
- stretches: the time shuffled: days (of noaa four weeks, of flights days) are dealt out whole. Nothing changed, but
  rows of one day are alike, as those of a stream are, and a batch differs from the rest by more than drawing.
- planted: halves, of whose batches one column each was changed (`CHANGES`).
- as it came: the rows in the order of time, the first third the reference. How often there is an alarm is told; whether
  it is right nobody knows, but that of weather every winter is no news.

A false alarm is a batch without a change of which any column is called drifted. A change is found in a batch where the
column that was changed is called drifted: alarms of others do not count, each batch counts for itself.

keepfit learns the order of the rows (`in_order`), the peers do not ask for it; all else is everybody's default. frouros
has tests, and no verdict: the Kolmogorov-Smirnov test of numbers and the chi-square test of categories at 0.01, as in
its documentation. DIR has a virtual environment for each peer, by its name; what is not there is left out, and said.
alibi-detect is under the Business Source License: a peer to be measured, and never a dependency.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.drift_peers import Told, asked
from pipeline.drift import past, univariate
from pipeline.drift.cuts import Kind

DATA = Path(__file__).parents[2] / "shared" / "data"
FLIGHTS = ("distance", "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "visib", "pressure", "seats")
CLEAN = ("halves", "stretches")
CAME = "as it came"
PLANTED = 4  # batches of each try with each change


class Stream(NamedTuple):
    """Rows in the order of time, the rows of a batch, and those of what is dealt out whole."""

    rows: pl.DataFrame
    batch: int
    stretch: int


class Case(NamedTuple):
    """A reference and the batches after it; `moved` is the column that was changed."""

    kind: str
    then: pl.DataFrame
    now: pl.DataFrame
    moved: str | None = None


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--sets", nargs="+", default=list(STREAMS), choices=list(STREAMS))
    options.add_argument("--tries", type=int, default=7, help="ways in which the rows are dealt out")
    options.add_argument("--peers", type=Path, default=None)
    chosen = options.parse_args()
    print(f"| stream | who | {' | '.join((*CLEAN, *CHANGES, CAME))} |\n|{'---|' * (len(CLEAN) + len(CHANGES) + 3)}")
    for name in chosen.sets:
        stream = STREAMS[name]()
        made = list(cases(stream, chosen.tries))
        for who, told in answers(made, stream.batch, chosen.peers):
            print(f"| {name} | {who} | {' | '.join(figures(made, told))} |", flush=True)


def elec2() -> Stream:
    return Stream(pl.read_csv(DATA / "drift" / "elec2.csv").drop("target"), 1440, 48)


def noaa() -> Stream:
    return Stream(pl.read_csv(DATA / "drift" / "noaa_weather.csv").drop("target"), 365, 28)


def flights() -> Stream:
    files = sorted((DATA / "flights").glob("*.csv.gz"))
    rows = pl.concat([pl.read_csv(path, null_values="NA", infer_schema=False) for path in files])
    numbers = [pl.col(name).cast(pl.Float64) for name in FLIGHTS]
    return Stream(rows.select(*numbers, "carrier", "origin", "dest").gather_every(4), 2500, 230)


STREAMS: dict[str, Callable[[], Stream]] = {"elec2": elec2, "noaa": noaa, "flights": flights}


def cases(stream: Stream, tries: int) -> Iterator[Case]:
    """Every case; a column that is changed is another one in each try."""
    for seed in range(tries):
        random = np.random.default_rng(seed)
        dealt = stream.rows[random.permutation(stream.rows.height)]
        yield Case("halves", *_cut(dealt, stream.batch, 2))
        yield Case("stretches", *_cut(stream.rows[_stretches(stream, random)], stream.batch, 2))
        then, now = _cut(dealt, stream.batch, 2)
        for kind, change in CHANGES.items():
            moved = _column(then, kind, seed)
            if moved is not None:
                part = now[: PLANTED * stream.batch]
                yield Case(kind, then, part.with_columns(change(part[moved], random)), moved)
    yield Case(CAME, *_cut(stream.rows, stream.batch, 3))


def _cut(rows: pl.DataFrame, batch: int, parts: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    first = rows.height // parts
    return rows[:first], rows[first : first + (rows.height - first) // batch * batch]


def _stretches(stream: Stream, random: np.random.Generator) -> np.ndarray:
    place_N = np.arange(stream.rows.height)
    order = random.permutation(stream.rows.height // stream.stretch + 1)
    return np.argsort(np.argsort(order)[place_N // stream.stretch], kind="stable")


def _column(rows: pl.DataFrame, kind: str, place: int) -> str | None:
    text = kind == "category x2"
    fit = [
        n for n, d in rows.schema.items() if (d == pl.String if text else rows[n].n_unique() > 10 and d.is_numeric())
    ]
    return fit[place % len(fit)] if fit else None


def _shifted(deviations: float) -> Callable[[pl.Series, np.random.Generator], pl.Series]:
    return lambda cells, random: cells.cast(pl.Float64) + deviations * (cells.cast(pl.Float64).std() or 0.0)


def _some(cells: pl.Series, random: np.random.Generator, share: float) -> pl.Series:
    return pl.Series(random.random(len(cells)) < share)


def _lost(cells: pl.Series, random: np.random.Generator) -> pl.Series:
    return cells.set(_some(cells, random, 0.05), None)


def _other_unit(cells: pl.Series, random: np.random.Generator) -> pl.Series:
    """A twentieth of the rows in inches, so to speak, where the others are centimetres."""
    numbers = cells.cast(pl.Float64)
    return numbers.zip_with(~_some(cells, random, 0.05), numbers / 2.54)


def _doubled(cells: pl.Series, random: np.random.Generator) -> pl.Series:
    """Rows of other values take the one whose share is nearest to a twentieth, until it has twice as many."""
    shares = cells.value_counts(normalize=True).drop_nulls()
    value, share = shares.sort((pl.col("proportion") - 0.05).abs()).select(cells.name, "proportion").row(0)
    taken = _some(cells, random, share / (1 - share)) & (cells != value).fill_null(False)
    return cells.set(taken, value)


CHANGES: dict[str, Callable[[pl.Series, np.random.Generator], pl.Series]] = {
    "+0.1 deviations": _shifted(0.1),
    "+0.2 deviations": _shifted(0.2),
    "+0.5 deviations": _shifted(0.5),
    "category x2": _doubled,
    "5% missing": _lost,
    "5% in another unit": _other_unit,
}


def answers(made: list[Case], batch: int, environments: Path | None) -> Iterator[tuple[str, Told]]:
    """Of each case and batch the columns that drifted, by everyone who is installed."""
    yield "keepfit", [ours(case, batch) for case in made]
    with TemporaryDirectory() as folder:
        for place, case in enumerate(made):
            case.then.write_parquet(Path(folder) / f"{place:03}-then.parquet")
            case.now.write_parquet(Path(folder) / f"{place:03}-now.parquet")
        yield from asked(Path(folder), batch, environments)


def ours(case: Case, batch: int) -> list[list[str]]:
    kinds: dict[str, Kind] = {
        name: "numeric" if dtype.is_numeric() else "categorical" for name, dtype in case.then.schema.items()
    }
    known = past.learn(case.then.lazy(), kinds, in_order=True, batch_rows=batch)
    alarms = []
    for start in range(0, case.now.height, batch):
        tested = univariate.tests(known, past.count(known, case.now[start : start + batch].lazy()))
        verdicts = univariate.judge(tested, univariate.level([test.p for test in tested], univariate.FALSE_ALARMS))
        alarms.append([verdict.column for verdict in verdicts if verdict.drift])
    return alarms


def figures(made: list[Case], told: Told) -> list[str]:
    """Per 100 batches: alarms of any column where nothing changed, of the column that did, and as it came."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for case, batches in zip(made, told, strict=True):
        found[case.kind] += [bool(columns) if case.moved is None else case.moved in columns for columns in batches]
    return [f"{100 * np.mean(found[kind]):.1f} ({len(found[kind])})" if found[kind] else "" for kind in _kinds()]


def _kinds() -> tuple[str, ...]:
    return (*CLEAN, *CHANGES, CAME)


if __name__ == "__main__":
    main()

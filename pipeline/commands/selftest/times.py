"""Defects of moments and series: dates in another form, stamps twice or out of order, holes, stuck sensors."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.commands.selftest.defect import (
    TRUTH,
    Cell,
    Damage,
    Defect,
    Rng,
    cells,
    drawn,
    filled,
    inserted,
    put,
    truths,
    whole,
)
from pipeline.commands.selftest.material import Material
from pipeline.commands.selftest.numbers import scaled
from pipeline.contract import ROW_ID

LONGEST = 5_000  # rows of a hole or a flat line
SHORTEST = 30
LEVEL_ROWS = 500
NEARLY = 0.95


def moments(material: Material) -> Sequence[str]:
    """Columns of dates or moments that are written as ISO says."""
    return [c.name for c in material.inferred.columns if c.dtype.is_temporal() and c.format is None and c.values]


def rewritten(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """The day before the month, with strokes."""
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return cell
    return moment.strftime("%d/%m/%Y" if len(cell.strip()) <= 10 else "%d/%m/%Y %H:%M")


def axis(material: Material) -> Sequence[str]:
    """The time axis, where there is one."""
    return [] if material.time is None else [material.time]


def series(material: Material) -> Sequence[str]:
    """The time axis, where it is a series: one row a stamp, or a stamp and an entity."""
    return [] if material.time is None or entity(material) is None else [material.time]


def entity(material: Material) -> list[str] | None:
    """The one column of which every value has a series of its own; [] where all rows are one, None where none is."""
    groups = [column.name for column in material.inferred.columns if column.role == "group"]
    for names in [[], *([name] for name in (*groups, *material.categories))]:
        keys = by_name(str(material.time), *names)
        if material.rows.select(pl.struct(keys).n_unique()).item() >= NEARLY * material.height:
            return names
    return None


def repeated(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows once more at the same stamp, with other numbers."""
    source = drawn(filled(material, columns[0]), count, rng)
    new = material.rows[source]
    for name in material.measured:
        new = put(new, name, {i: scaled(cell, 1.07, 1.0) for i, cell in enumerate(new[name]) if cell is not None})
    return inserted(material, new, source, rng)


def shuffled(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows at another place of the file; each, or the row of its entity that now follows it, steps back."""
    places = drawn(range(material.height), count, rng)
    at = np.arange(material.height, dtype=np.float64)
    at[places] = rng.uniform(0, material.height, len(places))
    rows = material.rows[np.argsort(at, kind="stable").tolist()]
    of = entity(material)
    follower = pl.col(ROW_ID).shift(-1).over(by_name(*of)) if of else pl.col(ROW_ID).shift(-1)
    follows = dict(rows.select(ROW_ID, follower.alias("next")).iter_rows())
    ids = material.rows.get_column(ROW_ID).gather(places)
    listed = [(item, row, None) for item, moved in enumerate(ids) for row in (moved, follows[moved]) if row is not None]
    return Damage(rows=rows, truth=pl.DataFrame(listed, schema=TRUTH, orient="row"), columns=tuple(columns))


def holed(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """A stretch of stamps without rows, in the middle."""
    count = min(max(count, SHORTEST), LONGEST, material.height // 4)
    stamps = material.cells(columns[0])
    order = stamps.arg_sort()
    first = int(rng.integers(material.height // 4, material.height // 2))
    gone = stamps.gather(order[first : first + count]).unique()
    return whole(material.rows.filter(~stamps.is_in(gone.implode())), *columns)


def stuck(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """A stretch of one series in which a number does not move; one item: the stretch."""
    time, name = columns
    count = min(max(count, SHORTEST), LONGEST, material.height // 4)
    of = entity(material)
    places = material.cells(time).arg_sort().to_list()
    if of:
        values = material.cells(*of)
        kept = values.mode().sort().first()
        places = [place for place in places if values[place] == kept]
    first = int(rng.integers(max(len(places) - count, 1)))
    chosen = places[first : first + count]
    value = next((cell for place in chosen if (cell := material.cells(name)[place]) is not None), "1")
    rows = put(material.rows, name, dict.fromkeys(chosen, value))
    truth = truths(material, [(place, name) for place in chosen]).with_columns(item=pl.lit(0, dtype=pl.Int64))
    return Damage(rows=rows, truth=truth, columns=(name,))


def stepped(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """From one moment on, between a quarter and three quarters of the rows, four standard deviations up."""
    (name,) = columns
    order = material.cells(str(material.time)).arg_sort()
    first = int(rng.integers(material.height // 4, 3 * material.height // 4))
    spread = material.value(name).std()
    offset = 4 * spread if isinstance(spread, float) else 0.0
    cells = material.cells(name)
    places = [place for place in order.slice(first).to_list() if cells[place] is not None]
    moved = {place: scaled(cells[place], 1.0, offset) for place in places}
    return whole(put(material.rows, name, moved), name)


def timed(material: Material) -> Sequence[str]:
    """Measured columns, where there is a time axis and rows enough to see a level."""
    return material.measured if material.time is not None and material.height >= LEVEL_ROWS else []


def sensor(material: Material) -> Sequence[str]:
    """The time axis and the measured column of most values, where there is a series."""
    if not series(material) or not material.measured:
        return []
    richest = max(material.measured, key=lambda name: material.inferred.column(name).distinct)
    return [str(material.time), richest]


DEFECTS = (
    Defect(
        name="date format",
        what="dates written in another way",
        told_by=("dtype_mismatch", "mixed_date_formats", "date_parseable"),
        places=moments,
        plant=cells(rewritten),
    ),
    Defect(
        name="repeated stamp",
        what="two rows at one stamp",
        told_by=("ts_duplicate_timestamp", "duplicate_rows_but_ids"),
        places=series,
        plant=repeated,
    ),
    Defect(
        name="out of order",
        what="rows at another place of the file",
        told_by=("ts_out_of_order",),
        places=axis,
        plant=shuffled,
    ),
    Defect(
        name="gap in time",
        what="a stretch without rows",
        told_by=("ts_gap", "ts_irregular_frequency"),
        places=axis,
        plant=holed,
    ),
    Defect(
        name="flat line",
        what="a number that does not move for a stretch",
        told_by=("ts_flatline", "most_common_value", "default_value"),
        places=sensor,
        plant=stuck,
        most=None,
    ),
    Defect(
        name="level shift",
        what="numbers that move up at one moment and stay",
        told_by=("ts_level_shift", "unit_scale_jump"),
        places=timed,
        plant=stepped,
        most=1,
        rated=False,
    ),
)

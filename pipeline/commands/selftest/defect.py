"""One planted defect: where it can go, how it gets there, and which checks should tell it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.commands.selftest.material import Material
from pipeline.contract import ROW_ID

Rng: TypeAlias = np.random.Generator
Cell: TypeAlias = str | None
Change: TypeAlias = Callable[[str, pl.Series, Rng], Cell]  # (a cell, its column, ...) → what it becomes
TRUTH = pl.Schema({"item": pl.Int64, "row": pl.Int64, "column": pl.String})
COLUMNS = 3  # planted at once, at most


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Rows with a defect in them. row_id still names the row, wherever it stands; rows that came have new numbers.

    `truth`: one row = one cell at fault; cells of one `item` are one fault (a copy and what it was copied from), and
    a null column stands for any of the row. `columns` are at fault as a whole or in part; `added`, of which the sound
    rows say nothing, came only to hold the fault.
    """

    rows: pl.DataFrame
    truth: pl.DataFrame
    columns: tuple[str, ...]
    added: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Defect:
    """What is planted. `places`: the columns that it can go into (row defects name the columns that they touch).

    `plant(material, columns, count, rng)` damages `count` cells of each column, or `count` rows. `most`: columns at
    once, None for all. `rated`: at several rates, else once. `told_by`: the checks that should tell it. `model`:
    those fit models. `against`: they need a reference, for which the other half of the rows stands.
    """

    name: str
    what: str
    told_by: tuple[str, ...]
    places: Callable[[Material], Sequence[str]]
    plant: Callable[[Material, Sequence[str], int, Rng], Damage]
    most: int | None = COLUMNS
    rated: bool = True
    model: bool = False
    against: bool = False

    def chosen(self, material: Material, rng: Rng) -> list[str]:
        """The columns that are damaged: `most` of those that it can go into, in their order."""
        possible = list(self.places(material))
        if self.most is None or len(possible) <= self.most:
            return possible
        return [possible[place] for place in sorted(rng.choice(len(possible), self.most, replace=False))]


def cells(change: Change) -> Callable[[Material, Sequence[str], int, Rng], Damage]:
    """Plant by changing filled cells one by one; one that stays as it was is not planted."""

    def plant(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
        rows, truth = material.rows, []
        for name in columns:
            column = material.cells(name)
            places = drawn(filled(material, name), count, rng)
            new = [change(str(column[place]), column, rng) for place in places]
            moved = {place: cell for place, cell in zip(places, new, strict=True) if cell != column[place]}
            rows = put(rows, name, moved)
            truth += [(place, name) for place in moved]
        return Damage(rows=rows, truth=truths(material, truth), columns=tuple(columns))

    return plant


def filled(material: Material, name: str) -> list[int]:
    """The places of the column's cells that hold a value, no marker of a missing one."""
    markers = list(material.inferred.column(name).markers)
    column = material.cells(name)
    return (column.is_not_null() & ~column.is_in(markers) & (column.str.strip_chars() != "")).arg_true().to_list()


def drawn(places: Sequence[int], count: int, rng: Rng) -> list[int]:
    """So many of the places, or all, in order."""
    return sorted(rng.choice(np.array(places, dtype=np.int64), min(count, len(places)), replace=False).tolist())


def put(rows: pl.DataFrame, name: str, new: Mapping[int, Cell]) -> pl.DataFrame:
    """The rows with these cells (place → text) in place of what stood there."""
    column = rows.get_column(name).to_list()
    for place, cell in new.items():
        column[place] = cell
    return rows.with_columns(pl.Series(name, column, dtype=pl.String))


def truths(material: Material, at: Sequence[tuple[int, str | None]]) -> pl.DataFrame:
    """One item a cell (place, column)."""
    ids = material.rows.get_column(ROW_ID)
    listed = [(item, ids[place], column) for item, (place, column) in enumerate(at)]
    return pl.DataFrame(listed, schema=TRUTH, orient="row")


def whole(rows: pl.DataFrame, *columns: str) -> Damage:
    """Columns at fault as a whole: no row is worse than another."""
    return Damage(rows=rows, truth=pl.DataFrame(schema=TRUTH), columns=columns)


def inserted(material: Material, new: pl.DataFrame, source: Sequence[int], rng: Rng) -> Damage:
    """Rows with `new` ones (made of those at `source`); old and new are one item together.

    They come somewhere after their source, so that the later one is the copy; right after it where there is a time
    axis, as another place is another defect.
    """
    ids = material.rows.get_column(ROW_ID)
    first = int(ids.max()) + 1 if len(ids) else 0  # type: ignore[arg-type]
    numbered = new.with_columns(pl.int_range(first, first + new.height, dtype=pl.Int64).alias(ROW_ID))
    after = np.array(source, dtype=np.float64) + 0.5
    where = pl.Series("#place", rng.uniform(after, material.height) if material.time is None else after)
    both = pl.concat(
        [
            material.rows.with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias("#place")),
            numbered.with_columns(where).select(by_name(*material.rows.columns, "#place")),
        ]
    )
    listed = [(item, row, None) for item, place in enumerate(source) for row in (ids[place], first + item)]
    return Damage(
        rows=both.sort("#place").drop("#place"),
        truth=pl.DataFrame(listed, schema=TRUTH, orient="row"),
        columns=(),
    )

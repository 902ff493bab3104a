"""Which columns of text hold sets: several tags a cell, as `red;blue` or `["red", "blue"]`.

It is asked of the first rows, then of all, and answered only where the rows leave no doubt: the parts are few and
come again and again, cells have one or several, and a part that follows another stands in another place elsewhere.
Cities with their states, names with their initials and sentences do not do that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl
from polars.selectors import by_name

from pipeline.contract import Role
from pipeline.infer.found import Found
from pipeline.tables import tags

WAYS = ("|", ";", ",", tags.JSON)
HEAD_ROWS = 5_000
FEWEST = 100  # cells
SEVERAL = 0.2  # of the cells have two tags or more
ALIKE = 0.9  # of the cells at most have as many tags as each other
AGAIN = 10.0  # how often a tag stands on the mean
MOST = 1_000  # different tags
MOVING = 0.9  # of the tags that follow another stand in another place elsewhere
LONG = 40  # characters of a tag
EMPTY = '; an empty cell is a missing label, unless the metadata say "empty": "no tags"'
OPEN, SHUT = r"^\s*\[", r"\]\s*$"


def with_sets(frame: pl.LazyFrame, columns: Sequence[Found]) -> list[Found]:
    """The columns, and those that hold sets with the modality `set` and what stands between their tags."""
    likely = [c.name for c in columns if _may_hold_sets(c)]
    if not likely:
        return list(columns)
    head = frame.select(by_name(*likely)).head(HEAD_ROWS).collect()
    ways = {name: way for name in likely if (way := _way(head.get_column(name))) is not None}
    sure = {name: (way, told) for name, way in ways.items() if (told := _told(frame, name, way)) is not None}
    return [_as_set(column, *sure[column.name]) if column.name in sure else column for column in columns]


def _may_hold_sets(column: Found) -> bool:
    read = column.role in ("feature", "label", "id") and column.modality in (None, "categorical", "text")
    return read and column.dtype == pl.String and column.values >= FEWEST and column.format is None


def _way(cells: pl.Series) -> str | None:
    """How these cells are written, if they are sets."""
    known = cells.alias("cells").drop_nulls()  # by the name of a series Polars may understand a pattern
    return next((way for way in WAYS if _are_sets(known, way)), None)


def _are_sets(cells: pl.Series, way: str) -> bool:
    if len(cells) < FEWEST or not _is_worth_asking(cells, way):
        return False
    parts = _parts(cells, way)
    sizes = parts.list.len()
    flat = parts.explode(empty_as_null=True, keep_nulls=True).drop_nulls()
    alike = sizes.value_counts()["count"].max()
    if not len(flat) or _share(sizes >= 2) < SEVERAL or alike > ALIKE * len(sizes):  # type: ignore[operator]
        return False
    distinct = flat.n_unique()
    if distinct > MOST or len(flat) < AGAIN * distinct or flat.str.len_chars().max() > LONG:  # type: ignore[operator]
        return False
    if 2 * flat.cast(pl.Float64, strict=False).count() >= len(flat):  # numbers with commas, vectors
        return False
    once = _share(parts.list.n_unique() == sizes)
    return once >= ALIKE and (way == tags.JSON or _is_in_any_place(parts))


def _is_worth_asking(cells: pl.Series, way: str) -> bool:
    if way == tags.JSON:
        return bool((cells.str.contains(OPEN) & cells.str.contains(SHUT)).all())
    return _share(cells.str.contains(way, literal=True)) >= SEVERAL


def _parts(cells: pl.Series, way: str) -> pl.Series:
    """Each cell's parts in their order, repeats too."""
    if way == tags.JSON:
        return cells.to_frame("x").select(tags.parted(pl.col("x"), way)).to_series().drop_nulls()
    return cells.to_frame("x").select(tags.parts(pl.col("x"), way)).to_series()


def _is_in_any_place(parts: pl.Series) -> bool:
    """Whether what follows a part stands in another place elsewhere: it is no field of its own."""
    cells = pl.DataFrame({"tag": parts}).with_columns(place=pl.int_ranges(pl.col("tag").list.len()))
    long = cells.explode("tag", "place", empty_as_null=True, keep_nulls=True).drop_nulls("tag")
    moving = long.with_columns(places=pl.col("place").n_unique().over("tag")).filter(pl.col("place") > 0)
    return _share(moving.get_column("places") > 1) >= MOVING


def _share(asked: pl.Series) -> float:
    return int(asked.sum()) / max(len(asked), 1)


def _told(frame: pl.LazyFrame, name: str, way: str) -> Mapping[str, int] | None:
    """The rows of each tag in all rows; None where these are not as the first were."""
    counted = tags.counted(frame, by_name(name), way)
    return counted if len(counted) <= MOST and sum(counted.values()) >= AGAIN * len(counted) else None


def _as_set(column: Found, way: str, told: Mapping[str, int]) -> Found:
    role: Role = "label" if column.role == "label" else "feature"
    between = "JSON lists" if way == tags.JSON else f"parted by {way!r}"
    why = f"sets {between}: {', '.join(_some(told))}{EMPTY * (role == 'label' and column.nullable)}"
    return replace(column, role=role, modality="set", format=way, rules={}, distinct=len(told), why=why)


def _some(told: Mapping[str, int]) -> Iterator[str]:
    yield from list(told)[:3]
    if len(told) > 3:
        yield f"and {len(told) - 3:,} more tags"

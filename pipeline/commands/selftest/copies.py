"""Defects of rows and of their labels: copies, near copies, contradictions, cells in the wrong column."""

import dataclasses
from collections.abc import Sequence

import polars as pl
from polars.selectors import by_name

from pipeline.commands.selftest.defect import Damage, Defect, Rng, drawn, filled, inserted, put, truths
from pipeline.commands.selftest.material import Material
from pipeline.commands.selftest.numbers import scaled
from pipeline.commands.selftest.texts import mistyped
from pipeline.contract import ROW_ID

CLASSES = 100


def any_row(material: Material) -> Sequence[str]:
    """Every table has rows: all features may be touched."""
    return [column.name for column in material.features]


def with_words(material: Material) -> Sequence[str]:
    """The features of words, where there are any."""
    return material.texts


def classes(material: Material) -> Sequence[str]:
    """The label, where it has classes."""
    label = material.label
    return [] if label is None or label.is_regression or not 2 <= label.distinct <= CLASSES else [label.name]


def copied(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows once more, as they are."""
    source = drawn(range(material.height), count, rng)
    return inserted(material, material.rows[source], source, rng)


def nearly_copied(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows once more with a typo in one field, and where there are two of words every third has them swapped."""
    source = drawn(range(material.height), count, rng)
    new = material.rows[source]
    for place in range(new.height):
        if place % 3 == 2 and len(columns) > 1:
            first, second = (str(name) for name in rng.choice(list(columns), 2, replace=False))
            cells = {first: new[second][place], second: new[first][place]}
        else:
            worded = [name for name in columns if len(new[name][place] or "") > 3] or list(columns)
            name = str(rng.choice(worded))
            cells = {name: mistyped(new[name][place] or "", new[name], rng)}
        for name, cell in cells.items():
            new = put(new, name, {place: cell})
    return inserted(material, new, source, rng)


def contradicted(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows once more with another label."""
    source = drawn(filled(material, columns[0]), count, rng)
    new = material.rows[source]
    others = {place: _other(material, columns[0], new[columns[0]][place], rng) for place in range(new.height)}
    damage = inserted(material, put(new, columns[0], others), source, rng)
    return dataclasses.replace(damage, truth=_with_twins(material, damage))


def _with_twins(material: Material, damage: Damage) -> pl.DataFrame:
    """The truth with every row whose features are those of a row at fault: it is contradicted too."""
    features = pl.struct(by_name(*(column.name for column in material.features)))
    alike = damage.rows.select(pl.col(ROW_ID).alias("row"), features.hash(seed=0).alias("#features"))
    items = damage.truth.select("item", "row").join(alike, on="row").select("item", "#features").unique()
    twins = items.join(alike, on="#features").select("item", "row").with_columns(column=pl.lit(None, dtype=pl.String))
    return twins.unique().sort("item", "row")


def flipped(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Rows with another label than theirs."""
    places = drawn(filled(material, columns[0]), count, rng)
    column = material.cells(columns[0])
    new = {place: _other(material, columns[0], column[place], rng) for place in places}
    truth = truths(material, [(place, columns[0]) for place in places])
    return Damage(rows=put(material.rows, columns[0], new), truth=truth, columns=tuple(columns))


def quantity(material: Material) -> Sequence[str]:
    """The label, where it is measured."""
    label = material.label
    return [label.name] if label is not None and label.is_regression else []


def _other(material: Material, name: str, cell: str, rng: Rng) -> str:
    known = material.cells(name).drop_nulls().unique().sort().to_list()
    return str(rng.choice([value for value in known if value != cell]))


def numbers(material: Material) -> Sequence[str]:
    """Measured columns, where there are two."""
    return material.measured if len(material.measured) > 1 else []


def words(material: Material) -> Sequence[str]:
    """Columns of categories, where there are two."""
    return material.categories if len(material.categories) > 1 else []


def swapped(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """The cells of two columns in each other's place; one item a row."""
    first, second = (material.cells(name) for name in columns)
    both = sorted(set(filled(material, columns[0])) & set(filled(material, columns[1])))
    places = drawn([place for place in both if first[place] != second[place]], count, rng)
    rows = put(material.rows, columns[0], {place: second[place] for place in places})
    rows = put(rows, columns[1], {place: first[place] for place in places})
    return Damage(rows=rows, truth=truths(material, [(place, None) for place in places]), columns=tuple(columns))


def dependency(material: Material) -> Sequence[str]:
    """Two columns of which the first tells the second in every row, and both repeat; the richest such pair of words.

    Numbers come after words: what their values say of one another is mostly a formula, not a dependency of names.
    """
    worded = set(material.categories)
    named = [c for c in material.features if 3 <= c.distinct <= material.height / 3]
    named.sort(key=lambda c: (c.name not in worded, -c.distinct))
    distinct = {c.name: material.cells(c.name).n_unique() for c in named}
    pairs = [(telling, told) for told in distinct for telling in distinct if telling != told]
    for telling, told in pairs:
        few = distinct[told] <= distinct[telling] < material.height / 3
        if few and material.rows.select(pl.struct(by_name(telling, told)).n_unique()).item() == distinct[telling]:
            return [telling, told]
    return []


def broken(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """The told column holds another of its values; either of the two cells may be named."""
    places = drawn(filled(material, columns[1]), count, rng)
    column = material.cells(columns[1])
    new = {place: _other(material, columns[1], column[place], rng) for place in places}
    truth = truths(material, [(place, None) for place in places])
    return Damage(rows=put(material.rows, columns[1], new), truth=truth, columns=tuple(columns))


def miscalculated(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """A column `extra total`, the sum of two others but in `count` rows, where a tenth is added."""
    name = material.free("extra total")
    first, second = (material.value(name) for name in columns)
    total = (first + second).round(6).cast(pl.String).rename(name)
    places = drawn((first + second > 1).fill_null(False).arg_true().to_list(), count, rng)
    rows = put(material.rows.with_columns(total), name, {p: scaled(total[p], 1.1, 1.0) for p in places})
    truth = truths(material, [(place, None) for place in places])
    return Damage(rows=rows, truth=truth, columns=(name, *columns), added=(name,))


NEAR = ("near_duplicate_rows", "text_duplicates", "duplicate_rows_but_ids")
DEFECTS = (
    Defect(
        name="exact copy",
        what="rows that stand twice",
        told_by=("duplicate_rows_exact", "duplicate_rows_but_ids", "ts_duplicate_timestamp"),
        places=any_row,
        plant=copied,
        most=None,
    ),
    Defect(
        name="near copy",
        what="rows that stand twice, with a typo or two fields swapped",
        told_by=NEAR,
        places=with_words,
        plant=nearly_copied,
        most=None,
    ),
    Defect(
        name="conflicting label",
        what="rows that stand twice, with two labels",
        told_by=("conflicting_labels", *NEAR),
        places=classes,
        plant=contradicted,
    ),
    Defect(
        name="flipped label",
        what="rows with a wrong label",
        told_by=("label_error", "conflicting_labels"),
        places=classes,
        plant=flipped,
        model=True,
    ),
    Defect(
        name="exchanged label",
        what="rows with the number of another row as label",
        told_by=("regression_label_error",),
        places=quantity,
        plant=flipped,
        model=True,
    ),
    Defect(
        name="swapped numbers",
        what="two numbers in each other's column",
        told_by=("multivariate_outlier", "z_score_outlier", "column_a_greater_than_b", "impossible_value"),
        places=numbers,
        plant=swapped,
        most=2,
    ),
    Defect(
        name="swapped words",
        what="two words in each other's column",
        told_by=("functional_dependency", "pattern_outlier", "string_length_outlier", "string_typos"),
        places=words,
        plant=swapped,
        most=2,
    ),
    Defect(
        name="broken dependency",
        what="a value that another column contradicts",
        told_by=("functional_dependency", "almost_duplicate_columns"),
        places=dependency,
        plant=broken,
        most=None,
    ),
    Defect(
        name="wrong sum",
        what="a total that is not the sum of its parts",
        told_by=("derived_column_consistent",),
        places=numbers,
        plant=miscalculated,
        most=2,
    ),
)

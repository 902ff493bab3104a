"""Defects of whole columns: nothing missing that was there, nothing said, the label said aloud."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.commands.selftest.copies import classes
from pipeline.commands.selftest.defect import COLUMNS, Damage, Defect, Rng, cells, put, whole
from pipeline.commands.selftest.material import Material
from pipeline.commands.selftest.numbers import measured, scaled

LEAK_NOISE = 0.02


def full(material: Material) -> Sequence[str]:
    """Features that lack nothing."""
    return [column.name for column in material.features if not column.nullable]


def spare(material: Material) -> Sequence[str]:
    """The first feature that lacks nothing, where it is not the only one."""
    return full(material)[:1] if len(material.features) > 1 else []


def varied(material: Material) -> Sequence[str]:
    """Features of more than one value."""
    return [column.name for column in material.features if column.distinct > 1]


def emptied(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """No cell holds anything."""
    rows = material.rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in columns)
    return whole(rows, *columns)


def constant(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """Every cell holds what the first one does."""
    rows = material.rows.with_columns(
        pl.lit(material.cells(name).drop_nulls().first(), dtype=pl.String).alias(name) for name in columns
    )
    return whole(rows, *columns)


def doubled(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """The columns once more, by another name."""
    new = {name: material.free(f"extra {place}") for place, name in enumerate(columns)}
    rows = material.rows.with_columns(material.cells(name).alias(again) for name, again in new.items())
    return whole(rows, *columns, *new.values())


def leaked(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """A feature `extra` that is the label in other words, wrong in one row of fifty."""
    label = material.cells(columns[0])
    known = label.drop_nulls().unique().sort().to_list()
    said = label.replace_strict(known, [f"kind {place}" for place in range(len(known))], default=None)
    wrong = rng.random(material.height) < LEAK_NOISE
    noisy = {int(place): f"kind {rng.integers(len(known))}" for place in np.flatnonzero(wrong)}
    name = material.free("extra")
    return whole(put(material.rows.with_columns(said.alias(name)), name, dict(noisy)), name)


def moved(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
    """All numbers one standard deviation up."""
    rows = material.rows
    for name in columns:
        spread = material.value(name).std()
        by = spread if isinstance(spread, float) else 0.0
        rows = put(rows, name, {i: scaled(c, 1.0, by) for i, c in enumerate(rows[name]) if c is not None})
    return whole(rows, *columns)


DEFECTS = (
    Defect(
        name="missing value",
        what="cells without a value, where the reference lacks none",
        told_by=("missing_share_change", "missing_share_column", "missing_share_row"),
        places=full,
        plant=cells(lambda cell, column, rng: None),
        against=True,
    ),
    Defect(
        name="empty column",
        what="a column without a value",
        told_by=("empty_column", "missing_share_column"),
        places=spare,
        plant=emptied,
        rated=False,
    ),
    Defect(
        name="constant column",
        what="a column of one value",
        told_by=("constant_column",),
        places=lambda material: varied(material)[:1],
        plant=constant,
        rated=False,
    ),
    Defect(
        name="doubled column",
        what="a column that stands twice",
        told_by=("duplicate_columns", "feature_feature_correlation"),
        places=lambda material: varied(material)[:COLUMNS],
        plant=doubled,
        rated=False,
    ),
    Defect(
        name="leaked label",
        what="a feature that is the label, but for one row in fifty",
        told_by=("target_leak", "almost_duplicate_columns", "functional_dependency"),
        places=classes,
        plant=leaked,
        rated=False,
    ),
    Defect(
        name="shifted column",
        what="numbers one deviation above the reference's",
        told_by=("distribution_shift",),
        places=lambda material: measured(material)[:1],
        plant=moved,
        rated=False,
        against=True,
    ),
)

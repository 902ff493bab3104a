"""What the label is: classes, with their rows, or a regression's target (used by checks)."""

import numpy as np
import polars as pl

from pipeline.profile import Numeric
from pipeline.profile.sketch import Sketch
from pipeline.quality.findings import Skipped, Table

WHOLE_CLASSES = 30  # more whole numbers than this are measured, not classes
ROWS_A_CLASS = 2  # on the mean; text that hardly repeats names things


def classes_of(table: Table) -> dict[str, int] | Skipped:
    """Labelled rows by class (as text, in its order), from the profile; Skipped where the label is no class.

    Text, booleans and a modality of `categorical` are classes, and so are two numbers or up to 30 whole ones that
    repeat, unless the modality is `numeric`; other numbers and moments in time are a regression's target, text that
    hardly repeats is neither.
    """
    label = table.label
    if label is None:
        return Skipped(why="no column has the role label")
    summary = table.profile.columns.get(label)
    if summary is None:
        return {}
    column = table.contract.column(label)
    if isinstance(summary, Numeric):
        moment = summary.kind == "timestamp"
        stated = column.modality in ("categorical", "ordinal")
        regression = moment or column.is_quantity or not _few_whole(summary, stated=stated)
        if regression:
            return Skipped(why=f"{label} is a regression's target, no class")
        return dict(sorted(_counts(summary.sketch, whole=column.dtype.is_integer()).items()))
    hardly = summary.other or summary.rows - summary.nulls < ROWS_A_CLASS * len(summary.counts) > 2 * ROWS_A_CLASS
    if hardly or column.modality == "set":
        what = "a set of tags" if column.modality == "set" else "text that hardly repeats"
        return Skipped(why=f"{label} is {what}, no class")
    return dict(sorted(summary.counts.items()))


def is_measured(table: Table) -> bool:
    """Whether the label is a number that is no class."""
    summary = None if table.label is None else table.profile.columns.get(table.label)
    return isinstance(summary, Numeric) and summary.kind == "numeric" and isinstance(classes_of(table), Skipped)


def _few_whole(summary: Numeric, *, stated: bool) -> bool:
    if summary.sketch.level:  # over 2048 values
        return False
    values = [float(value) for value in _counts(summary.sketch, whole=False)]
    few = len(values) <= WHOLE_CLASSES and ROWS_A_CLASS * len(values) <= summary.finite
    return stated or len(values) <= 2 or (few and all(value.is_integer() for value in values))


def _counts(sketch: Sketch, *, whole: bool) -> dict[str, int]:
    """Rows by value, as text, of a sketch at level 0, where a bucket is a value's bits (see Sketch)."""
    index, counts = sketch.arrays()
    values = np.where(index == 0, 0.0, np.copysign((np.abs(index) - 1).view(np.float64), index))
    texts = pl.Series(values).cast(pl.Int64 if whole else pl.Float64).cast(pl.String)  # as Polars writes a cell
    return dict(zip(texts, counts.tolist(), strict=True))

"""How well one column alone tells each class of the label, on rows that were not learnt from (used by checks).

Shapes: B bins, K classes; two halves of the sample, by a hash of row_id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID, Column
from pipeline.labels.target import classes_of, is_measured
from pipeline.quality.findings import Skipped, Table

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

BINS = 64
CLASS_ROWS = 10  # in a half, of a class and of the others: an AUC on fewer is above 0.9 by chance too often
CLASSES = 20  # the largest are judged
QUARTERS = 4


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """The class that is told best, with its AUC, and the AUC of the class that is told worst.

    `fewest`: on how few rows of a class, or of all others, an AUC is; `renamed`: no more values than classes tell it.
    """

    auc: float
    value: str
    least: float
    fewest: int
    renamed: bool


NOTHING = Shortcut(auc=0.5, value="", least=0.5, fewest=0, renamed=False)


def shortcuts(table: Table, columns: Sequence[Column]) -> dict[str, Shortcut] | Skipped:
    """How well each column tells the label alone; all from the table's sample."""
    label = _label(table)
    if isinstance(label, Skipped):
        return label
    half = _half(table)
    return {column.name: _strongest(_bins(table.sample, column), label, half) for column in columns}


def told_by_order(table: Table) -> Shortcut | None:
    """How well a row's place tells the label; None without classes."""
    label = _label(table)
    if isinstance(label, Skipped):
        return None
    rows = table.sample.height
    place = pl.Series(np.arange(rows) * min(BINS, max(rows // CLASS_ROWS, 1)) // max(rows, 1))
    return _strongest(place, label, _half(table))


def auc(counts_BK: Array, held_BK: Array, k: int) -> float | None:
    """AUC of class k over bins (ties count half), scored by its share in `counts_BK`; null for too few rows.

    The Mann-Whitney statistic (Hanley & McNeil 1982); a bin's share leans to the whole's by one row.
    """
    seen, others = counts_BK[:, k], counts_BK.sum(axis=1) - counts_BK[:, k]
    positive, negative = held_BK[:, k], held_BK.sum(axis=1) - held_BK[:, k]
    if min(part.sum() for part in (seen, others, positive, negative)) < CLASS_ROWS:
        return None
    score = (seen + seen.sum() / counts_BK.sum()) / (seen + others + 1)
    _, tied = np.unique(score, return_inverse=True)
    wins, losses = np.bincount(tied, weights=positive), np.bincount(tied, weights=negative)
    below = np.cumsum(losses) - losses / 2
    return float((wins * below).sum() / (wins.sum() * losses.sum()))


def _label(table: Table) -> pl.Series | Skipped:
    """The label's class in each row of the sample, as text; a number that is no class is cut into quarters."""
    if table.label is None:
        return Skipped(why="no column has the role label")
    values = table.sample.select(by_name(table.label).alias("label")).to_series()
    if is_measured(table):
        return quarters(values)
    classes = classes_of(table)
    return classes if isinstance(classes, Skipped) else values.cast(pl.String)


def quarters(values: pl.Series) -> pl.Series:
    """Which quarter of the numbers each is in, as text; null for what is no finite number."""
    numbers = values.cast(pl.Float64)
    finite = numbers.filter(numbers.is_finite()).sort()
    cuts = sorted({finite[len(finite) * i // QUARTERS] for i in range(1, QUARTERS)} if len(finite) else set())
    names = [f"up to {cut:.15g}" for cut in cuts] + [f"over {cuts[-1]:.15g}" if cuts else "any"]
    places = np.searchsorted(np.array(cuts), numbers.fill_null(0.0).to_numpy(), side="left")
    parts = pl.Series([names[place] for place in places], dtype=pl.String)
    return pl.select(pl.when(numbers.is_finite()).then(parts)).to_series()


def _half(table: Table) -> pl.Series:
    return table.sample.select(pl.col(ROW_ID).hash(seed=1) % 2).to_series()


def _strongest(bins: pl.Series, label: pl.Series, half: pl.Series) -> Shortcut:
    known = label.is_not_null()
    sizes = label.drop_nulls().value_counts(name="#rows").sort(["#rows", label.name], descending=[True, False])
    judged = sizes[label.name].head(CLASSES).sort().to_list()
    if len(judged) < 2:
        return NOTHING
    codes = {value: place for place, value in enumerate(judged)}
    code_N = label.filter(known).replace_strict(codes, default=len(judged), return_dtype=pl.Int64).to_numpy()
    bin_N = bins.filter(known).rank("dense").fill_null(0).to_numpy().astype(np.int64)  # null is a bin of its own
    first_N = half.filter(known).to_numpy() == 0
    seen_BK, held_BK = (np.zeros((int(bin_N.max()) + 1, len(judged) + 1)) for _ in range(2))
    np.add.at(seen_BK, (bin_N[first_N], code_N[first_N]), 1)
    np.add.at(held_BK, (bin_N[~first_N], code_N[~first_N]), 1)
    asked = range(1, 2) if len(judged) == sizes.height == 2 else range(len(judged))
    aucs = {judged[k]: found for k in asked if (found := auc(seen_BK, held_BK, k)) is not None}
    if not aucs:
        return NOTHING
    best = max(aucs, key=lambda value: aucs[value])
    rows_K = held_BK.sum(axis=0)[[codes[value] for value in aucs]]
    return Shortcut(
        auc=aucs[best],
        value=best,
        least=min(aucs.values()),
        fewest=int(np.minimum(rows_K, held_BK.sum() - rows_K).min()),
        renamed=np.unique(bin_N).size <= sizes.height,
    )


def _bins(sample: pl.DataFrame, column: Column) -> pl.Series:
    """The bin of each row: a category or a text as it is, a number or a moment by its quantile, null apart."""
    values = sample.select(by_name(column.name).alias("value")).to_series()
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical()
    elif not values.dtype.is_numeric() or column.modality == "categorical":
        return values.cast(pl.String)
    numbers = values.cast(pl.Float64)
    finite = numbers.filter(numbers.is_finite()).sort()
    cuts = finite.gather([len(finite) * i // BINS for i in range(1, BINS)]).unique().sort() if len(finite) else finite
    places = pl.Series(np.searchsorted(cuts.to_numpy(), numbers.fill_null(0).to_numpy(), side="right"))
    apart = pl.when(numbers.is_nan()).then(BINS).otherwise(places)
    return pl.select(pl.when(numbers.is_not_null()).then(apart)).to_series()

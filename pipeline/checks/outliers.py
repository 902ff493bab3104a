"""Outlier checks: numbers that stand apart from their column, and rows whose numbers do not go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.impossible import FEWEST_ROWS, finite, flipped, lone_zero, numbers, points, quantile
from pipeline.contract import ROW_ID
from pipeline.findings import Hit, Policy, Skipped, Table
from pipeline.profile import Numeric
from pipeline.profile.sketch import Floats, Integers
from pipeline.wording import count

TAIL_SHARE = 0.05  # of a side's rows is its tail
TAIL_ROWS = 10  # or so many
FAR_OUT = 3.0  # times the interquartile range beyond the quartile (Tukey 1977)
VARIED = 0.5  # the most rows of one value that a column may have to be compared with others by ranks
RIDGE = 1e-3  # of a unit variance: columns that repeat each other are no exact constraint
ROWS_PER_COLUMN = 20


@dataclass(frozen=True, kw_only=True)
class ZScoreOutlier:
    """Which numbers stand apart from all others of their column, further than its tail explains?

    A long tail is no outlier, however long: what is told lies beyond a gap. Distances are from the median, each
    side for itself. The gap is one where the next distance is `minimum_ratio` times that of the rest's last value,
    beyond Tukey's outer fence, and improbable for a tail as heavy as the rest has: in a Pareto tail of index 1/g
    the log of the ratio is exponential with mean g (Renyi 1953), and g is the mean log excess of the tail's rows
    (Hill 1975). Null, NaN and infinities are not looked at.
    """

    minimum_ratio: Annotated[float, Field(gt=1)] = 3.0
    maximum_p: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    maximum_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    policy: Policy = "warn"
    name: ClassVar[str] = "z_score_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = (
        "Tukey 1977 (outer fence), Hill 1975 (weight of the tail); 3: a gap twice as wide as all else"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        for name, column in columns.items():
            if column.finite >= FEWEST_ROWS:
                yield from self._apart(name, column)

    def _apart(self, name: str, column: Numeric) -> Iterator[Hit]:
        values, counts = points(column)
        if lone_zero(column) or flipped(column):  # impossible_value tells those
            values, counts = values[values > 0], counts[values > 0]
        q1, middle, q3 = (quantile(values, counts, share) for share in (0.25, 0.5, 0.75))
        for sign, quartile in ((1, q3), (-1, q1)):
            with np.errstate(over="ignore"):
                distances = (sign * (values - middle))[::sign]
            beyond = distances > 0
            fence = sign * (quartile - middle) + FAR_OUT * (q3 - q1)
            gap = self._gap(distances[beyond], counts[::sign][beyond], fence, self.maximum_share * column.finite)
            if gap is not None:
                yield self._hit(name, sign, middle, gap)

    def _gap(self, distances: Floats, counts: Floats, fence: float, most: float) -> "Gap | None":
        """The innermost gap in rising distances (D) from the median, if there is one."""
        rows = np.cumsum(counts[::-1])[::-1]
        wide = (distances[1:] >= self.minimum_ratio * distances[:-1]) & (distances[1:] > fence)
        for last in np.flatnonzero(wide & (rows[1:] <= max(most, 1))):
            weight = hill(distances[: last + 1], counts[: last + 1])
            ratio = distances[last + 1] / distances[last]
            if weight and ratio ** (-1 / weight) < self.maximum_p:
                return Gap(float(distances[last]), float(distances[last + 1]), int(rows[last + 1]))
        return None

    def _hit(self, name: str, sign: int, middle: float, gap: "Gap") -> Hit:
        cell, cut = finite(name), middle + sign * (gap.reach + gap.next) / 2
        inner, outer = middle + sign * gap.reach, middle + sign * gap.next
        side, rest = ("or more", "at most") if sign > 0 else ("or less", "at least")
        return Hit(
            check=self.name,
            column=name,
            observed=outer,
            threshold=cut,
            message=f"{name} is {outer:.6g} {side} in {count(gap.rows, 'row')}, and {rest} {inner:.6g} in all others "
            f"(median {middle:.6g})",
            suggestion="look at these rows: a typing error, another unit or a marker for missing? correct or drop them",
            where=cell > cut if sign > 0 else cell < cut,
            value=cell,
            score=1 - gap.reach / (cell - middle).abs(),
        )


class Gap(NamedTuple):
    """A gap in the distances from the median: the rest's last one, the next one, and the rows from there on."""

    reach: float
    next: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class MultivariateOutlier:
    """Which rows hold numbers that do not go together, though each may be usual by itself?

    Numbers are turned into normal scores of their ranks, so no column's shape matters; a row's distance is that of
    Mahalanobis (1936) under the scores' correlation. Told are distances of more than `minimum_ratio` times the
    median distance; of a normal distribution of any number of columns none exceeds 7 in a million rows. Missing
    numbers count as the median. Columns with one value in most rows are left out. Rows are those of a sample.
    """

    minimum_ratio: Annotated[float, Field(gt=1)] = 10.0
    policy: Policy = "warn"
    name: ClassVar[str] = "multivariate_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "Mahalanobis 1936 on normal scores; 10 medians: real clean tables reach 3 to 6"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        names = [name for name, column in numbers(table).items() if column.distinct >= FEWEST_ROWS]
        if len(names) < 2 or table.height < ROWS_PER_COLUMN * max(len(names), 10):
            yield Skipped(why="too few columns of numbers, or too few rows for them")
            return
        sample = table.sample
        if sample.height < table.height:
            yield Skipped(rows=table.height - sample.height, why="a sample")
        tried = {name: normal_scores(sample.select(finite(name).alias("value")).to_series()) for name in names}
        scores = {name: score for name, score in tried.items() if score is not None}
        if len(scores) < 2:
            yield Skipped(why="too few columns of numbers that vary")
            return
        distances, odd = joint_distances(np.column_stack(list(scores.values())))
        ratios = distances / np.median(distances)
        told = np.flatnonzero(ratios > self.minimum_ratio)
        if told.size:
            yield self._hit(sample[told.tolist()], ratios[told], [list(scores)[column] for column in odd[told]])

    def _hit(self, rows: pl.DataFrame, ratios: Floats, odd: list[str]) -> Hit:
        cells = [f"{name}={row[name]}" for row, name in zip(rows.iter_rows(named=True), odd, strict=True)]
        return Hit(
            check=self.name,
            rows=rows.height,
            observed=float(ratios.max()),
            threshold=self.minimum_ratio,
            message=f"{count(rows.height, 'row holds', 'rows hold')} numbers that do not go together: up to "
            f"{ratios.max():.0f} times as far from what the columns have in common as the median row",
            suggestion="look at the column named beside each row: it fits the others least",
            flags=rows.select(ROW_ID).with_columns(
                value=pl.Series(cells, dtype=pl.String), score=pl.Series(1 - self.minimum_ratio / ratios / 2)
            ),
            shows=odd,
        )


CHECKS = (ZScoreOutlier, MultivariateOutlier)


def hill(distances: Floats, counts: Floats) -> float:
    """The weight of the tail of rising positive distances (D): its rows' mean log excess (Hill 1975).

    The tail is the last `TAIL_SHARE` of the rows, at least `TAIL_ROWS`; 0 where all distances are one.
    """
    from_end = np.cumsum(counts[::-1])
    size = int(np.searchsorted(from_end, max(TAIL_ROWS, TAIL_SHARE * from_end[-1]))) + 1
    start = max(len(distances) - size, 1)
    if start >= len(distances):
        return 0.0
    excess = np.log(distances[start:] / distances[start - 1])
    return float((excess * counts[start:]).sum() / counts[start:].sum())


def normal_scores(values: pl.Series) -> Floats | None:
    """The normal quantiles of the values' ranks (N), ties shared; None where one value is that of most rows."""
    from scipy.special import ndtri

    known = values.len() - values.null_count()
    ranks = values.rank("average")
    most = values.drop_nulls().unique_counts().to_numpy().max(initial=0)
    if known < VARIED * values.len() or not known or most > VARIED * known:
        return None
    scores: Floats = ndtri((ranks - 0.5) / known).fill_null(0.0).to_numpy()
    return scores


def joint_distances(scores: Floats) -> tuple[Floats, Integers]:
    """Each row's Mahalanobis distance (N), and the column (N) that is least like what the others make of it."""
    centred = scores - scores.mean(axis=0)
    centred /= centred.std(axis=0)
    covariance = centred.T @ centred / len(centred) + RIDGE * np.eye(centred.shape[1])
    precision = np.linalg.inv(covariance)
    projected = centred @ precision
    distances = np.sqrt((projected * centred).sum(axis=1))
    return distances, np.abs(projected / np.sqrt(np.diag(precision))).argmax(axis=1)

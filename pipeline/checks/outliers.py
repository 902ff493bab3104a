"""Outlier checks: numbers that stand apart from their column, and rows whose numbers do not go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.humps import Hump, group_of, hump
from pipeline.checks.impossible import FEWEST_ROWS, finite, flipped, lone_zero, numbers, points, quantile
from pipeline.contract import ROW_ID
from pipeline.profile import Numeric
from pipeline.profile.sketch import Floats, Integers
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.wording import count

TAIL_SHARE = 0.05  # of a side's rows is its tail
TAIL_ROWS = 10  # or so many
FAR_OUT = 3.0  # times the interquartile range beyond the quartile (Tukey 1977)
WITH_TAIL = 2  # times the rows of a hump: the tail's lie among them
VARIED = 0.5  # the most rows of one value that a column may have to be compared with others by ranks
RIDGE = 1e-3  # of a unit variance: columns that repeat each other are no exact constraint
ROWS_PER_COLUMN = 20


@dataclass(frozen=True, kw_only=True)
class ZScoreOutlier:
    """Which numbers stand apart from all others of their column, further than its tail explains?

    A long tail is no outlier, however long: what is told lies beyond a gap, or in a hump of its own where the tail
    thickens again (see pipeline/checks/humps.py), with at most `maximum_share` of the rows. Distances are from the
    median, each side for itself. The gap is one where the next distance is `minimum_ratio` times that of the rest's
    last value, beyond Tukey's outer fence, and improbable for a tail as heavy as the rest has: in a Pareto tail of
    index 1/g the log of the ratio is exponential with mean g (Renyi 1953), and g is the mean log excess of the tail's
    rows (Hill 1975). A hump is worth knowing alone where values of another column tell its rows. Null, NaN and
    infinities are not looked at.
    """

    minimum_ratio: Annotated[float, Field(gt=1)] = 3.0
    maximum_p: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    maximum_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    policy: Policy = "warn"
    name: ClassVar[str] = "z_score_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = (
        "Tukey 1977 (outer fence), Hill 1975 (weight of the tail); 3: a gap twice as wide as all else; "
        "0.05: 1 to 5% of fields are wrong in ordinary databases (Redman 1998)"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        for name, column in columns.items():
            if column.finite >= FEWEST_ROWS:
                for apart in self._apart(column):
                    group = None if apart.hump is None else group_of(table, name, apart.where(finite(name)))
                    yield self._hit(name, apart, group)

    def _apart(self, column: Numeric) -> Iterator["Apart"]:
        values, counts = points(column)
        if lone_zero(column) or flipped(column):  # impossible_value tells those
            values, counts = values[values > 0], counts[values > 0]
        q1, middle, q3 = (quantile(values, counts, share) for share in (0.25, 0.5, 0.75))
        most = max(self.maximum_share * column.finite, 1)
        for sign, quartile in ((1, q3), (-1, q1)):
            with np.errstate(over="ignore"):
                signed = (sign * (values - middle))[::sign]
            distances, rows = signed[signed > 0], counts[::sign][signed > 0]
            fence = sign * (quartile - middle) + FAR_OUT * (q3 - q1)
            humped = hump(distances, rows, fence, q3 - q1, WITH_TAIL * most)
            places = [self._gap(distances, rows, fence, most), None if humped is None else humped.place]
            place = min((place for place in places if place), default=None)
            if place is not None:
                reach, following = distances[place - 1 : place + 1].tolist()
                found = humped if humped is not None and humped.place == place else None
                yield Apart(sign, middle, reach, following, int(rows[place:].sum()), found)

    def _gap(self, distances: Floats, counts: Floats, fence: float, most: float) -> int | None:
        """The place behind the innermost gap in rising distances (D) from the median, if there is one."""
        rows = np.cumsum(counts[::-1])[::-1]
        wide = (distances[1:] >= self.minimum_ratio * distances[:-1]) & (distances[1:] > fence)
        for last in np.flatnonzero(wide & (rows[1:] <= most)).tolist():
            weight = hill(distances[: last + 1], counts[: last + 1])
            ratio = distances[last + 1] / distances[last]
            if weight and ratio ** (-1 / weight) < self.maximum_p:
                return int(last) + 1
        return None

    def _hit(self, name: str, apart: "Apart", group: str | None) -> Hit:
        cell = finite(name)
        return Hit(
            check=self.name,
            column=name,
            observed=apart.middle + apart.sign * apart.next,
            threshold=apart.cut,
            message=apart.words(name) + ("" if group is None else f"; {group} tells these rows"),
            suggestion=f"are these rows a group of their own? then learn from {group} as well, else correct them"
            if group
            else "look at these rows: a typing error, another unit or a marker for missing? correct or drop them",
            severity="warning" if group is None else "info",
            where=apart.where(cell),
            value=cell,
            score=1 - apart.reach / (cell - apart.middle).abs(),
        )


class Apart(NamedTuple):
    """What stands apart on a side (sign) of the median (middle): the distance of the rest's last value and of the next
    one, the rows from there on, and the hump that begins there, unless it is a gap that sets them apart."""

    sign: int
    middle: float
    reach: float
    next: float
    rows: int
    hump: Hump | None

    @property
    def cut(self) -> float:
        """Half the way between the rest and these rows."""
        return self.middle + self.sign * (self.reach + self.next) / 2

    def where(self, cell: pl.Expr) -> pl.Expr:
        """The rows that stand apart."""
        return cell > self.cut if self.sign > 0 else cell < self.cut

    def words(self, name: str) -> str:
        """Where they lie, and what shows that they are not the tail of the others."""
        inner, outer = (self.middle + self.sign * distance for distance in (self.reach, self.next))
        side, rest = ("or more", "at most") if self.sign > 0 else ("or less", "at least")
        told = f"{name} is {outer:.6g} {side} in {count(self.rows, 'row')}, and {rest} {inner:.6g} in all others"
        if self.hump is None:
            return f"{told} (median {self.middle:.6g})"
        inside, before = count(self.hump.inside, "row"), f"{self.hump.before:,}"
        return (
            f"{told} (median {self.middle:.6g}): a hump of its own, {inside} where as wide a band before has {before}"
        )


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

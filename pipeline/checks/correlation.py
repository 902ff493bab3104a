"""Correlation checks: numbers that say the same, and pairs of numbers that go together otherwise than before."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.impossible import finite, numbers
from pipeline.profile.sketch import Floats
from pipeline.quality.findings import NO_REFERENCE, Hit, Policy, Skipped, Table, outside_sample
from pipeline.tables.links import clusters
from pipeline.wording import listed

FEWEST_PAIRS = 30  # rows with both numbers
COLUMNS = 200  # at most so many are compared with each other


@dataclass(frozen=True, kw_only=True)
class FeatureFeatureCorrelation:
    """Which features say nearly the same: one rises wherever the other does, or falls?

    By the rank correlation of Spearman (1904) over the rows of a sample that have both; one finding for each cluster
    of features that are linked. Null, NaN and infinities are missing.
    """

    minimum_correlation: Annotated[float, Field(gt=0, le=1)] = 0.99
    policy: Policy = "warn"
    name: ClassVar[str] = "feature_feature_correlation"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.99: one is known to a tenth of its spread once the other is"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        features = {c.name for c in table.columns if c.role == "feature"}
        names = [name for name in _compared(table) if name in features]
        if len(names) < 2:
            yield Skipped(why="fewer than two features are numbers that vary")
            return
        yield from outside_sample(table)
        rho, _ = rank_correlations(table.sample, names)
        pairs = [(i, j) for i, j in combinations(range(len(names)), 2) if abs(rho[i, j]) >= self.minimum_correlation]
        for cluster in clusters(pairs):
            weakest = min(abs(float(rho[i, j])) for i, j in pairs if i in cluster)
            told = [names[place] for place in cluster]
            yield Hit(
                check=self.name,
                column=told[0],
                observed=weakest,
                threshold=self.minimum_correlation,
                message=f"{listed(told, 5)} rise and fall together: their rank correlation is at least {weakest:.3f}, "
                "where 1 is always",
                suggestion="one of them is enough for most models, and is easier to explain",
                severity="info",
            )


@dataclass(frozen=True, kw_only=True)
class CorrelationChange:
    """Which numbers go together otherwise than in the reference?

    By Spearman's rank correlation in samples of both tables: told where it moved by `minimum_change` and, by Fisher's
    z (1915), beyond chance for all pairs together (Bonferroni). One finding a column, of its largest change.
    """

    minimum_change: Annotated[float, Field(gt=0, le=2)] = 0.3
    maximum_p: Annotated[float, Field(gt=0, lt=1)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "correlation_change"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.3: Cohen 1988 calls it a medium effect; Fisher 1915"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None:
            yield NO_REFERENCE
            return
        before = set(_compared(table.reference))
        names = [name for name in _compared(table) if name in before]
        if len(names) < 2:
            yield Skipped(why="fewer than two numbers that vary in both tables")
            return
        yield from outside_sample(table)
        (now, rows), (then, others) = (rank_correlations(t.sample, names) for t in (table, table.reference))
        beyond = self._beyond_chance(now, rows, then, others)
        change = np.where(beyond, np.abs(np.triu(now - then, 1)), 0.0)
        taken: set[int] = set()
        for place in np.argsort(-change, axis=None, kind="stable"):
            i, j = divmod(int(place), len(names))
            if change[i, j] < self.minimum_change:
                return
            if not {i, j} & taken:
                taken |= {i, j}
                yield self._hit(names[i], names[j], float(now[i, j]), float(then[i, j]))

    def _beyond_chance(self, now: Floats, rows: Floats, then: Floats, others: Floats) -> Floats:
        from scipy.stats import norm

        limit = float(norm.isf(self.maximum_p / max(len(now) * (len(now) - 1), 1)))
        z = np.abs(np.arctanh(np.clip(now, -0.999, 0.999)) - np.arctanh(np.clip(then, -0.999, 0.999)))
        error = np.sqrt(1.06 / np.maximum(rows - 3, 1) + 1.06 / np.maximum(others - 3, 1))  # 1.06: Fieller et al. 1957
        found: Floats = (z > limit * error) & (np.minimum(rows, others) >= FEWEST_PAIRS)
        return found

    def _hit(self, one: str, other: str, now: float, then: float) -> Hit:
        return Hit(
            check=self.name,
            column=one,
            observed=now,
            threshold=then,
            message=f"{one} and {other} go together otherwise than in the reference: their rank correlation is "
            f"{now:.2f}, and was {then:.2f}",
            suggestion="find what changed in how they are measured or joined; a model that uses both may fail",
        )


CHECKS = (FeatureFeatureCorrelation, CorrelationChange)


def rank_correlations(sample: pl.DataFrame, names: list[str]) -> tuple[Floats, Floats]:
    """Spearman's correlations (C, C) over the rows that have both numbers, and how many they are (C, C).

    Ranks are of each column's own values, whatever else is missing. 0 for too few rows, or no variance.
    """
    ranks = sample.select(finite(name).rank().alias(str(place)) for place, name in enumerate(names))
    ranks_NC = ranks.cast(pl.Float64).to_numpy() / max(sample.height, 1)  # N rows, C columns
    known_NC = np.isfinite(ranks_NC).astype(np.float64)
    values_NC = np.where(known_NC > 0, ranks_NC - np.nanmean(np.where(known_NC.any(axis=0), ranks_NC, 0), axis=0), 0.0)
    rows, sums = known_NC.T @ known_NC, values_NC.T @ known_NC
    several = np.maximum(rows, 1)
    covariance = values_NC.T @ values_NC - sums * sums.T / several
    spread = np.maximum((values_NC**2).T @ known_NC - sums**2 / several, 0)
    scale = np.sqrt(spread * spread.T)
    good = (rows >= FEWEST_PAIRS) & (scale > 1e-12)
    return np.where(good, covariance / np.where(good, scale, 1), 0.0), rows


def _compared(table: Table) -> list[str]:
    """Numbers with at least three values, in the contract's order."""
    varied = {name for name, column in numbers(table).items() if column.distinct > 2}
    return [column.name for column in table.columns if column.name in varied][:COLUMNS]

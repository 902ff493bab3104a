"""What missing values go together with: columns that go missing in the same rows, a label or a column that tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.missing import missing, missing_rows
from pipeline.contract import Column
from pipeline.quality.findings import Hit, Policy, Skipped, Table, kind_of
from pipeline.tables.links import clusters
from pipeline.wording import count

BITS = 63  # a pattern is the bits of a signed 64-bit number
BINS = 10
CATEGORIES = 50  # beyond that a table of counts is too thin to say anything
Counts = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]
Lacks = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class MissingnessCorrelated:
    """What do missing values go together with: which columns lack in the same rows, and which column tells it?

    One finding for each group of columns that go missing together (phi at least `minimum_together`, chained), from
    the exact counts of every pattern. Whether another column, the time or the label tells that a column lacks is
    asked of the sample, by Cramér's V of the bias-corrected kind; of a group only its first column is asked.
    """

    minimum_together: Annotated[float, Field(gt=0, le=1)] = 0.8
    minimum_told: Annotated[float, Field(gt=0, le=1)] = 0.5
    minimum_rows: Annotated[int, Field(ge=1)] = 30
    policy: Policy = "warn"
    name: ClassVar[str] = "missingness_correlated"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.5 is a large effect (Cohen 1988), 0.8 is all but the same rows; Bergsma 2013 for V"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        asked = [c for c in table.data_columns if c.role in ("feature", "id") and self._some(table, c)][:BITS]
        if not asked:
            return
        groups = list(self._groups(table, asked))
        for names, phi, both in groups:
            yield self._together(names, phi, both)
        followers = {name for names, _, _ in groups for name in names[1:]}
        yield from self._told(table, [c for c in asked if c.name not in followers])

    def _some(self, table: Table, column: Column) -> bool:
        return self.minimum_rows <= missing_rows(table, column.name) <= table.height - self.minimum_rows

    def _groups(self, table: Table, asked: list[Column]) -> Iterator[tuple[list[str], float, int]]:
        """Columns that lack together, in their order; the weakest phi that binds them; rows in which all lack."""
        if not _chained(phi(*patterns(table.sample.lazy(), asked)) >= self.minimum_together / 2):
            return  # what goes together in all rows does so, more or less, in a sample of them
        lacks_PC, rows_P = patterns(table.rows, asked)
        phi_CC = phi(lacks_PC, rows_P)
        for members in _chained(phi_CC >= self.minimum_together):
            pairs = [phi_CC[a, b] for a, b in combinations(members, 2) if phi_CC[a, b] >= self.minimum_together]
            both = int(rows_P[lacks_PC[:, members].all(axis=1)].sum())
            yield [asked[i].name for i in members], float(min(pairs)), both

    def _together(self, names: list[str], phi: float, both: int) -> Hit:
        return Hit(
            check=self.name,
            observed=phi,
            threshold=self.minimum_together,
            message=f"{', '.join(names)} are missing in the same rows, all of them in {count(both, 'row')}",
            suggestion="they seem to come from one source, or from one join that found nothing: ask there",
            severity="info",
        )

    def _told(self, table: Table, asked: list[Column]) -> Iterator[Hit | Skipped]:
        sample = table.sample
        lacking = sample.select(missing(c).alias(c.name) for c in asked).to_numpy().reshape(-1, len(asked))
        split = np.minimum(lacking.sum(axis=0), (~lacking).sum(axis=0)) >= self.minimum_rows
        names = [column.name for column, kept in zip(asked, split, strict=True) if kept]
        best = dict.fromkeys(names, (0.0, ""))
        for teller in (c for c in table.data_columns if c.role != "id") if names else ():
            classes = _classes(sample, teller)
            if classes is not None:
                strengths = associations(lacking[:, split], classes, self.minimum_rows).tolist()
                told = ((name, (strength, teller.name)) for name, strength in zip(names, strengths, strict=True))
                best |= {name: max(best[name], found) for name, found in told if name != teller.name}
        for name, (strength, by) in best.items():
            if strength >= self.minimum_told:
                yield self._tells(name, by, strength, table)
        if sample.height < table.height:
            yield Skipped(rows=table.height - sample.height, why="what tells missing values is asked of a sample")

    def _tells(self, name: str, by: str, strength: float, table: Table) -> Hit:
        label = by == table.label
        return Hit(
            check=self.name,
            column=name,
            observed=strength,
            threshold=self.minimum_told,
            message=f"whether {name} is missing depends on {by} (Cramér's V {strength:.2f}, where 1 is entirely)",
            suggestion=f"if {name} is filled in after the label is known, it is a leak: ask the source"
            if label
            else f"ask why; rows without {name} are no fair sample of all, so do not just leave them out",
            severity="warning" if label else "info",
        )


CHECKS = (MissingnessCorrelated,)


def patterns(rows: pl.LazyFrame, columns: list[Column]) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], Counts]:
    """Which columns lack in each pattern that occurs (P, C), and in how many rows (P,); one streamed pass."""
    bits = pl.sum_horizontal(missing(c).cast(pl.Int64) * (1 << i) for i, c in enumerate(columns))
    counted = rows.select(bits=bits).group_by("bits").len().collect(engine="streaming").sort("bits")
    bits_P = counted["bits"].to_numpy()
    lacks_PC = (bits_P[:, None] >> np.arange(len(columns))) & 1 == 1
    return lacks_PC, counted["len"].to_numpy().astype(np.float64)


def phi(lacks_PC: np.ndarray[Any, np.dtype[np.bool_]], rows_P: Counts) -> Counts:
    """The phi coefficient (Pearson's r of two indicators) of each pair of columns (C, C); 0 with itself.

    >>> phi(np.array([[True, True], [False, False]]), np.array([3.0, 5.0])).round(9).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    both_CC = (lacks_PC * rows_P[:, None]).T @ lacks_PC.astype(np.float64)
    n, alone_C = rows_P.sum(), np.diag(both_CC)
    spread_C = np.sqrt(alone_C * (n - alone_C))
    scale_CC = np.outer(spread_C, spread_C)
    joint_CC = n * both_CC - np.outer(alone_C, alone_C)
    found = np.divide(joint_CC, scale_CC, out=np.zeros_like(both_CC), where=scale_CC > 0)
    np.fill_diagonal(found, 0.0)
    return found


def _chained(linked_CC: np.ndarray[Any, np.dtype[np.bool_]]) -> list[list[int]]:
    first_P, second_P = np.nonzero(linked_CC)
    return clusters(zip(first_P.tolist(), second_P.tolist(), strict=True))


def _classes(sample: pl.DataFrame, column: Column) -> Codes | None:
    """The codes of at most some `CATEGORIES` classes, tenths for numbers and stamps; None where it has more."""
    cell = by_name(column.name)
    if kind_of(column) in ("numeric", "timestamp") and column.dtype != pl.Boolean:
        number = cell.to_physical().cast(pl.Float64)
        classes = _tenths(sample.select(pl.when(number.is_finite()).then(number).alias("value")).to_series())
    else:
        classes = sample.select(cell.alias("value")).to_series()
    return codes_of(classes) if classes.drop_nulls().n_unique() in range(2, CATEGORIES + 1) else None


def _tenths(values: pl.Series) -> pl.Series:
    """In which tenth of the values each lies, where they are more than that; null stays null."""
    if values.n_unique() <= BINS:
        return values
    edges = np.unique(np.quantile(values.drop_nulls().to_numpy(), np.arange(1, BINS) / BINS))
    places = np.searchsorted(edges, values.fill_null(0.0).to_numpy())
    return pl.select(pl.when(values.is_not_null()).then(pl.Series(places))).to_series()


def cramers_v(a: pl.Series, b: pl.Series) -> float:
    """Cramér's V of two columns of classes, bias-corrected (Bergsma 2013); rows with a null are left out.

    >>> cramers_v(pl.Series([True, False] * 50), pl.Series(["x", "y"] * 50))
    1.0
    """
    return association(codes_of(a), codes_of(b))


def codes_of(classes: pl.Series) -> Codes:
    """A number for each class, in the order of their texts; -1 for null."""
    texts = classes.cast(pl.String)
    known = pl.Enum(texts.unique().drop_nulls().sort())
    return texts.cast(known).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def associations(lacks_NC: Lacks, by_N: Codes, minimum_rows: int) -> Counts:
    """Cramér's V (as `association`) of each column's lack with one column of codes (C,), in one pass.

    Rows with a negative code are left out; 0 where fewer than `minimum_rows` of the others lack, or do not.
    """
    counts = np.bincount(by_N[by_N >= 0])
    rows_K1 = counts[counts > 0].astype(np.float64)[:, None]
    order = np.argsort(by_N, kind="stable")[(by_N < 0).sum() :]
    starts = np.append(0, rows_K1[:-1, 0].cumsum()).astype(np.int64)
    lacking_KC = (
        np.add.reduceat(lacks_NC[order], starts, axis=0, dtype=np.int64)
        if len(order)
        else np.zeros((0, lacks_NC.shape[1]))
    )
    n, kinds = float(rows_K1.sum()), len(rows_K1)
    share_C = lacking_KC.sum(axis=0) / max(n, 1)
    asked = np.minimum(share_C, 1 - share_C) * n >= minimum_rows - 0.5
    if kinds < 2 or not asked.any():
        return np.zeros(len(share_C))
    expected_KC = rows_K1 * np.where(asked, share_C, 0.5)
    chi_C = ((lacking_KC - expected_KC) ** 2 * (1 / expected_KC + 1 / (rows_K1 - expected_KC))).sum(axis=0)
    squared_C = np.maximum(0.0, chi_C / n - (kinds - 1) / (n - 1))
    spread = min(k - (k - 1) ** 2 / (n - 1) for k in (2, kinds)) - 1
    return np.where(asked, np.sqrt(squared_C / spread), 0.0) if spread > 0 else np.zeros(len(share_C))


def association(a: Codes, b: Codes) -> float:
    """Cramér's V of two columns of codes; rows with a negative one are left out."""
    known = (a >= 0) & (b >= 0)
    n, rows, columns = int(known.sum()), int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    observed = np.bincount(a[known] * columns + b[known], minlength=rows * columns).reshape(rows, columns)
    observed = observed[observed.any(axis=1)][:, observed.any(axis=0)]
    rows, columns = observed.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / n
    squared = max(0.0, ((observed - expected) ** 2 / expected).sum() / n - (rows - 1) * (columns - 1) / (n - 1))
    spread = min(k - (k - 1) ** 2 / (n - 1) for k in (rows, columns)) - 1
    return float(np.sqrt(squared / spread)) if spread > 0 else 0.0

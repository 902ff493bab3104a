"""Label checks of regression: numbers in the label that the other rows contradict.

Fast models are fitted on at most some 20,000 rows: about three seconds for 30 columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.labels import contradicted, drawn, folds
from pipeline.contract import ROW_ID
from pipeline.labels import residuals
from pipeline.labels.confident import Array, Noise
from pipeline.labels.target import is_measured
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.wording import count

ROWS = 1_000  # with a label; of fewer too few are sure to say how many labels are wrong


@dataclass(frozen=True, kw_only=True)
class RegressionLabelError:
    """Which rows have a number as label that is far from what the other rows say: probably a wrong one?

    Fast models answer for rows that they were not fitted on, and a row's miss is measured by what rows alike miss. How
    many labels are wrong is told by the rows that the models are surest of (see pipeline/labels/residuals.py): it is
    silent where gross misses vanish there, as on clean data with a long tail. Told are rows most of which are wrong by
    that; worth knowing alone, as a label that features hardly tell in a few rows looks the same.
    """

    minimum_explained: Annotated[float, Field(ge=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "regression_label_error"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "as label_error, with gross misses: of more than the label's median absolute deviation"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.label is None or not is_measured(table):
            yield Skipped(why="no label that is measured")
            return
        features = [c for c in table.columns if c.role == "feature" and c.modality in ("numeric", "categorical")]
        features += [c for c in table.columns if c.role == "feature" and c.modality == "timestamp"]
        looked = drawn(table.sample)
        label = looked.select(by_name(table.label).cast(pl.Float64).alias("label")).to_series()
        rows = looked.filter(label.is_finite().fill_null(False))
        if not features or rows.height < ROWS:
            yield Skipped(
                why=f"{count(rows.height, 'labelled row')} and {count(len(features), 'feature')} that fast "
                f"models read: at least {ROWS} and one are needed"
            )
            return
        if table.height > rows.height:
            yield Skipped(rows=table.height - rows.height, why="a sample, or no label")
        twins, fold_N = folds(table, rows, features)
        y_N = rows.select(by_name(table.label).cast(pl.Float64).alias("label")).to_series().to_numpy()
        found = residuals.expected(rows, features, y_N, fold_N)
        noise = residuals.noise(found, twins.is_unique().to_numpy())
        if noise is not None and noise.explained >= self.minimum_explained:
            yield from self._told(table, rows, found, noise)

    def _told(self, table: Table, rows: pl.DataFrame, found: residuals.Expected, noise: Noise) -> Iterator[Hit]:
        wrong = residuals.doubtful(found, noise.share)
        if not len(wrong):
            return
        yield contradicted(
            self.name,
            table,
            noise.share,
            looked=rows.height,
            words=f"grossly off however sure they are; in {count(len(wrong), 'row')} by at least "
            f"{found.doubts[wrong].min():.0f} times what they miss rows alike by",
            severity="info",
            flags=flags(rows, found, wrong),
        )


CHECKS = (RegressionLabelError,)


def flags(rows: pl.DataFrame, found: residuals.Expected, places: Array) -> pl.DataFrame:
    """These rows with their label, and as score how little of the miss is usual."""
    return rows[places].select(
        ROW_ID,
        value=pl.Series(found.y_N[places]).cast(pl.String),
        score=pl.Series(1 - 1 / np.maximum(found.doubts[places], 1.0)),
    )

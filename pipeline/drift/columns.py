"""Every column of a batch beside the reference, corrected for how many there are: the drift report."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.drift.categorical import Categories
from pipeline.drift.homogeneity import Comparison
from pipeline.drift.numeric import Quantiles
from pipeline.profile import Categorical, ColumnProfile, Numeric, Profile

Correction: TypeAlias = Literal["benjamini_hochberg", "bonferroni"]

ABSENT = "absent from the batch"
UNKNOWN = "not in the reference"
PREDICTION = "prediction"


class ColumnDrift(Record):
    """One column: `effect` in 0..1 and `statistic` that it is of; missing shares are of all rows.

    `threshold`: the distance that 1% of batches reach where nothing changed, as the past varies; null where that is
    not known, and p is of drawing alone.
    """

    column: str
    modality: str
    effect: float = Field(ge=0, le=1)
    statistic: str
    p: float = Field(ge=0, le=1)
    p_adjusted: float = Field(ge=0, le=1)
    drifted: bool
    threshold: float | None = None
    reference_missing: float = Field(ge=0, le=1)
    batch_missing: float = Field(ge=0, le=1)


class DriftReport(Record):
    """All feature columns, and the predictions and the label apart.

    `drifted_share` is of the reference's features, `used_share` of what the model uses of them: the importance of those
    that drifted; null where that is not known. `prediction` and `label` are null where they were not
    profiled, `label` also while no row has one.
    """

    columns: list[ColumnDrift]
    drifted_share: float = Field(ge=0, le=1)
    used_share: float | None = Field(default=None, ge=0, le=1)
    prediction: ColumnDrift | None
    label: ColumnDrift | None

    @property
    def weight(self) -> float:
        """How much drifted: of what the model uses, where that is known, else of the columns."""
        return self.drifted_share if self.used_share is None else self.used_share


def compare(
    reference: Profile,
    batch: Profile,
    *,
    label: str | None = None,
    alpha: float = 0.01,
    minimum_effect: float = 0.2,
    minimum_outcome_effect: float = 0.1,
    correction: Correction = "benjamini_hochberg",
    chances: Mapping[str, tuple[float, float]] | None = None,
    uses: Mapping[str, float] | None = None,
) -> DriftReport:
    """Compare a batch's profile with the reference: what drifted is both beyond chance and large enough.

    That is, p adjusted for all columns is below `alpha`, and the effect is at least `minimum_effect`, for the
    label and the column `prediction` (predicted probabilities) `minimum_outcome_effect`. A column that the
    batch lacks, or has as another kind, drifted; one that the reference lacks is listed and has not: no model
    looks at it. Missing labels are no drift, elsewhere missing rows count. `chances` has of columns the p-value and the
    threshold by how the past varied (pipeline.drift.watch): no p is less than that. `uses`: how much the model uses
    each column.
    """
    drifts = [_column(name, reference.columns[name], batch.columns.get(name)) for name in reference.columns]
    if label is not None and label in reference.columns:
        drifts = [drift for drift in drifts if drift.column != label]
        drifts += _labels(label, reference.columns[label], batch.columns.get(label))
    drifts = [_calibrated(drift, chances or {}) for drift in drifts]
    adjusted = adjust([drift.p for drift in drifts], correction)
    outcome = (label, PREDICTION)
    named = {}
    for drift, p in zip(drifts, adjusted, strict=True):
        least = minimum_outcome_effect if drift.column in outcome else minimum_effect
        judged = {"p_adjusted": p, "drifted": p < alpha and drift.effect >= least}
        named[drift.column] = drift.model_copy(update=judged)
    features = [drift for name, drift in named.items() if name not in outcome]
    return DriftReport(
        columns=[*features, *_unknown(reference, batch)],
        drifted_share=sum(drift.drifted for drift in features) / len(features) if features else 0.0,
        used_share=used(features, uses or {}),
        prediction=named.get(PREDICTION),
        label=None if label is None else named.get(label),
    )


def adjust(ps: Sequence[float], correction: Correction) -> list[float]:
    """p-values that hold for all columns together.

    `benjamini_hochberg` (1995) bounds the share of false alarms among the alarms, `bonferroni` the chance
    of any.

    >>> adjust([0.01, 0.02, 0.9], "bonferroni")
    [0.03, 0.06, 1.0]
    """
    if correction == "bonferroni" or not ps:
        return [min(p * len(ps), 1.0) for p in ps]
    falling = np.argsort(-np.array(ps), kind="stable")
    steps = len(ps) / np.arange(len(ps), 0, -1)  # not scipy's: its import takes longer than a batch
    adjusted = np.empty(len(ps))
    adjusted[falling] = np.minimum.accumulate(np.array(ps)[falling] * steps).clip(max=1)
    return [float(p) for p in adjusted]


def used(features: Sequence[ColumnDrift], uses: Mapping[str, float]) -> float | None:
    """The share of the columns' uses that those have which drifted; None where no column is of use."""
    drifted = sum(use_of(drift.column, uses) for drift in features if drift.drifted)
    whole = sum(use_of(drift.column, uses) for drift in features)
    return min(drifted / whole, 1.0) if whole > 0 else None


def use_of(column: str, uses: Mapping[str, float]) -> float:
    """How much is used of a column, or of what a number such as `text: words` stands in for; never less than 0."""
    return max(uses.get(column, uses.get(column.partition(": ")[0], 0.0)), 0.0)


def _column(name: str, reference: ColumnProfile, batch: ColumnProfile | None) -> ColumnDrift:
    """The column's drift as if it were the only one, and not judged."""
    comparison = _compare(reference, batch)
    return ColumnDrift(
        column=name,
        modality=reference.kind,
        effect=min(comparison.effect, 1.0),
        statistic=comparison.statistic,
        p=comparison.p,
        p_adjusted=comparison.p,
        drifted=False,
        reference_missing=_missing(reference),
        batch_missing=_missing(batch),
    )


def _calibrated(drift: ColumnDrift, chances: Mapping[str, tuple[float, float]]) -> ColumnDrift:
    if drift.column not in chances:
        return drift
    p, threshold = chances[drift.column]
    return drift.model_copy(update={"p": max(p, drift.p), "threshold": threshold})


def _compare(reference: ColumnProfile, batch: ColumnProfile | None) -> Comparison:
    if batch is None:
        return Comparison(effect=1.0, p=0.0, statistic=ABSENT)
    if isinstance(reference, Categorical) and isinstance(batch, Categorical):
        return Categories().compare(reference, batch)
    if isinstance(reference, Numeric) and isinstance(batch, Numeric) and reference.kind == batch.kind:
        return Quantiles().compare(reference, batch)
    return Comparison(effect=1.0, p=0.0, statistic=f"was {reference.kind}, is {batch.kind}")


def _labels(name: str, reference: ColumnProfile, batch: ColumnProfile | None) -> list[ColumnDrift]:
    """The label's drift among labelled rows; nothing while the batch has none."""
    if batch is None or batch.missing == batch.rows:
        return []
    drift = _column(name, _present(reference), _present(batch))
    shares = {"reference_missing": _missing(reference), "batch_missing": _missing(batch)}
    return [drift.model_copy(update=shares)]


def _present(column: ColumnProfile) -> ColumnProfile:
    return column.model_copy(update={"nulls": 0} if isinstance(column, Categorical) else {"nulls": 0, "nan": 0})


def _unknown(reference: Profile, batch: Profile) -> list[ColumnDrift]:
    return [
        ColumnDrift(
            column=name,
            modality=column.kind,
            effect=0.0,
            statistic=UNKNOWN,
            p=1.0,
            p_adjusted=1.0,
            drifted=False,
            reference_missing=0.0,
            batch_missing=_missing(column),
        )
        for name, column in batch.columns.items()
        if name not in reference.columns
    ]


def _missing(column: ColumnProfile | None) -> float:
    return column.missing / column.rows if column and column.rows else 0.0

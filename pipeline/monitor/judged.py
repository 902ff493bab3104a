"""What a batch says of the champion: how far its columns drifted, and the live scores (used by monitor)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import lookback, metrics, plan, profile, registry
from pipeline.contract import ROW_ID
from pipeline.drift import columns
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import MonitorSettings
from pipeline.drift.estimate import Estimate
from pipeline.drift.watch import Watch, frame
from pipeline.errors import DataError
from pipeline.features.target import Target
from pipeline.findings import Table
from pipeline.metrics import Values
from pipeline.models import saved
from pipeline.monitor.batch import Batch
from pipeline.monitor.record import Live
from pipeline.predict import PREDICTION, Predictor, comparable, prediction_frame
from pipeline.profile import Profile
from pipeline.repairs import Plan
from pipeline.stages import clean
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.ingest import IngestSettings
from pipeline.workspace import Workspace


def drift(model: Predictor, batch: Batch, settings: MonitorSettings) -> tuple[DriftReport, Estimate | None]:
    """The batch's profile, with the champion's answers, against the champion's reference; and the metric that is to be
    expected of these answers, as far as the champion is kept with what tells it."""
    reference = Profile.read(model.folder / saved.REFERENCE)
    kinds = {name: column.kind for name, column in reference.columns.items() if name != PREDICTION}
    rows = model.preprocessor.watched(batch.usable.lazy(), model.base)
    seen, a_NK = profile.profile(rows, kinds), model.answers(batch.usable)
    told = prediction_frame(a_NK, model.preprocessor.target)
    answers = profile.profile(told, {PREDICTION: "numeric"})
    kept = Watch.of(model.folder)
    both = frame(rows, {PREDICTION: model.preprocessor.target.watched(a_NK)}) if kept else rows
    metric = settings.chosen(model.preprocessor.target.kind)
    report = columns.compare(
        reference,
        Profile(rows=seen.rows, columns=seen.columns | answers.columns),
        label=model.preprocessor.label,
        alpha=settings.alpha,
        minimum_effect=settings.minimum_effect,
        minimum_outcome_effect=settings.minimum_outcome_effect,
        correction=settings.correction,
        chances=kept.chances(both) if kept else None,
    )
    return report, kept.estimate(metric, a_NK, both) if kept else None


def live(workspace: Workspace, model: Predictor, batch: Batch, first: Path | None) -> Live | None:
    """The live scores of a model and of the `first`, by its folder; None until the batch has labels of two values.

    Raises DataError for a class that the champion never saw; one that the first model never saw counts against it.
    """
    rows, known = batch.labelled, model.preprocessor
    if first is None or rows[known.label].n_unique() < 2:
        return None
    if known.target.kind == "forecast":
        frozen = replace(Predictor.load(first, model.base), past=model.past)
        scores = lookback.scored(model, {"champion": model, "first": frozen}, rows, workspace.seed)
        return None if scores is None else Live(champion=scores["champion"], first=scores["first"])
    values = both(workspace, model, batch, Predictor.load(first, model.base))
    return None if values is None else Live(champion=metrics.scores(values[0]), first=metrics.scores(values[1]))


def both(workspace: Workspace, model: Predictor, batch: Batch, other: Predictor) -> tuple[Values, Values] | None:
    """Every metric of a model and of another one on the labelled rows that both can answer, and on their resamples.

    None where these rows have fewer than two values of the label. Raises DataError for a class that the model never
    saw; one that the other never saw counts against it. Not for forecasts.
    """
    rows, known = batch.labelled, model.preprocessor
    encoded_N = known.target.encode(rows)
    if encoded_N is None:
        raise DataError(
            f"{known.label} has classes other than {', '.join(known.classes)}",
            where=str(rows[ROW_ID][0]).rpartition("#")[0],
            fix="mend the label, or train on data that have the new class",
        )
    same = rows if other.repairs == model.repairs else repaired(workspace, batch.table, other.repairs, rows)
    label_N, w_RN = known.target.truth(encoded_N), metrics.resamples(rows.height, workspace.seed)
    told = [
        comparable(one.answers(its), one.preprocessor.target, known.target)
        for one, its in ((model, rows), (other, same))
    ]
    both_N = np.logical_and(*(np.isfinite(a_NK).all(axis=1) for a_NK in told))  # no answer where a file cannot be read
    if rows.filter(both_N)[known.label].n_unique() < 2:
        return None
    return (
        valued(model, label_N[both_N], told[0][both_N], known.target, w_RN=w_RN[:, both_N]),
        valued(other, label_N[both_N], told[1][both_N], known.target, w_RN=w_RN[:, both_N]),
    )


def repaired(workspace: Workspace, table: Table, repairs: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows of the batch, repaired by other rules."""
    cells = clean.changed(table, plan.changes(repairs, table), workspace.section(IngestSettings).derive)
    chosen = rows.lazy().select(ROW_ID).join(table.rows, on=ROW_ID, maintain_order="left")
    return plan.mended(chosen, cells, table.contract).collect()


def valued(model: Predictor, label_N: np.ndarray, a_NK: np.ndarray, target: Target, *, w_RN: np.ndarray) -> Values:
    """The metrics of a registered model's answers, made comparable, to rows whose labels are the truth of `target`."""
    known, judged = model.preprocessor.target, Evaluation.read(model.folder / registry.EVALUATION)
    held = judged.thresholds.get("candidate", known.at if known.kind == target.kind else target.at)
    return metrics.OF[target.kind].values(label_N, a_NK, held, w_RN)

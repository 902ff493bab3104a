"""What a batch says of the champion: how far its columns drifted, and the live scores (used by monitor)."""

from dataclasses import replace

import numpy as np
import polars as pl

from pipeline import lookback, metrics, plan, profile, registry
from pipeline.contract import ROW_ID
from pipeline.drift import columns
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import MonitorSettings
from pipeline.errors import DataError
from pipeline.features.target import Target
from pipeline.findings import Table
from pipeline.metrics import Scores
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


def drift(model: Predictor, batch: Batch, settings: MonitorSettings) -> DriftReport:
    """The batch's profile, with the champion's answers, against the champion's reference."""
    reference = Profile.read(model.folder / saved.REFERENCE)
    kinds = {name: column.kind for name, column in reference.columns.items() if name != PREDICTION}
    seen = profile.profile(model.preprocessor.watched(batch.usable.lazy(), model.base), kinds)
    told = prediction_frame(model.answers(batch.usable), model.preprocessor.target)
    answers = profile.profile(told, {PREDICTION: "numeric"})
    return columns.compare(
        reference,
        Profile(rows=seen.rows, columns=seen.columns | answers.columns),
        label=model.preprocessor.label,
        alpha=settings.alpha,
        minimum_effect=settings.minimum_effect,
        minimum_outcome_effect=settings.minimum_outcome_effect,
        correction=settings.correction,
    )


def live(workspace: Workspace, model: Predictor, batch: Batch) -> Live | None:
    """The live scores of champion and first model; None until the batch has labels of at least two values.

    Raises DataError for a class that the champion never saw; one that the first model never saw counts against it.
    """
    rows, known = batch.labelled, model.preprocessor
    first = registry.first_folder(workspace)
    if first is None or rows[known.label].n_unique() < 2:
        return None
    if known.target.kind == "forecast":
        frozen = replace(Predictor.load(first, model.base), past=model.past)
        scores = lookback.scored(model, {"champion": model, "first": frozen}, rows, workspace.seed)
        return None if scores is None else Live(champion=scores["champion"], first=scores["first"])
    encoded_N = known.target.encode(rows)
    if encoded_N is None:
        raise DataError(
            f"{known.label} has classes other than {', '.join(known.classes)}",
            where=str(rows[ROW_ID][0]).rpartition("#")[0],
            fix="mend the label, or train on data that have the new class",
        )
    frozen = Predictor.load(first, model.base)
    same = rows if frozen.repairs == model.repairs else repaired(workspace, batch.table, frozen.repairs, rows)
    label_N, w_RN = known.target.truth(encoded_N), metrics.resamples(rows.height, workspace.seed)
    told = [
        comparable(one.answers(its), one.preprocessor.target, known.target)
        for one, its in ((model, rows), (frozen, same))
    ]
    both_N = np.logical_and(*(np.isfinite(a_NK).all(axis=1) for a_NK in told))  # no answer where a file cannot be read
    if rows.filter(both_N)[known.label].n_unique() < 2:
        return None
    champion, then = (
        scored(one, label_N[both_N], a_NK[both_N], known.target, w_RN=w_RN[:, both_N])
        for one, a_NK in zip((model, frozen), told, strict=True)
    )
    return Live(champion=champion, first=then)


def repaired(workspace: Workspace, table: Table, repairs: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows of the batch, repaired by other rules."""
    cells = clean.changed(table, plan.changes(repairs, table), workspace.section(IngestSettings).derive)
    chosen = rows.lazy().select(ROW_ID).join(table.rows, on=ROW_ID, maintain_order="left")
    return plan.mended(chosen, cells, table.contract).collect()


def scored(model: Predictor, label_N: np.ndarray, a_NK: np.ndarray, target: Target, *, w_RN: np.ndarray) -> Scores:
    """The scores of a registered model's answers, made comparable, to rows whose labels are the truth of `target`."""
    known, judged = model.preprocessor.target, Evaluation.read(model.folder / registry.EVALUATION)
    held = judged.thresholds.get("candidate", known.at if known.kind == target.kind else target.at)
    return metrics.scores(metrics.OF[target.kind].values(label_N, a_NK, held, w_RN))

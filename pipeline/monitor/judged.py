"""What a batch says of the champion: how far its columns drifted, and the live scores (used by monitor)."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline import contract, metrics, profile
from pipeline.cleaning import plan
from pipeline.contract import ROW_ID
from pipeline.drift import columns, watch
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import MonitorSettings
from pipeline.drift.estimate import Estimate
from pipeline.drift.watch import Watch, frame
from pipeline.errors import DataError
from pipeline.features.target import Target
from pipeline.incoming import lookback
from pipeline.judgement import units
from pipeline.judgement.settings import EvaluateSettings
from pipeline.judgement.units import Units
from pipeline.metrics import Values
from pipeline.models import saved
from pipeline.monitor.batch import Batch
from pipeline.monitor.record import Live
from pipeline.monitor.told import Told, blocks_of, broken, changed, drifted, together, uses
from pipeline.predictor import PREDICTION, Predictor, comparable, prediction_frame
from pipeline.profile import Profile
from pipeline.quality.findings import Table
from pipeline.quality.repairs import Plan
from pipeline.stages import clean
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.ingest import IngestSettings
from pipeline.versions import registry
from pipeline.workspace import Workspace


class Drift(NamedTuple):
    """How far the columns are, the metric to be expected, and all that is said of it."""

    report: DriftReport
    estimate: Estimate | None
    told: Told


def drift(model: Predictor, batch: Batch, settings: MonitorSettings, time: str | None = None) -> Drift:
    """The batch's profile, with the champion's answers, against the champion's reference; the metric that is to be
    expected of these answers, as far as the champion is kept with what tells it; and what that means."""
    reference = Profile.read(model.folder / saved.REFERENCE)
    kinds = {name: column.kind for name, column in reference.columns.items() if name != PREDICTION}
    rows = model.preprocessor.watched(batch.usable.lazy(), model.base)
    seen, a_NK = profile.profile(rows, kinds), model.answers(batch.usable)
    answers = profile.profile(prediction_frame(a_NK, model.preprocessor.target), {PREDICTION: "numeric"})
    kept = Watch.of(model.folder)
    both = frame(rows, {PREDICTION: model.preprocessor.target.watched(a_NK)}) if kept else rows
    metric = settings.chosen(model.preprocessor.target.kind)
    tested = kept.tests(both, blocks=blocks_of(batch.usable.height), time=time) if kept else []
    used = uses(model.folder)
    report = columns.compare(
        reference,
        Profile(rows=seen.rows, columns=seen.columns | answers.columns),
        label=model.preprocessor.label,
        alpha=settings.alpha,
        minimum_effect=settings.minimum_effect,
        minimum_outcome_effect=settings.minimum_outcome_effect,
        correction=settings.correction,
        chances=watch.chances(tested),
        uses=used,
    )
    moved = drifted(tested, report, both, time=time, uses=used, private=batch.private)
    found = Told(
        alarms=[*broken(batch.findings, model.folder), *moved],
        together=together(kept, both, alpha=settings.alpha, least_effect=settings.minimum_effect) if kept else [],
        changed=_changed(kept, model, batch.labelled, time) if kept else {},
    )
    return Drift(report, kept.estimate(metric, a_NK, both) if kept else None, found)


def _changed(kept: Watch, model: Predictor, rows: pl.DataFrame, time: str | None) -> dict[str, str]:
    """What the labels that came say of the errors; nothing of rows of a class that the model never saw."""
    target = model.preprocessor.target
    encoded_N = target.encode(rows) if rows.height and kept.errors else None
    if encoded_N is None:
        return {}
    return changed(kept, target.truth(encoded_N), model.answers(rows), rows, time)


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
    if values is None:
        return None
    drawn = alike(workspace, model, rows).record
    return Live(champion=metrics.scores(values[0]), first=metrics.scores(values[1]), resampled=drawn)


def alike(workspace: Workspace, model: Predictor, rows: pl.DataFrame) -> Units:
    """Which labelled rows are drawn together for intervals, as of test (pipeline.judgement.units)."""
    agreed, settings = contract.load(workspace.contract_file), workspace.section(EvaluateSettings)
    return units.units_of(rows, agreed, settings.resample, in_time=_later(model, rows, agreed.time))


def _later(model: Predictor, rows: pl.DataFrame, time: str | None) -> bool:
    """Whether most of the rows came after what the model was trained on."""
    learnt = model.manifest.span.get("train")
    if time is None or learnt is None or rows[time].null_count() == rows.height:
        return False
    middle = rows[time].drop_nulls().sort()[(rows.height - rows[time].null_count()) // 2]
    first, last = (datetime.fromisoformat(str(each)).replace(tzinfo=None) for each in (middle, learnt[1]))
    return first > last


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
    label_N, drawn = known.target.truth(encoded_N), alike(workspace, model, rows)
    w_RN = metrics.resamples(rows.height, workspace.seed, unit_N=drawn.unit_N)
    answers = [
        comparable(one.answers(its), one.preprocessor.target, known.target)
        for one, its in ((model, rows), (other, same))
    ]
    # no answer where a file cannot be read
    both_N = np.logical_and(*(np.isfinite(a_NK).all(axis=1) for a_NK in answers))
    if rows.filter(both_N)[known.label].n_unique() < 2:
        return None
    return (
        valued(model, label_N[both_N], answers[0][both_N], known.target, w_RN=w_RN[:, both_N]),
        valued(other, label_N[both_N], answers[1][both_N], known.target, w_RN=w_RN[:, both_N]),
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

"""A champion that is surely worse on a batch than the version before it gives its place back (used by monitor)."""

from pathlib import Path

from pipeline import metrics
from pipeline.drift.decision import MonitorSettings
from pipeline.metrics import Metric, Paired
from pipeline.monitor.batch import Batch
from pipeline.monitor.judged import both
from pipeline.monitor.record import Rollback
from pipeline.policy.conditions import tolerated_loss
from pipeline.predictor import Predictor
from pipeline.versions import registry
from pipeline.workspace import Workspace


def previous(workspace: Workspace) -> Path | None:
    """The folder of the version that the champion took the place of; None where it was itself rolled back to."""
    pointer = registry.champion(workspace)
    if pointer.previous is None or pointer.rolled_back_from:
        return None
    return registry.folder(workspace, pointer.previous)


def beaten(
    workspace: Workspace, model: Predictor, batch: Batch, other: Path, settings: MonitorSettings
) -> Rollback | None:
    """The rollback from `model` to the version in `other`, if that is surely better by more than is tolerated.

    None for forecasts, and for batches without labels of two values.
    """
    target = model.preprocessor.target
    if target.kind == "forecast" or batch.labelled[model.preprocessor.label].n_unique() < 2:
        return None
    metric: Metric = settings.chosen(target.kind)
    values = both(workspace, model, batch, Predictor.load(other, model.base))
    if values is None:
        return None
    pair = metrics.paired(other.name, metric, *values)
    held = float(values[1][metric][0])
    if not beats(pair, held, settings):
        return None
    return Rollback(left=model.folder.name, version=other.name, paired=pair)


def beats(pair: Paired, held: float, settings: MonitorSettings) -> bool:
    """Whether the other model, whose value is `held`, is surely better, by more than is tolerated of a champion."""
    return pair.high < 0 and -pair.difference > tolerated_loss(pair.metric, held, settings)

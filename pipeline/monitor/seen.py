"""One batch as one model sees it: read, checked, repaired, answered, compared and scored (used by monitor)."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline import artefacts, contract
from pipeline.drift.decision import MonitorSettings
from pipeline.incoming import lookback
from pipeline.monitor.batch import Batch, read
from pipeline.monitor.judged import drift, live
from pipeline.monitor.record import Seen
from pipeline.predictor import Predictor
from pipeline.stages.evaluate import Evaluation
from pipeline.versions import registry
from pipeline.workspace import Workspace


def opened(workspace: Workspace, path: Path, model: Predictor, before: list[str]) -> tuple[Predictor, Batch]:
    """The model, ready to answer for the batch in the file `path`, and the batch, repaired by its rules.

    `before`: the names of earlier batches, whose rows those of a series may look back at. Raises KeepfitError when the
    batch cannot be worked with.
    """
    agreed = contract.load(workspace.contract_file)
    model = replace(model, base=path.parent)
    model = replace(model, past=lookback.past(workspace, agreed, model.preprocessor, before))
    return model, read(workspace, path, agreed, model.repairs)


def look(workspace: Workspace, path: Path, model: Predictor, batch: Batch, *, first: Path | None) -> Seen:
    """What a batch shows of a model; `first`: the folder of the model whose live scores stand beside this one's, or
    None for no live scores."""
    settings, agreed = workspace.section(MonitorSettings), contract.load(workspace.contract_file)
    found = drift(model, batch, settings, agreed.time)
    return Seen(
        batch=path.name,
        sha256=artefacts.sha256(path),
        rows=batch.ledger[0].rows_in,
        usable=batch.usable.height,
        labelled=batch.labelled.height,
        span=_span(batch, agreed.time),
        champion=model.folder.name,
        findings=batch.findings,
        ledger=batch.ledger,
        drift=found.report,
        estimate=found.estimate,
        told=found.told,
        live=live(workspace, model, batch, first),
        reference=Evaluation.read(model.folder / registry.EVALUATION).scores["candidate"]["test"],
    )


def _span(batch: Batch, time: str | None) -> tuple[str, str] | None:
    """The oldest and the newest stamp of the rows that can be used; None where they have none."""
    if time is None or batch.usable[time].null_count() == batch.usable.height:
        return None
    found = batch.usable.select(first=pl.col(time).min(), last=pl.col(time).max()).row(0)
    return found[0].isoformat(), found[1].isoformat()

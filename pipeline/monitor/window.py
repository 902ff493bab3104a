"""Retraining by monitored batches: the window of files that training reads, and what came of it (used by monitor)."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline import artefacts
from pipeline.errors import DataError, GateFailed
from pipeline.incoming import arrival
from pipeline.models import saved
from pipeline.monitor.history import keep
from pipeline.monitor.record import MonitoringRecord, Outcome, drifted, file_of, records
from pipeline.stages.promote import Promotion
from pipeline.versions import registry
from pipeline.workspace import Workspace


def adopt(workspace: Workspace, record: MonitoringRecord) -> list[Path]:
    """Widen the training window: copy the batch, and every sound one before it, to where ingest reads.

    Raises DataError when a file is not the one that was monitored, or would take the place of another.
    """
    adopted = []
    window = _window(workspace)
    for earlier in records(workspace):
        if earlier.batch <= record.batch and earlier.sound and earlier.labelled:
            source, target = workspace.incoming / earlier.batch, window / earlier.batch
            _require_same(target if target.exists() else source, earlier)
            if not target.exists():
                arrival.carry(workspace, source, target)
                adopted.append(target)
    return adopted


def _window(workspace: Workspace) -> Path:
    """The folder that training reads; raises DataError when it is one file, which cannot be widened."""
    folder = workspace.source
    if folder.is_file():
        raise DataError(
            "is one file, so no batch can be added to the training data",
            where="params.yaml: ingest.source",
            fix="put it into a folder, and name the folder",
        )
    return folder


def _require_same(path: Path, record: MonitoringRecord) -> None:
    if not path.is_file() or artefacts.sha256(path) != record.sha256:
        raise DataError(
            "is not the file that was monitored" if path.is_file() else "is absent, and was monitored",
            where=str(path),
            fix=f"restore it, or delete its record in monitoring: {record.batch}.json",
        )


def give_up(workspace: Workspace, why: str) -> list[MonitoringRecord]:
    """Write on each batch that asks for a training why the last one came to no end; the next one tries again."""
    failed = [record.model_copy(update={"failed": why}) for record in drifted(workspace)]
    for record in failed:
        record.write(file_of(workspace, record.batch))
    return failed


def conclude(workspace: Workspace, record: MonitoringRecord, promotion: Promotion) -> MonitoringRecord:
    """Write what came of the retraining; raises GateFailed when the candidate saw no row of the batch.

    A candidate that is the champion was promoted, be it by a run that was killed before it could say so.
    """
    candidate = saved.Manifest.read(workspace.candidate / saved.MANIFEST)
    seen = candidate.sources["train"].get(record.batch, 0)
    if not seen:
        raise GateFailed(
            "the new model was trained on no row of the batch that asked for it",
            where=record.batch,
            fix="widen the training window: lower split.val_days and split.test_days, or the shares",
        )
    champion = registry.champion(workspace)
    promoted = champion.identity == candidate.identity
    outcome = Outcome(
        version=champion.version if promoted else None,
        promoted=promoted,
        reasons=promotion.reasons,
        batch_rows_in_training=seen,
        candidate=candidate.identity,
        concluded_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    concluded = record.model_copy(update={"outcome": outcome, "failed": None})
    concluded.write(file_of(workspace, record.batch))
    keep(workspace)
    return concluded

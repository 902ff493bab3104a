"""What is kept of a batch: one record each, monitoring/<batch>.json (used by monitor)."""

from pathlib import Path

from pipeline.artefacts import Record
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import Decision
from pipeline.findings import Finding
from pipeline.ledger import Entry
from pipeline.metrics import Scores
from pipeline.workspace import Workspace


class Outcome(Record):
    """What a retraining came to; `batch_rows_in_training` is read off the new candidate's manifest."""

    version: str | None
    promoted: bool
    reasons: list[str]
    batch_rows_in_training: int


class Live(Record):
    """The scores on the batch's labelled rows: of the champion, and of the first model, frozen."""

    champion: Scores
    first: Scores


class MonitoringRecord(Record):
    """Everything about one batch: monitoring/<batch>.json."""

    batch: str
    sha256: str
    rows: int
    labelled: int
    champion: str
    monitored_at: str
    findings: list[Finding]
    ledger: list[Entry]
    drift: DriftReport
    live: Live | None
    reference: Scores
    decision: Decision
    outcome: Outcome | None = None

    @property
    def sound(self) -> bool:
        """Whether the batch may be trained on: no finding stops it."""
        return not any(found.policy == "stop" for found in self.findings)


def records(workspace: Workspace) -> list[MonitoringRecord]:
    """Every record, in the order of the batches' names."""
    found = [MonitoringRecord.read(path) for path in workspace.monitoring.glob("*.json")]
    return sorted(found, key=lambda record: record.batch)


def drifted(workspace: Workspace) -> list[MonitoringRecord]:
    """The records that ask for a training that has not come to its end."""
    return [record for record in records(workspace) if record.decision.retrain and record.outcome is None]


def file_of(workspace: Workspace, batch: str) -> Path:
    """Where the record of a batch is."""
    return workspace.monitoring / f"{batch}.json"

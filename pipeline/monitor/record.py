"""What is kept of a batch: one record each, monitoring/<batch>.json (used by monitor)."""

from pathlib import Path

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.cleaning.ledger import Entry
from pipeline.drift.columns import DriftReport
from pipeline.drift.estimate import Estimate
from pipeline.judgement.units import Resampled
from pipeline.metrics import Paired, Scores
from pipeline.metrics.verdict import signed
from pipeline.monitor.told import Told
from pipeline.policy.decision import Decision
from pipeline.quality.findings import Finding
from pipeline.workspace import Workspace


class Outcome(Record):
    """What a retraining came to; `batch_rows_in_training` is read off the new candidate's manifest.

    `candidate`: the identity of its weights; batches that one training answered have the same.
    """

    version: str | None
    promoted: bool
    reasons: list[str]
    batch_rows_in_training: int
    candidate: str | None = None
    concluded_at: str | None = None

    @property
    def words(self) -> str:
        """Who is champion after it."""
        return f"{self.version} is the champion" if self.promoted else "the champion stays"


class Rollback(Record):
    """Which version was left for which earlier one, by what difference on the same labelled rows of the batch."""

    left: str
    version: str
    paired: Paired

    @property
    def words(self) -> str:
        """In a sentence."""
        pair = self.paired
        gain, low, high = (signed(pair.metric, value) for value in (pair.difference, pair.low, pair.high))
        return (
            f"rolled back from {self.left} to {self.version}: {pair.metric} {gain} beside it "
            f"(95% interval {low} to {high}, same rows)"
        )


class Live(Record):
    """The scores on the batch's labelled rows: of the champion, and of the first model, frozen.

    `resampled`: what was drawn for their intervals; None of a forecast, whose rows are drawn by horizons.
    """

    champion: Scores
    first: Scores
    resampled: Resampled | None = None


class Seen(Record):
    """What a batch shows of a model, `champion`; `usable`: rows whose features hold, `span`: its oldest and newest."""

    batch: str
    sha256: str
    rows: int
    usable: int | None = None
    labelled: int
    span: tuple[str, str] | None = None
    champion: str
    findings: list[Finding]
    ledger: list[Entry]
    drift: DriftReport
    estimate: Estimate | None = None
    told: Told = Field(default_factory=Told)
    live: Live | None
    reference: Scores

    @property
    def sound(self) -> bool:
        """Whether the batch may be trained on: no finding stops it."""
        return not any(found.policy == "stop" for found in self.findings)


class MonitoringRecord(Seen):
    """Everything about one batch: monitoring/<batch>.json.

    `failed`: why the last training that it asked for came to no end, where one did so.
    """

    monitored_at: str
    first_seen_at: str | None = None
    decision: Decision
    rollback: Rollback | None = None
    outcome: Outcome | None = None
    failed: str | None = None


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

"""The way of a batch after training: contract, checks, predict, drift, live metric, decision, record.

One record a batch, monitoring/<batch>.json: what was seen, what was decided, why, and what came of it. A
record without an outcome whose decision is to retrain is work to do; whoever is killed leaves it so.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import artefacts, contract, metrics, profile, readers, registry
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Contract
from pipeline.drift import columns
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import Decision, Evidence, MonitorSettings, decide
from pipeline.errors import DataError, GateFailed, WorkspaceError
from pipeline.expectations import validate_batches
from pipeline.findings import Finding, Table
from pipeline.ledger import Entry
from pipeline.metrics import Scores
from pipeline.models import saved
from pipeline.predict import PREDICTION, Predictor, prediction_frame
from pipeline.profile import Profile
from pipeline.stages import clean, ingest, validate
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.promote import Promotion
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Workspace

DATA_DOCS = "data_docs"


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


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch that was read and cleaned. `usable`: rows whose features hold, labelled or not; `labelled`: the rest."""

    usable: pl.DataFrame
    labelled: pl.DataFrame
    findings: list[Finding]
    ledger: list[Entry]


def pending(workspace: Workspace) -> list[Path]:
    """The files of data/incoming/<dataset>/ that have no record yet, in the order of their names."""
    if not workspace.incoming.is_dir():
        return []
    known = {record.batch for record in records(workspace)}
    return [path for path in readers.files(workspace.incoming) if path.name not in known]


def records(workspace: Workspace) -> list[MonitoringRecord]:
    """Every record, in the order of the batches' names."""
    return [MonitoringRecord.read(path) for path in sorted(workspace.monitoring.glob("*.json"))]


def drifted(workspace: Workspace) -> list[MonitoringRecord]:
    """The records that ask for a training that has not come to its end."""
    return [record for record in records(workspace) if record.decision.retrain and record.outcome is None]


def watch(workspace: Workspace, path: Path) -> MonitoringRecord:
    """Watch one batch with the champion and keep the record; raises KeepfitError when it cannot be worked with."""
    settings, agreed = workspace.section(MonitorSettings), contract.load(workspace.contract_file)
    champion = registry.champion(workspace)
    home = registry.champion_folder(workspace)
    if champion.version is None or home is None:
        raise WorkspaceError(
            "there is no champion to watch with", where=str(workspace.root), fix="run `keepfit run` first"
        )
    digest = _refuse_known(workspace, path)
    batch = read(workspace, path, agreed)
    model = Predictor.load(home)
    evaluation = Evaluation.read(home / registry.EVALUATION)
    drift = _drift(workspace, model, batch, settings)
    live = _live(workspace, model, batch)
    reference = evaluation.scores["candidate"]["test"]
    evidence = Evidence(
        drift=drift,
        reference=reference[settings.metric],
        live=live.champion[settings.metric] if live else None,
        rows=batch.usable.height,
        labelled_rows=batch.labelled.height,
        batches_since_training=_batches_since_training(workspace, path.name),
        findings=batch.findings,
    )
    record = MonitoringRecord(
        batch=path.name,
        sha256=digest,
        rows=batch.ledger[0].rows_in,
        labelled=batch.labelled.height,
        champion=champion.version,
        monitored_at=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=batch.findings,
        ledger=batch.ledger,
        drift=drift,
        live=live,
        reference=reference,
        decision=decide(evidence, settings),
    )
    record.write(_file(workspace, path.name))
    return record


def read(workspace: Workspace, path: Path, agreed: Contract) -> Batch:
    """Read a batch by the contract, ask the checks and Great Expectations of it, and clean it."""
    settings, checks = workspace.section(IngestSettings), workspace.section(ChecksSettings)
    parsed = ingest.read(path, path.name, settings, agreed)
    rows = parsed.typed
    table = Table(
        contract=agreed, partitions={path.name: rows.lazy()}, unparsed=parsed.unparsed.lazy(), height=rows.height
    )
    judged = validate.judge(table, checks.configured())
    docs = workspace.monitoring / DATA_DOCS
    pages = validate_batches(table.partitions.items(), agreed.expectations, docs=docs, seed=workspace.seed)
    findings = judged.findings + validate.batch_findings(pages, table.height, checks.batch_expectations)
    decided = clean.fates(judged.flags)
    kept = clean.kept(rows.lazy(), decided, agreed).collect()
    # a row that lacks nothing but its label can be predicted, and its features compared
    usable = clean.kept(rows.lazy(), clean.fates(judged.flags.filter(pl.col("check") != "missing_label")), agreed)
    entries = [clean.entry("ingest", rows.height, rows.height), clean.entry("clean", rows.height, kept.height, decided)]
    return Batch(usable=usable.collect(), labelled=kept, findings=findings, ledger=entries)


def _drift(workspace: Workspace, model: Predictor, batch: Batch, settings: MonitorSettings) -> DriftReport:
    """The batch's profile, with the champion's answers, against the champion's reference."""
    reference = Profile.read(model.folder / saved.REFERENCE)
    kinds = {name: column.kind for name, column in reference.columns.items() if name != PREDICTION}
    seen = profile.profile(batch.usable.lazy(), kinds)
    answers = profile.profile(prediction_frame(model.probabilities(batch.usable)), {PREDICTION: "numeric"})
    return columns.compare(
        reference,
        Profile(rows=seen.rows, columns=seen.columns | answers.columns),
        label=model.preprocessor.label,
        alpha=settings.alpha,
        minimum_effect=settings.minimum_effect,
        minimum_outcome_effect=settings.minimum_outcome_effect,
        correction=settings.correction,
    )


def _live(workspace: Workspace, model: Predictor, batch: Batch) -> Live | None:
    """The live scores of champion and first model; None until the batch has labels of at least two classes."""
    first = registry.first_folder(workspace)
    if first is None or batch.labelled[model.preprocessor.label].n_unique() < 2:
        return None
    weights = metrics.resamples(batch.labelled.height, workspace.seed)
    champion = scored(model, batch.labelled, weights)
    same = first == model.folder
    return Live(champion=champion, first=champion if same else scored(Predictor.load(first), batch.labelled, weights))


def scored(model: Predictor, rows: pl.DataFrame, w_RN: np.ndarray) -> Scores:
    """A registered model's scores on labelled rows; raises DataError for a class that it never saw."""
    label_N = model.preprocessor.label_codes(rows)
    if label_N is None:
        raise DataError(
            f"{model.preprocessor.label} has classes other than {', '.join(model.preprocessor.classes)}",
            where=str(rows[ROW_ID][0]).split("#")[0],
            fix="mend the label, or train on data that have the new class",
        )
    threshold = Evaluation.read(model.folder / registry.EVALUATION).thresholds["candidate"]
    return metrics.scores(label_N, model.probabilities(rows), threshold, w_RN)


def adopt(workspace: Workspace, record: MonitoringRecord) -> list[Path]:
    """Widen the training window: copy the batch, and every sound one before it, from incoming/ to raw/."""
    adopted = []
    for earlier in records(workspace):
        source, target = workspace.incoming / earlier.batch, workspace.raw / earlier.batch
        if earlier.batch <= record.batch and earlier.sound and earlier.labelled and not target.exists():
            if artefacts.sha256(source) != earlier.sha256:
                raise DataError(
                    "is not the file that was monitored", where=earlier.batch, fix="restore it, or delete its record"
                )
            artefacts.copy(source, target)
            adopted.append(target)
    return adopted


def conclude(workspace: Workspace, record: MonitoringRecord, promotion: Promotion) -> MonitoringRecord:
    """Write what came of the retraining; raises GateFailed when the candidate saw no row of the batch."""
    seen = saved.Manifest.read(workspace.candidate / saved.MANIFEST).sources["train"].get(record.batch, 0)
    if not seen:
        raise GateFailed(
            "the new model was trained on no row of the batch that asked for it",
            where=record.batch,
            fix="widen the training window: lower split.val_days and split.test_days, or the shares",
        )
    outcome = Outcome(
        version=promotion.version if promotion.promoted else None,
        promoted=promotion.promoted,
        reasons=promotion.reasons,
        batch_rows_in_training=seen,
    )
    concluded = record.model_copy(update={"outcome": outcome})
    concluded.write(_file(workspace, record.batch))
    return concluded


def _file(workspace: Workspace, batch: str) -> Path:
    return workspace.monitoring / f"{batch}.json"


def _refuse_known(workspace: Workspace, path: Path) -> str:
    """The batch's SHA-256; raises DataError when the same bytes are known under another name, or trained on."""
    if not path.is_file():
        raise DataError("is absent", where=str(path), fix="name a file that is there")
    digest = artefacts.sha256(path)
    trained = {file.sha256: file.name for file in ingest.Ingested.read(workspace.ingested / ingest.MANIFEST).files}
    watched = {record.sha256: record.batch for record in records(workspace) if record.batch != path.name}
    known = (trained | watched).get(digest)
    if known is not None:
        raise DataError(f"holds the same bytes as {known}", where=path.name, fix="remove it: it was seen already")
    return digest


def _batches_since_training(workspace: Workspace, batch: str) -> int:
    """How many batches, this one included, were watched since the last training."""
    count = 1
    for record in reversed([record for record in records(workspace) if record.batch != batch]):
        if record.outcome is not None:
            break
        count += 1
    return count

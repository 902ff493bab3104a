"""The way of a batch after training: contract, checks, repairs, predict, drift, live metric, decision, record.

A batch is repaired by the rules of the model that is asked, and by no others: what they do not speak of stays as it is.

One record a batch, monitoring/<batch>.json: what was seen, what was decided, why, and what came of it. A
record without an outcome whose decision is to retrain is work to do; whoever is killed leaves it so.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline import arrival, artefacts, contract, lookback, readers, registry
from pipeline.contract import Contract
from pipeline.drift.decision import Evidence, MonitorSettings, decide
from pipeline.errors import DataError, WorkspaceError
from pipeline.monitor.batch import read
from pipeline.monitor.judged import drift, live, repaired
from pipeline.monitor.record import Live, MonitoringRecord, Outcome, drifted, file_of, records
from pipeline.monitor.window import adopt, conclude
from pipeline.predict import Predictor
from pipeline.stages import ingest
from pipeline.stages.evaluate import Evaluation
from pipeline.workspace import Workspace

__all__ = [
    "Live",
    "MonitoringRecord",
    "Outcome",
    "adopt",
    "champion_of",
    "conclude",
    "drifted",
    "pending",
    "read",
    "records",
    "repaired",
    "watch",
]


def pending(workspace: Workspace) -> list[Path]:
    """The files of data/incoming/<dataset>/ to watch, in the order of their names: new ones, and those whose
    labels may have come since they were watched without any. Raises DataError for a file in a folder below."""
    incoming = workspace.incoming
    if not any(path.is_file() and not path.name.startswith(".") for path in incoming.rglob("*")):
        return []
    known = {record.batch: record for record in records(workspace)}
    found = readers.files(incoming)
    for path in found:
        if path.parent != incoming:
            where = workspace.relative(path)
            raise DataError("stands in a folder", where=where, fix=f"put it right into {workspace.relative(incoming)}")
    return [path for path in found if path.name not in known or _may_have_labels(known[path.name], path)]


def _may_have_labels(record: MonitoringRecord, path: Path) -> bool:
    return record.labelled == 0 and record.sha256 != artefacts.sha256(path)


def watch(workspace: Workspace, path: Path) -> MonitoringRecord:
    """Watch one batch with the champion and keep the record; raises KeepfitError when it cannot be worked with.

    A file from elsewhere is copied into data/incoming/<dataset>/, where a retraining looks for it.
    """
    settings, agreed = workspace.section(MonitorSettings), contract.load(workspace.contract_file)
    model = replace(champion_of(workspace, agreed), base=path.parent)
    digest = _refuse_known(workspace, path)
    before = [record.batch for record in records(workspace) if record.sound and record.batch < path.name]
    model = replace(model, past=lookback.past(workspace, agreed, model.preprocessor, before))
    batch = read(workspace, path, agreed, model.repairs)
    moved, scores = drift(model, batch, settings), live(workspace, model, batch)
    reference = Evaluation.read(model.folder / registry.EVALUATION).scores["candidate"]["test"]
    metric = settings.chosen(model.preprocessor.target.kind)
    evidence = Evidence(
        drift=moved,
        metric=metric,
        reference=reference[metric],
        live=scores.champion[metric] if scores else None,
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
        champion=model.folder.name,
        monitored_at=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=batch.findings,
        ledger=batch.ledger,
        drift=moved,
        live=scores,
        reference=reference,
        decision=decide(evidence, settings),
    )
    arrival.take_in(workspace, path, digest)
    record.write(file_of(workspace, path.name))
    return record


def champion_of(workspace: Workspace, agreed: Contract) -> Predictor:
    """The champion, ready to answer; raises WorkspaceError where there is none, or it tells another label."""
    home = registry.champion_folder(workspace)
    if home is None:
        raise WorkspaceError(
            "there is no champion to watch with", where=str(workspace.root), fix="run `keepfit run` first"
        )
    model = Predictor.load(home)
    if model.preprocessor.label != agreed.label.name:
        raise WorkspaceError(
            f"the champion tells {model.preprocessor.label}, the contract asks for {agreed.label.name}",
            where=workspace.relative(home),
            fix="run `keepfit run` first",
        )
    if model.preprocessor.target.label_kind != agreed.label.label_kind:
        raise WorkspaceError(
            f"the champion tells {agreed.label.name} as {model.preprocessor.target.kind}, the contract says otherwise",
            where=workspace.relative(home),
            fix="mend the label's modality; or begin anew: set models/champion.json and models/registry aside",
        )
    return model


def _refuse_known(workspace: Workspace, path: Path) -> str:
    """The batch's SHA-256; raises DataError when its bytes are known under another name, or were trained on.

    So does one of another content under the name of a file that was trained on: by its name it is found there.
    """
    if not path.is_file():
        raise DataError("is absent", where=str(path), fix="name a file that is there")
    digest = artefacts.sha256(path)
    trained = {file.sha256: file.name for file in ingest.Ingested.read(workspace.ingested / ingest.MANIFEST).files}
    watched = {record.sha256: record.batch for record in records(workspace) if record.batch != path.name}
    known = (watched | trained).get(digest)
    if known == path.name:
        raise DataError("was trained on already", where=path.name, fix="nothing is to do: it was seen already")
    if known is not None:
        raise DataError(f"holds the same bytes as {known}", where=path.name, fix="remove it: it was seen already")
    if path.name in trained.values():
        raise DataError("has the name of another file, which was trained on", where=path.name, fix="rename it")
    return digest


def _batches_since_training(workspace: Workspace, batch: str) -> int:
    """How many batches up to this one, it included, were watched since the last training."""
    count = 1
    for record in reversed([record for record in records(workspace) if record.batch < batch]):
        if record.outcome is not None:
            break
        count += 1
    return count

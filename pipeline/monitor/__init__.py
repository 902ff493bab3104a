"""The way of a batch after training: contract, checks, repairs, predict, drift, live metric, decision, record.

A batch is repaired by the rules of the model that is asked, and by no others: what they do not speak of stays as it is.

One record a batch, monitoring/<batch>.json: what was seen, what was decided, why, and what came of it. A
record without an outcome whose decision is to retrain is work to do; whoever is killed leaves it so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import artefacts, contract, readers
from pipeline.contract import Contract
from pipeline.drift.decision import MonitorSettings
from pipeline.errors import DataError, WorkspaceError
from pipeline.incoming import arrival
from pipeline.monitor import rollback
from pipeline.monitor.batch import Batch, read
from pipeline.monitor.evidence import evidence, unanswered
from pipeline.monitor.history import keep
from pipeline.monitor.judged import repaired
from pipeline.monitor.order import order
from pipeline.monitor.record import Live, MonitoringRecord, Outcome, Rollback, Seen, drifted, file_of, records
from pipeline.monitor.seen import look, opened
from pipeline.monitor.window import adopt, conclude, give_up
from pipeline.policy.decision import decide
from pipeline.predictor import Predictor
from pipeline.stages import ingest
from pipeline.versions import lineage, registry
from pipeline.workspace import Workspace

__all__ = [
    "Live",
    "MonitoringRecord",
    "Outcome",
    "Seen",
    "adopt",
    "champion_of",
    "conclude",
    "drifted",
    "give_up",
    "look",
    "opened",
    "order",
    "pending",
    "read",
    "recorded",
    "records",
    "repaired",
    "schedule",
    "watch",
]


def pending(workspace: Workspace) -> list[Path]:
    """The files of data/incoming/<dataset>/ to watch, in the order of their names: new ones, and those whose
    labels may have come since they were watched, or need not be waited for any longer.

    Raises DataError for a file in a folder below.
    """
    incoming = workspace.incoming
    if not any(path.is_file() and not path.name.startswith(".") for path in incoming.rglob("*")):
        return []
    known = {record.batch: record for record in records(workspace)}
    found = readers.files(incoming)
    for path in found:
        if path.parent != incoming:
            where = workspace.relative(path)
            raise DataError("stands in a folder", where=where, fix=f"put it right into {workspace.relative(incoming)}")
    wait = timedelta(days=workspace.section(MonitorSettings).retrain.label_wait_days)
    return [path for path in found if path.name not in known or _again(known[path.name], path, wait)]


def _again(record: MonitoringRecord, path: Path, wait: timedelta) -> bool:
    """Whether a batch that waits for labels is to be watched again: it changed, or it has waited long enough."""
    if record.outcome is not None or (record.labelled and not (wait and record.decision.waits)):
        return False
    since = datetime.fromisoformat(record.first_seen_at or record.monitored_at)
    over = bool(record.labelled) and datetime.fromisoformat(record.monitored_at) - since < wait <= _now() - since
    return over or record.sha256 != artefacts.sha256(path)


def _now() -> datetime:
    return datetime.now(UTC)


def watch(workspace: Workspace, path: Path) -> MonitoringRecord:
    """Watch one batch with the champion and keep the record; raises KeepfitError when it cannot be worked with.

    A file from elsewhere is copied into data/incoming/<dataset>/, where a retraining looks for it.
    """
    agreed = contract.load(workspace.contract_file)
    model = champion_of(workspace, agreed)
    digest, now = _refuse_known(workspace, path), _now()
    known = records(workspace)
    before = [record for record in known if record.batch < path.name]
    first_seen = next((r.first_seen_at or r.monitored_at for r in known if r.batch == path.name), _told(now))
    sound = [record.batch for record in before if record.sound]
    model, batch = opened(workspace, path, model, sound)
    seen = look(workspace, path, model, batch, first=registry.first_folder(workspace))
    record = recorded(workspace, seen, model, before, first_seen=first_seen, now=now)
    arrival.take_in(workspace, path, digest)
    left = _rollback(workspace, model, batch) if record.sound else None
    if left is not None:
        registry.point(workspace, left.version, how="rollback", why=[left.words])
    record = record.model_copy(update={"rollback": left})
    record.write(file_of(workspace, path.name))
    keep(workspace)
    return record


def _rollback(workspace: Workspace, model: Predictor, batch: Batch) -> Rollback | None:
    """The rollback that the batch calls for, if the settings allow one."""
    settings, other = workspace.section(MonitorSettings), rollback.previous(workspace)
    if not settings.retrain.rollback or other is None:
        return None
    return rollback.beaten(workspace, model, batch, other, settings)


def schedule(workspace: Workspace) -> MonitoringRecord | None:
    """By schedule: let the newest batch that no training has seen ask for one, if the settings say so and it may.

    Its record, which then has no outcome yet; None where nothing is to be trained on.
    """
    settings, known = workspace.section(MonitorSettings), records(workspace)
    waiting = [record for record in unanswered(known) if record.sound and record.labelled]
    if not settings.retrain.schedule or not waiting:
        return None
    model, last = champion_of(workspace, contract.load(workspace.contract_file)), waiting[-1]
    before = [record for record in known if record.batch < last.batch]
    first_seen = last.first_seen_at or last.monitored_at
    asked = recorded(workspace, last, model, before, first_seen=first_seen, now=_now(), scheduled=True)
    if not asked.decision.retrain:
        return None
    asked = asked.model_copy(update={"rollback": last.rollback})
    asked.write(file_of(workspace, last.batch))
    return asked


def recorded(
    workspace: Workspace,
    seen: Seen,
    model: Predictor,
    before: Sequence[MonitoringRecord],
    *,
    first_seen: str,
    now: datetime,
    scheduled: bool = False,
) -> MonitoringRecord:
    """What was seen, with the decision on it at the moment `now`; `before`: the records of earlier batches."""
    settings = workspace.section(MonitorSettings)
    showed = evidence(
        seen,
        settings.chosen(model.preprocessor.target.kind),
        before,
        learnt_until=max((last for _, last in model.manifest.span.values()), default=None),
        first_seen=datetime.fromisoformat(first_seen),
        now=now,
        scheduled=scheduled,
    )
    kept = {name: getattr(seen, name) for name in Seen.model_fields}
    decision = decide(showed, settings)
    return MonitoringRecord(**kept, monitored_at=_told(now), first_seen_at=first_seen, decision=decision)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def champion_of(workspace: Workspace, agreed: Contract) -> Predictor:
    """The champion, ready to answer; raises WorkspaceError where there is none, or it was altered, or tells another
    label.
    """
    home = registry.champion_folder(workspace)
    if home is None:
        raise WorkspaceError(
            "there is no champion to watch with", where=str(workspace.root), fix="run `keepfit run` first"
        )
    model = Predictor.load(home)
    lineage.verify(home)  # its threshold, its settings and its contract are papers
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

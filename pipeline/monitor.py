"""The way of a batch after training: contract, checks, repairs, predict, drift, live metric, decision, record.

A batch is repaired by the rules of the model that is asked, and by no others: what they do not speak of stays as it is.

One record a batch, monitoring/<batch>.json: what was seen, what was decided, why, and what came of it. A
record without an outcome whose decision is to retrain is work to do; whoever is killed leaves it so.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import arrival, artefacts, contract, lookback, metrics, plan, profile, readers, registry
from pipeline.artefacts import Record
from pipeline.checks.balance import SingleClassTarget
from pipeline.contract import ROW_ID, Contract
from pipeline.drift import columns
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import Decision, Evidence, MonitorSettings, decide
from pipeline.errors import DataError, GateFailed, WorkspaceError
from pipeline.expectations import validate_batches
from pipeline.features.target import Target
from pipeline.findings import Finding, Table
from pipeline.inspection import inspect
from pipeline.ledger import Entry
from pipeline.metrics import Scores
from pipeline.models import saved
from pipeline.predict import PREDICTION, Predictor, comparable, prediction_frame
from pipeline.profile import Profile
from pipeline.repairs import Plan
from pipeline.stages import clean, ingest, validate
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.promote import Promotion
from pipeline.stages.validate import ChecksSettings
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


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch that was read and cleaned. `usable`: rows whose features hold, labelled or not; `labelled`: the rest.

    Both are repaired by the champion's rules; `table` is what was read.
    """

    table: Table
    usable: pl.DataFrame
    labelled: pl.DataFrame
    findings: list[Finding]
    ledger: list[Entry]


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


def records(workspace: Workspace) -> list[MonitoringRecord]:
    """Every record, in the order of the batches' names."""
    found = [MonitoringRecord.read(path) for path in workspace.monitoring.glob("*.json")]
    return sorted(found, key=lambda record: record.batch)


def drifted(workspace: Workspace) -> list[MonitoringRecord]:
    """The records that ask for a training that has not come to its end."""
    return [record for record in records(workspace) if record.decision.retrain and record.outcome is None]


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
    drift, live = _drift(model, batch, settings), _live(workspace, model, batch)
    reference = Evaluation.read(model.folder / registry.EVALUATION).scores["candidate"]["test"]
    metric = settings.chosen(model.preprocessor.target.kind)
    evidence = Evidence(
        drift=drift,
        metric=metric,
        reference=reference[metric],
        live=live.champion[metric] if live else None,
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
        drift=drift,
        live=live,
        reference=reference,
        decision=decide(evidence, settings),
    )
    arrival.take_in(workspace, path, digest)
    record.write(_file(workspace, path.name))
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


def read(workspace: Workspace, path: Path, agreed: Contract, repairs: Plan) -> Batch:
    """Read a batch by the contract, ask the checks and Great Expectations of it, and clean it by these repairs.

    Raises DataError when no row is left whose features hold.
    """
    settings, checks = workspace.section(IngestSettings), workspace.section(ChecksSettings)
    parsed = ingest.read(path, path.name, settings, agreed)
    rows, label = parsed.typed, agreed.label.name
    table = Table(
        contract=agreed,
        partitions={path.name: rows.lazy()},
        unparsed=parsed.unparsed.lazy(),
        height=rows.height,
        base=path.parent,
    )
    # that labels are still to come is no fault of theirs
    asked = [c for c in checks.configured() if c.name != SingleClassTarget.name or rows[label].count()]
    judged = inspect(table, asked)
    pages = validate_batches(
        table.partitions.items(),
        agreed.expectations,
        docs=workspace.arrivals,
        seed=workspace.seed,
        private=judged.private,
    )
    findings = judged.findings + validate.batch_findings(pages, table.height, checks.batch_expectations)
    cells = clean.changed(table, plan.changes(repairs, table), settings.derive)
    decided = clean.decide(table, judged.flags, cells, asked)
    kept = clean.kept(table.rows, decided, agreed).collect()
    # a row of which nothing but the label is wrong can be predicted, and its features compared
    of_features = clean.decide(table, judged.flags, cells, asked, but_for=label)
    usable = clean.kept(table.rows, of_features, agreed).collect()
    if usable.is_empty():
        raise DataError(
            f"none of its {rows.height:,} rows is left after cleaning: {findings[0].message}",
            where=path.name,
            fix="mend the file, or the policies in params.yaml",
        )
    came = Entry(stage="ingest", rows_in=rows.height, kept=rows.height)
    entries = [came, clean.entry("clean", rows.height, kept.height, decided)]
    labelled = kept.drop_nulls(label)
    if agreed.label.is_quantity:
        labelled = labelled.filter(pl.col(label).is_finite())
    return Batch(table=table, usable=usable, labelled=labelled, findings=findings, ledger=entries)


def _drift(model: Predictor, batch: Batch, settings: MonitorSettings) -> DriftReport:
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


def _live(workspace: Workspace, model: Predictor, batch: Batch) -> Live | None:
    """The live scores of champion and first model; None until the batch has labels of at least two values.

    Raises DataError for a class that the champion never saw; one that the first model never saw counts against it.
    """
    rows, known = batch.labelled, model.preprocessor
    first = registry.first_folder(workspace)
    if first is None or rows[known.label].n_unique() < 2:
        return None
    if known.target.kind == "forecast":
        frozen = replace(Predictor.load(first, model.base), past=model.past)
        told = lookback.scored(model, {"champion": model, "first": frozen}, rows, workspace.seed)
        return None if told is None else Live(champion=told["champion"], first=told["first"])
    encoded_N = known.target.encode(rows)
    if encoded_N is None:
        raise DataError(
            f"{known.label} has classes other than {', '.join(known.classes)}",
            where=str(rows[ROW_ID][0]).rpartition("#")[0],
            fix="mend the label, or train on data that have the new class",
        )
    w_RN = metrics.resamples(rows.height, workspace.seed)
    label_N = known.target.truth(encoded_N)
    champion = scored(model, rows, label_N, known.target, w_RN=w_RN)
    if first == model.folder:
        return Live(champion=champion, first=champion)
    frozen = Predictor.load(first, model.base)
    if frozen.repairs != model.repairs:
        rows = repaired(workspace, batch.table, frozen.repairs, rows)
    return Live(champion=champion, first=scored(frozen, rows, label_N, known.target, w_RN=w_RN))


def repaired(workspace: Workspace, table: Table, repairs: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows of the batch, repaired by other rules."""
    cells = clean.changed(table, plan.changes(repairs, table), workspace.section(IngestSettings).derive)
    chosen = rows.lazy().select(ROW_ID).join(table.rows, on=ROW_ID, maintain_order="left")
    return plan.mended(chosen, cells, table.contract).collect()


def scored(model: Predictor, rows: pl.DataFrame, label_N: np.ndarray, target: Target, *, w_RN: np.ndarray) -> Scores:
    """A registered model's scores on rows whose labels are the truth of `target`."""
    known, judged = model.preprocessor.target, Evaluation.read(model.folder / registry.EVALUATION)
    a_NK = comparable(model.answers(rows), known, target)
    held = judged.thresholds.get("candidate", known.at if known.kind == target.kind else target.at)
    told_N = np.isfinite(a_NK).all(axis=1)  # there is no answer where a file cannot be read
    return metrics.scores(metrics.OF[target.kind].values(label_N[told_N], a_NK[told_N], held, w_RN[:, told_N]))


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
    )
    concluded = record.model_copy(update={"outcome": outcome})
    concluded.write(_file(workspace, record.batch))
    return concluded


def _file(workspace: Workspace, batch: str) -> Path:
    return workspace.monitoring / f"{batch}.json"


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

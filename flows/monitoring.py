"""The monitoring flow: each new batch against the champion; drift leads to retraining, which is then proven.

Retraining is one flow, whoever starts it: it takes every batch whose drift has no outcome yet into the
training window, trains, and writes the outcome into each batch's record. Where the workspace is served
(flows/serving.py) monitoring emits an event, and an automation starts that flow; else it calls it.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import DeploymentStatus
from prefect.events import emit_event
from prefect.runtime import flow_run

from flows import dashboard, environment, notices
from flows.dashboard import failing_plainly
from flows.training import report, step, training
from pipeline import monitor
from pipeline.errors import ContractError, DataError, GateFailed, SettingsError
from pipeline.incoming import arrival
from pipeline.wording import count, listed
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.metrics import Metric
    from pipeline.monitor import MonitoringRecord

DRIFT_FOUND = "keepfit.drift.found"
RETRAINED = "keepfit.drift.answered"
FILE_ARRIVED = "keepfit.file.arrived"
log = logging.getLogger(__name__)


def monitor_workspace(workspace: Workspace, batches: "Sequence[Path]" = ()) -> "list[MonitoringRecord]":
    """Watch these batches, or all that wait; returns their records, with outcomes where retraining ran."""
    with dashboard.tagged(workspace):
        return monitoring(str(workspace.root), [str(batch.resolve()) for batch in batches] or None)


def retrain_workspace(workspace: Workspace) -> "list[MonitoringRecord]":
    """Retrain on the window widened by every drifted batch; returns their records with the outcome."""
    with dashboard.tagged(workspace):
        return retraining(str(workspace.root))


def named_after_batches() -> str:
    """The name of the monitoring that is about to start: `flights · 2 batches to watch · demo`."""

    def of(place: Workspace) -> str:
        named = flow_run.parameters.get("batches")
        return f"{count(len(named or monitor.pending(place)), 'batch')} to watch"

    return dashboard.named(flow_run.parameters["workspace"], of)


def named_after_drift() -> str:
    """The name of the retraining that is about to start: `flights · after 2013-06.csv.gz · demo`."""

    def of(place: Workspace) -> str:
        asked = [record.batch for record in monitor.drifted(place)]
        return f"after {', '.join(asked)}" if asked else "by schedule"

    return dashboard.named(flow_run.parameters["workspace"], of)


@flow(name="monitoring", flow_run_name=named_after_batches, persist_result=False)
@failing_plainly
def monitoring(workspace: str, batches: list[str] | None = None) -> "list[MonitoringRecord]":
    """Watch the batches in order: those named, or those in data/incoming/ that have no record yet.

    Each batch meets the champion that its predecessors led to. So when a retraining is handed over, the
    batches behind it wait: its end starts monitoring again. They do not wait for one that failed, which a person must
    mend: that is tried again with the next training.
    """
    environment.enter_run()
    place = Workspace.open(Path(workspace))
    drifted = monitor.drifted(place)
    unanswered = {record.batch for record in drifted}
    asking = [record.batch for record in drifted if record.failed is None or not is_served(place)]
    if asking and answer(place, asking) is None and not batches:
        return []
    records: list[MonitoringRecord] = []
    waiting = [Path(batch) for batch in batches] if batches else monitor.pending(place)
    for batch in waiting:
        if batch.name in unanswered:
            continue
        record = step(batch.name, watch, place, batch)
        records.append(record)
        if record.decision.retrain:
            concluded = answer(place, [record.batch])
            if concluded is None and not batches:
                break
            records[-1:] = [done for done in concluded or [] if done.batch == record.batch] or [record]
    step("report", report, place)
    return records


@flow(name="retraining", flow_run_name=named_after_drift, persist_result=False)
@failing_plainly
def retraining(workspace: str, scheduled: bool = False) -> "list[MonitoringRecord]":
    """Widen the window by every drifted batch without an outcome, train, and write the outcome of each.

    `scheduled`: where none drifted, the newest batch may ask, if the settings say so.

    Raises GateFailed when the candidate was not trained on rows of such a batch, and what ends a training; what a
    person must mend is then written on the batches that asked.
    """
    environment.enter_run()
    place = Workspace.open(Path(workspace))
    if scheduled and not monitor.drifted(place):
        with place.lock():
            step("schedule", monitor.schedule, place)
    try:
        concluded = _widened_and_trained(place)
    except (GateFailed, DataError, ContractError, SettingsError) as error:
        with place.lock():
            failed = monitor.give_up(place, str(error))
        notices.of_failure(place, failed, str(error))
        raise
    for record in concluded:
        notices.of_outcome(place, record)
        if record.outcome is not None:
            log.info("%s: %s: %s", record.batch, record.outcome.words, "; ".join(record.outcome.reasons))
    if concluded:
        tell(place, RETRAINED, {"batches": [record.batch for record in concluded]})
    return concluded


def _widened_and_trained(place: Workspace) -> "list[MonitoringRecord]":
    drifted = monitor.drifted(place)
    with place.lock():
        for record in drifted:
            step(f"adopt {record.batch}", monitor.adopt, place, record)
        if drifted:
            step("window", monitor.order, place)
    with dashboard.tagged(place):
        promotion = training(str(place.root))
    with place.lock():
        concluded = [step(f"prove {record.batch}", monitor.conclude, place, record, promotion) for record in drifted]
        if concluded:
            step("report", report, place)
    return concluded


def watch(workspace: Workspace, batch: Path) -> "MonitoringRecord":
    """Watch one batch and show what was seen and decided."""
    with workspace.lock():
        record = monitor.watch(workspace, arrival.readable(workspace, batch))
    looked_at = [*record.drift.columns, record.drift.prediction, record.drift.label]
    columns = [column for column in looked_at if column is not None]
    dashboard.show_drift(workspace, record.batch, [column.model_dump(mode="json") for column in columns])
    verdict = "retrain" if record.decision.retrain else "keep the champion"
    told = [record.rollback.words] if record.rollback else []
    reasons = [*told, *record.decision.reasons]
    drifted = [column.column for column in columns if column.drifted]
    moved = f"{len(drifted)} of {count(len(columns), 'column')} drifted{': ' * bool(drifted)}{listed(drifted)}"
    log.info("%s: %s, %s", record.batch, count(record.rows, "row"), moved)
    log.info("%s: %s: %s", record.batch, verdict, "; ".join(reasons))
    dashboard.show_decision(workspace, "decision", f"{record.batch}: {verdict}", reasons, _past(workspace))
    conditions = [condition.model_dump(mode="json") for condition in record.decision.conditions]
    dashboard.show_conditions(workspace, record.batch, conditions)
    notices.of_batch(workspace, record)
    return record


def _past(workspace: Workspace) -> list[str]:
    """The batches so far with their live metric, as a small chart."""
    known = monitor.records(workspace)
    if not known:
        return []
    told, metric = [], cast("Metric", known[-1].decision.evidence["metric"])
    for record in known:
        score = record.live.champion.get(metric) if record.live else None
        decision = "retrain" if record.decision.retrain else "keep"
        told.append((record.batch, record.champion, score.value if score else None, decision))
    return dashboard.past(metric, told)


def answer(workspace: Workspace, batches: list[str]) -> "list[MonitoringRecord] | None":
    """Answer drift: retrain here and return the concluded records, or hand over and return None."""
    if not is_served(workspace):
        return retraining(str(workspace.root))
    tell(workspace, DRIFT_FOUND, {"batches": batches})
    log.info("%s: retraining is handed over to the server", ", ".join(batches))
    return None


def is_served(workspace: Workspace) -> bool:
    """Whether someone is there to run the retraining deployment of this workspace now."""
    with get_client(sync_client=True) as client:
        deployments = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[retraining.name])))
    return any(
        deployment.parameters.get("workspace") == str(workspace.root)
        and deployment.status == DeploymentStatus.READY
        and not deployment.paused
        for deployment in deployments
    )


def tell(workspace: Workspace, event: str, payload: dict[str, list[str]]) -> None:
    """Emit an event of this workspace, for its automations."""
    resource = {
        "prefect.resource.id": f"keepfit.workspace.{dashboard.slug(workspace)}",
        "prefect.resource.name": workspace.root.name,
        "keepfit.root": str(workspace.root),
    }
    emit_event(event=event, resource=resource, payload=payload)

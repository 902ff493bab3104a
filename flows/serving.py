"""Serving a workspace: retraining and monitoring on their schedules, and retraining when drift is found.

One process runs one flow at a time, so a training never meets another, nor monitoring, of its workspace.
Other processes (`keepfit run`, a worker) are kept out by the deployments' limits and the workspace's lock.
"""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import httpx
from prefect import serve
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from flows import dashboard, tending
from flows.monitoring import DRIFT_FOUND, FILE_ARRIVED, RETRAINED, monitoring, retraining
from pipeline.errors import SettingsError
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from prefect.flows import Flow
    from prefect.schedules import Schedule

# A retraining asked for while one runs waits for it: the one that runs may have missed the newest batch.
# A monitoring that starts while one runs has nothing to add: it would look at the same batches.
ENQUEUE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
CANCEL_NEW = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)


def serve_workspace(
    workspace: Workspace, *, retraining_cron: str, monitoring_cron: str, say: Callable[[str], None]
) -> None:
    """Run the workspace's schedules until Ctrl-C; a run under way is then cancelled.

    Raises SettingsError on a bad cron line, WorkspaceError when the workspace is served already.
    """
    schedules = (_cron(retraining_cron, "retraining", {"scheduled": True}), _cron(monitoring_cron, "monitoring"))
    serve_schedules(workspace, *schedules, say=say)


def serve_schedules(
    workspace: Workspace,
    retraining_schedule: "Schedule",
    monitoring_schedule: "Schedule",
    *,
    say: Callable[[str], None],
    poll_seconds: float = tending.POLL_SECONDS,
) -> None:
    """As `serve_workspace`, by any schedules. A server that is away for a while is waited for."""
    logging.getLogger("prefect.runner").addFilter(_is_news)
    with workspace.serve_lock(), tending.tended(workspace, poll_seconds=poll_seconds):
        while True:
            wanted = deployments(workspace, retraining_schedule, monitoring_schedule)
            for deployment in wanted:
                say(f"serving {deployment.full_name}")
            try:
                serve(*wanted, limit=1, print_starting_message=False, query_seconds=poll_seconds)
            except* (RuntimeError, httpx.HTTPError) as lost:  # the runner gives up after three polls
                say(f"the server does not answer ({lost.exceptions[0]}): served again when it does")
                _await_server()
            else:
                return


def _is_news(record: logging.LogRecord) -> bool:
    """Not at each look of the runner that a run still waits for the one under way: the dashboard has it as late."""
    return not record.getMessage().endswith("skipped (at capacity)")


def _await_server() -> None:
    with get_client(sync_client=True) as client:
        while client.api_healthcheck() is not None:
            time.sleep(1)


def deployments(
    workspace: Workspace, retraining_schedule: "Schedule", monitoring_schedule: "Schedule"
) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The two deployments: schedule, limit and triggers."""
    return (
        _deployment(
            retraining,
            workspace,
            schedule=retraining_schedule,
            concurrency_limit=ENQUEUE,
            triggers=[_trigger(workspace, [DRIFT_FOUND], "retrain on drift")],
        ),
        _deployment(
            monitoring,
            workspace,
            schedule=monitoring_schedule,
            concurrency_limit=CANCEL_NEW,
            triggers=[_trigger(workspace, [RETRAINED, FILE_ARRIVED], "look at the next batch")],
        ),
    )


def _deployment(what: "Flow[Any, Any]", workspace: Workspace, **options: Any) -> RunnerDeployment:
    made = what.to_deployment(
        dashboard.slug(workspace),
        parameters={"workspace": str(workspace.root)},
        tags=[*dashboard.TAGS, workspace.dataset],
        paused=False,  # the last Ctrl-C paused it
        entrypoint_type=EntrypointType.MODULE_PATH,
        **options,
    )
    return cast(RunnerDeployment, made)


def _trigger(workspace: Workspace, events: list[str], title: str) -> DeploymentEventTrigger:
    return DeploymentEventTrigger(
        name=f"{title}: {workspace.root.name}",
        expect=set(events),
        match={"prefect.resource.id": "keepfit.workspace.*", "keepfit.root": str(workspace.root)},
    )


def _cron(cron: str, what: str, parameters: dict[str, Any] | None = None) -> "Schedule":
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError as error:
        raise SettingsError(
            f"{cron!r} is not a cron line", where=f"the schedule of {what}", fix="write `0 3 * * 1`, say"
        ) from error
    return Cron(cron, timezone="UTC", parameters=parameters)

"""Serving a workspace: retraining and monitoring on their schedules, and retraining when drift is found.

One process runs one flow at a time, so a training never meets another, nor monitoring, of its workspace.
Other processes (`keepfit run`, a worker) are kept out by the deployments' limits and the workspace's lock.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from flows import dashboard
from flows.monitoring import DRIFT_FOUND, RETRAINED, monitoring, retraining
from pipeline.errors import SettingsError
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from prefect.flows import Flow
    from prefect.schedules import Schedule

TAGS = ["keepfit"]
# A retraining asked for while one runs waits for it: the one that runs may have missed the newest batch.
# A monitoring that starts while one runs has nothing to add: it would look at the same batches.
ENQUEUE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
CANCEL_NEW = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)


def serve_workspace(
    workspace: Workspace, *, retraining_cron: str, monitoring_cron: str, say: Callable[[str], None]
) -> None:
    """Run the workspace's schedules until Ctrl-C; a run under way is then cancelled."""
    wanted = deployments(workspace, retraining_cron=retraining_cron, monitoring_cron=monitoring_cron)
    for deployment in wanted:
        say(f"serving {deployment.full_name}")
    serve(*wanted, limit=1, print_starting_message=False)


def deployments(
    workspace: Workspace, *, retraining_cron: str, monitoring_cron: str
) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The two deployments: schedule (UTC), limit and trigger; raises SettingsError on a bad cron line."""
    return (
        _deployment(
            retraining,
            workspace,
            schedule=_cron(retraining_cron, "retraining"),
            concurrency_limit=ENQUEUE,
            triggers=[_trigger(workspace, DRIFT_FOUND, "retrain on drift")],
        ),
        _deployment(
            monitoring,
            workspace,
            schedule=_cron(monitoring_cron, "monitoring"),
            concurrency_limit=CANCEL_NEW,
            triggers=[_trigger(workspace, RETRAINED, "look at the next batch")],
        ),
    )


def _deployment(what: "Flow[Any, Any]", workspace: Workspace, **options: Any) -> RunnerDeployment:
    made = what.to_deployment(
        dashboard.slug(workspace),
        parameters={"workspace": str(workspace.root)},
        tags=TAGS,
        paused=False,  # the last Ctrl-C paused it
        entrypoint_type=EntrypointType.MODULE_PATH,
        **options,
    )
    return cast(RunnerDeployment, made)


def _trigger(workspace: Workspace, event: str, title: str) -> DeploymentEventTrigger:
    return DeploymentEventTrigger(
        name=f"{title}: {workspace.root.name}",
        expect={event},
        match={"prefect.resource.id": "keepfit.workspace.*", "keepfit.root": str(workspace.root)},
    )


def _cron(cron: str, what: str) -> "Schedule":
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError as error:
        raise SettingsError(
            f"{cron!r} is not a cron line", where=f"the schedule of {what}", fix="write `0 3 * * 1`, say"
        ) from error
    return Cron(cron, timezone="UTC")

"""The training flow: each stage of dvc.yaml as a task, in DVC's order, then promote and the report.

DVC says what is up to date, so a stage that is ends as Cached and one that ran is recorded: a flow run and
`dvc repro` never do each other's work again. Prefect's own cache is off, it would be a second truth.
"""

import errno
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import dashboard
from flows.dashboard import failing_plainly
from pipeline import progress
from pipeline.errors import GateFailed
from pipeline.versions.dvc import StageSpec, Versions
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.tasks import Task

    from pipeline.stages.promote import Promotion

P = ParamSpec("P")
R = TypeVar("R")
RETRY_DELAYS_SECONDS = [2.0, 20.0]
DISK = (errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE)
NETWORK = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT)
PATH = r"""(?:PATH=(?:"[^"]*"|'[^']*'|[^\s"']*) +)?"""
SHOWN_AFTER = {"validate": dashboard.show_findings, "evaluate": dashboard.show_metrics}
log = logging.getLogger(__name__)


def train_workspace(workspace: Workspace) -> "Promotion":
    """Bring every stage up to date and promote; raises the KeepfitError of the stage that says no."""
    with dashboard.tagged(workspace):
        return training(str(workspace.root))


def named_after_data() -> str:
    """The name of the training that is about to start."""
    return dashboard.named(flow_run.parameters["workspace"], dashboard.files)


@flow(name="training", flow_run_name=named_after_data, persist_result=False)
@failing_plainly
def training(workspace: str) -> "Promotion":
    """Ingest to evaluate as dvc.yaml says, then promote; `workspace` is the folder's absolute path."""
    place = Workspace.open(Path(workspace))
    made: dict[str, State[Any]] = {}  # by out
    with place.lock() as freed:
        with Versions.open(place.root) as versions:
            for spec in versions.stages:
                after = [made[path] for path in spec.deps if path in made]
                ended = ending(spec.name, after, bring_up_to_date, place, versions, spec, freed)
                made |= dict.fromkeys(spec.outs, ended)
        promoted = ending("promote", list(made.values())[-1:], promote, place)
        ending("report", [promoted], report, place)
    promotion: Promotion = promoted.result()
    return promotion


def step(name: str, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` as a task called `name`, again after a transient fault; returns what it returns."""
    result: R = ending(name, [], work, *args, **kwargs).result()
    return result


def ending(
    name: str, after: "Sequence[State[Any]]", work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> "State[Any]":
    """As `step`, drawn behind the tasks that ended as `after`; returns the state that it ended in."""

    @task(
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=len(RETRY_DELAYS_SECONDS),
        retry_delay_seconds=RETRY_DELAYS_SECONDS,
        retry_condition_fn=is_transient,
    )
    def run() -> R:
        return work(*args, **kwargs)

    state = run(wait_for=after, return_state=True)
    if not state.is_completed():
        state.result()  # raises
    return state


def is_transient(_task: "Task[..., Any]", _run: "TaskRun", state: "State[Any]") -> bool:
    """Whether the same call may well succeed in a moment: a busy disk or network, never a KeepfitError."""
    error = getattr(state.data, "result", state.data)
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in (*DISK, *NETWORK)


def bring_up_to_date(
    workspace: Workspace, versions: Versions, spec: StageSpec, freed: Callable[[], AbstractContextManager[None]]
) -> "State[None] | None":
    """Run one stage and record it, unless DVC says that it is up to date; `freed` as the workspace's lock yields it."""
    show = SHOWN_AFTER.get(spec.name, _show_nothing)
    if versions.is_up_to_date(spec.name):
        log.info("%s: up to date", spec.name)
        show(workspace)
        return Completed(name="Cached", message="Skipped: up to date")
    log.info("%s ...", spec.name)
    try:
        if is_ours(spec) and find_spec(f"pipeline.stages.{spec.name}"):
            _run(workspace, versions, spec.name)
        else:
            with freed():
                versions.run_command(spec.name)
    except GateFailed:
        show(workspace)
        raise
    show(workspace)
    return None


def _run(workspace: Workspace, versions: Versions, name: str) -> None:
    """Run a stage of ours in this process, by its module, and record it."""
    with progress.listening(dashboard.progress_bar(workspace, name)):
        import_module(f"pipeline.stages.{name}").run(workspace)
    versions.record(name)


def is_ours(spec: StageSpec) -> bool:
    """Whether the command is `keepfit stage NAME` of this very stage, with the place of keepfit set before it or not.

    Any other variable may change what comes out, so that such a command runs as `dvc repro` runs it.
    """
    return re.fullmatch(rf"{PATH}keepfit stage {re.escape(spec.name)}", spec.command) is not None


def _show_nothing(workspace: Workspace) -> None:
    pass


def promote(workspace: Workspace) -> "Promotion":
    """The last task but one: the candidate becomes champion, or the reasons why not."""
    from pipeline.stages import promote as stage

    promotion = stage.run(workspace)
    dashboard.show_promotion(
        workspace, promoted=promotion.promoted, version=promotion.version, reasons=promotion.reasons
    )
    return promotion


def report(workspace: Workspace) -> None:
    """Write the HTML report and link to it."""
    from pipeline.reports import report as page

    page.write(workspace)
    dashboard.show_report(workspace)

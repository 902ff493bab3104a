"""What a served workspace needs beside its schedules: runs that died told as crashed, missed ones not piled up, files
that arrive told by an event.

All of it is asked of Prefect's API and of the folder, again and again, and nothing is remembered that a restart loses.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectException
from prefect.states import Cancelled, Crashed
from prefect.types._datetime import now as prefect_now

from flows import dashboard
from flows.monitoring import FILE_ARRIVED, tell
from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

POLL_SECONDS = 10.0
UNDER_WAY = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
log = logging.getLogger(__name__)


@contextmanager
def tended(workspace: Workspace, *, poll_seconds: float = POLL_SECONDS) -> Iterator[None]:
    """Inside the block missed runs are cleared away and arriving files told, from a thread of its own."""
    bury(workspace)
    catch_up(workspace)
    over = threading.Event()
    within = copy_context().run  # Prefect keeps in the context which server it is
    work = (_tend, workspace, over, poll_seconds)
    thread = threading.Thread(target=within, args=work, name="keepfit-tending", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # a turn ends: each of its requests has a limit of time


def _tend(workspace: Workspace, over: threading.Event, poll_seconds: float) -> None:
    arrivals, orphans = Arrivals(workspace), Orphans(workspace)
    while not over.wait(poll_seconds):
        for work in (arrivals.tell, orphans.bury, partial(catch_up, workspace)):
            if not over.is_set():
                _forgiving(work)


def _forgiving(work: Callable[[], object]) -> None:
    """Do it; where the server is away or the disk busy, it is done at the next turn."""
    try:
        work()
    except (httpx.HTTPError, PrefectException, OSError, RuntimeError) as error:
        log.warning("tending waits: %s", error)


def files(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """The files that wait in data/incoming: name → size and time of the last change."""
    found: dict[str, tuple[int, int]] = {}
    for path in workspace.incoming.glob("*"):
        with suppress(FileNotFoundError):  # it may be moved away right now
            facts = path.stat()
            if S_ISREG(facts.st_mode) and not _unfinished(path):
                found[path.name] = facts.st_size, facts.st_mtime_ns
    return found


def _unfinished(path: Path) -> bool:
    return path.name.startswith(".") or path.suffix in (".tmp", ".part", ".crdownload")


class Arrivals:
    """Tells of files that are new in data/incoming, once each is whole: the same at two looks."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.told = self.last = files(workspace)

    def tell(self) -> list[str]:
        """Look, and tell of the new ones; their names."""
        found = files(self.workspace)
        whole = {name: facts for name, facts in found.items() if self.last.get(name) == facts}
        new = sorted(name for name, facts in whole.items() if self.told.get(name) != facts)
        if new:
            tell(self.workspace, FILE_ARRIVED, {"files": new})
            log.info("arrived: %s", ", ".join(new))
        self.last, self.told = found, {n: facts for n, facts in self.told.items() if n in found} | whole
        return new


class Orphans:
    """Finds runs within a run that was killed: Prefect's runner knows of that one alone.

    A training holds the workspace's lock: one that is under way at two looks while the lock is free has no process.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.suspected: set[object] = set()

    def bury(self) -> int:
        """Look, and tell those as crashed that were suspected before; how many."""
        with get_client(sync_client=True) as client:
            alone = [run for run in _under_way(client, self.workspace) if run.deployment_id is None]
            if not alone or not _is_free(self.workspace):
                self.suspected = set()
                return 0
            dead = [run for run in alone if run.id in self.suspected]
            _tell_crashed(client, dead)
        self.suspected = {run.id for run in alone}
        return len(dead)


def bury(workspace: Workspace) -> int:
    """Tell runs of this workspace that are said to be under way as crashed; how many. Nobody else may serve it.

    Runs that no deployment made, such as of `keepfit run`, are left where one is at work.
    """
    with get_client(sync_client=True) as client:
        found = _under_way(client, workspace)
        idle = bool(found) and _is_free(workspace)
        dead = [run for run in found if idle or run.deployment_id]
        _tell_crashed(client, dead)
    return len(dead)


def _is_free(workspace: Workspace) -> bool:
    """Whether no run is at work in the workspace."""
    try:
        with workspace.lock():
            return True
    except WorkspaceError:
        return False


def _under_way(client: SyncPrefectClient, workspace: Workspace) -> "list[FlowRun]":
    """The runs of this workspace that have begun and not ended, whoever made them."""
    begun = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)))
    found = client.read_flow_runs(flow_run_filter=begun, limit=200)
    return [run for run in found if run.parameters.get("workspace") == str(workspace.root)]


def _tell_crashed(client: SyncPrefectClient, dead: "Sequence[FlowRun]") -> None:
    for run in dead:
        words = "its process ended without a word; its work goes on with the next run"
        client.set_flow_run_state(run.id, Crashed(message=words), force=True)
        log.warning("the run %s had crashed", run.name)


def catch_up(workspace: Workspace) -> int:
    """Of runs whose time has passed, leave the oldest of those that would do the same, cancel the others; how many.

    The oldest, because the runner takes them by their time: were it the newest, a flow that is due often would wait for
    ever behind one that takes longer than its own schedule.
    """
    with get_client(sync_client=True) as client:
        late = [
            run
            for run in _waiting(client, workspace)
            if run.next_scheduled_start_time and run.next_scheduled_start_time <= prefect_now("UTC")
        ]
        missed = _repeated(late)
        for run in missed:
            words = "missed: an earlier one that waits stands for it"
            client.set_flow_run_state(run.id, Cancelled(name="Missed", message=words), force=True)
    return len(missed)


def _repeated(runs: "Sequence[FlowRun]") -> "list[FlowRun]":
    """All but the oldest run of each deployment and its parameters."""
    oldest: dict[str, FlowRun] = {}
    for run in sorted(runs, key=lambda run: str(run.next_scheduled_start_time)):
        oldest.setdefault(f"{run.deployment_id} {sorted(run.parameters.items())}", run)
    kept = {run.id for run in oldest.values()}
    return [run for run in runs if run.id not in kept]


def _waiting(client: SyncPrefectClient, workspace: Workspace) -> "list[FlowRun]":
    """The runs of this workspace's deployments that have not begun."""
    waiting = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[dashboard.slug(workspace)])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=waiting)),
        limit=200,
    )

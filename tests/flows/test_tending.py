"""Beside the schedules: dead runs are told as crashed, missed ones do not pile up, files that arrive are told once."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.workspace import Workspace

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def deployed(workspace: Workspace, server: str) -> tuple[Workspace, Callable[..., Any], Callable[[Any], str]]:
    """A workspace with its two deployments; what schedules a run of monitoring, and what tells a run's state."""
    from prefect.client.orchestration import get_client
    from prefect.states import Scheduled

    from tests.flows.test_serving import wanted

    for deployment in wanted(workspace):
        deployment.apply()
    name = f"monitoring/{wanted(workspace)[1].name}"

    def schedule(minutes_ago: float, **parameters: Any) -> Any:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(name)
            due: Any = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=minutes_ago))
            return client.create_flow_run_from_deployment(found.id, parameters=parameters, state=due).id

    def state(run: Any) -> str:
        with get_client(sync_client=True) as client:
            told = client.read_flow_run(run).state
            return str(told.name) if told else ""

    return workspace, schedule, state


def test_of_missed_runs_the_oldest_stands_for_all(deployed: Any) -> None:
    from flows.tending import catch_up

    workspace, schedule, state = deployed
    oldest, newer, newest, asked, later = (
        schedule(30),
        schedule(20),
        schedule(10),
        schedule(25, batches=["named.csv"]),
        schedule(-30),
    )

    assert catch_up(workspace) == 2

    assert [state(run) for run in (newer, newest)] == ["Missed", "Missed"]
    assert {state(run) for run in (oldest, asked, later)} <= {"Scheduled", "Late"}
    assert catch_up(workspace) == 0


def test_a_run_whose_process_is_gone_has_crashed(deployed: Any) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    from flows.tending import bury

    workspace, schedule, state = deployed
    dead, waiting = schedule(1), schedule(-1)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(dead, Running(), force=True)

    assert bury(workspace) == 1

    assert (state(dead), state(waiting)) == ("Crashed", "Scheduled")
    assert bury(workspace) == 0


def test_a_run_within_a_killed_run_has_crashed_at_the_second_look(deployed: Any) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    from flows.tending import Orphans, bury

    @flow
    def training(workspace: str) -> None:
        pass

    workspace, _, state = deployed
    with get_client(sync_client=True) as client:
        alone = client.create_flow_run(training, parameters={"workspace": str(workspace.root)}, state=Running()).id
    orphans = Orphans(workspace)

    with workspace.lock():
        assert (orphans.bury(), orphans.bury(), bury(workspace)) == (0, 0, 0)
    assert orphans.bury() == 0
    assert state(alone) == "Running"
    assert orphans.bury() == 1
    assert state(alone) == "Crashed"


def test_the_thread_beside_the_schedules_asks_the_same_server(
    workspace: Workspace, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client

    from flows import tending

    asked: dict[str, str] = {}
    twice = threading.Event()

    def ask(place: Workspace) -> None:
        with get_client(sync_client=True) as client:
            asked[threading.current_thread().name] = str(client.api_url).rstrip("/")
        if len(asked) == 2:
            twice.set()

    monkeypatch.setattr(tending, "catch_up", ask)
    with tending.tended(workspace, poll_seconds=0.01):
        assert twice.wait(timeout=60), asked

    assert set(asked.values()) == {server}


def test_runs_of_another_workspace_are_left_alone(deployed: Any, tmp_path: Any) -> None:
    from flows.tending import bury, catch_up

    _, schedule, state = deployed
    runs = [schedule(30), schedule(20)]
    other = Workspace(tmp_path / "other")

    assert (catch_up(other), bury(other)) == (0, 0)
    assert {state(run) for run in runs} <= {"Scheduled", "Late"}


def test_a_file_is_told_once_it_is_whole_and_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import tending

    told: list[Any] = []
    monkeypatch.setattr(tending, "tell", lambda workspace, event, payload: told.append((event, payload["files"])))
    workspace.incoming.mkdir(parents=True)
    (workspace.incoming / "old.csv").write_text("a")
    arrivals = tending.Arrivals(workspace)

    (workspace.incoming / "new.csv").write_text("a")
    (workspace.incoming / ".hidden").write_text("a")
    (workspace.incoming / "half.csv.part").write_text("a")
    assert arrivals.tell() == []  # seen for the first time: it may still grow
    (workspace.incoming / "new.csv").write_text("a,b")
    assert arrivals.tell() == []
    assert arrivals.tell() == ["new.csv"]
    assert arrivals.tell() == []
    (workspace.incoming / "new.csv").write_text("a,b,label")
    arrivals.tell()
    assert arrivals.tell() == ["new.csv"]

    assert told == [("keepfit.file.arrived", ["new.csv"])] * 2


def test_only_one_may_serve_a_workspace(workspace: Workspace) -> None:
    from flows.serving import serve_workspace
    from pipeline.errors import WorkspaceError

    with workspace.serve_lock(), pytest.raises(WorkspaceError, match="serves it already"):
        serve_workspace(workspace, retraining_cron="0 3 * * 1", monitoring_cron="0 * * * *", say=print)

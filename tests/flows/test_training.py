"""The training flow against fake stages, a fake DVC and a real server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline import progress
from pipeline.artefacts import copy, write_json
from pipeline.errors import DataError, GateFailed, WorkspaceError
from pipeline.workspace import Workspace

OURS = ("ingest", "validate", "evaluate")
FINDING = {
    "check": "gaps",
    "severity": "warning",
    "column": "wind|dir",
    "rows": 3,
    "fraction": 0.1,
    "message": "3 rows",
    "suggestion": "impute",
    "policy": "warn",
}


def last_run(read: "Callable[[Any, Any], Any]") -> Any:
    """What `read(client, flow_run)` says of the newest flow run that has begun."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    begun = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))
    with get_client(sync_client=True) as client:
        [run] = client.read_flow_runs(flow_run_filter=begun, sort=FlowRunSort.START_TIME_DESC, limit=1)
        return read(client, run)


def task_states(expected: int) -> list[tuple[str, str, str]]:
    """Name, state and message of the newest flow run's tasks, in order, once the server has them all."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=5)

    def read(client: Any, run: Any) -> list[Any]:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        for _ in range(2_000):
            tasks = client.read_task_runs(flow_run_filter=chosen)
            if len(tasks) == expected and all(task.state and task.state.is_final() for task in tasks):
                return sorted(tasks, key=lambda task: task.start_time)
        raise AssertionError(f"{len(tasks)} tasks, not {expected}")

    return [(task.name, task.state_name, task.state.message or "") for task in last_run(read)]


def artifacts(key: str) -> list[Any]:
    """The newest flow run's artifacts whose key ends so."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    def read(client: Any, run: Any) -> list[Any]:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(str(run.id))]))
        )
        return [artifact for artifact in found if artifact.key.endswith(key)]

    return list(last_run(read))


def test_stages_run_in_the_order_of_the_dag_and_are_recorded(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    promotion = train_workspace(workspace)

    assert promotion.version == "v2"
    assert stages.log == [*OURS, "promote", "report"]
    assert versions.log == [f"record {name}" for name in OURS]
    assert task_states(5) == [(name, "Completed", "") for name in (*OURS, "promote", "report")]


def test_a_run_is_named_after_data_and_workspace(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    train_workspace(workspace)

    assert last_run(lambda _, run: (run.name, run.state_name)) == ("flights · 2 files · demo", "Completed")


def test_what_dvc_calls_up_to_date_is_not_run_and_ends_as_cached(
    workspace: Workspace, versions: Any, stages: Any
) -> None:
    from flows.training import train_workspace

    versions.fresh = {"ingest", "evaluate"}
    train_workspace(workspace)

    assert stages.log == ["validate", "promote", "report"]
    assert versions.log == ["record validate"]
    assert task_states(5)[0] == ("ingest", "Cached", "Skipped: up to date")


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("keepfit stage ingest", True),
        ('PATH="$PATH:$DVC_ROOT/.venv/bin" keepfit stage ingest', True),
        ("CUDA_VISIBLE_DEVICES= keepfit stage ingest", False),
        ("PATH=bin A=1 keepfit stage ingest", False),
        ("keepfit stage validate", False),
        ("keepfit stage ingest && rm -rf data", False),
        ("echo hello; keepfit stage ingest", False),
        ("", False),
    ],
)
def test_a_stage_of_ours_is_known_by_its_command(command: str, ours: bool, server: str) -> None:
    from flows.training import is_ours
    from pipeline.versions.dvc import StageSpec

    assert is_ours(StageSpec(name="ingest", command=command, deps=(), outs=(), params=())) is ours


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own
def test_every_stage_of_the_repo_itself_is_ours(server: str, tmp_path: Path) -> None:
    from flows.training import is_ours
    from pipeline.versions import dvc

    for name in ("dvc.yaml", "params.yaml"):
        copy(Path(__file__).parents[2] / name, tmp_path / name)
    dvc.prepare(tmp_path)
    found = dvc.stages(tmp_path)

    assert len(found) == 7
    assert [stage.name for stage in found if not is_ours(stage)] == []


def test_a_users_own_stage_runs_by_its_command(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    versions.stages.clear()
    versions.add("enrich", "python enrich.py")
    versions.add("ingest", "keepfit stage ingest --loud")
    train_workspace(workspace)

    assert versions.log == ["command enrich", "command ingest"]
    assert stages.log == ["promote", "report"]


def test_the_stages_are_held_but_while_a_command_runs(
    workspace: Workspace, versions: Any, stages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.training import train_workspace

    def ask(name: str) -> None:
        with workspace.stage_lock():
            versions.log.append(f"{name} finds them free")

    monkeypatch.setattr(versions, "run_command", ask)
    versions.stages[1:] = []
    versions.add("validate", "CUDA_VISIBLE_DEVICES= keepfit stage validate")
    train_workspace(workspace)
    assert versions.log == ["record ingest", "validate finds them free"]

    monkeypatch.setattr(versions, "record", ask)
    with pytest.raises(WorkspaceError, match="works on a stage"):
        train_workspace(workspace)


def test_a_keepfit_error_leaves_the_flow_as_itself_and_is_one_line_on_the_dashboard(
    workspace: Workspace, versions: Any, stages: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.training import train_workspace

    error = DataError("is empty", where="a.csv", fix="mend it")
    stages.faults["validate"] = [error]
    with pytest.raises(DataError) as caught:
        train_workspace(workspace)

    assert caught.value is error
    assert stages.log == ["ingest", "validate"], "no retry, nothing after it"
    assert versions.log == ["record ingest"]
    assert last_run(lambda _, run: run.state.message) == "a.csv: is empty; mend it"
    assert capfd.readouterr() == ("", "")


def test_a_failed_gate_shows_the_findings(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    write_json(workspace.quality, {"findings": [FINDING]})
    stages.faults["validate"] = [GateFailed("3 rows", where="validate", fix="mend them")]
    with pytest.raises(GateFailed):
        train_workspace(workspace)

    [table] = artifacts("-findings")
    assert "wind|dir" in str(table.data)


def test_a_transient_fault_is_tried_again(
    workspace: Workspace, versions: Any, stages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import training

    monkeypatch.setattr(training, "RETRY_DELAYS_SECONDS", [0.0, 0.0])
    stages.faults["ingest"] = [TimeoutError("slow disk"), ConnectionResetError("share went away")]
    training.train_workspace(workspace)

    assert stages.log[:4] == ["ingest", "ingest", "ingest", "validate"]
    assert task_states(5)[0][1] == "Completed"


def test_a_lasting_fault_is_not_tried_again(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    stages.faults["ingest"] = [PermissionError(13, "no")]
    with pytest.raises(PermissionError):
        train_workspace(workspace)

    assert stages.log == ["ingest"]


def test_the_promotion_is_shown_with_its_reasons_as_text(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    train_workspace(workspace)

    [decision] = artifacts("-promotion")
    assert decision.data == "**v2 is the new champion**\n\n- auc 0\\.74 \\| better"


def test_progress_of_a_stage_is_a_bar(workspace: Workspace, versions: Any, stages: Any) -> None:
    import sys

    from flows.training import train_workspace

    def run(workspace: Workspace) -> None:
        for epoch in range(1, 5):
            progress.report(epoch / 4, f"epoch {epoch} of 4")

    sys.modules["pipeline.stages.ingest"].run = run  # type: ignore[attr-defined]
    train_workspace(workspace)

    [bar] = artifacts("-ingest")
    assert (bar.data, bar.description) == (100.0, "ingest: epoch 4 of 4")


def test_two_runs_of_one_workspace_do_not_meet(workspace: Workspace, versions: Any, stages: Any) -> None:
    from flows.training import train_workspace

    with workspace.lock(), pytest.raises(WorkspaceError, match="another keepfit run"):
        train_workspace(workspace)

    assert stages.log == []


def test_a_folder_that_is_no_workspace_is_one_line(tmp_path: Path, server: str) -> None:
    from flows.training import training

    with pytest.raises(WorkspaceError, match=r"no params\.yaml here"):
        training(str(tmp_path))

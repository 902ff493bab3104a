"""A run that finds nothing to do says so without a server; where anything has work, the flow is asked."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.artefacts import remove
from pipeline.commands import up_to_date
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.policy import window
from pipeline.versions import dvc, registry
from pipeline.versions.dvc import Versions
from pipeline.workspace import Workspace

# DVC itself asks pygtrie for what it will take away one day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def done(promoted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """`tiny` with a champion, and every stage recorded by DVC."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    window.ensure(promoted)
    dvc.prepare(promoted.root)
    with Versions.open(promoted.root) as versions:
        for stage in versions.stages:
            versions.record(stage.name)
    return promoted


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_where_all_is_done_the_champion_stays_and_the_report_is_written(done: Workspace) -> None:
    promotion = up_to_date.settle(done)

    assert promotion is not None
    assert (promotion.promoted, promotion.version) == (False, "v1")
    assert done.report.is_file()


@pytest.mark.parametrize(
    "disturb",
    [
        lambda place: edited(place.params_file, "epochs: 2", "epochs: 3"),
        lambda place: edited(place.contract_file, "An order stands once.", "Each order stands once."),
        lambda place: (place.raw / "2024-02.csv").write_bytes((place.raw / "2024-02.csv").read_bytes()[:-40]),
        lambda place: remove(place.split),
        lambda place: remove(place.root / "dvc.lock"),
        lambda place: registry.Champion().write(place.champion),
        lambda place: remove(place.root / ".dvc"),
        lambda place: remove(place.candidate),
    ],
    ids=["settings", "contract", "data", "out", "lock", "champion", "no DVC", "candidate"],
)
def test_where_anything_has_work_the_flow_is_asked(done: Workspace, disturb: Callable[[Workspace], None]) -> None:
    disturb(done)

    assert up_to_date.settle(Workspace.open(done.root)) is None


def test_what_the_flow_brought_back_is_at_rest_again(done: Workspace) -> None:
    remove(done.split)
    assert up_to_date.settle(done) is None
    with Versions.open(done.root) as versions:
        assert all(versions.is_up_to_date(stage.name) for stage in versions.stages)

    assert up_to_date.settle(done) is not None


@pytest.mark.parametrize(("key", "value"), [("monitor", "{tolerated_drop: none}"), ("promote", "{metric: rmse}")])
def test_wrong_settings_are_said_though_no_stage_reads_them(done: Workspace, key: str, value: str) -> None:
    kept = [line for line in done.params_file.read_text().splitlines() if not line.startswith(key)]
    done.params_file.write_text("\n".join([*kept, f"{key}: {value}"]) + "\n")

    with pytest.raises(SettingsError, match=key):
        up_to_date.settle(Workspace.open(done.root))


def test_another_run_at_work_is_said(done: Workspace) -> None:
    with done.lock(), pytest.raises(WorkspaceError, match="another keepfit run"):
        up_to_date.settle(done)


def test_no_network_library_is_loaded_and_no_server_started(done: Workspace) -> None:
    code = f"""if True:
        import sys
        from flows import environment
        environment.DASHBOARD_PORT = 1
        from pipeline import cli
        code = cli.main(["-w", {str(done.root)!r}, "run"])
        print(code, [name for name in ("prefect", "torch", "sklearn") if name in sys.modules])
    """
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout

    assert told.splitlines()[0] == "nothing to do: every stage is up to date"
    assert told.splitlines()[-1] == "0 []"
    assert not (done.state / "prefect").exists()


def test_a_dashboard_that_is_there_is_shown_the_run(done: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import environment

    ran: list[Workspace] = []

    def trained(workspace: Workspace) -> object:
        ran.append(workspace)
        return up_to_date.settle(workspace)

    monkeypatch.setattr(environment, "find", lambda port: f"http://127.0.0.1:{port}/api")
    monkeypatch.setattr(cli, "_trained", trained)

    assert cli.main(["-w", str(done.root), "run"]) == 0
    assert ran == [done]

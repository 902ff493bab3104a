"""Which server the flows talk to, and that none is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from flows import environment
from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace

CLIENT = """
import sys, time
from pathlib import Path
from flows.environment import connected
from pipeline.workspace import Workspace
with connected(Workspace(Path(sys.argv[1])), say=lambda words: None) as url:
    print(url, flush=True)
    time.sleep(60)
"""

PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
CHILD = """
import os, time
from flows.environment import enter_run
enter_run()
print(os.getpid(), flush=True)
time.sleep(600)
"""

SETTINGS = """
import sys, logging
from pathlib import Path
from flows.environment import prepare
prepare(Path(sys.argv[1]), console_level="WARNING")
from prefect._internal.analytics.enabled import is_telemetry_enabled
from prefect.settings import get_current_settings
found = get_current_settings()
print(is_telemetry_enabled(), found.server.analytics_enabled, found.server.ephemeral.enabled)
print(found.server.ui.show_promotional_content, found.telemetry.enable_resource_metrics)
print(found.logging.to_api.when_missing_flow, logging.getLogger("pipeline").level)
print(sorted(found.logging.extra_loggers), found.home)
"""


@pytest.mark.parametrize(("run", "outlives"), [("", True), ("1f0c9a", False)])
def test_a_run_ends_with_the_process_that_started_it(run: str, outlives: bool) -> None:
    environ = os.environ | ({"PREFECT__FLOW_RUN_ID": run} if run else {})
    command = [sys.executable, "-c", PARENT, CHILD]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], env=environ, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        child = psutil.Process(int(one.stdout.readline()))
        one.kill()
    _, alive = psutil.wait_procs([child], timeout=2 if outlives else 60)
    for left in alive:
        left.kill()

    assert bool(alive) is outlives


def test_telemetry_is_off_and_loopback_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", {"NO_PROXY": "intranet"})
    environment.prepare(tmp_path, console_level="WARNING")

    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert os.environ["PREFECT_HOME"] == str(tmp_path)


def test_what_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", {"PREFECT_HOME": "/mine"})
    environment.prepare(tmp_path, console_level="WARNING")

    assert os.environ["PREFECT_HOME"] == "/mine"


def test_prefect_knows_every_setting_that_we_set(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
    )

    assert done.stdout.split() == ["False"] * 5 + ["ignore", "20", "['flows',", "'pipeline']", str(tmp_path)]


def test_a_running_server_is_found(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    port = int(server.split(":")[2].split("/", maxsplit=1)[0])

    assert environment.find(port) == server
    assert environment.find(1) is None


def test_what_named_a_server_before_names_it_afterwards(
    workspace: Workspace, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", server)

    with environment.connected(workspace, say=lambda _: None) as url:
        assert url == server

    assert os.environ["PREFECT_API_URL"] == server


@pytest.mark.parametrize("url", ["https://api.prefect.cloud/api", "http://example.org:4200/api", "x"])
def test_a_server_on_another_machine_is_never_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)

    assert environment.find(1) is None


def test_a_port_taken_by_another_program_is_one_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "find", lambda port: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        connecting = environment.connected(workspace, say=lambda _: None, dashboard_port=port)
        with pytest.raises(WorkspaceError, match=f"port {port}: is taken"), connecting:
            pass


def test_a_server_that_does_not_start_is_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    home = workspace.state / "prefect"
    home.mkdir(parents=True)
    (home / "prefect.db").write_text("no database")
    monkeypatch.setattr(environment, "find", lambda port: None)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_API_URL", "")
    connecting = environment.connected(workspace, say=lambda _: None)
    with pytest.raises(WorkspaceError, match=r"server\.log: Prefect's server did not start"), connecting:
        pass


def test_wrong_settings_end_it_and_the_server_that_starts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    def refuse() -> None:
        raise WorkspaceError("is wrong", where="params.yaml", fix="mend it")

    started: list[subprocess.Popen[Any]] = []

    def start(*args: Any, **kwargs: Any) -> subprocess.Popen[Any]:
        started.append(popen(*args, **kwargs))
        return started[0]

    popen = subprocess.Popen
    home = workspace.state / "prefect"
    home.mkdir(parents=True)
    (home / "prefect.db").touch()
    monkeypatch.setattr(environment, "find", lambda port: None)
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    connecting = environment.connected(workspace, say=lambda _: None, meanwhile=refuse)
    with pytest.raises(WorkspaceError, match="is wrong"), connecting:
        pass

    assert started[0].poll() is not None


def test_no_database_is_built_for_wrong_settings(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise WorkspaceError("is wrong", where="params.yaml", fix="mend it")

    monkeypatch.setattr(environment, "find", lambda port: None)
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setenv("PREFECT_HOME", str(workspace.state / "prefect"))
    connecting = environment.connected(workspace, say=lambda _: None, meanwhile=refuse)
    with pytest.raises(WorkspaceError, match="is wrong"), connecting:
        pass


def test_the_server_ends_when_its_parent_is_killed(workspace: Workspace, server: str) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in ("PREFECT_API_URL",)}
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(workspace.root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=clean,
    ) as parent:
        assert parent.stdout
        url = parent.stdout.readline().strip()
        port = int(url.split(":")[2].split("/")[0])
        assert environment._version(port, "/api")
        parent.send_signal(signal.SIGKILL)
    for _ in range(1_000_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
    raise AssertionError("the server is still there")


def test_a_server_that_is_killed_is_started_anew_and_ended_at_the_end() -> None:
    started: list[subprocess.Popen[bytes]] = []
    said: list[str] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return started[-1]

    over = threading.Event()
    keeper = threading.Thread(target=environment._keep_up, args=(start(), start, over, said.append))
    keeper.start()
    os.kill(started[0].pid, signal.SIGKILL)
    started[0].wait()
    while len(started) < 2:
        time.sleep(0.01)
    assert started[1].poll() is None
    over.set()
    keeper.join()

    assert len(said) == 1
    assert "-9: it is started anew" in said[0]
    assert started[1].poll() is not None

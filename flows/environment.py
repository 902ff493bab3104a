"""Which Prefect server the flows talk to: one that runs on this machine, or a temporary one of their own.

Prefect records every run in a server's database; a flow cannot run without one. Here it is
`.keepfit/prefect/prefect.db` in the workspace (or under PREFECT_HOME where that is set), never ~/.prefect:
another project's Prefect of another version would otherwise migrate our database, or we theirs.
No module here imports Prefect before `prepare` has set the environment that it reads.
"""

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace

LOOPBACK = "127.0.0.1"
REPORTS_URL = "KEEPFIT_REPORTS_URL"  # set for the runs of a served workspace: where its reports/ can be read
DASHBOARD_PORT = 4200  # Prefect's own default
LOOK_SECONDS = 0.2  # how soon a server that was killed is missed
RESTART_SECONDS = 10.0
START_SECONDS = 240.0  # building the database took 5 to 14 s here, and 90 beside ten busy programs
DEFAULTS = {
    "DO_NOT_TRACK": "1",  # the client's analytics
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # Prefect's own temporary server: 2 s slower than ours
    "PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline,flows",  # our lines go to the run's page as well
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
SLOW_IMPORTS = ("prefect.flows", "prefect.artifacts", "dvc.repo")
# what the stages import sooner or later: they need it anyway, and the server's start is idle time for this process
STAGES_IMPORTS = ("torch", "pandera.polars", "sklearn.ensemble")


def prepare(home: Path, *, console_level: str) -> None:
    """Set what Prefect reads at import: no telemetry, its home in the workspace, no proxy for loopback."""
    console = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": console_level}
    for key, value in {**DEFAULTS, **console, "PREFECT_HOME": str(home)}.items():
        os.environ.setdefault(key, value)
    for key in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(key, "").split(",") if host]
        os.environ[key] = ",".join(dict.fromkeys([*hosts, LOOPBACK, "localhost"]))
    _hear()


def _hear() -> None:
    """Let our own lines through, which Prefect hands on and gives no level."""
    for name in ("pipeline", "flows"):
        logging.getLogger(name).setLevel(logging.INFO)


def _nothing() -> None:
    pass


@contextmanager
def connected(
    workspace: Workspace,
    *,
    say: Callable[[str], None],
    dashboard_port: int | None = None,
    meanwhile: Callable[[], None] = _nothing,
) -> Iterator[str]:
    """Yield the API's address; flows run inside the block record their runs there.

    A server found on this machine is used, else one is started and ended with the block: with the dashboard
    and its services on `dashboard_port` where that is given, else a bare one on any free port. It starts
    while this process does its slow imports and `meanwhile`, and needs none of Prefect's server code here.
    """
    prepare(workspace.state / "prefect", console_level="INFO" if dashboard_port else "WARNING")
    with ExitStack() as stack:
        url = find(dashboard_port or DASHBOARD_PORT)
        if url is None:
            url = stack.enter_context(_started(workspace.root, dashboard_port, say, meanwhile))
            if dashboard_port:
                stack.enter_context(_named(REPORTS_URL, f"{url.removesuffix('/api')}/keepfit"))
        else:
            meanwhile()
        stack.enter_context(_named("PREFECT_API_URL", url))
        stack.enter_context(_settings(url, heartbeat=dashboard_port is not None))
        yield url


@contextmanager
def _named(variable: str, url: str) -> Iterator[None]:
    """Have the variable of the environment name `url`; at the end it names what it did before."""
    before = os.environ.get(variable)
    os.environ[variable] = url
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def find(port: int) -> str | None:
    """The address of a Prefect 3 server that answers on this machine: PREFECT_API_URL's, or on `port`.

    A PREFECT_API_URL that names another machine is not used: rows of data never leave this one.
    """
    named = os.environ.get("PREFECT_API_URL", "")
    for url in (named, f"http://{LOOPBACK}:{port}/api"):
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in (LOOPBACK, "localhost")
        if local and _version(parts.port or 80, parts.path).startswith("3."):
            return url
    return None


def _version(port: int, path: str) -> str:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", f"{path.rstrip('/')}/admin/version")
        answer = json.loads(connection.getresponse().read(1000))
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    finally:
        connection.close()
    return answer if isinstance(answer, str) else ""


@contextmanager
def _started(
    root: Path, dashboard_port: int | None, say: Callable[[str], None], meanwhile: Callable[[], None]
) -> Iterator[str]:
    port = dashboard_port or _free_port()
    if dashboard_port and not _is_free(dashboard_port):
        raise WorkspaceError("is taken by another program", where=f"port {port}", fix="name another with --port")
    home = Path(os.environ["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "prefect.db").exists():
        meanwhile()  # what it raises must not end a server that builds its database
        meanwhile = _nothing
        say("Prefect builds its database (once, some 10 seconds) ...")
    log = home / "server.log"
    script = str(Path(__file__).with_name("server.py"))
    kind = "dashboard" if dashboard_port else "bare"
    environ = {**os.environ, "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api"}
    start = partial(_start, [sys.executable, "-P", script, str(port), kind, str(root)], log, environ)
    artefacts.write_text(log, "")
    process = start()
    try:
        meanwhile()
        _import(SLOW_IMPORTS)
        _wait_for(process, port, log)
    except BaseException:
        _stop(process)
        raise
    over = threading.Event()
    keeper = threading.Thread(target=_keep_up, args=(process, start, over, say), daemon=True)
    keeper.start()
    try:
        yield f"http://{LOOPBACK}:{port}/api"
    finally:
        over.set()
        keeper.join()


def _start(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: its end tells the server that we are gone
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,  # Ctrl-C is for this process; the server must outlive our last report
        )


def _keep_up(
    process: "subprocess.Popen[bytes]",
    start: "Callable[[], subprocess.Popen[bytes]]",
    over: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Start a server anew that was killed, until it is over; then end it. It has the same port, so runs wait for it."""
    while not over.wait(LOOK_SECONDS):
        if process.poll() is not None:
            say(f"Prefect's server has ended with {process.returncode}: it is started anew")
            _stop(process)  # closes its pipe
            process = start()
            over.wait(RESTART_SECONDS)  # one that cannot start is not tried without end
    _stop(process)


def _import(names: Sequence[str]) -> None:
    for name in names:
        import_module(name)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    later = iter(STAGES_IMPORTS)
    while not _version(port, "/api"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise WorkspaceError(
                "Prefect's server did not start",
                where=str(log),
                fix="read that log (a prefect.db beside it that is damaged may be deleted); `dvc repro` runs "
                "the stages without Prefect",
            )
        _import([name]) if (name := next(later, "")) else time.sleep(0.05)


def enter_run() -> None:
    """What the process of a run begins with: its lines are heard, and none outlives what serves it.

    Where a server started it, it is killed once the process that did so is gone.
    """
    _hear()
    if "PREFECT__FLOW_RUN_ID" not in os.environ:
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="keepfit-parent", daemon=True).start()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
    return False


@contextmanager
def _settings(url: str, *, heartbeat: bool) -> Iterator[None]:
    """Point a Prefect that is imported already to `url`, and send everything before the server ends.

    A heartbeat thread makes every flow wait up to 1 s at its end; only a dashboard has a use for it. Our own
    lines and the one line of a KeepfitError say on the screen what Prefect's would say again.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).propagate = False
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # warns of each drain that has work to do
    silent = {} if heartbeat else {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with temporary_settings({PREFECT_API_URL: url, **silent}):
        try:
            yield
        finally:
            APILogWorker.drain_all(timeout=5)
            EventsWorker.drain_all(timeout=5)

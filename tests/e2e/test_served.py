"""A served workspace: schedule, run, artifact, drift, automation, retraining, champion; by the API and in a browser.

Set KEEPFIT_SCREENSHOTS to a folder to keep what the browser showed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]
import pytest

from pipeline import monitor
from pipeline.versions import registry
from pipeline.workspace import Workspace
from tests.browser import CHROMIUM, Browser
from tests.conftest import copied

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 900.0  # a busy machine; an idle one needs one
SERVE = """
import signal, sys
from pathlib import Path
from flows.environment import connected
from pipeline.workspace import Workspace
signal.signal(signal.SIGINT, signal.default_int_handler)
workspace = Workspace.open(Path(sys.argv[1]))
with connected(workspace, say=print, dashboard_port=int(sys.argv[2])):
    from prefect.schedules import Interval
    from flows.serving import serve_schedules
    serve_schedules(workspace, Interval(86400), Interval(20), say=print, poll_seconds=1.0)
"""


@dataclass(frozen=True)
class Served:
    """A served workspace after its drifted batch was answered."""

    workspace: Workspace
    url: str
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, **body: Any) -> Any:
        """What the API answers to a POST."""
        request = Request(f"{self.url}/api{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The flow's runs that have begun, oldest first."""
        flows = {"flows": {"name": {"any_": [flow]}}}
        found = self.ask("/flow_runs/filter", **flows, sort="START_TIME_ASC", limit=200)
        return [run for run in found if run["start_time"] and run["state_type"] != "CANCELLED"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The workspace's events of this name."""
        found = self.ask("/events/filter", filter={"event": {"name": [name]}})["events"]
        return [event for event in found if event["resource"].get("keepfit.root") == str(self.workspace.root)]


@pytest.fixture(scope="module")
def served(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`tiny` with its two batches waiting, served until the drift of the second is answered; ended as by Ctrl-C."""
    workspace = copied(tiny_once, tmp_path_factory.mktemp("served") / "tiny")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    keepfit = [sys.executable, "-m", "pipeline.cli", "-w", str(workspace.root)]
    subprocess.run([*keepfit, "run"], check=True, cwd=ROOT, env=environ, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(workspace.root), str(port)]
    with (workspace.state / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        running = Served(workspace, f"http://127.0.0.1:{port}", process)
        until(lambda: any(record.outcome for record in monitor.records(workspace)), process)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=WAIT_SECONDS)


def until(holds: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert process.poll() is None, "it is not served any longer"
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.5)


def test_a_schedule_leads_to_a_new_champion(served: Served) -> None:
    until(lambda: bool(served.events("keepfit.drift.answered")), served.process)

    deployed = served.ask("/deployments/filter")
    assert {(one["status"], *one["tags"]) for one in deployed} == {("READY", "keepfit", "tiny")}

    watching = served.runs("monitoring")[0]
    assert watching["auto_scheduled"]
    assert watching["name"] == "tiny · 2 batches to watch · tiny"

    shown = {artifact["key"].rpartition("-")[2] for artifact in served.ask("/artifacts/filter")}
    assert {"findings", "metrics", "promotion", "drift", "decision", "conditions", "report"} <= shown

    found = served.events("keepfit.drift.found")  # told again where the next look comes before the retraining
    assert [event["payload"] for event in found] == [{"batches": ["2024-05.csv.gz"]}] * len(found)

    retraining = served.runs("retraining")[0]
    assert retraining["created_by"]["type"] == "AUTOMATION"
    assert retraining["name"] == "tiny · after 2024-05.csv.gz · tiny"
    assert set(served.runs("training")[-1]["tags"]) == {"keepfit", "tiny"}

    [outcome] = [record.outcome for record in monitor.records(served.workspace) if record.outcome]
    assert outcome.batch_rows_in_training > 0
    assert registry.champion(served.workspace).version == outcome.version == "v2"


def test_a_runs_page_says_what_was_seen_and_done(served: Served) -> None:
    lines = [line["message"] for line in served.ask("/logs/filter", limit=200, sort="TIMESTAMP_ASC")]
    said = [line for line in lines if line.startswith("2024-05.csv.gz: ")]

    assert said[0] == "2024-05.csv.gz: 200 rows, 4 of 6 columns drifted: distance, shop, prediction and 1 more"
    assert said[1].startswith("2024-05.csv.gz: retrain: the prediction drifted")
    assert any(line.startswith("2024-05.csv.gz: v2 is the champion: ") for line in said)


def test_the_stages_are_drawn_as_the_graph_that_they_are(served: Served) -> None:
    run = served.runs("training")[-1]["id"]
    with urlopen(f"{served.url}/api/flow_runs/{run}/graph-v2", timeout=60) as answer:
        nodes = [node for _, node in json.load(answer)["nodes"]]
    names = {node["id"]: node["label"] for node in nodes}
    arrows = {(names[parent["id"]], node["label"]) for node in nodes for parent in node["parents"]}

    assert {("ingest", "validate"), ("split", "train"), ("evaluate", "promote"), ("promote", "report")} <= arrows


def test_the_report_can_be_read_below_the_dashboard(served: Served) -> None:
    newest_first = served.ask("/artifacts/filter", sort="CREATED_DESC")
    links = [artifact["data"] for artifact in newest_first if artifact["key"].endswith("-report")]
    assert f"({served.url}/keepfit/reports/report.html)" in links[0]

    with urlopen(f"{served.url}/keepfit/reports/report.html", timeout=60) as answer:
        assert answer.read() == served.workspace.report.read_bytes()
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{served.url}/keepfit/reports/../params.yaml", timeout=60)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed, so the dashboard is not clicked through")
def test_a_person_finds_the_way_by_clicks(served: Served, tmp_path: Path) -> None:
    browser = Browser(tmp_path / "profile")
    try:
        browser.start()
        person = Person(browser, Path(os.environ.get("KEEPFIT_SCREENSHOTS", tmp_path)))
        person.goes_to(f"{served.url}/deployments", "tiny-", "Ready", "Daily")
        person.goes_to(f"{served.url}/runs", "2 batches to watch", "after 2024-05.csv.gz")
        person.clicks("tiny · 2 batches to watch · tiny", "2024-05.csv.gz", "Task Runs")
        person.goes_to(f"{served.url}/artifacts", "-decision", "-drift")
        for what, words in (("drift", "how far"), ("decision", "retrain"), ("findings", "warning")):
            person.goes_to(f"{served.url}/artifacts/artifact/{person.newest(served, what)}", words)
        person.goes_to(f"{served.url}/events", "keepfit.drift.found")
        person.goes_to(f"{served.url}/automations", "retrain on drift")
        person.goes_to(f"{served.url}/runs", "after 2024-05.csv.gz")
        person.clicks("tiny · after 2024-05.csv.gz · tiny", "prove 2024-05.csv.gz")
        person.goes_to(f"{served.url}/keepfit/reports/report.html", "v2")
    finally:
        browser.close()


@dataclass
class Person:
    """Looks at pages and clicks what they say; each look is kept as a picture in `folder`."""

    browser: Browser
    folder: Path
    looks: int = 0

    def goes_to(self, url: str, *expected: str) -> None:
        self.browser.open(url)
        self.sees(*expected)

    def clicks(self, link: str, *expected: str) -> None:
        found = f"[...document.querySelectorAll('a')].find((a) => a.textContent.trim() === {json.dumps(link)})"
        self.browser.evaluate(f"{found}.click()")
        self.sees(*expected)

    def sees(self, *expected: str) -> None:
        deadline = time.monotonic() + 60
        while missing := [words for words in expected if words not in self.text()]:
            assert time.monotonic() < deadline, f"{missing} not in {self.text()}"
            time.sleep(0.5)
        self.looks += 1
        self.browser.screenshot(self.folder / f"served-{self.looks:02}.png")

    def text(self) -> str:
        return str(self.browser.evaluate("document.body.innerText"))

    def newest(self, served: Served, what: str) -> str:
        found = served.ask("/artifacts/filter", sort="CREATED_DESC")
        return next(str(artifact["id"]) for artifact in found if artifact["key"].endswith(f"-{what}"))


def test_ctrl_c_leaves_nothing_running(served: Served) -> None:
    started = psutil.Process(served.process.pid).children(recursive=True)
    assert started
    served.process.send_signal(signal.SIGINT)
    served.process.wait(timeout=WAIT_SECONDS)

    assert [process.name() for process in psutil.wait_procs(started, timeout=60)[1]] == []

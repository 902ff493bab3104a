"""Notices by Prefect's blocks: what happened, why, what was done, one link; and that none that fails, fails a run."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.monitor import Outcome
from pipeline.workspace import Workspace

pytestmark = [
    pytest.mark.usefixtures("server"),
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),  # Apprise's own
]


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a little web server, and what was posted to it."""
    posted: list[dict[str, str]] = []

    class Inbox(BaseHTTPRequestHandler):
        """Keeps what is posted."""

        def do_POST(self) -> None:
            """Keep it."""
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Inbox) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", posted
        web.shutdown()


def telling(workspace: Workspace, *names: str) -> Workspace:
    """The workspace with these blocks set."""
    workspace.params_file.write_text(f"dataset: flights\nserve: {{notify: [{', '.join(names)}]}}\n")
    return Workspace.open(workspace.root)


def block(url: str, name: str) -> str:
    """Save a block that posts to the address; its name for the settings."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    made = CustomWebhookNotificationBlock(name=name, url=url, json_data={"subject": "{{subject}}", "body": "{{body}}"})
    made.save(name, overwrite=True)
    return f"custom-webhook/{name}"


def record(**changes: Any) -> Any:
    """A batch's record, as far as a notice looks at it."""
    decision = SimpleNamespace(retrain=True, reasons=["live auc fell"])
    return SimpleNamespace(**{"batch": "b.csv", "decision": decision, "rollback": None, "sound": True, **changes})


def test_a_notice_says_what_why_what_was_done_and_one_link(
    workspace: Workspace, inbox: tuple[str, list[dict[str, str]]]
) -> None:
    from flows import notices

    url, posted = inbox
    notices.of_batch(telling(workspace, block(url, "team")), record())

    [notice] = posted
    assert notice["subject"] == "keepfit demo: b.csv asks for a training"
    lines = notice["body"].splitlines()
    assert lines[:3] == ["what: b.csv asks for a training", "why: live auc fell", "done: a training is started"]
    assert [line.partition(":")[0] for line in lines[3:]] == ["see"]


def test_an_address_is_kept_once_a_trial_was_delivered(
    workspace: Workspace, inbox: tuple[str, list[dict[str, str]]]
) -> None:
    from flows import notices

    url, posted = inbox
    name = notices.introduce(workspace, "mine", url.replace("http://", "json://"))
    notices.of_failure(telling(workspace, name), [record()], "wind.csv: is empty; mend it")

    assert name == "apprise/mine"
    assert [notice["title"] for notice in posted] == [
        "keepfit demo: a trial",
        "keepfit demo: the training that b.csv asked for failed",
    ]
    assert posted[-1]["message"].splitlines()[1] == "why: wind.csv: is empty; mend it"


@pytest.mark.parametrize("url", ["json://127.0.0.1:1/gone", "nonsense", "mailto://"])
def test_an_address_that_takes_no_notice_is_one_line_and_not_kept(url: str, workspace: Workspace) -> None:
    from prefect.blocks.core import Block

    from flows import notices
    from pipeline.errors import SettingsError

    with pytest.raises(SettingsError, match="the trial was not delivered"):
        notices.introduce(workspace, "lost", url)
    with pytest.raises(ValueError, match="lost"):
        Block.load("apprise/lost")


def test_what_a_retraining_came_to_and_a_gate_are_told(
    workspace: Workspace, inbox: tuple[str, list[dict[str, str]]]
) -> None:
    from flows import notices

    url, posted = inbox
    place = telling(workspace, block(url, "team"))
    quiet = SimpleNamespace(retrain=False, reasons=["the batch failed a gate"])
    outcome = Outcome(promoted=True, version="v2", reasons=["beats it"], batch_rows_in_training=7)
    notices.of_outcome(place, record(outcome=outcome))
    notices.of_batch(place, record(decision=quiet, sound=False))
    notices.of_batch(place, record(decision=quiet))

    assert [notice["body"].splitlines()[2] for notice in posted] == [
        "done: v2 is the champion",
        "done: it is kept, and never trained on",
    ]


@pytest.mark.parametrize("name", ["custom-webhook/nobody", "no-such-type/x", "secret/x"])
def test_a_block_that_is_not_there_is_a_warning(
    name: str, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    from flows import notices

    with caplog.at_level(logging.WARNING, logger="flows"):
        notices.of_batch(telling(workspace, name), record())

    assert f"no notice by {name}" in caplog.text


def test_one_that_cannot_be_delivered_is_a_warning(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    from flows import notices

    with caplog.at_level(logging.WARNING, logger="flows"):
        notices.of_batch(telling(workspace, block("http://127.0.0.1:1", "gone")), record())

    assert "no notice by custom-webhook/gone" in caplog.text


def test_where_no_block_is_named_nobody_is_asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import notices

    monkeypatch.setattr(notices, "Block", None)
    notices.of_batch(workspace, record())


def test_the_name_of_a_block_is_checked(workspace: Workspace, tmp_path: Path) -> None:
    from pipeline.errors import SettingsError
    from pipeline.settings import ServeSettings

    with pytest.raises(SettingsError, match=r"serve\.notify"):
        telling(workspace, "team").section(ServeSettings)

"""Notifications by Prefect's blocks: what happened, why, what was done, and one link.

A block is made once, by `keepfit notify` or in the dashboard, and named in `serve.notify` as `TYPE/NAME`:
`slack-webhook/team`. What cannot be delivered fails no run.
"""

import asyncio
import inspect
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from prefect.blocks.notifications import AppriseNotificationBlock
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for
from pydantic import SecretStr

from pipeline.errors import SettingsError
from pipeline.settings import ServeSettings
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.monitor import MonitoringRecord

log = logging.getLogger(__name__)


class Apprise(AppriseNotificationBlock):
    """An address of any kind that Apprise knows: `mailto://`, `slack://`, `json://` and a hundred more."""

    _block_type_name = "Apprise"
    _block_type_slug = "apprise"


def introduce(workspace: Workspace, name: str, url: str) -> str:
    """Keep the address as a block, send it a trial notice, and return the block's name for `serve.notify`.

    Raises SettingsError for an address that Apprise does not know, or that does not take the notice.
    """
    block = Apprise(url=SecretStr(url))
    try:
        _deliver(block, "what: a trial\ndone: nothing", f"keepfit {workspace.root.name}: a trial")
    except NotificationError as error:
        why = " ".join(str(error).split()) or "it was not taken"
        fix = "see https://appriseit.com for how to write it: `mailto://name:password@host?to=you@example.org`, say"
        raise SettingsError(f"the trial was not delivered: {why}", where=url.partition("://")[0], fix=fix) from error
    block.save(name, overwrite=True)
    return f"{Apprise._block_type_slug}/{name}"


def notify(workspace: Workspace, what: str, why: Sequence[str], done: str) -> None:
    """Send a notice to each block of `serve.notify`."""
    names = workspace.section(ServeSettings).notify
    if not names:
        return
    body = "\n".join(
        [f"what: {what}", *(f"why: {reason}" for reason in why[:5]), f"done: {done}", f"see: {_link(workspace)}"]
    )
    for name in names:
        try:
            block = Block.load(name)
            if isinstance(block, NotificationBlock):
                _deliver(block, body, f"keepfit {workspace.root.name}: {what}")
            else:
                log.warning("no notice by %s: it is no block that notifies", name)
        except (NotificationError, PrefectException, httpx.HTTPError, RuntimeError, ValueError, OSError) as error:
            log.warning("no notice by %s: %s", name, error)


def _deliver(block: NotificationBlock, body: str, subject: str) -> None:
    """Prefect's own blocks notify at once, those that others wrote may have to be awaited."""
    with block.raise_on_failure():
        told: object = block.notify(body=body, subject=subject)
        if inspect.iscoroutine(told):
            asyncio.run(told)


def of_batch(workspace: Workspace, record: "MonitoringRecord") -> None:
    """Tell of a batch that failed a gate, asks for a training, or made the champion give its place back."""
    decision = record.decision
    if record.rollback is not None:
        notify(workspace, f"{record.batch}: {record.rollback.left} was left", [record.rollback.words], "rolled back")
    if decision.retrain:
        notify(workspace, f"{record.batch} asks for a training", decision.reasons, "a training is started")
    elif not record.sound:
        notify(workspace, f"{record.batch} failed a gate", decision.reasons, "it is kept, and never trained on")


def of_failure(workspace: Workspace, records: "Sequence[MonitoringRecord]", why: str) -> None:
    """Tell of a training that came to no end, and which batches had asked for it."""
    asked = ", ".join(record.batch for record in records) or "the schedule"
    done = "the champion stays, the next batches are watched, and the next training tries again"
    notify(workspace, f"the training that {asked} asked for failed", [why], done)


def of_outcome(workspace: Workspace, record: "MonitoringRecord") -> None:
    """Tell what a retraining came to."""
    outcome = record.outcome
    if outcome is not None:
        notify(workspace, f"retrained after {record.batch}", outcome.reasons, outcome.words)


def _link(workspace: Workspace) -> str:
    """The run's page, or the report where there is no page."""
    page = url_for("flow-run", obj_id=flow_run.id) if flow_run.id else None
    return page or workspace.report.as_uri()

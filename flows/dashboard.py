"""What a run shows in Prefect's dashboard: its name, tables, decisions, progress; texts of data are escaped.

The reports are the truth; what is shown is a copy, so no copy that cannot be delivered fails a run.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException
from prefect.states import Failed

from pipeline import metrics, readers
from pipeline.artefacts import read_json
from pipeline.errors import KeepfitError
from pipeline.progress import Listener
from pipeline.wording import count
from pipeline.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")
UPDATE_SECONDS = 1.0
log = logging.getLogger(__name__)


def failing_plainly(body: Callable[P, R]) -> Callable[P, R]:
    """End a flow whose body raises a KeepfitError in a failed state that shows its line, and no traceback.

    Whoever calls the flow gets the error itself.
    """

    @wraps(body)
    def plain(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return body(*args, **kwargs)
        except KeepfitError as error:
            return cast(R, Failed(message=str(error), data=error))  # Prefect takes it for the end state

    return plain


def slug(workspace: Workspace) -> str:
    """A name for keys, deployments and resources, its own for each folder: `flights-1f0c9a`."""
    words = re.sub(r"[^a-z0-9]+", "-", workspace.root.name.lower()).strip("-") or "workspace"
    return f"{words}-{hashlib.sha256(str(workspace.root).encode()).hexdigest()[:6]}"


def run_name(workspace: Workspace) -> str:
    """The data and the workspace: `flights · 5 files · demo`; raises DataError where there is no data file."""
    files = len(readers.files(workspace.source))
    return f"{workspace.dataset} · {count(files, 'file')} · {workspace.root.name}"


def escaped(text: object) -> str:
    r"""Text of any origin as markdown that shows it literally, on one line.

    >>> escaped("a|b <i>*c*")
    'a\\|b \\<i\\>\\*c\\*'
    """
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~&])", r"\\\1", " ".join(str(text).split()))


def show_findings(workspace: Workspace) -> None:
    """The table of findings of reports/quality.json."""
    if not workspace.quality.is_file():
        return
    columns = ("severity", "check", "column", "rows", "fraction", "message", "suggestion", "policy")
    findings = read_json(workspace.quality)["findings"]
    with _forgiving("findings"):
        create_table_artifact(
            key=f"{slug(workspace)}-findings",
            table=[{name: finding.get(name) for name in columns} for finding in findings],
            description=f"{len(findings)} findings on the ingested data, before cleaning",
        )


def show_metrics(workspace: Workspace) -> None:
    """The table of test metrics of reports/evaluation.json, a row for each model, with intervals."""
    if not workspace.evaluation.is_file():
        return
    evaluation = read_json(workspace.evaluation)
    shown = metrics.OF[evaluation.get("target", "classes")].each
    table = [
        {"model": model} | {metric: interval(scores["test"].get(metric)) for metric in shown}
        for model, scores in evaluation["scores"].items()
    ]
    fit = evaluation["fit"]
    with _forgiving("metrics"):
        create_table_artifact(
            key=f"{slug(workspace)}-metrics",
            table=table,
            description=f"Test set of {evaluation['rows']['test']} rows; the candidate "
            f"{escaped(fit['word'])}: {escaped(fit['why'])}",
        )


def interval(score: Mapping[str, float | None] | None) -> str:
    """A score as people read it.

    >>> interval({"value": 0.7451, "low": 0.74, "high": 0.75})
    '0.745 (0.740 to 0.750)'
    >>> interval({"value": 0.7451, "low": None, "high": None}), interval(None)
    ('0.745', '')
    """
    if not score or score["value"] is None:
        return ""
    if score.get("low") is None or score.get("high") is None:
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def show_promotion(workspace: Workspace, *, promoted: bool, version: str | None, reasons: Sequence[str]) -> None:
    """Whether the candidate became champion, and why."""
    title = f"{version} is the new champion" if promoted else "The champion stays"
    show_decision(workspace, "promotion", title, reasons)


def show_decision(workspace: Workspace, key: str, title: str, reasons: Sequence[str]) -> None:
    """A decision with its reasons, as a list."""
    lines = [f"**{escaped(title)}**", "", *(f"- {escaped(reason)}" for reason in reasons)]
    with _forgiving(key):
        create_markdown_artifact(key=f"{slug(workspace)}-{key}", markdown="\n".join(lines))


def show_conditions(workspace: Workspace, batch: str, conditions: Sequence[Mapping[str, Any]]) -> None:
    """The record of a decision: each condition, what was seen, what was asked, and the verdict."""
    names = ("name", "seen", "asked", "verdict")
    with _forgiving("conditions"):
        create_table_artifact(
            key=f"{slug(workspace)}-conditions",
            table=[{name: condition.get(name) for name in names} for condition in conditions],
            description=f"{escaped(batch)}: what the decision looked at",
        )


def show_drift(workspace: Workspace, batch: str, columns: Sequence[Mapping[str, Any]]) -> None:
    """The table of a batch's drift, largest effect first."""
    names = ("column", "effect", "statistic", "p_adjusted", "drifted", "reference_missing", "batch_missing")
    ordered = sorted(columns, key=lambda column: -(column.get("effect") or 0.0))
    with _forgiving("drift"):
        create_table_artifact(
            key=f"{slug(workspace)}-drift",
            table=[{name: column.get(name) for name in names} for column in ordered],
            description=f"{escaped(batch)} against the champion's training data",
        )


def show_report(workspace: Workspace) -> None:
    """A link to the HTML report (browsers open it when it is pasted: pages may not link to files)."""
    if not workspace.report.is_file():
        return
    with _forgiving("report"):
        create_link_artifact(
            key=f"{slug(workspace)}-report",
            link=workspace.report.as_uri(),
            link_text=workspace.report.name,
            description=f"On this machine: {escaped(workspace.report)}",
        )


def progress_bar(workspace: Workspace, stage: str) -> Listener:
    """A listener that shows a stage's progress; the bar appears with its first report."""
    bar: list[Any] = []
    told = 0.0

    def show(fraction: float, words: str) -> None:
        nonlocal told
        now = time.monotonic()
        if bar and fraction < 1 and now - told < UPDATE_SECONDS:
            return
        told = now
        percent, description = 100 * fraction, f"{stage}: {escaped(words)}"
        with _forgiving("progress"):
            if bar:
                update_progress_artifact(bar[0], percent, description)
            else:
                bar.append(create_progress_artifact(percent, f"{slug(workspace)}-{stage}", description))

    return show


@contextmanager
def _forgiving(what: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, PrefectException, OSError, RuntimeError, ValueError) as error:
        log.warning("the dashboard was not told of the %s: %s", what, error)

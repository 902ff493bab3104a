"""What a run shows in Prefect's dashboard: its name, tables, decisions, progress; texts of data are escaped.

The reports are the truth; what is shown is a copy, so no copy that cannot be delivered fails a run.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import httpx
from prefect import tags
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException
from prefect.states import Failed

from flows.environment import REPORTS_URL
from pipeline import metrics, readers
from pipeline.artefacts import read_json
from pipeline.errors import KeepfitError
from pipeline.progress import Listener
from pipeline.wording import count
from pipeline.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")
UPDATE_SECONDS = 1.0
SHOWN_BATCHES = 12
SEVERITIES = ("error", "warning", "info")
TAGS = ("keepfit",)
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


def named(root: str, what: Callable[[Workspace], str]) -> str:
    """A run's name, of the workspace at `root` and what of it: `flights · 5 files · demo`; else the folder's."""
    try:
        place = Workspace.open(Path(root))
        return f"{place.dataset} · {what(place)} · {place.root.name}"
    except KeepfitError:
        return Path(root).name


def files(workspace: Workspace) -> str:
    """How many data files a training reads, in words; raises DataError where there is none."""
    return count(len(readers.files(workspace.source)), "file")


def escaped(text: object) -> str:
    r"""Text of any origin as markdown that shows it literally, on one line.

    >>> escaped("a|b <i>*c*")
    'a\\|b \\<i\\>\\*c\\*'
    """
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~&])", r"\\\1", " ".join(str(text).split()))


@contextmanager
def tagged(workspace: Workspace) -> Iterator[None]:
    """Runs that begin inside the block can be filtered by the data set, as those of its deployments can."""
    with tags(*TAGS, workspace.dataset):
        yield


def bar(value: float | None, most: float) -> str:
    """A number of 0 to `most` as a bar of up to ten blocks; empty where there is none, or all are 0.

    >>> bar(0.5, 1.0), bar(0.04, 1.0), bar(None, 1.0), bar(0.0, 0.0)
    ('█████', '▏', '', '')
    """
    if value is None or not most > 0:
        return ""
    return "█" * round(10 * min(value / most, 1.0)) or "▏"


def show_findings(workspace: Workspace) -> None:
    """The table of findings of reports/quality.json, the worst first."""
    if not workspace.quality.is_file():
        return
    findings = read_json(workspace.quality)["findings"]
    ordered = sorted(findings, key=lambda finding: (SEVERITIES.index(finding["severity"]), -(finding["rows"] or 0)))
    with _forgiving("findings"):
        create_table_artifact(
            key=f"{slug(workspace)}-findings",
            table=[_finding(finding) for finding in ordered],
            description=f"{len(findings)} findings on the ingested data, before cleaning",
        )


def _finding(finding: Mapping[str, Any]) -> dict[str, object]:
    rows = f"{finding['rows']:,} ({share(finding.get('fraction'))})" if finding["rows"] else ""
    found = {"severity": finding["severity"], "column": finding.get("column") or "", "rows": rows}
    return found | {name: finding.get(name) for name in ("message", "suggestion", "check", "policy")}


def share(fraction: float | None) -> str:
    """A share as people read it.

    >>> share(0.03515), share(0.0), share(None)
    ('3.5%', '0.0%', '')
    """
    return "" if fraction is None else f"{fraction:.1%}"


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


def show_decision(
    workspace: Workspace, key: str, title: str, reasons: Sequence[str], chart: Sequence[str] = ()
) -> None:
    """A decision with its reasons, as a list, and a table of Markdown below."""
    lines = [f"**{escaped(title)}**", "", *(f"- {escaped(reason)}" for reason in reasons), "", *chart]
    with _forgiving(key):
        create_markdown_artifact(
            key=f"{slug(workspace)}-{key}", markdown="\n".join(lines).rstrip(), description=escaped(title)
        )


def past(metric: str, batches: Sequence[tuple[str, str, float | None, str]]) -> list[str]:
    """The last batches as a table of Markdown: batch, champion, live metric with a bar, decision.

    >>> past("auc", [("june", "v1", 0.7, "keep")])[-1]
    '| june | v1 | 0.700 | ██████████ | keep |'
    """
    shown = batches[-SHOWN_BATCHES:]
    most = max((value for _, _, value, _ in shown if value is not None), default=0.0)
    rows = [
        (escaped(batch), version, "" if value is None else f"{value:.3f}", bar(value, most), escaped(decision))
        for batch, version, value, decision in shown
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| batch | champion | live {escaped(metric)} | | decision |", "|---|---|---|---|---|", *lines]


def show_conditions(workspace: Workspace, batch: str, conditions: Sequence[Mapping[str, Any]]) -> None:
    """The record of a decision: each condition, what was seen, what was asked, and the verdict."""
    names = ("verdict", "name", "seen", "asked")
    with _forgiving("conditions"):
        create_table_artifact(
            key=f"{slug(workspace)}-conditions",
            table=[{name: condition.get(name) for name in names} for condition in conditions],
            description=f"{escaped(batch)}: what the decision looked at",
        )


def show_drift(workspace: Workspace, batch: str, columns: Sequence[Mapping[str, Any]]) -> None:
    """The table of a batch's drift, largest effect first."""
    ordered = sorted(columns, key=lambda column: -(column.get("effect") or 0.0))
    most = max((column.get("effect") or 0.0 for column in ordered), default=0.0)
    told = sum(bool(column.get("drifted")) for column in ordered)
    with _forgiving("drift"):
        create_table_artifact(
            key=f"{slug(workspace)}-drift",
            table=[_drift(column, most) for column in ordered],
            description=f"{escaped(batch)} against the champion's training data: "
            f"{told} of {count(len(ordered), 'column')} drifted; the largest effect first",
        )


def _drift(column: Mapping[str, Any], most: float) -> dict[str, object]:
    effect, threshold, p = (column.get(name) for name in ("effect", "threshold", "p_adjusted"))
    missing = [share(column.get(f"{which}_missing")) for which in ("reference", "batch")]
    return {
        "column": column.get("column"),
        "drifted": "yes" if column.get("drifted") else "",
        "effect": "" if effect is None else f"{effect:.3f}",
        "how far": bar(effect, most),  # a column without a name is not shown
        "asked": "" if threshold is None else f"{threshold:.3f}",
        "p, adjusted": "" if p is None else f"{p:.2g}",
        "missing": " → ".join(missing) if any(missing) else "",
        "statistic": column.get("statistic"),
    }


def show_report(workspace: Workspace) -> None:
    """A link to the HTML report: where the workspace is served, below the dashboard itself.

    Else it is the file's address, which browsers open when it is pasted: pages may not link to files.
    """
    if not workspace.report.is_file():
        return
    with _forgiving("report"):
        create_link_artifact(
            key=f"{slug(workspace)}-report",
            link=report_link(workspace),
            link_text=workspace.report.name,
            description=f"On this machine: {escaped(workspace.report)}",
        )


def report_link(workspace: Workspace) -> str:
    """Where a browser finds the report."""
    served = os.environ.get(REPORTS_URL, "")
    return f"{served}/{workspace.relative(workspace.report)}" if served else workspace.report.as_uri()


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

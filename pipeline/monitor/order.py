"""What a retraining learns from: the window of rows and the weights to start from, by the records (used by monitor)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.drift.decision import MonitorSettings
from pipeline.errors import DataError, WorkspaceError
from pipeline.monitor.evidence import drift_since
from pipeline.monitor.record import MonitoringRecord, records
from pipeline.policy.window import Window
from pipeline.versions import registry
from pipeline.workspace import Workspace

READERS = ("split", "train")


def order(workspace: Workspace) -> Window:
    """Write what the next training learns from, by `monitor.retrain`, to models/window.json; twice the same is nothing.

    Raises WorkspaceError where dvc.yaml would not see it, DataError where the window needs times that are not known.
    """
    settings = workspace.section(MonitorSettings)
    start = registry.champion(workspace).version if settings.retrain.start == "champion" else None
    wanted = window(records(workspace), settings, start)
    if wanted == Window.of(workspace):
        return wanted
    path = workspace.relative(workspace.window)
    for stage in READERS:
        if path not in workspace.dependencies(stage):
            raise WorkspaceError(
                f"{stage} does not depend on {path}, so that the window would not be seen",
                where="dvc.yaml",
                fix=f"write `- {path}` under the deps of split and train, or set monitor.retrain.window to all",
            )
    wanted.write(workspace.window)
    return wanted


def window(known: Sequence[MonitoringRecord], settings: MonitorSettings, start: str | None = None) -> Window:
    """The window that the settings ask for, at the newest row of the batches; pure."""
    asked = settings.retrain.window
    if asked.kind == "all":
        return Window(start=start)
    if asked.kind == "weighted":
        return Window(half_life_days=asked.half_life_days, replay=asked.replay, start=start)
    since = drift_since(known, settings) if asked.kind == "since_drift" else _days_back(known, asked.days)
    return Window(since=since, replay=asked.replay if since else 0.0, start=start)


def _days_back(known: Sequence[MonitoringRecord], days: float) -> str:
    newest = max((record.span[1] for record in known if record.span), default=None)
    if newest is None:
        raise DataError(
            "a sliding window needs the times of the batches, and none is known",
            where="params.yaml: monitor.retrain.window",
            fix="give a column of the contract the role `time`, or use `all`",
        )
    return (datetime.fromisoformat(newest) - timedelta(days=days)).isoformat()

"""What a retraining learns from, and from which weights, as the settings ask."""

import re

import pytest
import yaml

from pipeline import monitor
from pipeline.drift.decision import MonitorSettings
from pipeline.errors import DataError, WorkspaceError
from pipeline.monitor.order import window
from pipeline.policy.choices import RetrainSettings, WindowSettings
from pipeline.policy.window import Window
from pipeline.workspace import Workspace


def asking(**window_settings: object) -> MonitorSettings:
    """The settings with that window."""
    chosen = WindowSettings.model_validate(window_settings)
    return MonitorSettings(retrain=RetrainSettings(window=chosen))


def set_to(workspace: Workspace, retrain: dict[str, object]) -> Workspace:
    """The workspace with `monitor.retrain` set."""
    params = yaml.safe_load(workspace.params_file.read_text())
    params["monitor"]["retrain"] = retrain
    workspace.params_file.write_text(yaml.safe_dump(params))
    return Workspace.open(workspace.root)


def test_by_default_all_rows_are_learnt_from(watched_once: Workspace) -> None:
    assert window(monitor.records(watched_once), MonitorSettings()) == Window()


def test_a_sliding_window_ends_at_the_newest_row(watched_once: Workspace) -> None:
    made = window(monitor.records(watched_once), asking(kind="sliding", days=10, replay=0.2))

    assert made.since is not None
    assert made.since.startswith("2024-05-18T")
    assert made.replay == 0.2


def test_since_the_drift_is_since_the_first_batch_that_drifted(watched_once: Workspace) -> None:
    made = window(monitor.records(watched_once), asking(kind="since_drift"))

    assert made.since is not None
    assert made.since.startswith("2024-05-01T")
    assert window(monitor.records(watched_once)[:1], asking(kind="since_drift")) == Window()


def test_a_weighted_window_has_a_half_life(watched_once: Workspace) -> None:
    made = window(monitor.records(watched_once), asking(kind="weighted", half_life_days=30), "v2")

    assert (made.half_life_days, made.start) == (30, "v2")


def test_a_sliding_window_without_times_is_one_line() -> None:
    with pytest.raises(DataError, match="a sliding window needs the times of the batches"):
        window([], asking(kind="sliding"))


def test_the_order_is_written_where_split_and_train_read_it(watched: Workspace) -> None:
    workspace = set_to(watched, {"window": {"kind": "weighted", "half_life_days": 9}, "start": "champion"})

    made = monitor.order(workspace)

    assert Window.of(workspace) == made
    assert (made.half_life_days, made.start) == (9, "v1")


def test_a_dag_that_would_not_see_the_window_is_one_line(watched: Workspace) -> None:
    dag = watched.root / "dvc.yaml"
    dag.write_text(re.sub(r"\n *- models/window\.json", "", dag.read_text()))
    workspace = set_to(watched, {"window": {"kind": "weighted"}})

    with pytest.raises(WorkspaceError, match=r"split does not depend on models/window\.json"):
        monitor.order(workspace)
    assert monitor.order(set_to(watched, {})) == Window()

"""The monitoring and retraining flows against a fake monitor: the order, the answer to drift, the proof."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import GateFailed
from pipeline.monitor import Outcome
from pipeline.workspace import Workspace


class FakeMonitor:
    """Stands for pipeline.monitor: a batch drifts when its name says so; `log` is what was asked."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.known: dict[str, Any] = {}
        self.batches: list[Path] = []
        self.unproven = False

    def told(self, workspace: Workspace, *what: Any) -> None:
        """Nobody is to be notified."""

    def pending(self, workspace: Workspace) -> list[Path]:
        """What has no record."""
        return [batch for batch in self.batches if batch.name not in self.known]

    def drifted(self, workspace: Workspace) -> list[Any]:
        """What waits for an outcome."""
        return [r for r in self.known.values() if r.decision.retrain and r.outcome is None]

    def records(self, workspace: Workspace) -> list[Any]:
        """None has a live metric."""
        return []

    def watch(self, workspace: Workspace, batch: Path) -> Any:
        """Decide by the name."""
        self.log.append(f"watch {batch.name}")
        column = SimpleNamespace(column="wind", drifted=True, model_dump=lambda mode: {"column": "wind", "effect": 0.1})
        drift = SimpleNamespace(columns=[column], prediction=column, label=None)
        decision = SimpleNamespace(retrain="drift" in batch.name, reasons=("wind <b>",), conditions=[])
        kept = {"rollback": None, "outcome": None, "failed": None}
        record = SimpleNamespace(batch=batch.name, rows=7, drift=drift, decision=decision, **kept)
        self.known[batch.name] = record
        return record

    def adopt(self, workspace: Workspace, record: Any) -> None:
        """Note it."""
        self.log.append(f"adopt {record.batch}")

    def order(self, workspace: Workspace) -> None:
        """All rows are learnt from."""

    def schedule(self, workspace: Workspace) -> None:
        """Nothing is to be trained on by schedule."""

    def give_up(self, workspace: Workspace, why: str) -> list[Any]:
        """Write why."""
        for record in self.drifted(workspace):
            record.failed = why
        return self.drifted(workspace)

    def conclude(self, workspace: Workspace, record: Any, promotion: Any) -> Any:
        """Write the outcome, or say that the proof failed."""
        if self.unproven:
            raise GateFailed(f"no row of {record.batch}", where="manifest", fix="look at the window")
        self.log.append(f"conclude {record.batch}")
        seen = {"reasons": promotion.reasons, "batch_rows_in_training": 7}
        outcome = Outcome(version=promotion.version, promoted=promotion.promoted, **seen)
        done = SimpleNamespace(**{**vars(record), "outcome": outcome})
        self.known[record.batch] = done
        return done


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch, versions: Any, stages: Any) -> FakeMonitor:
    """The fake in the place of pipeline.monitor; the DAG is one stage."""
    fake = FakeMonitor(stages.log)
    versions.stages.clear()
    versions.add("ingest")
    from flows import monitoring

    monkeypatch.setattr(monitoring, "monitor", fake)
    silent = SimpleNamespace(of_batch=fake.told, of_outcome=fake.told, of_failure=fake.told)
    monkeypatch.setattr(monitoring, "notices", silent)
    return fake


def test_drift_is_answered_before_the_next_batch_is_watched(workspace: Workspace, watcher: FakeMonitor) -> None:
    from flows.monitoring import monitor_workspace

    watcher.batches = [Path("1-calm"), Path("2-drift"), Path("3-calm")]
    records = monitor_workspace(workspace)

    assert [(record.batch, record.outcome and record.outcome.version) for record in records] == [
        ("1-calm", None),
        ("2-drift", "v2"),
        ("3-calm", None),
    ]
    trained = ["ingest", "promote", "report"]
    assert watcher.log == [
        *("watch 1-calm", "watch 2-drift", "adopt 2-drift", *trained, "conclude 2-drift", "report"),
        *("watch 3-calm", "report"),
    ]


def test_drift_that_an_earlier_run_left_is_answered_first_and_not_watched_again(
    workspace: Workspace, watcher: FakeMonitor
) -> None:
    from flows.monitoring import monitor_workspace

    watcher.watch(workspace, Path("1-drift"))
    watcher.batches = [Path("1-drift"), Path("2-calm")]
    records = monitor_workspace(workspace)

    assert [record.batch for record in records] == ["2-calm"]
    assert watcher.log[:2] == ["watch 1-drift", "adopt 1-drift"]
    assert watcher.known["1-drift"].outcome.version == "v2"
    assert watcher.log.count("watch 1-drift") == 1


def test_a_served_workspace_hands_retraining_over_by_an_event_and_stops(
    workspace: Workspace, watcher: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitoring

    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(monitoring, "is_served", lambda workspace: True)
    monkeypatch.setattr(monitoring, "emit_event", lambda **event: sent.append(event))
    watcher.batches = [Path("1-drift"), Path("2-calm")]
    monitoring.monitor_workspace(workspace)

    assert watcher.log == ["watch 1-drift", "report"]
    [event] = sent
    assert event["event"] == "keepfit.drift.found"
    assert event["resource"]["prefect.resource.id"].startswith("keepfit.workspace.demo-")
    assert event["resource"]["keepfit.root"] == str(workspace.root)
    assert event["payload"] == {"batches": ["1-drift"]}


def test_retraining_proves_each_batch_and_says_so_by_an_event(
    workspace: Workspace, watcher: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitoring

    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(monitoring, "emit_event", lambda **event: sent.append(event))
    watcher.watch(workspace, Path("1-drift"))
    watcher.watch(workspace, Path("2-drift"))
    monitoring.retrain_workspace(workspace)

    assert watcher.log[2:4] == ["adopt 1-drift", "adopt 2-drift"]
    assert watcher.log[-3:] == ["conclude 1-drift", "conclude 2-drift", "report"]
    assert [event["event"] for event in sent] == ["keepfit.drift.answered"]


def test_scheduled_retraining_without_drift_trains_and_starts_nothing_else(
    workspace: Workspace, watcher: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitoring

    monkeypatch.setattr(monitoring, "emit_event", lambda **event: pytest.fail("no event"))

    assert monitoring.retrain_workspace(workspace) == []
    assert watcher.log == ["ingest", "promote", "report"]


def test_a_candidate_that_never_saw_the_batch_fails_the_flow(workspace: Workspace, watcher: FakeMonitor) -> None:
    from flows.monitoring import monitor_workspace

    watcher.batches = [Path("1-drift")]
    watcher.unproven = True
    with pytest.raises(GateFailed, match="no row of 1-drift"):
        monitor_workspace(workspace)


def test_a_served_workspace_goes_on_behind_a_training_that_failed_and_tries_again_with_the_next(
    workspace: Workspace, watcher: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitoring

    monkeypatch.setattr(monitoring, "is_served", lambda workspace: True)
    monkeypatch.setattr(monitoring, "emit_event", lambda **event: None)
    watcher.batches = [Path("1-drift"), Path("2-calm"), Path("3-drift")]
    watcher.unproven = True
    monitoring.monitor_workspace(workspace)
    with pytest.raises(GateFailed):
        monitoring.retrain_workspace(workspace)
    assert "no row of 1-drift" in watcher.known["1-drift"].failed

    monitoring.monitor_workspace(workspace)
    assert [line for line in watcher.log if "watch" in line] == ["watch 1-drift", "watch 2-calm", "watch 3-drift"]

    watcher.unproven = False
    monitoring.retrain_workspace(workspace)
    assert [record.outcome and record.outcome.version for record in watcher.known.values()] == ["v2", None, "v2"]


def test_named_batches_are_all_watched(
    workspace: Workspace, watcher: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitoring

    monkeypatch.setattr(monitoring, "is_served", lambda workspace: True)
    monitoring.monitor_workspace(workspace, [Path("1-drift"), Path("2-calm")])

    assert watcher.log == ["watch 1-drift", "watch 2-calm", "report"]


def test_nobody_serves_a_fresh_workspace(workspace: Workspace, watcher: FakeMonitor) -> None:
    from flows.monitoring import is_served

    assert not is_served(workspace)

"""What `keepfit serve` would register, and that prefect.yaml says the same."""

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import SettingsError
from pipeline.workspace import Workspace
from tests.flows.conftest import made_workspace

RETRAINING, MONITORING = "0 3 * * 1", "0 * * * *"


pytestmark = pytest.mark.usefixtures("server")


def wanted(workspace: Workspace) -> Any:
    """The deployments by the usual schedules."""
    from flows.serving import _cron, deployments

    return deployments(workspace, _cron(RETRAINING, "retraining", {"scheduled": True}), _cron(MONITORING, "monitoring"))


def served(workspace: Workspace) -> list[dict[str, Any]]:
    """The deployments in the shape of prefect.yaml, without their names."""
    made: Any = wanted(workspace)
    return [
        {
            "entrypoint": deployment.entrypoint,
            "parameters": deployment.parameters,
            "schedules": [
                {"cron": plan.schedule.cron, "timezone": plan.schedule.timezone}
                | ({"parameters": plan.parameters} if plan.parameters else {})
                for plan in deployment.schedules or []
            ],
            "concurrency_limit": {
                "limit": deployment.concurrency_limit,
                "collision_strategy": deployment.concurrency_options.collision_strategy.value,
            },
            "expect": [sorted(trigger.expect, key=str) for trigger in deployment.triggers],
            "match": [trigger.match.model_dump() for trigger in deployment.triggers],
            "tags": deployment.tags,
        }
        for deployment in made
    ]


def test_the_flows_are_served_on_their_schedules_one_run_at_a_time(workspace: Workspace) -> None:
    retraining, monitoring = served(workspace)

    assert retraining["entrypoint"] == "flows.monitoring.retraining"
    assert retraining["schedules"] == [{"cron": RETRAINING, "timezone": "UTC", "parameters": {"scheduled": True}}]
    assert retraining["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert monitoring["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert retraining["parameters"] == {"workspace": str(workspace.root)}


def test_prefect_yaml_says_the_same(workspace: Workspace) -> None:
    text = (Path(__file__).parents[2] / "prefect.yaml").read_text(encoding="utf-8")
    written = yaml.safe_load(text.replace("{{ $PWD }}", str(workspace.root)))["deployments"]
    keys = ("entrypoint", "parameters", "schedules", "concurrency_limit", "tags")

    assert [
        {key: deployment[key] for key in keys}
        | {
            "expect": [trigger["expect"] for trigger in deployment["triggers"]],
            "match": [trigger["match"] for trigger in deployment["triggers"]],
        }
        for deployment in written
    ] == served(workspace)


def test_two_folders_of_one_name_are_two_deployments(tmp_path: Path, workspace: Workspace) -> None:
    other = made_workspace(tmp_path / "elsewhere" / "demo")
    names = {deployment.full_name for place in (workspace, other) for deployment in wanted(place)}

    assert len(names) == 4


def test_a_bad_cron_line_is_refused(workspace: Workspace) -> None:
    from flows.serving import serve_workspace

    with pytest.raises(SettingsError, match=r"schedule of monitoring.*'often' is not a cron line"):
        serve_workspace(workspace, retraining_cron=RETRAINING, monitoring_cron="often", say=print)


def test_a_run_that_waits_for_another_is_no_news_at_each_look(caplog: pytest.LogCaptureFixture) -> None:
    from flows.serving import _is_news

    runner = logging.getLogger("prefect.runner")
    runner.addFilter(_is_news)
    try:
        with caplog.at_level(logging.INFO, logger="prefect.runner"):
            runner.info("%d scheduled runs skipped (at capacity)", 2)
            runner.info("%d runs begun", 2)
    finally:
        runner.removeFilter(_is_news)
    assert caplog.messages == ["2 runs begun"]

"""What the dashboard shows of the reports; its words are escaped, and its absence harms nothing."""

import doctest
import logging
from pathlib import Path

import httpx
import pytest

from pipeline.artefacts import write_json
from pipeline.workspace import Workspace

pytestmark = pytest.mark.usefixtures("server")


def test_its_doctests() -> None:
    from flows import dashboard  # collected by pytest, it would import Prefect before it is prepared

    assert doctest.testmod(dashboard).failed == 0


def test_a_run_is_named_after_the_data_files_that_are_read(workspace: Workspace) -> None:
    from flows.dashboard import files, named

    (workspace.raw / ".gitkeep").touch()
    (workspace.raw / "notes.pdf").touch()
    names = [named(str(workspace.root), files)]
    (workspace.root / "given.csv").write_text("x\n1\n", encoding="utf-8")
    workspace.params_file.write_text("dataset: flights\ningest: {source: given.csv}\n", encoding="utf-8")
    names.append(named(str(workspace.root), files))

    assert names == [f"flights · {files} · {workspace.root.name}" for files in ("2 files", "1 file")]


@pytest.mark.parametrize("text", ["# title", "[x](e.org)", "<img src=x>", "a\n\nb", "| a | b |", "~`x`~"])
def test_text_of_any_origin_stays_text(text: str) -> None:
    from flows.dashboard import escaped

    shown = escaped(text)

    assert "\n" not in shown
    assert shown.replace("\\", "") == " ".join(text.split())
    assert all(shown[at - 1] == "\\" for at, sign in enumerate(shown) if sign in "#[]()<>|~`")


@pytest.mark.parametrize("error", [httpx.ConnectError("gone"), OSError("gone"), RuntimeError("closed")])
def test_a_dashboard_that_cannot_be_reached_is_a_warning(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    from flows import dashboard

    def unreachable(**_: object) -> None:
        raise error

    for name in ("create_table_artifact", "create_markdown_artifact", "create_link_artifact"):
        monkeypatch.setattr(dashboard, name, unreachable)
    write_json(workspace.quality, {"findings": []})
    workspace.report.write_text("<html>", encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="flows"):
        dashboard.show_findings(workspace)
        dashboard.show_promotion(workspace, promoted=False, version=None, reasons=["no"])
        dashboard.show_report(workspace)

    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"the dashboard was not told of the {what}" for what in ("findings", "promotion", "report")
    ]


def test_metrics_are_a_row_for_each_model_with_intervals(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import dashboard

    shown: list[dict[str, object]] = []
    monkeypatch.setattr(dashboard, "create_table_artifact", lambda **table: shown.append(table))
    score = {"value": 0.7451, "low": 0.74, "high": 0.75}
    write_json(
        workspace.evaluation,
        {
            "scores": {"candidate": {"train": {}, "test": {"auc": score}}, "majority": {"test": {}}},
            "rows": {"test": 12},
            "fit": {"word": "overfits", "why": "train | test"},
        },
    )
    dashboard.show_metrics(workspace)

    [table] = shown
    rows = table["table"]
    assert isinstance(rows, list)
    assert [(row["model"], row["auc"], row["brier"]) for row in rows] == [
        ("candidate", "0.745 (0.740 to 0.750)", ""),
        ("majority", "", ""),
    ]
    assert table["description"] == "Test set of 12 rows; the candidate overfits: train \\| test"


def test_what_is_not_written_is_not_shown(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import dashboard

    monkeypatch.setattr(dashboard, "create_table_artifact", lambda **_: pytest.fail("no table"))
    dashboard.show_findings(workspace)
    dashboard.show_metrics(workspace)


def test_keys_are_what_prefect_takes(tmp_path: Path) -> None:
    from flows.dashboard import slug

    assert slug(Workspace(tmp_path / "Flüge 2013")).startswith("fl-ge-2013-")
    assert slug(Workspace(tmp_path / "日本")).startswith("workspace-")

"""What a user runs, as processes: the flow, `dvc repro`, monitoring, and what happens on wrong input."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace import Workspace

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "200"}


@pytest.fixture(autouse=True, scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Prefect builds its database once for all tests here, not once for each workspace."""
    ENVIRONMENT["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))


@pytest.fixture(scope="module")
def run_once(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory, one_database: None) -> Workspace:
    """`tiny` after its first `keepfit run`; only to be read."""
    shutil.copytree(tiny_once.root, root := tmp_path_factory.mktemp("run") / "tiny")
    workspace = Workspace.open(root)
    done = run(workspace, "keepfit", "run")
    assert done.returncode == 0, done.stderr
    assert "promoted v1" in done.stdout
    assert done.stdout.count("was opened once, for this candidate") == 1
    return workspace


@pytest.fixture
def flown(run_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of `run_once`, to write in."""
    shutil.copytree(run_once.root, tmp_path / "flown")
    return Workspace.open(tmp_path / "flown")


def run(workspace: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / words[0]), *words[1:]]
    return subprocess.run(command, cwd=workspace.root, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("keepfit: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_flow_and_dvc_honour_each_other(flown: Workspace) -> None:
    repro = run(flown, "dvc", "repro")
    assert "Data and pipelines are up to date" in repro.stdout + repro.stderr, repro.stdout

    edit(flown.params_file, "epochs: 2", "epochs: 3")
    again = run(flown, "dvc", "repro")
    assert again.returncode == 0, again.stderr
    assert "Running stage 'train'" in again.stdout
    assert "Running stage 'split'" not in again.stdout

    assert "was opened twice, for 2 candidates" in again.stdout

    skipped = run(flown, "keepfit", "run")
    assert skipped.stdout.count("up to date") >= 7, skipped.stdout
    assert skipped.stdout.count("was opened twice, for 2 candidates") == 1  # judged by dvc, told with the promotion
    difference = run(flown, "dvc", "params", "diff")
    assert "train.epochs" in difference.stdout


def test_trainings_stay_comparable_by_dvc(flown: Workspace) -> None:
    name = run(flown, "dvc", "exp", "list", "--name-only").stdout.strip()
    identity = json.loads(flown.champion.read_text())["identity"]
    assert name == f"training-{identity}"

    shown = json.loads(run(flown, "dvc", "exp", "show", "--json").stdout)
    kept = [entry["revs"][0] for commit in shown for entry in commit["experiments"] or []]
    assert [entry["name"] for entry in kept] == [name]
    auc = json.loads(flown.metrics.read_text())["test"]["auc"]
    assert kept[0]["data"]["metrics"]["reports/metrics.json"]["data"]["test"]["auc"] == auc

    difference = json.loads(run(flown, "dvc", "metrics", "diff", "HEAD", name, "--json").stdout)
    assert difference["reports/metrics.json"]["test.auc"]["new"] == auc
    plots = run(flown, "dvc", "plots", "diff", name, "workspace", "--out", "compared")
    assert plots.returncode == 0, plots.stderr
    assert name in (flown.root / "compared" / "index.html").read_text()


def test_monitoring_retrains_on_the_drifted_batch_and_keeps_records(flown: Workspace) -> None:
    monitored = run(flown, "keepfit", "monitor")

    assert monitored.returncode == 0, monitored.stderr
    records = [json.loads(path.read_text()) for path in sorted(flown.monitoring.glob("*.json"))]
    assert len(records) == 2
    retrained = [record for record in records if record["decision"]["retrain"]]
    assert retrained and all(record["outcome"]["batch_rows_in_training"] > 0 for record in retrained)
    assert flown.report.is_file()
    assert "no new batch" in run(flown, "keepfit", "monitor").stdout


def test_the_ledger_agrees_with_the_files(run_once: Workspace) -> None:
    raw = sum(len(gzip.decompress(path.read_bytes()).splitlines()) - 1 for path in run_once.raw.glob("*.gz"))
    raw += sum(len(path.read_bytes().splitlines()) - 1 for path in run_once.raw.glob("*.csv"))
    ledger = json.loads(run_once.ledger.read_text())
    split = json.loads((run_once.split / "manifest.json").read_text())["rows"]

    assert ledger["rows_in"] == raw
    assert raw == ledger["kept"] + ledger["merged"] + ledger["quarantined"]
    assert sum(split.values()) == ledger["kept"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("dataset: tiny", "dataset: none_such", "schemas/none_such.py"),
        ("epochs: 2", "epochs: none", "train.epochs"),
        ("epochs: 2", "epochz: 2", "train.epochz"),
        ("seed:", "sede:", "sede"),
    ],
)
def test_wrong_settings_end_in_one_line_and_exit_code_2(tiny: Workspace, old: str, new: str, named: str) -> None:
    edit(tiny.params_file, old, new)

    done = run(tiny, "keepfit", "run")

    assert done.returncode == 2
    assert named in one_line(done)


def test_a_damaged_file_ends_in_one_line_and_leaves_the_old_state(flown: Workspace) -> None:
    before = flown.evaluation.read_bytes()
    victim = sorted(flown.raw.glob("*.gz"))[0]
    victim.write_bytes(victim.read_bytes()[:200])

    done = run(flown, "keepfit", "run")

    assert done.returncode == 2
    assert victim.name in one_line(done)
    assert flown.evaluation.read_bytes() == before
    assert not list(flown.root.rglob("*.tmp"))


def test_a_failed_gate_ends_with_exit_code_1(tiny: Workspace) -> None:
    edit(tiny.params_file, "checks: {batch_expectations: stop}", "checks: {missing_label: {policy: stop}}")

    done = run(tiny, "keepfit", "run")

    assert done.returncode == 1
    assert "missing_label" in one_line(done)


def test_a_killed_run_is_carried_on(tiny: Workspace) -> None:
    process = subprocess.Popen(
        [str(BIN / "keepfit"), "run"],
        cwd=tiny.root,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("split"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()

    done = run(tiny, "keepfit", "run")

    assert done.returncode == 0, done.stderr
    assert "ingest: up to date" in done.stdout
    assert not list(tiny.root.rglob("*.tmp"))


def test_help_names_every_command() -> None:
    done = subprocess.run([str(BIN / "keepfit"), "--help"], capture_output=True, text=True, check=True)

    for command in ("run", "stage", "monitor", "serve", "report", "models", "demo"):
        assert command in done.stdout

"""`keepfit backtest` on a tiny workspace: what it finds, that it leaves that alone, and goes on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import artefacts
from pipeline.commands.backtest import running, steps
from pipeline.commands.backtest.record import Backtest
from pipeline.errors import DataError
from pipeline.reports import backtest as page
from pipeline.workspace import Workspace
from tests.conftest import copied

MAY = "2024-05.csv.gz"


@pytest.fixture(scope="session")
def replayed_once(
    tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Backtest, list[str]]:
    """A workspace whose batches were replayed under `never` and `every batch`, what was found, and what was said."""
    workspace, said = copied(tiny_once, tmp_path_factory.mktemp("replayed") / "tiny"), list[str]()
    found = running.run(workspace, names=["every batch"], delay_days=0, say=said.append)
    return workspace, found, said


def test_a_policy_that_trains_is_held_against_never(replayed_once: tuple[Workspace, Backtest, list[str]]) -> None:
    _, found, _ = replayed_once

    never, every = found.runs
    assert [moment.version for moment in never.moments] == ["v1", "v1"]
    assert [moment.version for moment in every.moments] == ["v1", "v2"]
    assert every.moments[0].scores == never.moments[0].scores
    assert every.moments[1].scores != never.moments[1].scores
    assert every.trainings == 2
    assert every.seconds > 0
    outcome = every.moments[1].outcome
    assert outcome is not None
    assert outcome.batch_rows_in_training > 0


def test_the_workspace_itself_is_left_alone(
    replayed_once: tuple[Workspace, Backtest, list[str]], tiny_once: Workspace
) -> None:
    def content(root: Path) -> dict[str, str]:
        files = [path for path in root.rglob("*") if path.is_file() and ".keepfit" not in path.parts]
        return {path.relative_to(root).as_posix(): artefacts.sha256(path) for path in files}

    assert content(replayed_once[0].root) == content(tiny_once.root)


def test_a_second_time_nothing_is_trained_and_the_same_is_found(
    replayed_once: tuple[Workspace, Backtest, list[str]],
) -> None:
    workspace, found, _ = replayed_once
    said: list[str] = []

    again = running.run(workspace, names=["every batch"], delay_days=0, say=said.append)

    assert again.model_copy(update={"seconds": found.seconds}) == found
    assert not [line for line in said if line.startswith("training")]


def test_another_policy_uses_what_was_trained(replayed_once: tuple[Workspace, Backtest, list[str]]) -> None:
    workspace, _, _ = replayed_once
    said: list[str] = []

    found = running.run(workspace, names=["monthly"], delay_days=40, say=said.append)

    assert [moment.version for moment in found.runs[1].moments] == ["v1", "v1"]
    assert not [line for line in said if line.startswith("training")]


def test_trainings_of_other_settings_are_removed_once_a_replay_of_these_is_whole(
    replayed_once: tuple[Workspace, Backtest, list[str]], tmp_path: Path
) -> None:
    workspace, said = copied(replayed_once[0], tmp_path / "tiny"), list[str]()
    home = workspace.state / "backtest"
    before = set(home.iterdir())
    workspace.params_file.write_text(workspace.params_file.read_text().replace("seed: 7", "seed: 8"))

    running.run(Workspace.open(workspace.root), names=["never"], delay_days=0, say=said.append)

    (left,) = home.iterdir()
    assert left not in before
    assert said[-1] == f"removed {len(before)} trainings of other data, settings or code from an earlier backtest"


def test_the_page_shows_each_policy_and_no_data_is_markup(
    replayed_once: tuple[Workspace, Backtest, list[str]],
) -> None:
    _, found, _ = replayed_once

    told = page.page(found.model_copy(update={"dataset": "<b>"}))

    assert "every batch" in told
    assert "&lt;b&gt;" in told
    assert told.count("<svg") > 4


def test_without_a_batch_there_is_nothing_to_replay(tiny: Workspace) -> None:
    for path in tiny.incoming.iterdir():
        path.unlink()

    with pytest.raises(DataError, match="there is no batch to replay"):
        running.run(tiny, names=None, delay_days=0, say=print)


def test_where_all_data_came_as_batches_there_is_no_first_model(tiny: Workspace) -> None:
    for path in tiny.raw.iterdir():
        path.rename(tiny.incoming / path.name)
    (tiny.raw / MAY).write_bytes((tiny.incoming / MAY).read_bytes())

    with pytest.raises(DataError, match="every file of it came as a batch"):
        running.run(tiny, names=None, delay_days=0, say=print)


def test_a_replay_that_was_killed_goes_on_where_it_was(
    tiny: Workspace, replayed_once: tuple[Workspace, Backtest, list[str]]
) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "-w", str(tiny.root), "backtest", "--policy", "every batch"]
    scratch = tiny.state / "backtest"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while len(list(scratch.glob("*/done.json"))) < 2 and process.poll() is None:
            time.sleep(0.02)  # until the second training has begun
        os.kill(process.pid, signal.SIGKILL)
    done = {path: artefacts.read_json(path)["seconds"] for path in scratch.glob("*/done.json")}
    assert process.returncode == -signal.SIGKILL
    assert len(done) == 2

    found = running.run(tiny, names=["every batch"], delay_days=0, say=lambda _: None)

    after = {path: artefacts.read_json(path)["seconds"] for path in done}
    assert all(after[path].items() >= seconds.items() for path, seconds in done.items())
    _, whole, _ = replayed_once
    for run, other in zip(found.runs, whole.runs, strict=True):
        assert run.mean == other.mean
        assert [moment.decision for moment in run.moments] == [moment.decision for moment in other.moments]
    assert not list(scratch.rglob("*.tmp"))
    assert {stage for seconds in after.values() for stage in seconds} == set(steps.TRAINING)

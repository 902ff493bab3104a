"""A champion that is worse than the version before it gives its place back, if the settings say so."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline import artefacts, monitor
from pipeline.drift.decision import MonitorSettings
from pipeline.metrics import Paired
from pipeline.models import saved
from pipeline.monitor.rollback import beats
from pipeline.policy.choices import RetrainSettings
from pipeline.versions import registry
from pipeline.workspace import Workspace

APRIL = "2024-04.csv.gz"


@pytest.fixture
def worse(promoted: Workspace) -> Workspace:
    """A workspace whose champion, v2, is v1 with its weights turned around."""
    folder = promoted.registry / "v2"
    shutil.copytree(promoted.registry / "v1", folder)
    tensors = artefacts.read_tensors(folder / saved.WEIGHTS)
    artefacts.write_tensors(
        folder / saved.WEIGHTS,
        {n: np.asarray(-value) if value.dtype.kind == "f" else value for n, value in tensors.items()},
    )
    manifest = saved.Manifest.read(folder / saved.MANIFEST)
    files = manifest.files | {saved.WEIGHTS: artefacts.sha256(folder / saved.WEIGHTS)}
    manifest.model_copy(update={"files": files}).write(folder / saved.MANIFEST)
    registry.point(promoted, "v2")
    return promoted


def allowed(workspace: Workspace, rollback: bool) -> Workspace:
    """The workspace with `monitor.retrain.rollback` set."""
    params = yaml.safe_load(workspace.params_file.read_text())
    params["monitor"]["retrain"] = {"rollback": rollback}
    workspace.params_file.write_text(yaml.safe_dump(params))
    return Workspace.open(workspace.root)


def watch(workspace: Workspace) -> monitor.MonitoringRecord:
    return monitor.watch(workspace, Path(workspace.incoming / APRIL))


def test_a_worse_champion_gives_its_place_back(worse: Workspace) -> None:
    record = watch(allowed(worse, rollback=True))

    assert record.rollback is not None
    assert (record.rollback.left, record.rollback.version) == ("v2", "v1")
    assert record.rollback.paired.difference < 0
    assert registry.champion(worse).version == "v1"
    assert "rolled back from v2 to v1" in record.rollback.words
    assert monitor.records(worse)[0].rollback == record.rollback


def test_it_stays_where_the_settings_do_not_say_so(worse: Workspace) -> None:
    assert watch(allowed(worse, rollback=False)).rollback is None
    assert registry.champion(worse).version == "v2"


def test_one_that_was_rolled_back_to_is_not_left_again(worse: Workspace) -> None:
    workspace = allowed(worse, rollback=True)
    watch(workspace)

    assert watch(workspace).rollback is None
    assert registry.champion(worse).version == "v1"


@pytest.mark.parametrize(
    ("difference", "low", "high", "leaves"),
    [(-0.1, -0.12, -0.08, True), (-0.1, -0.2, 0.01, False), (-0.01, -0.015, -0.005, False), (0.1, 0.08, 0.12, False)],
    ids=["surely worse", "maybe chance", "within what is tolerated", "better"],
)
def test_it_must_surely_be_worse_by_more_than_is_tolerated(
    difference: float, low: float, high: float, leaves: bool
) -> None:
    pair = Paired(model="v1", metric="auc", difference=difference, low=low, high=high, resamples=200)

    assert beats(pair, 0.8, MonitorSettings(tolerated_drop=0.02, retrain=RetrainSettings(rollback=True))) is leaves

"""Making a version anew: bit by bit the same from the same, and what differs is named."""

import gzip
import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from pipeline import artefacts, cli
from pipeline.commands.models import laid_out, reproduced
from pipeline.commands.models.reproduced import Reproduction
from pipeline.commands.models.version import Version
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.stages import train
from pipeline.versions import git, registry
from pipeline.versions.dvc import Versions
from pipeline.workspace import Workspace

# DVC itself asks pygtrie for what it will take away one day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

Anew = Callable[[str], Reproduction]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages run here, and are recorded, instead of as commands of a shell."""

    def run(self: Versions, name: str) -> None:
        import_module(f"pipeline.stages.{name}").run(Workspace.open(self._root))
        self.record(name)

    monkeypatch.setattr(Versions, "run_command", run)


@pytest.fixture
def promoted(trained: Workspace) -> Workspace:
    """A workspace with one version."""
    registry.point(trained, registry.register(trained))
    return trained


@pytest.fixture
def anew(promoted: Workspace, tmp_path: Path) -> Anew:
    """Makes a version of the workspace anew, in a folder that stays."""
    said: list[str] = []
    return lambda name: reproduced.reproduce(promoted, Version.read(promoted, name), tmp_path / "anew", said.append)


def test_a_version_is_made_anew_bit_by_bit_and_the_workspace_is_left_alone(
    promoted: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    promoted.params_file.write_text(promoted.params_file.read_text().replace("seed: 7", "seed: 8"))
    (promoted.raw / "2024-04.csv.gz").write_bytes((promoted.incoming / "2024-04.csv.gz").read_bytes())
    before = artefacts.sha256(promoted.root / "models"), artefacts.sha256(promoted.root / "data")

    code = cli.main(["-w", str(promoted.root), "models", "reproduce", "v1", "--json", str(tmp_path / "found.json")])

    told = capsys.readouterr().out
    assert code == 0, told
    found = Reproduction.read(tmp_path / "found.json")
    assert found.same and all(found.files.values()) and found.weights.differing == []
    assert found.scores > 10
    assert "v1 is reproduced: the weights are the same, bit by bit" in told
    assert f"all {found.scores} scores are the same" in told
    assert (artefacts.sha256(promoted.root / "models"), artefacts.sha256(promoted.root / "data")) == before


def test_a_file_of_then_is_found_in_git_or_among_what_came_in(promoted: Workspace, tmp_path: Path) -> None:
    git.git(promoted.root, "init", "--quiet", "--initial-branch=main")
    git.commit(promoted.root, [promoted.raw / "2024-01.csv.gz"], "The data")
    git.git(promoted.root, "tag", "tiny@v1.0.0")
    then = (promoted.raw / "2024-01.csv.gz").read_bytes()
    (promoted.raw / "2024-01.csv.gz").write_bytes(gzip.compress(b"order\n1\n"))
    shutil.move(promoted.raw / "2024-02.csv", promoted.incoming / "2024-02.csv")

    made = laid_out.lay_out(promoted, Version.read(promoted, "v1"), tmp_path / "anew")

    assert (made.raw / "2024-01.csv.gz").read_bytes() == then
    assert sorted(path.name for path in made.raw.iterdir()) == ["2024-01.csv.gz", "2024-02.csv", "2024-03.csv.gz"]


def test_data_that_are_gone_are_named(promoted: Workspace, tmp_path: Path) -> None:
    (promoted.raw / "2024-02.csv").unlink()

    with pytest.raises(WorkspaceError, match=r"not there any more with the bytes of then: 2024-02\.csv; bring"):
        laid_out.lay_out(promoted, Version.read(promoted, "v1"), tmp_path / "anew")


def test_a_folder_that_holds_something_is_refused(promoted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-w", str(promoted.root), "models", "reproduce", "v1", "--into", str(promoted.root)]) == 2
    assert "is there and is not empty; name a new folder with --into" in capsys.readouterr().err


def test_other_weights_and_scores_are_told_with_where_it_began(
    promoted: Workspace, anew: Anew, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = train.run

    def otherwise(workspace: Workspace) -> saved.Manifest:
        text = workspace.params_file.read_text()
        workspace.params_file.write_text(text.replace("learning_rate: 0.02", "learning_rate: 0.2"))
        ran(Workspace.open(workspace.root))
        workspace.params_file.write_text(text)
        return saved.Manifest.read(workspace.candidate / saved.MANIFEST)

    monkeypatch.setattr(train, "run", otherwise)
    kept = promoted.registry / "v1" / "lineage.json"
    then = json.loads(kept.read_text())
    then["packages"]["torch"] = "0.0.1"
    kept.write_text(json.dumps(then))

    found = anew("v1")

    assert not found.same
    assert found.weights.differing and found.weights.largest
    told = "\n".join(reproduced.words(found))
    assert told.startswith(f"v1 is not reproduced: {len(found.weights.differing)} of ")
    assert f"{len(found.changed)} of {found.scores} scores differ" in told
    assert f"  {found.changed[0].score}: {found.changed[0].then} → {found.changed[0].now}" in told
    assert any(line.startswith("torch: 0.0.1 → ") for line in found.environment)


def test_a_version_judged_beside_a_champion_is_judged_beside_it_again(
    promoted: Workspace, anew: Anew, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted.params_file.write_text(promoted.params_file.read_text().replace("seed: 7", "seed: 9"))
    workspace = Workspace.open(promoted.root)
    for stage in cli.STAGES:
        import_module(f"pipeline.stages.{stage}").run(workspace)
    registry.point(workspace, registry.register(workspace))
    registry.rollback(workspace)

    found = anew("v2")

    assert found.same, list(reproduced.words(found))
    beside = artefacts.read_json(promoted.registry / "v2" / registry.EVALUATION)["paired"]
    assert {pair["model"] for pair in beside} >= {"champion", "majority"}


def test_tensors_are_compared_by_name_shape_and_bits(tmp_path: Path) -> None:
    one = {"a": np.zeros(3, np.float32), "b": np.ones((2, 2), np.float32), "c": np.ones(1, np.float32)}
    artefacts.write_tensors(tmp_path / "one", one)
    artefacts.write_tensors(tmp_path / "minus", one | {"a": np.array([0.0, -0.0, 0.5], np.float32)})
    artefacts.write_tensors(tmp_path / "shape", one | {"b": np.ones(4, np.float32)})
    artefacts.write_tensors(tmp_path / "name", {"a": one["a"], "b": one["b"], "d": one["c"]})

    same, minus, shape, name = (
        reproduced._weights(tmp_path / "one", tmp_path / other) for other in ("one", "minus", "shape", "name")
    )

    assert (same.differing, same.largest) == ([], 0.0)
    assert (minus.differing, minus.values, minus.largest) == (["a"], 1, 0.5)
    assert (shape.differing, shape.largest) == (["b"], None)
    assert (name.differing, name.tensors, name.largest) == (["c", "d"], 4, None)


def test_two_locks_differ_by_stage_in_what_was_read_and_written() -> None:
    def stage(read: str, wrote: str) -> dict[str, list[dict[str, str]]]:
        deps = [{"path": "data/raw/tiny", "md5": read}, {"path": "models/champion.json", "md5": wrote}]
        return {"deps": deps, "outs": [{"path": "data/ingested", "md5": wrote}]}

    found = reproduced.stages(
        {"ingest": stage("1", "2"), "split": stage("1", "2"), "gone": stage("1", "2")},
        {"ingest": stage("1", "2"), "split": stage("3", "4")},
    )

    assert found == {
        "split": ["read data/raw/tiny", "wrote data/ingested"],
        "gone": ["read data/raw/tiny", "wrote data/ingested"],
    }

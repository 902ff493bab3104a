"""Train from a registered model: what was taken is on record, and who names none is told in one line."""

from pathlib import Path

import pytest
import yaml

from pipeline import artefacts, progress
from pipeline.errors import KeepfitError, SettingsError, WorkspaceError
from pipeline.models import saved, transfer
from pipeline.models.history import History
from pipeline.policy.window import Window
from pipeline.stages import normalize, split, train
from pipeline.versions import registry
from pipeline.workspace import Workspace


def registered(workspace: Workspace) -> None:
    registry.register(workspace)
    registry.point(workspace, "v1")


def with_train(workspace: Workspace, words: str) -> Workspace:
    text = workspace.params_file.read_text()
    workspace.params_file.write_text(text.replace("epochs: 2,", f"epochs: 2, {words},"))
    return Workspace.open(workspace.root)


def depend_on_champion(workspace: Workspace) -> None:
    path = workspace.root / "dvc.yaml"
    dag = yaml.safe_load(path.read_text())
    dag["stages"]["train"]["deps"].append("models/champion.json")
    path.write_text(yaml.safe_dump(dag))


def test_a_training_says_what_it_started_from(trained: Workspace) -> None:
    registered(trained)
    heard: list[str] = []
    first = History.read(trained.candidate / saved.HISTORY).epochs[0]

    with progress.listening(lambda _, words: heard.append(words)):
        manifest = train.run(with_train(trained, "init_from: v1"))

    assert manifest.start is not None
    assert manifest.start.model == "v1"
    assert manifest.start.sha256 == artefacts.sha256(registry.folder(trained, "v1") / saved.WEIGHTS)
    assert manifest.start.taken == manifest.start.weights
    assert manifest.start.fresh == manifest.start.left == {}
    assert heard[0] == manifest.start.words
    assert not manifest.start.seen  # the split is the same
    assert saved.verify(trained.candidate) == manifest
    assert History.read(trained.candidate / saved.HISTORY).epochs[0]["val_loss"] < first["val_loss"]


def test_a_retraining_starts_from_the_version_that_it_was_told_to(trained: Workspace) -> None:
    registered(trained)
    Window(start="v1").write(trained.window)

    manifest = train.run(trained)

    assert manifest.start is not None
    assert manifest.start.model == "v1"


def test_a_new_column_is_told_and_the_rest_is_taken(trained: Workspace) -> None:
    registered(trained)
    contract = trained.contract_file
    text = contract.read_text()
    role = '    order: int = pa.Field(ge=1, metadata={"role": "id"})'
    assert role in text
    contract.write_text(text.replace(role, '    order: int = pa.Field(ge=1, metadata={"modality": "numeric"})'))
    normalize.run(trained)

    manifest = train.run(with_train(trained, "init_from: v1, freeze: encoders, taken_rate: 0.5"))

    assert manifest.start is not None
    assert manifest.start.new == ["order"]
    assert 0 < manifest.start.taken < manifest.start.weights
    assert manifest.start.frozen > 0
    assert "new: order" in manifest.start.words


def test_the_same_start_gives_the_same_bytes(trained: Workspace) -> None:
    registered(trained)
    workspace = with_train(trained, "init_from: v1")

    train.run(workspace)
    before = artefacts.sha256(workspace.candidate)
    train.run(workspace)

    assert artefacts.sha256(workspace.candidate) == before


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ("init_from: v7", WorkspaceError, "params.yaml: train.init_from: the registry has no v7; use one of: v1"),
        ("init_from: best", SettingsError, "params.yaml: train.init_from"),
        ("init_from: champion", WorkspaceError, "write `- models/champion.json` under the deps of train"),
        ("freeze: head", SettingsError, "params.yaml: train.freeze"),
        ("model: ft_transformer, ft_transformer: {width: 24}, init_from: v1", SettingsError, "nothing of v1 fits"),
    ],
)
def test_a_wrong_name_is_one_line(words: str, kind: type[KeepfitError], message: str, trained: Workspace) -> None:
    registered(trained)

    with pytest.raises(kind) as error:
        train.run(with_train(trained, words))

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_champion_is_named_by_its_version_and_known_to_dvc(trained: Workspace) -> None:
    registered(trained)
    depend_on_champion(trained)

    manifest = train.run(with_train(trained, "init_from: champion"))

    assert manifest.start is not None
    assert manifest.start.model == "v1"


def test_without_a_champion_it_is_told(trained: Workspace, tmp_path: Path) -> None:
    depend_on_champion(trained)

    with pytest.raises(WorkspaceError, match="the registry has no champion; use one of: none yet"):
        train.run(with_train(trained, "init_from: champion"))


def test_it_is_told_when_a_random_split_may_have_shown_val_to_the_old_model(trained: Workspace) -> None:
    registered(trained)
    workspace = with_train(trained, "init_from: v1")
    workspace.params_file.write_text(workspace.params_file.read_text().replace("seed: 7", "seed: 8"))
    workspace = Workspace.open(workspace.root)
    for stage in (split, normalize):
        stage.run(workspace)

    manifest = train.run(workspace)

    assert manifest.start is not None
    assert manifest.start.seen
    assert manifest.start.words.endswith(
        "v1 may have learnt from rows that are val or test now, so that scores there are too good"
    )


def test_rows_that_came_later_were_not_seen(trained: Workspace) -> None:
    manifest = trained.split / "manifest.json"
    record = artefacts.read_json(manifest)
    path = trained.candidate / saved.MANIFEST
    model = saved.Manifest.read(path)
    early = {"train": ("2024-01-01", "2024-01-31")}
    path.unlink()
    model.model_copy(update={"span": early}).write(path)
    registered(trained)
    late = {
        "train": ["2024-01-01", "2024-02-10"],
        "val": ["2024-02-11", "2024-02-20"],
        "test": ["2024-02-21", "2024-03-01"],
    }
    artefacts.write_json(manifest, {**record, "span": late})

    assert not transfer.source(trained, "v1").seen
    artefacts.write_json(manifest, {**record, "span": {**late, "val": ["2024-01-31", "2024-02-20"]}})
    assert transfer.source(trained, "v1").seen
